"""`early-stop`, and what `run` and `train` do for `--early-stop`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.analysis.early_stopping import QUANTITIES, Decision, StoppingRule
from dnn_topology.cli import options as opt
from dnn_topology.cli.progress import progress
from dnn_topology.cli.steps import resources_of, run_at
from dnn_topology.homology.engines.estimate import duration, estimate
from dnn_topology.homology.engines.planner import prepare
from dnn_topology.runs import (
    EpochsFailedError,
    Experiment,
    Resources,
    Topology,
    check_trained,
    epoch_graphs,
    stopping_folder,
    watch_epochs,
    watched_topology,
)

PANEL = "Early stopping"
EarlyStop = Annotated[
    str | None,
    typer.Option(
        metavar="topology", help="Stop training when the topology of training inputs says so.", rich_help_panel=PANEL
    ),
]
QUANTITY_HELP = f"What of H1 is watched: one of {', '.join(QUANTITIES)}."
EarlyStopQuantity = Annotated[str, typer.Option(help=QUANTITY_HELP, rich_help_panel=PANEL)]
Patience = Annotated[int, typer.Option(help="Epochs without a good value before the stop.", rich_help_panel=PANEL)]
MinDelta = Annotated[
    float,
    typer.Option(
        help="Share of the lowest value so far by which it must fall; negative: by which it may rise.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class Stopping:
    """A rule at work on a training.

    Attributes:
        experiment: The training.
        topology: What is watched.
        rule: The rule.
        resources: What reading may use.
    """

    experiment: Experiment
    topology: Topology
    rule: StoppingRule
    resources: Resources

    def should_stop(self, epoch: int) -> bool:
        """Return whether an epoch is the last, by what its checkpoint and the earlier ones say."""
        return self._decide(epoch).stop_epoch is not None

    def leave(self, wanted: list[int]) -> list[int]:
        """Write down and say what was decided.

        Args:
            wanted: The epochs that were to be measured.

        Returns:
            Those among them that were trained, the last and the chosen one.
        """
        epochs = check_trained(self.experiment, None)
        tables = watch_epochs(self.experiment, self.topology, epochs, resources=self.resources)
        decision = self.rule.decide(_values(tables, self.rule.quantity, draw=0))
        _say(decision, self.experiment)
        for path in _write(decision, tables, self.topology, self.experiment, stopping_folder(self.experiment)):
            typer.echo(path)
        return [epoch for epoch in epochs if epoch in {*wanted, epochs[-1], decision.chosen_epoch}]

    def _decide(self, last: int) -> Decision:
        """Return what the rule makes of the checkpoints up to an epoch."""
        epochs = [epoch for epoch in check_trained(self.experiment, None) if epoch <= last]
        tables = watch_epochs(self.experiment, self.topology, epochs, resources=self.resources)
        return self.rule.decide(_values(tables, self.rule.quantity, draw=0))


def stopping_of(
    experiment: Experiment,
    topology: Topology,
    resources: Resources,
    *,
    early_stop: str | None,
    quantity: str,
    patience: int,
    min_delta: float,
    save_every: int,
    trains: bool = True,
) -> Stopping | None:
    """Return what the flags of a training ask for, or None.

    Raises:
        DnnTopologyError: The rule is unknown, has nothing to stop, would look at test inputs, or could not give back
            what it chooses.
    """
    rule = StoppingRule(quantity, patience, min_delta)
    if early_stop is None:
        return None
    check_choice("--early-stop", early_stop, ("topology",))
    if not trains:
        raise DnnTopologyError("--early-stop stops a training and --train 0 has none: see `dnn-topology early-stop`")
    if topology.graph_split != "train":
        raise DnnTopologyError("--early-stop looks at training inputs alone: leave out --graph-split test")
    if not save_every:
        raise DnnTopologyError("--early-stop reads and chooses among the weights that are kept: raise --save-every")
    kept = {name: getattr(topology, name) for name in ("nodes", "layers", "constant", "n_inputs", "sample_nodes")}
    if topology.sample_nodes is not None:
        kept["sample_method"] = topology.sample_method
    watched = watched_topology(experiment, **kept)
    return Stopping(
        experiment, watched, rule, Resources(threads=resources.threads, memory_limit=resources.memory_limit)
    )


def early_stop(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder trial<T> that `run` or `train` left.")],
    quantity: Annotated[str, typer.Option(help=QUANTITY_HELP)] = StoppingRule.quantity,
    patience: Patience = StoppingRule.patience,
    min_delta: MinDelta = StoppingRule.min_delta,
    draws: Annotated[
        int, typer.Option(min=0, help="Bootstrap draws of the inputs, which say how sure the choice is.")
    ] = 20,
    n_inputs: Annotated[int | None, typer.Option(min=2, help="Number of training inputs (default 1000).")] = None,
    max_epsilon: Annotated[
        float | None, typer.Option(help="End of the filtration, a radius (default 0.4).", rich_help_panel=opt.TOPOLOGY)
    ] = None,
    nodes: Annotated[
        str | None, typer.Option(help="A node is a 'unit' (default) or a 'channel'.", rich_help_panel=opt.TOPOLOGY)
    ] = None,
    layers: opt.Layers = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where results go (default: RUN/early_stopping).")
    ] = None,
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    jobs: opt.Jobs = 1,
    nproc: opt.Nproc = None,
    timeout: opt.Timeout = None,
    memory_limit: opt.MemoryLimit = None,
) -> None:
    """Say at which epoch a training should have stopped, why, and how sure that is, from training inputs alone.

    Epochs that were not read yet are read from their checkpoints; other rules then cost nothing.

    Raises:
        DnnTopologyError: There are fewer than two checkpoints, or as for `watch_epochs`.
        EpochsFailedError: Some epochs could not be read; raised when the others are decided on.
    """
    rule = StoppingRule(quantity, patience, min_delta)
    resources = resources_of(nproc, jobs, timeout, memory_limit)
    experiment = run_at(run, data_dir=data_dir, device=opt.device(device))
    named = None if layers is None else tuple(layers.replace(",", " ").split())
    topology = watched_topology(experiment, n_inputs=n_inputs, max_epsilon=max_epsilon, nodes=nodes, layers=named)
    epochs = check_trained(experiment, None)
    if len(epochs) < 2:
        raise DnnTopologyError(
            f"{run} has the weights of one epoch, and early stopping compares epochs: train with --save-every 1"
        )
    failed = None
    try:
        tables = _read(experiment, topology, epochs, draws, resources)
    except EpochsFailedError as error:
        epochs = [epoch for epoch in epochs if epoch not in error.failures]
        if len(epochs) < 2:
            raise
        failed = error
        tables = watch_epochs(experiment, topology, epochs, draws=draws, resources=resources)
    decision = rule.decide(_values(tables, quantity, draw=0))
    _say(decision, experiment)
    sure = None
    if draws:
        sure = rule.sureness({draw: _values(tables, quantity, draw=draw) for draw in range(1, draws + 1)})
        typer.echo(_how_sure(decision, sure, draws))
    folder = stopping_folder(experiment) if out is None else out
    for path in _write(decision, tables, topology, experiment, folder, sure=sure):
        typer.echo(path)
    if failed:
        raise failed


def _read(
    experiment: Experiment, topology: Topology, epochs: list[int], draws: int, resources: Resources
) -> dict[int, pd.DataFrame]:
    """Read epochs and say how long that takes and how far it is."""
    started = time.monotonic()
    graph = next(iter(epoch_graphs(experiment, topology, epochs[-1]).values()))
    building = time.monotonic() - started
    lean, plan, census = prepare(graph, max_dim=1, threads=resources.threads)
    each = building + estimate(lean, plan, max_dim=1, census=census).seconds
    missing = [epoch for epoch in epochs if not (stopping_folder(experiment) / f"epoch{epoch}.csv").exists()]
    if missing:
        again = f" and {draws} draws of them" if draws else ""
        typer.echo(
            f"reading {len(missing)} epochs on {topology.n_inputs} training inputs{again}: at most about "
            f"{duration(each * len(missing) * (draws + 1) / resources.jobs)}",
            err=True,
        )
    with progress("early stopping", total=len(epochs)) as step:

        def say(epoch: int, table: pd.DataFrame) -> None:
            first = table.iloc[0]
            step(f"epoch {epoch}: " + ", ".join(f"{name} {first[name]:.4g}" for name in QUANTITIES))

        return watch_epochs(experiment, topology, epochs, draws=draws, resources=resources, on_epoch=say)


def _values(tables: dict[int, pd.DataFrame], quantity: str, *, draw: int) -> dict[int, float]:
    """Return the value of every epoch in one draw of the inputs; draw 0 is the inputs themselves."""
    return {epoch: float(table[quantity].iloc[draw]) for epoch, table in tables.items()}


def _say(decision: Decision, experiment: Experiment) -> None:
    """Print which epoch and why."""
    if decision.chosen_epoch is None:
        typer.echo(f"no epoch: {decision.reason}")
        return
    stopped = "" if decision.stop_epoch is None else f", training stopped at epoch {decision.stop_epoch}"
    typer.echo(f"epoch {decision.chosen_epoch}{stopped}: {decision.reason}")
    typer.echo(f"its weights: {experiment.checkpoint(decision.chosen_epoch)}")


def _how_sure(decision: Decision, sure: pd.DataFrame, draws: int) -> str:
    """Return how many draws of the inputs agree."""
    shares = sure["chosen"].cumsum()
    if shares.iloc[-1] == 0:
        return f"no draw of the inputs, of {draws}, chooses an epoch"
    low, high = (sure["epoch"][shares >= level * shares.iloc[-1]].iloc[0] for level in (0.05, 0.95))
    agree = round(draws * sure.loc[sure["epoch"] == decision.chosen_epoch, "chosen"].sum())
    stop = round(draws * sure["stopped"].sum())
    return (
        f"how sure: {agree} of {draws} draws of the inputs choose it too; nine in ten choose an epoch from {low} to "
        f"{high}; {stop} of {draws} stop at all"
    )


def _write(
    decision: Decision,
    tables: dict[int, pd.DataFrame],
    topology: Topology,
    experiment: Experiment,
    folder: Path,
    *,
    sure: pd.DataFrame | None = None,
) -> list[Path]:
    """Write the decision, its table and the picture, and return their paths."""
    from dnn_topology.show.early_stopping import plot_early_stopping
    from dnn_topology.show.report import save_figure

    values = _values(tables, decision.rule.quantity, draw=0)
    table = pd.DataFrame({"epoch": values.keys(), "value": values.values()})
    table = table.merge(decision.table[["epoch", "lowest", "good"]], on="epoch", how="left")
    if sure is not None:
        table = table.merge(sure, on="epoch", how="left")
    about: dict[str, Any] = {
        "format": store.FORMAT,
        "chosen_epoch": decision.chosen_epoch,
        "stop_epoch": decision.stop_epoch,
        "reason": decision.reason,
        "rule": asdict(decision.rule),
        "n_inputs": topology.n_inputs,
        "max_epsilon": topology.max_epsilon,
    }
    store.write_json(folder / "early_stopping.json", about)
    store.write_table(folder / "early_stopping.csv", table)
    paths = [folder / "early_stopping.json", folder / "early_stopping.csv"]
    if decision.chosen_epoch is None:
        return paths
    history = pd.read_csv(experiment.trial_folder / "history.csv")
    ax = plot_early_stopping(decision, history, values=table)
    return [*paths, *save_figure(ax, folder / "early_stopping", formats=["png"])]
