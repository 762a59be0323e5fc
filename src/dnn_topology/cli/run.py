"""`run`, `train`, `topology` and `demo`: from a name to a folder of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError
from dnn_topology.cli import options as opt
from dnn_topology.cli.stopping import IN_TRAINING, EarlyStop, TrainingRuleFlags, leave, watch_of
from dnn_topology.progress import answer, progress, say
from dnn_topology.settings import PictureSettings, RunMeasureSettings, TrainSettings
from dnn_topology.store import digest_of

if TYPE_CHECKING:
    from dnn_topology.nets.train import TrainingState
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.runs.run import Run
    from dnn_topology.runs.stopping import TrainingWatch
    from dnn_topology.settings import Resources

DEMO_EPOCHS = (0, 1, 2, 5, 10, 20, 30)
Epochs = Annotated[int, Parameter(alias="--epochs", group=opt.FIRST)]
SaveEvery = Annotated[int, Parameter(group=opt.TRAINING)]
Seed = Annotated[int | None, Parameter(group=opt.TRAINING)]
Thresholds = Annotated[tuple[float, ...], Parameter(group=opt.PICTURES)]
Verbose = Annotated[bool, Parameter(group=opt.PLACES)]
Theirs = Parameter(group=opt.ORIGINAL)


@dataclass(frozen=True)
class Original:
    """Flags of the original that say what else to do, or nothing.

    Attributes:
        train: 1: train; 0: use the checkpoints there.
        build_graph: 1: measure topology; 0: only train.
        resume: Go on from what is there; always so.
        kl: Read by no program of the original.
        scale: Read by no program of the original.
    """

    train: Literal[0, 1] | None = None
    build_graph: Literal[0, 1] = 1
    resume: bool = True
    kl: int = 0
    scale: str = "linear"


def run(
    *,
    training: opt.TrainFlags = opt.TRAIN,
    n_epochs_train: Epochs = 10,
    epochs_test: Annotated[tuple[int, ...] | None, Parameter(group=opt.FIRST)] = None,
    checkpoint: opt.Checkpoint = None,
    no_train: Annotated[bool, Parameter(group=opt.WHAT)] = False,
    seed: Seed = None,
    save_every: SaveEvery = 1,
    early_stop: EarlyStop = None,
    rule: TrainingRuleFlags = IN_TRAINING,
    settings: opt.MeasureFlags = opt.MEASURE,
    thresholds: Thresholds = (),
    pictures: opt.PictureFlags = opt.DRAW,
    save_path: opt.SavePath = opt.RESULTS,
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    verbose: Verbose = False,
    original: Annotated[Original, Parameter(name="*", group=opt.ORIGINAL)] = Original(),  # frozen
) -> None:
    """Train a network, measure the topology of several epochs, and leave tables and pictures.

    Running the same command again goes on where it stopped and redoes nothing that is finished. Every flag of the
    original's `main.py` is understood in its spelling, `--upper_dim N` as `--max-dim N-1`, `--dipha PATH` as `--engine
    dipha:PATH`.

    Args:
        n_epochs_train: Last epoch of training.
        epochs_test: Epochs to measure, besides 0 (default: 1 2 5 10 20 50 … and the last).
        checkpoint: Start from the weights in this file: a state dict, *.pt or *.safetensors.
        no_train: Measure the network as it is: epoch 0 alone.
        seed: Seed of everything random (default: the trial's number).
        save_every: Keep the weights of every so many epochs (0: only of epoch 0, the last, and those asked for).
        early_stop: Stop training when this says so, of training inputs alone: neighbours; or, of H1, midlife, life,
            density or epsilon (topology: midlife).
        thresholds: Write the Betti numbers of the graph that joins |correlation| ≥ T (with --filtration density: the
            share T of all pairs) to betti_numbers.csv. METIS joins what is above the first T.
        save_path: Where results go.
        verbose: Say how each epoch was computed.
    """
    if no_train and original.train is not None:
        theirs = "trains" if original.train else "measures the checkpoints of a training that is there"
        raise DnnTopologyError(
            f"--train {original.train} {theirs}, and --no-train measures a network as it is: give one of the two"
        )
    last = 0 if no_train else n_epochs_train
    used = machine.using(resources)
    measured = opt.plain(settings).with_thresholds(thresholds, filtration=pictures.filtration)
    epochs = sorted({0, *(epochs_test if epochs_test is not None else _usual_epochs(last))})
    check_epochs(epochs)
    if original.train == 0:
        if early_stop is not None:
            raise DnnTopologyError(
                "--early-stop stops a training and --train 0 has none: see `dnn-topology early-stop`"
            )
        there = opt.Named(training.net, training.dataset, training.trial, save_path).open(None, machine)
    else:
        if epochs[-1] > last:
            raise DnnTopologyError(
                f"--epochs-test asks for epoch {epochs[-1]}, but --n-epochs-train ends at {last}: raise it"
            )
        there = named_run(training, seed, checkpoint, save_path, machine)
        check_measurable(there, measured)
        watch = watch_of(there, early_stop, opt.plain(rule), measured, used, save_every=save_every)
        train_with_progress(there, epochs=last, save_epochs=epochs, save_every=save_every, watch=watch)
        epochs = leave(watch, epochs) if watch else epochs
    if original.build_graph:
        measure_and_write(there, measured, epochs, pictures, used, thresholds, verbose=verbose)


def train(
    *,
    training: opt.TrainFlags = opt.TRAIN,
    n_epochs_train: Epochs = 10,
    checkpoint: opt.Checkpoint = None,
    seed: Seed = None,
    save_every: SaveEvery = 1,
    early_stop: EarlyStop = None,
    rule: TrainingRuleFlags = IN_TRAINING,
    save_path: opt.SavePath = opt.RESULTS,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    resume: Annotated[bool, Theirs] = True,
) -> None:
    """Train a network and keep its weights, without measuring anything.

    Args:
        n_epochs_train: Last epoch of training.
        checkpoint: Start from the weights in this file: a state dict, *.pt or *.safetensors.
        seed: Seed of everything random (default: the trial's number).
        save_every: Keep the weights of every so many epochs (0: only of epoch 0 and the last).
        early_stop: Stop training when this says so, of training inputs alone: neighbours; or, of H1, midlife, life,
            density or epsilon (topology: midlife).
        save_path: Where results go.
        resume: Go on from what is there; always so.
    """
    del resume
    there = named_run(training, seed, checkpoint, save_path, machine)
    watch = watch_of(there, early_stop, opt.plain(rule), RunMeasureSettings(), None, save_every=save_every)
    train_with_progress(there, epochs=n_epochs_train, save_epochs=(), save_every=save_every, watch=watch)
    if watch:
        leave(watch, [])
    answer(there.folder / "history.csv")


def topology(
    run: Path | None = None,
    /,
    *,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    checkpoint: opt.Checkpoint = None,
    epochs: Annotated[tuple[int, ...] | None, Parameter(group=opt.FIRST)] = None,
    settings: opt.MeasureFlags = opt.MEASURE,
    thresholds: Thresholds = (),
    pictures: opt.PictureFlags = opt.DRAW,
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    verbose: Verbose = False,
) -> None:
    """Measure the topology of checkpoints that a training left, and leave tables and pictures.

    What is measured with other settings lies beside what was measured before.

    Args:
        run: The folder of a run, trial0, that `run`, `train` or a study left.
        checkpoint: Measure the weights in this file, as epoch 0 of a new run.
        epochs: Epochs to measure (default: every checkpoint).
        thresholds: Write the Betti numbers at these to betti_numbers.csv; see `run`.
        verbose: Say how each epoch was computed.
    """
    used = machine.using(resources)
    measured = opt.plain(settings).with_thresholds(thresholds, filtration=pictures.filtration)
    if checkpoint is not None:
        training = TrainSettings(net=named.net, dataset=named.dataset, trial=named.trial)
        there = named_run(training, None, checkpoint, named.save_path, machine)
        train_with_progress(there, epochs=0, save_epochs=(), save_every=0, watch=None)
    else:
        there = named.open(run, machine)
    wanted = there.trained(epochs)
    measure_and_write(there, measured, wanted, pictures, used, thresholds, verbose=verbose, all_drawn=True)


def demo(
    *,
    save_path: opt.SavePath = Path("demo_results"),
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Train LeNet on 4,000 real MNIST images, measure its topology at 7 epochs, and leave the pictures.

    Args:
        save_path: Where results go.
    """
    import pandas as pd

    from dnn_topology.homology.engines.morse import Morse

    used = machine.using(resources)
    say("compiling the engine, once")
    Morse().compile(RunMeasureSettings.max_dim)
    there = named_run(TrainSettings(), None, None, save_path, machine)
    last = DEMO_EPOCHS[-1]
    train_with_progress(there, epochs=last, save_epochs=DEMO_EPOCHS, save_every=0, watch=None)
    measurement = measure_and_write(there, RunMeasureSettings(), DEMO_EPOCHS, PictureSettings(), used)
    topology = pd.read_csv(measurement.folder / "topology.csv")
    loops = topology[topology["dim"] == 1].set_index("epoch")
    before, after = loops.loc[0], loops.loc[last]
    accuracy = pd.read_csv(there.folder / "history.csv").set_index("epoch")["test_accuracy"][last]
    now, then = after["peak_epsilon"], before["peak_epsilon"]
    compared = "smaller" if now < then else "larger" if now > then else "the same"
    answer(
        f"In the untrained network the number of loops among correlated neurons peaks at ε {then:.2f}; after {last} "
        f"epochs, at {100 * accuracy:.0f} % test accuracy, it peaks at ε {now:.2f}, that is at {compared} distances.",
        f"Their midlife went from {before['midlife']:.3f} to {after['midlife']:.3f} and their life from "
        f"{before['life']:.3f} to {after['life']:.3f} (in ε, cavities that live longer than "
        f"{measurement.settings.min_persistence:g}).",
    )


def named_run(
    training: TrainSettings, seed: int | None, checkpoint: Path | None, save_path: Path, machine: opt.Machine
) -> Run:
    """Return the run that flags describe, to be trained."""
    from dnn_topology.runs.run import Run

    weights = None if checkpoint is None else digest_of(checkpoint)
    plain = opt.plain(training) if type(training) is not TrainSettings else training
    settled = replace(plain, seed=plain.trial if seed is None else seed, weights=weights)
    return Run.named(settled, save_path, data_dir=machine.data_dir, device=machine.place, weights_file=checkpoint)


def check_epochs(epochs: Sequence[int]) -> None:
    """Check the numbers of epochs."""
    if min(epochs) < 0:
        raise DnnTopologyError(f"epochs are whole numbers of at least 0, found {min(epochs)}")


def check_measurable(run: Run, settings: RunMeasureSettings) -> None:
    """Find out before a training whether the untrained network gives what is to be measured."""
    from dnn_topology.graphs.metrics import resolve_metric
    from dnn_topology.runs.measuring import snapshot_with

    resolve_metric(settings.metric)
    few = replace(settings, n_inputs=max(2, settings.n_samples))
    snapshot_with(run, few, None).recorded(2)


def train_with_progress(
    run: Run, *, epochs: int, save_epochs: Sequence[int], save_every: int, watch: TrainingWatch | None
) -> None:
    """Train and say after each epoch how well it went."""
    from dnn_topology.runs.training import run_training

    with progress("training", total=epochs + 1) as step:

        def told(state: TrainingState) -> None:
            last = state.history[-1]
            step(
                f"epoch {last.epoch} of {epochs}: accuracy "
                f"{last.train_accuracy:.3f} train, {last.test_accuracy:.3f} test"
            )

        run_training(
            run,
            epochs=epochs,
            save_epochs=save_epochs,
            save_every=save_every,
            on_epoch=told,
            should_stop=watch.should_stop if watch else None,
            say=say,
        )


def measure_and_write(
    run: Run,
    settings: RunMeasureSettings,
    epochs: Sequence[int],
    pictures: PictureSettings,
    resources: Resources,
    thresholds: Sequence[float] = (),
    *,
    verbose: bool = False,
    all_drawn: bool = False,
) -> RunMeasurement:
    """Measure epochs, write the table and the pictures of all that is measured, and say where they are."""
    from dnn_topology.homology.tables import described_graphs
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.runs.measuring import measure_epochs
    from dnn_topology.runs.results import write_results
    from dnn_topology.work.epoch_tables import EpochsFailedError
    from dnn_topology.work.reports import reported

    failed = None
    described = partial(described_graphs, verbose=verbose)
    with reported("topology", len(epochs), title="epoch {}".format, described=described) as reports:
        try:
            measurement = measure_epochs(run, settings, epochs, resources=resources, reports=reports)
        except EpochsFailedError as error:
            measurement, failed = RunMeasurement.of(run, settings), error
            if not any(measurement.epochs(graph) for graph in measurement.graphs()):
                raise
    drawn = None if all_drawn else epochs
    answer(*write_results(measurement, pictures, epochs=drawn, thresholds=thresholds))
    if failed:
        raise failed
    return measurement


def _usual_epochs(last: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, 50, … up to the last epoch, and that one."""
    steps = (factor * 10**power for power in range(len(str(last))) for factor in (1, 2, 5))
    return sorted({last, *(step for step in steps if step <= last)})
