"""`early-stop`, and what `run` and `train` do for `--early-stop`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, say
from dnn_topology.settings import Nodes, StoppingSettings
from dnn_topology.store import is_writable

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.analysis.early_stopping import Decision
    from dnn_topology.runs.run import Run
    from dnn_topology.settings import Resources, RunMeasureSettings
    from dnn_topology.work.decisions import EarlyStopping
    from dnn_topology.work.epoch_tables import EpochTables

_rule, RULE = opt.as_flags(StoppingSettings, opt.STOPPING, rule=Parameter(alias="--quantity"))
_in_training, IN_TRAINING = opt.as_flags(
    StoppingSettings, opt.STOPPING, rule=Parameter(name="--early-stop-quantity", show=False)
)
Asked = Literal["neighbours", "midlife", "life", "density", "epsilon", "topology"]
EarlyStop = Annotated[Asked | None, Parameter(group=opt.STOPPING)]
if TYPE_CHECKING:
    RuleFlags: TypeAlias = StoppingSettings
    TrainingRuleFlags: TypeAlias = StoppingSettings
else:
    RuleFlags, TrainingRuleFlags = _rule, _in_training


def early_stop(
    run: Path,
    /,
    *,
    rule: RuleFlags = RULE,
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

    Epochs that were not looked at yet are, from their checkpoints; other rules of H1 then cost nothing.

    Args:
        run: The folder of a run, trial0, that `run` or `train` left.
        draws: Bootstrap draws of the inputs, which say how sure the choice is.
        n_inputs: Number of training inputs (default: as before, else 1000; of neighbours, all).
        max_epsilon: End of the filtration, a radius (default: as before, else 0.4).
        nodes: What a node is (default: as before, else unit).
        layers: Layers whose outputs are nodes (default: as before, else the network's own).
        metric: Of two signals (default: as before, else pearson).
        out: Where results go, and what RUN lacks if it cannot be written to (default: RUN/neighbours, or
            RUN/early_stopping).
    """
    from dnn_topology.analysis.early_stopping import StoppingRule, how_sure
    from dnn_topology.runs.run import Run
    from dnn_topology.runs.stopping import looked_at, stopping_settings
    from dnn_topology.work.decisions import values_of, write_decision
    from dnn_topology.work.epochs import EpochsFailedError

    if draws < 0:
        raise DnnTopologyError(f"draws must be at least 0, found {draws}")
    there = Run.open(run, data_dir=machine.data_dir, device=machine.place)
    asked = {"n_inputs": n_inputs, "max_epsilon": max_epsilon, "nodes": nodes, "layers": layers, "metric": metric}
    plain = StoppingRule(**rule.own)
    of_loops = [name for name, value in asked.items() if value is not None and name != "n_inputs"]
    if plain.quantity == "neighbours" and of_loops:
        raise DnnTopologyError(f"{of_loops[0]} is of loops, which rule='neighbours' does not look at: leave it out")
    measured, used = stopping_settings(there, **asked), machine.using(resources)
    seen = looked_at(there, plain, rule.of_neighbours(n_inputs), measured, draws=draws, resources=used)
    epochs = there.trained()
    if len(epochs) < 2:
        raise DnnTopologyError(
            f"{run} has the weights of one epoch, and early stopping compares epochs: train longer, with --save-every 1"
        )
    if out is not None and not is_writable(there.folder) and seen.unfinished(epochs, draws=draws):
        seen = replace(seen, place=out)
    failed = None
    try:
        tables = _measured(seen, epochs)
    except EpochsFailedError as error:
        epochs, failed = [epoch for epoch in epochs if epoch not in error.failures], error
        if len(epochs) < 2:
            raise
        tables = seen.quantities(epochs)
    decision = plain.decide(values_of(tables, plain.quantity))
    _say_which(decision, there)
    sureness = None
    if draws:
        values = {draw: values_of(tables, plain.quantity, draw=draw) for draw in range(draws + 1)}
        sureness = plain.sureness({draw: values[draw] for draw in range(1, draws + 1)}, values=values[0])
        answer(how_sure(decision, sureness, draws))
    answer(*write_decision(decision, tables, seen, seen.folder if out is None else out, sureness=sureness))
    if failed:
        raise failed


def stopping_of(
    run: Run,
    early_stop: str | None,
    asked: StoppingSettings,
    settings: RunMeasureSettings,
    resources: Resources | None,
    *,
    save_every: int,
) -> EarlyStopping | None:
    """Return what the flags of a training ask for, or None."""
    from dnn_topology.analysis.early_stopping import StoppingRule

    named = asked.rule or "midlife" if early_stop in {None, "topology"} else early_stop
    rule = StoppingRule(**{**asked.own, "quantity": named})
    if early_stop is None:
        return None
    from dnn_topology.runs.stopping import USUAL as OF_LOOPS
    from dnn_topology.runs.stopping import looked_at
    from dnn_topology.settings import Resources
    from dnn_topology.work.decisions import EarlyStopping

    if not save_every:
        raise DnnTopologyError("--early-stop looks at and chooses among the weights that are kept: raise --save-every")
    measured = replace(settings, max_dim=1, max_epsilon=OF_LOOPS.max_epsilon, bootstrap=1, by=None)
    used = replace(resources or Resources(), jobs=1, isolated=False, scheduler=None, timeout=None)
    return EarlyStopping(looked_at(run, rule, asked.of_neighbours(), measured, resources=used), rule)


def leave(stopping: EarlyStopping, wanted: Sequence[int]) -> list[int]:
    """Write down and say what was decided.

    Args:
        stopping: The rule and what it looked at.
        wanted: The epochs that were to be measured.

    Returns:
        Those among them that were trained, the last and the chosen one.
    """
    from dnn_topology.work.decisions import write_decision

    decision, tables = stopping.decision()
    _say_which(decision, stopping.epochs.run)
    answer(*write_decision(decision, tables, stopping.epochs, stopping.epochs.folder))
    return [epoch for epoch in tables if epoch in {*wanted, max(tables), decision.chosen_epoch}]


def _measured(looked_at: EpochTables, epochs: list[int]) -> dict[int, pd.DataFrame]:
    """Measure epochs and say how long that takes and how far it is."""
    from dnn_topology.analysis.early_stopping import described_quantities
    from dnn_topology.homology.engines.estimate import duration
    from dnn_topology.work.reports import reported

    missing = looked_at.unfinished(epochs)
    if missing:
        seconds = looked_at.expected_seconds(missing, say)
        again = f" and {counted(looked_at.draws, 'draw')} of them" if looked_at.draws else ""
        inputs = f"{looked_at.settings.n_inputs or 'all'} training inputs{again}"
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
