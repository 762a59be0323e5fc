"""`run`, `train`, `topology` and `demo`: from a name to a folder of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.cli import options as opt
from dnn_topology.cli.stopping import IN_TRAINING, EarlyStop, TrainingRuleFlags, leave, stopping_of
from dnn_topology.progress import answer, print_table, progress, say
from dnn_topology.settings import Original, PictureSettings, RunMeasureSettings, TrainSettings, of_trials, usual_epochs
from dnn_topology.store import digest_of
from dnn_topology.work.reports import there_or_written

if TYPE_CHECKING:
    from dnn_topology.nets.train import TrainingState
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.runs.run import Run
    from dnn_topology.settings import Resources
    from dnn_topology.work.decisions import EarlyStopping

DEMO_EPOCHS = (0, 1, 2, 5, 10, 20, 30)
Epochs = Annotated[int, Parameter(alias="--epochs", group=opt.FIRST)]
SaveEvery = Annotated[int, Parameter(group=opt.TRAINING)]
Seed = Annotated[int | None, Parameter(group=opt.TRAINING)]
Thresholds = Annotated[tuple[float, ...], Parameter(group=opt.PICTURES)]
Verbose = Annotated[bool, Parameter(group=opt.PLACES)]
Theirs = Parameter(group=opt.ORIGINAL)


def run(
    *,
    training: opt.TrainFlags = opt.TRAIN,
    n_epochs_train: Epochs = 10,
    epochs_test: Annotated[tuple[int, ...] | None, Parameter(group=opt.FIRST)] = None,
    checkpoint: opt.Checkpoint = None,
    no_train: Annotated[bool, Parameter(group=opt.WHAT)] = False,
    trials: Annotated[int, Parameter(group=opt.FIRST)] = 1,
    seed: Seed = None,
    save_every: SaveEvery = 1,
    early_stop: EarlyStop = None,
    rule: TrainingRuleFlags = IN_TRAINING,
    settings: opt.MeasureFlags = opt.MEASURE,
    thresholds: Thresholds = (),
    pictures: opt.PictureFlags = opt.DRAW,
    no_report: Annotated[bool, Parameter(group=opt.PICTURES)] = False,
    save_path: opt.SavePath = opt.RESULTS,
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    verbose: Verbose = False,
    original: Annotated[Original, Parameter(name="*", group=opt.ORIGINAL)] = Original(),  # noqa: B008  # frozen
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
        trials: Train and measure so many trials, which differ in the seed alone, with --jobs side by side, and describe
            the group that they form.
        seed: Seed of everything random (default: the trial's number).
        save_every: Keep the weights of every so many epochs (0: only of epoch 0, the last, and those asked for).
        early_stop: Stop training when this says so, of training inputs alone: neighbours; or, of H1, midlife, life,
            density or epsilon (topology: midlife).
        thresholds: Write the Betti numbers of the graph that joins |correlation| ≥ T (with --filtration density: the
            share T of all pairs) to betti_numbers.csv. METIS joins what is above the first T.
        no_report: Leave out report.html, the page about the run.
        save_path: Where results go.
        verbose: Say how each epoch was computed.
    """
    given = dict(locals())
    if given.pop("trials") > 1:
        _several(given, trials)
        return
    check_at_least("trials", trials, 1)
    original.check(no_train=no_train)
    last = 0 if no_train else n_epochs_train
    used = machine.using(resources)
    measured = opt.plain(settings).with_thresholds(thresholds, filtration=pictures.filtration)
    epochs = sorted({0, *(epochs_test if epochs_test is not None else usual_epochs(last))})
    check_at_least("epochs_test", min(epochs), 0)
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
        stopping = stopping_of(there, early_stop, opt.plain(rule), measured, used, save_every=save_every)
        train_with_progress(there, epochs=last, save_epochs=epochs, save_every=save_every, stopping=stopping)
        epochs = leave(stopping, epochs) if stopping else epochs
    if original.build_graph:
        from dnn_topology.report import write_report

        done = measure_and_write(there, measured, epochs, pictures, used, thresholds, verbose=verbose)
        with there_or_written():
            answer(*([] if no_report else [write_report([done])]))


