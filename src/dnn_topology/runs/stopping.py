"""What an early-stopping rule watches of a training on disk: readings of training inputs, epoch by epoch.

Under `trial<T>/early_stopping/`: settings.json, what was watched; epoch<E>.csv, one row per draw of the inputs, the
first being the inputs themselves. Whether they are read while the network trains or afterwards, they come from the
checkpoints, and are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import MAX_EPSILON, QUANTITIES, stopping_readings
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.bootstrap import resampled
from dnn_topology.homology.persistence import persistence
from dnn_topology.isolate import Failure, isolated
from dnn_topology.runs.graphs import Topology, snapshot_of
from dnn_topology.runs.layout import Experiment, check_trained
from dnn_topology.runs.measuring import EpochsFailedError, Resources, use_threads

WATCHED = ("max_epsilon", "nodes", "layers", "constant", "n_inputs", "sample_nodes", "sample_method")


def stopping_folder(experiment: Experiment) -> Path:
    """Return the folder of what is read for early stopping."""
    return experiment.trial_folder / "early_stopping"


def watched_topology(experiment: Experiment, **asked: Any) -> Topology:
    """Return what is watched: what is asked for, else what was watched before, else the usual.

    Args:
        experiment: The training.
        **asked: Fields of `Topology` named in `WATCHED`; None for what is not asked for.

    Raises:
        DnnTopologyError: A setting is out of range, or the settings in the folder are damaged.
    """
    path = stopping_folder(experiment) / "settings.json"
    found = store.read_json(path) if path.exists() else {}
    known: dict[str, Any] = {name: found[name] for name in WATCHED if found.get(name) is not None}
    wanted = {
        "max_epsilon": MAX_EPSILON,
        **known,
        **{name: value for name, value in asked.items() if value is not None},
    }
    if wanted.get("layers") is not None:
        wanted["layers"] = tuple(wanted["layers"])
    return Topology(max_dim=1, **wanted)


def watch_epochs(
    experiment: Experiment,
    topology: Topology,
    epochs: Sequence[int],
    *,
    draws: int = 0,
    resources: Resources | None = None,
    on_epoch: Callable[[int, pd.DataFrame], None] | None = None,
) -> dict[int, pd.DataFrame]:
    """Read some epochs from their checkpoints; what was read before is not read again.

    Args:
        experiment: The training.
        topology: What is watched; see `watched_topology`.
        epochs: Which epochs.
        draws: Number of bootstrap draws of the inputs, besides the inputs themselves.
        resources: How many processes, threads, and so on; None for the defaults.
        on_epoch: Called with each epoch and its table, as it is finished or found.

    Returns:
        Epoch → one row per draw, `draw` and the readings; the first row is of the inputs themselves.

    Raises:
        DnnTopologyError: The graph would look at test inputs, an epoch has no checkpoint, the folder was made with
            other settings, or a file is damaged.
        EpochsFailedError: Epochs failed in processes of their own; the others are finished.
    """
    if topology.graph_split != "train":
        raise DnnTopologyError("early stopping looks at training inputs alone: leave out --graph-split test")
    resources = resources or Resources()
    epochs = check_trained(experiment, epochs)
    settings = {name: value for name, value in asdict(topology).items() if name in WATCHED}
    store.claim(stopping_folder(experiment), settings, results="epoch*.csv")
    found = {epoch: _read(experiment, epoch) for epoch in epochs}
    for epoch, table in found.items():
        if len(table) > draws and on_epoch:
            on_epoch(epoch, table)
    todo = [epoch for epoch, table in found.items() if len(table) <= draws]
    work = partial(_watch_epoch, experiment, topology, resources, draws)
    if resources.isolated and todo:
        prepare = partial(use_threads, resources.threads)
        outcomes = isolated(work, todo, jobs=resources.jobs, timeout=resources.timeout, prepare=prepare)
    else:
        outcomes = ((epoch, work(epoch)) for epoch in todo)
    failed: dict[int, Failure] = {}
    for epoch, outcome in outcomes:
        note = stopping_folder(experiment) / f"epoch{epoch}.failed.json"
        if isinstance(outcome, Failure):
            failed[epoch] = outcome
            store.write_json(note, {"epoch": epoch, **asdict(outcome)})
            continue
        note.unlink(missing_ok=True)
        found[epoch] = outcome
        if on_epoch:
            on_epoch(epoch, outcome)
    if failed:
        raise EpochsFailedError(failed)
    return {epoch: table.head(draws + 1) for epoch, table in found.items()}


def _watch_epoch(
    experiment: Experiment, topology: Topology, resources: Resources, draws: int, epoch: int
) -> pd.DataFrame:
    """Read one epoch: the inputs themselves and what is missing of the draws."""
    seed = experiment.training.seed
    activations = snapshot_of(experiment, topology, epoch).activations()
    if topology.sample_nodes is not None:
        activations = sample_nodes(activations, topology.sample_nodes, method=topology.sample_method, seed=seed)
    how: dict[str, Any] = {"max_epsilon": topology.max_epsilon, "device": experiment.device}
    if topology.sample_nodes is None:
        how["constant"] = topology.constant
    options: dict[str, Any] = {"max_dim": 1, "threads": resources.threads, "memory_limit": resources.memory_limit}
    rows: list[dict[str, float]] = _read(experiment, epoch).to_dict("records")  # type: ignore[assignment]
    if not rows:
        graph = functional_graph(activations, **how)
        rows.append({"draw": 0, **stopping_readings(persistence(graph, **options))})
    again = range(len(rows), draws + 1)
    for draw, diagrams in zip(again, resampled(activations, again, seed=seed, **how, **options), strict=True):
        rows.append({"draw": draw, **stopping_readings(diagrams)})
    table = pd.DataFrame(rows)
    store.write_table(_file(experiment, epoch), table)
    return table


def _file(experiment: Experiment, epoch: int) -> Path:
    """Return the file of an epoch's readings."""
    return stopping_folder(experiment) / f"epoch{epoch}.csv"


def _read(experiment: Experiment, epoch: int) -> pd.DataFrame:
    """Return what was read of an epoch before, which may be nothing.

    Raises:
        DnnTopologyError: The file is damaged.
    """
    path = _file(experiment, epoch)
    columns = ["draw", *QUANTITIES]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        with store.readable_errors("read", path):
            return pd.read_csv(path).astype(float).astype({"draw": int})[columns]
    except (ValueError, KeyError) as error:
        raise DnnTopologyError(f"{path} is damaged ({error}): delete it and run again") from error
