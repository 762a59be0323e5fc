"""The steps that commands share: train, measure and leave results, saying on the way how far the work is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import typer

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.cli import options as opt
from dnn_topology.cli.progress import progress
from dnn_topology.homology.betti_numbers import betti_numbers
from dnn_topology.homology.engines.planner import cores
from dnn_topology.runs import (
    EpochsFailedError,
    Experiment,
    Resources,
    Topology,
    Training,
    bootstrap_table,
    check_trained,
    load_diagrams,
    measure_epochs,
    measured_epochs,
    measured_parts,
    run_training,
    topology_table,
    use_threads,
    with_names,
)

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.isolate import Failure
    from dnn_topology.nets.train import TrainingState


def opened(experiment: Experiment) -> Experiment:
    """Return an experiment with the settings that its folder says it was trained with.

    Raises:
        DnnTopologyError: Nothing was trained there, or its settings are damaged.
    """
    path = experiment.trial_folder / "settings.json"
    if not path.exists():
        check_trained(experiment, [0])
    settings = store.read_json(path)
    settings.pop("format", None)
    try:
        return replace(experiment, training=Training(**settings))
    except TypeError as error:
        raise DnnTopologyError(f"{path} does not describe a training ({error}): delete it and train again") from error


def run_at(folder: Path, *, data_dir: Path | None = None, device: str = "cpu") -> Experiment:
    """Return the experiment whose trial left a folder.

    Raises:
        DnnTopologyError: It is no such folder, or its settings are damaged.
    """
    if not (folder / "settings.json").exists():
        raise DnnTopologyError(
            f"{folder} is no folder of a run: name the folder trial<T> that `dnn-topology run` or `train` left, such "
            "as results_dnn_topology/lenet_mnist-5k/trial0"
        )
    about = store.read_json(folder / "settings.json")
    named = Training(**{name: about[name] for name in ("net", "dataset", "trial") if name in about})
    return opened(Experiment(named, folder.resolve().parent.parent, data_dir, device))


def train_with_progress(
    experiment: Experiment,
    *,
    epochs: int,
    save_epochs: list[int] | tuple[()],
    save_every: int,
    should_stop: Callable[[int], bool] | None = None,
) -> None:
    """Train and say after each epoch how well it went."""
    with progress("training", total=epochs + 1) as step:

        def say(state: TrainingState) -> None:
            last = state.history[-1]
            step(
                f"epoch {last.epoch} of {epochs}: accuracy "
                f"{last.train_accuracy:.3f} train, {last.test_accuracy:.3f} test"
            )

        run_training(
            experiment,
            epochs=epochs,
            save_epochs=save_epochs,
            save_every=save_every,
            on_epoch=say,
            should_stop=should_stop,
        )


def measure_and_leave(
    experiment: Experiment,
    topology: Topology,
    epochs: list[int],
    shown: Mapping[str, Any],
    *,
    drawn: list[int] | None = None,
    thresholds: Sequence[float] | None = None,
    resources: Resources,
    verbose: bool = False,
) -> list[Path]:
    """Measure epochs, write the table and the pictures of all that is measured, and say where they are.

    Returns:
        The paths of the table and the pictures.

    Raises:
        EpochsFailedError: Some epochs could not be measured; raised when everything else is done.
    """
    failed = None
    try:
        _measure_with_progress(experiment, topology, epochs, resources, verbose=verbose)
    except EpochsFailedError as error:
        if not measured_epochs(experiment, topology.max_epsilon):
            raise
        failed = error
    paths = leave_results(experiment, topology.max_epsilon, drawn, shown, thresholds=thresholds)
    for path in paths:
        typer.echo(path)
    if failed:
        raise failed
    return paths


def _measure_with_progress(
    experiment: Experiment, topology: Topology, epochs: list[int], resources: Resources, *, verbose: bool
) -> None:
    """Measure epochs and say of each how many cavities it has, or why it has none."""
    with progress("topology", total=len(epochs)) as step:

        def say(epoch: int, diagrams: Mapping[str, Diagrams]) -> None:
            found = list(diagrams.values())
            counts = ", ".join(
                f"{sum(len(one[dim]) for one in found)} in H{dim}" for dim in range(topology.max_dim + 1)
            )
            among = f" in {len(found)} graphs" if len(found) > 1 else ""
            plans = dict.fromkeys(str(one.provenance["plan"]) for one in found if "plan" in one.provenance)
            how = f" ({'; '.join(plans)})" if verbose and plans else ""
            step(f"epoch {epoch}: {sum(one.n_nodes or 0 for one in found)} nodes{among}, cavities: {counts}{how}")

        def complain(epoch: int, failure: Failure) -> None:
            step(f"epoch {epoch} failed: {failure.reason.strip().splitlines()[-1]}")

        measure_epochs(experiment, topology, epochs, resources=resources, on_epoch=say, on_failure=complain)


def leave_results(
    experiment: Experiment,
    max_epsilon: float,
    epochs: list[int] | None,
    shown: Mapping[str, Any],
    *,
    thresholds: Sequence[float] | None = None,
) -> list[Path]:
    """Write the tables of every measured epoch, and the pictures of some.

    topology.csv always; betti_numbers.csv with thresholds; bootstrap.csv where neurons were drawn.

    Returns:
        The paths of the tables and the pictures.
    """
    from dnn_topology.show.report import draw_run

    folder = experiment.topology_folder(max_epsilon)
    counted = {name: shown[name] for name in ("min_persistence", "essential")}
    measured = {
        part: load_diagrams(experiment, max_epsilon, part=part) for part in measured_parts(experiment, max_epsilon)
    }
    tables = {part: topology_table(diagrams, part=part, **counted) for part, diagrams in measured.items()}
    paths = [folder / "topology.csv"]
    store.write_table(paths[0], pd.concat(tables.values(), ignore_index=True))
    if thresholds:
        paths.append(folder / "betti_numbers.csv")
        store.write_table(
            paths[-1],
            pd.concat(
                with_names(betti_numbers(found, thresholds, filtration=shown["filtration"]), epoch=epoch, part=part)
                for part, diagrams in measured.items()
                for epoch, found in diagrams.items()
            ),
        )
    spread = bootstrap_table(experiment, max_epsilon, **counted)
    if spread is not None:
        paths.append(folder / "bootstrap.csv")
        store.write_table(paths[-1], spread)
    history = pd.read_csv(experiment.trial_folder / "history.csv")
    for part, diagrams in measured.items():
        drawn = {epoch: found for epoch, found in diagrams.items() if epochs is None or epoch in epochs}
        paths += draw_run(drawn, tables[part], history, folder / part, **shown)
    return paths


def resources_of(
    nproc: int | None = None, jobs: int = 1, timeout: float | None = None, memory_limit: float | None = None
) -> Resources:
    """Set this process's own threads, and return what measuring may use: --nproc cores, shared among the jobs."""
    use_threads(nproc)
    threads = nproc if jobs == 1 else max(1, (nproc or cores()) // jobs)
    return Resources(jobs=jobs, isolated=True, threads=threads, timeout=timeout, memory_limit=memory_limit)


def topology_of(
    max_epsilon: float,
    max_dim: int | None,
    upper_dim: int | None,
    nodes: str,
    layers: str | None,
    constant: str,
    graph_split: str,
    n_inputs: int,
    engine: str,
) -> Topology:
    """Return what the flags ask to measure, checked before any work starts."""
    from dnn_topology.homology.engines import check_engine
    from dnn_topology.recording.signals import NODES

    check_engine(engine)
    check_choice("--nodes", nodes, NODES)
    check_choice("--constant", constant, ("drop", "isolate"))
    return Topology(
        max_epsilon=max_epsilon,
        max_dim=opt.highest_dim(max_dim, upper_dim),
        nodes=cast(Any, nodes),
        layers=None if layers is None else tuple(layers.replace(",", " ").split()),
        constant=cast(Any, constant),
        graph_split=cast(Any, graph_split),
        n_inputs=n_inputs,
        engine=engine,
    )