def _several(given: Mapping[str, Any], trials: int) -> None:
    """Run several trials and describe the group that they form."""
    from dnn_topology.trials.running import run_trials

    alone = [{**given, **own} for own in of_trials(given["training"], given["seed"], trials)]
    where = given["checkpoint"], given["save_path"], given["machine"]
    begins = given["original"].train != 0 and not given["no_train"]
    filtration, every = given["pictures"].filtration, given["save_every"]
    settings = opt.plain(given["settings"]).with_thresholds(given["thresholds"], filtration=filtration)
    asked = {"early_stop": given["early_stop"], "asked": opt.plain(given["rule"]), "settings": settings}
    described = run_trials(
        [named_run(one["training"], one["seed"], *where) for one in alone],
        lambda number: run(**alone[number]),
        settings if given["original"].build_graph else None,
        epochs=given["n_epochs_train"] if begins else None,
        save_epochs=given["epochs_test"] or usual_epochs(given["n_epochs_train"]),
        save_every=every,
        resources=given["machine"].using(given["resources"]),
        watched=partial(stopping_of, **asked, resources=None, save_every=every),
    )
    if described:
        print_table(described[0].report())
        answer(*described[1])


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
    stopping = stopping_of(there, early_stop, opt.plain(rule), RunMeasureSettings(), None, save_every=save_every)
    train_with_progress(there, epochs=n_epochs_train, save_epochs=(), save_every=save_every, stopping=stopping)
    if stopping:
        leave(stopping, [])
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
        checkpoint: Measure the weights in this file, as epoch 0 of a new run: on the images of the run that left them,
            or on those of --dataset.
        epochs: Epochs to measure (default: every checkpoint).
        thresholds: Write the Betti numbers at these to betti_numbers.csv; see `run`.
        verbose: Say how each epoch was computed.
    """
    used = machine.using(resources)
    measured = opt.plain(settings).with_thresholds(thresholds, filtration=pictures.filtration)
    if checkpoint is not None:
        training = replace(named.that_left(checkpoint, machine).training, trial=named.trial)
        there = named_run(training, training.seed, checkpoint, named.save_path, machine)
        train_with_progress(there, epochs=0, save_epochs=(), save_every=0, stopping=None)
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
    """Train LeNet on 4,000 real MNIST images, measure its topology at 7 epochs, and leave pictures and a page.

    Args:
        save_path: Where results go.
    """
    import pandas as pd

    from dnn_topology.homology.engines.morse import Morse
    from dnn_topology.homology.tables import before_and_after
    from dnn_topology.report import write_report

    used = machine.using(resources)
    say("compiling the engine, once")
    Morse().compile(RunMeasureSettings.max_dim)
    there = named_run(TrainSettings(), None, None, save_path, machine)
    last = DEMO_EPOCHS[-1]
    train_with_progress(there, epochs=last, save_epochs=DEMO_EPOCHS, save_every=0, stopping=None)
    measurement = measure_and_write(there, RunMeasureSettings(), DEMO_EPOCHS, PictureSettings(), used)
    topology = pd.read_csv(measurement.folder / "topology.csv")
    answer(write_report([measurement]))
    answer(*before_and_after(topology, pd.read_csv(there.folder / "history.csv"), last))


def named_run(
    training: TrainSettings, seed: int | None, checkpoint: Path | None, save_path: Path, machine: opt.Machine
) -> Run:
    """Return the run that flags describe, to be trained."""
    from dnn_topology.runs.run import Run

    weights = None if checkpoint is None else digest_of(checkpoint)
    plain = opt.plain(training) if type(training) is not TrainSettings else training
    settled = replace(plain, seed=plain.trial if seed is None else seed, weights=weights)
    return Run.named(settled, save_path, data_dir=machine.data_dir, device=machine.place, weights_file=checkpoint)


def check_measurable(run: Run, settings: RunMeasureSettings) -> None:
    """Find out before a training whether the untrained network gives what is to be measured."""
    from dnn_topology.graphs.metrics import resolve_metric
    from dnn_topology.runs.measuring import snapshot_with

    resolve_metric(settings.metric)
    few = replace(settings, n_inputs=max(2, settings.n_samples))
    snapshot_with(run, few, None).recorded(2)


def train_with_progress(
    run: Run, *, epochs: int, save_epochs: Sequence[int], save_every: int, stopping: EarlyStopping | None
) -> None:
    """Train and say after each epoch how well it went, and of weights from elsewhere what they are given."""
    from dnn_topology.nets.claims import described_feed
    from dnn_topology.runs.training import run_training

    if run.weights_file is not None:
        say(f"{run.weights_file} is given {described_feed(run.load_data())}, which `run --normalise` changes")
    with progress("training", total=epochs + 1) as step:

        def told(state: TrainingState) -> None:
            step(f"epoch {state.epoch} of {epochs}: {state.history[-1].described}")

        run_training(
            run,
            epochs=epochs,
            save_epochs=save_epochs,
            save_every=save_every,
            on_epoch=told,
            should_stop=stopping.should_stop if stopping else None,
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
    from dnn_topology.work.epochs import EpochsFailedError
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
    with there_or_written():
        answer(*write_results(measurement, pictures, epochs=drawn, thresholds=thresholds))
    if failed:
        raise failed
    return measurement
