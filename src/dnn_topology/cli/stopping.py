"""`early-stop`, and what `run` and `train` do for `--early-stop`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, say
from dnn_topology.settings import Nodes, Rule

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.analysis.early_stopping import Decision, StoppingRule
    from dnn_topology.runs.run import Run
    from dnn_topology.runs.stopping import StoppingEpochs, TrainingWatch
    from dnn_topology.settings import Resources, RunMeasureSettings


USUAL = Rule()
RuleFlags = Annotated[Rule, Parameter(name="*", group=opt.STOPPING)]
EarlyStop = Annotated[Literal["topology"] | None, Parameter(group=opt.STOPPING)]
_in_training, IN_TRAINING = opt.as_flags(Rule, opt.STOPPING, quantity=Parameter(name="--early-stop-quantity"))
if TYPE_CHECKING:
    TrainingRuleFlags: TypeAlias = Rule
else:
    TrainingRuleFlags = _in_training


def early_stop(
    run: Path,
    /,
    *,
    rule: RuleFlags = USUAL,
    draws: int = 20,
    n_inputs: int | None = None,
    max_epsilon: Annotated[float | None, Parameter(group=opt.TOPOLOGY)] = None,
    nodes: Annotated[Nodes | None, Parameter(group=opt.TOPOLOGY)] = None,
    layers: Annotated[tuple[str, ...] | None, Parameter(group=opt.TOPOLOGY)] = None,
    metric: Annotated[str | None, Parameter(group=opt.TOPOLOGY)] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Say at which epoch a training should have stopped, why, and how sure that is, from training inputs alone.

    Epochs that were not measured yet are measured from their checkpoints; other rules then cost nothing.

    Args:
        run: The folder of a run, trial0, that `run` or `train` left.
        draws: Bootstrap draws of the inputs, which say how sure the choice is.
        n_inputs: Number of training inputs (default: as before, else 1000).
        max_epsilon: End of the filtration, a radius (default: as before, else 0.4).
        nodes: What a node is (default: as before, else unit).
        layers: Layers whose outputs are nodes (default: as before, else the network's own).
        metric: Of two signals (default: as before, else pearson).
        out: Where results go, and measurements that RUN lacks (default: RUN/early_stopping).
    """
    from dnn_topology.analysis.early_stopping import how_sure
    from dnn_topology.runs.measuring import EpochsFailedError
    from dnn_topology.runs.run import Run
    from dnn_topology.runs.stopping import StoppingEpochs, stopping_settings, values_of, write_decision

    if draws < 0:
        raise DnnTopologyError(f"draws must be at least 0, found {draws}")
    there = Run.open(run, data_dir=machine.data_dir, device=machine.place)
    asked = {"n_inputs": n_inputs, "max_epsilon": max_epsilon, "nodes": nodes, "layers": layers, "metric": metric}
    looked_at = StoppingEpochs(there, stopping_settings(there, **asked), draws, machine.using(resources))
    epochs = there.trained()
    if len(epochs) < 2:
        raise DnnTopologyError(
            f"{run} has the weights of one epoch, and early stopping compares epochs: train with --save-every 1"
        )
    if out is not None and looked_at.unfinished(epochs, draws=draws):
        looked_at = replace(looked_at, place=out)
    failed = None
    try:
        tables = _measured(looked_at, epochs)
    except EpochsFailedError as error:
        epochs, failed = [epoch for epoch in epochs if epoch not in error.failures], error
        if len(epochs) < 2:
            raise
        tables = looked_at.quantities(epochs)
    stopping_rule = _plain(rule)
    decision = stopping_rule.decide(values_of(tables, rule.quantity))
    _say_which(decision, there)
    sureness = None
    if draws:
        values = {draw: values_of(tables, rule.quantity, draw=draw) for draw in range(draws + 1)}
        sureness = stopping_rule.sureness({draw: values[draw] for draw in range(1, draws + 1)}, values=values[0])
        answer(how_sure(decision, sureness, draws))
    answer(*write_decision(decision, tables, looked_at, looked_at.folder if out is None else out, sureness=sureness))
    if failed:
        raise failed


def watch_of(
    run: Run,
    early_stop: str | None,
    rule: Rule,
    settings: RunMeasureSettings,
    resources: Resources | None,
    *,
    save_every: int,
) -> TrainingWatch | None:
    """Return what the flags of a training ask for, or None."""
    checked = _plain(rule)
    if early_stop is None:
        return None
    from dnn_topology.runs.stopping import USUAL as WATCHED
    from dnn_topology.runs.stopping import StoppingEpochs, TrainingWatch
    from dnn_topology.settings import Resources

    if not save_every:
        raise DnnTopologyError("--early-stop looks at and chooses among the weights that are kept: raise --save-every")
    watched = replace(settings, max_dim=1, max_epsilon=WATCHED.max_epsilon, bootstrap=1, by=None)
    used = replace(resources or Resources(), jobs=1, isolated=False, scheduler=None, timeout=None)
    return TrainingWatch(StoppingEpochs(run, watched, resources=used), checked)


def leave(watch: TrainingWatch, wanted: Sequence[int]) -> list[int]:
    """Write down and say what was decided.

    Args:
        watch: The rule and what it looked at.
        wanted: The epochs that were to be measured.

    Returns:
        Those among them that were trained, the last and the chosen one.
    """
    from dnn_topology.runs.stopping import write_decision

    decision, tables = watch.decision()
    _say_which(decision, watch.epochs.run)
    answer(*write_decision(decision, tables, watch.epochs, watch.epochs.folder))
    return [epoch for epoch in tables if epoch in {*wanted, max(tables), decision.chosen_epoch}]


def _measured(looked_at: StoppingEpochs, epochs: list[int]) -> dict[int, pd.DataFrame]:
    """Measure epochs and say how long that takes and how far it is."""
    from dnn_topology.analysis.early_stopping import described_quantities
    from dnn_topology.homology.engines.estimate import duration
    from dnn_topology.work.reports import reported

    missing = looked_at.unfinished(epochs)
    if missing:
        started = time.monotonic()
        replace(looked_at, draws=0).do(missing[-1])
        each = time.monotonic() - started
        seconds = each * len(missing) * (looked_at.draws + 1) / looked_at.resources.jobs
        again = f" and {counted(looked_at.draws, 'draw')} of them" if looked_at.draws else ""
        inputs = f"{looked_at.settings.n_inputs} training inputs{again}"
        say(f"measuring {counted(len(missing), 'epoch')} on {inputs}: at most about {duration(seconds)}")
    with reported("early stopping", len(epochs), title="epoch {}".format, described=described_quantities) as reports:
        return looked_at.quantities(epochs, reports=reports)


def _say_which(decision: Decision, run: Run) -> None:
    """Print which epoch and why."""
    if decision.chosen_epoch is None:
        answer(f"no epoch: {decision.reason}")
        return
    stopped = "" if decision.stop_epoch is None else f", training stopped at epoch {decision.stop_epoch}"
    answer(f"epoch {decision.chosen_epoch}{stopped}: {decision.reason}")
    answer(f"its weights: {run.checkpoint(decision.chosen_epoch)}")


def _plain(rule: Rule) -> StoppingRule:
    """Return a rule as the library knows it."""
    from dnn_topology.analysis.early_stopping import StoppingRule

    return StoppingRule(**{name: value for name, value in vars(rule).items() if value is not None})
