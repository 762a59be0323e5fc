"""What early stopping looks at in a training on disk: quantities of H1 on training inputs, epoch by epoch.

Under `early_stopping/` in the folder of a run, or beside it for other settings: settings.json, what was looked at;
epoch<E>.csv, one row per draw of the inputs, the first being the inputs themselves. Whether they are made while the
network trains or afterwards, they come from the checkpoints, and are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import MAX_EPSILON, QUANTITIES, Decision, StoppingRule, stopping_quantities
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.bootstrap import resampled_inputs
from dnn_topology.pipeline import Snapshot, diagrams_of, graphs_of
from dnn_topology.runs.measuring import EpochsFailedError, snapshot_of
from dnn_topology.runs.run import Run
from dnn_topology.settings import Resources, RunMeasureSettings
from dnn_topology.work import stamps
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnn_topology.recording.activations import Activations

STEM, RESULTS = "early_stopping", "epoch*.csv"
USUAL = RunMeasureSettings(max_dim=1, max_epsilon=MAX_EPSILON)
OPTIONS = RunMeasureSettings.__dataclass_fields__


@dataclass(frozen=True, eq=False)
class StoppingEpochs(Work[int, pd.DataFrame]):
    """The quantities of a run's epochs that a stopping rule may look at.

    Attributes:
        run: The training.
        settings: What is measured, up to H1.
        draws: Number of bootstrap draws of the inputs, besides the inputs themselves.
        resources: What it may use.
        place: Where the quantities lie; None for the folder of the run.
    """

    run: Run
    settings: RunMeasureSettings
    draws: int = 0
    resources: Resources = Resources()  # noqa: RUF009  # frozen, and a constant
    place: Path | None = None

    def __post_init__(self) -> None:
        if self.settings.graph_split != "train":
            raise DnnTopologyError("early stopping looks at training inputs alone: leave out graph_split='test'")
        if self.settings.graph_type not in {"functional", "grouped"} or self.settings.by is not None:
            raise DnnTopologyError(
                f"early stopping looks at one graph per epoch, and graph_type {self.settings.graph_type!r} gives "
                "several: take 'functional' or 'grouped'"
            )

    @property
    def folder(self) -> Path:
        """Where the quantities lie."""
        place = self.place or self.run.folder
        return stamps.home(place, STEM, self.settings.results, results=RESULTS, defaults=USUAL.results)

    def quantities(
        self,
        epochs: Sequence[int],
        *,
        reports: Reports[int, pd.DataFrame] | None = None,
    ) -> dict[int, pd.DataFrame]:
        """Return the quantities of some epochs; what was measured before is not measured again.

        Args:
            epochs: Which epochs.
            reports: Who is told of each epoch and its table; None for nobody.

        Returns:
            Epoch → one row per draw, `draw` and the quantities; the first row is of the inputs themselves.

        Raises:
            DnnTopologyError: An epoch has no checkpoint, or a file is damaged.
            EpochsFailedError: Epochs failed in processes of their own; the others are finished.
        """
        epochs = self.run.trained(epochs)
        stamps.claim(self.folder, self.settings.results, results=RESULTS, defaults=USUAL.results)
        tables: dict[int, pd.DataFrame] = {}
        work = replace(self, resources=self.resources.of_each_job(len(epochs)))
        ledger: Ledger[int, pd.DataFrame] = Ledger(self.folder, work)
        outcomes = ledger.finish(epochs, self.resources, reports=(reports or Reports()).after(tables.__setitem__))
        if outcomes.failed:
            raise EpochsFailedError(outcomes.failed)
        return {epoch: tables[epoch].head(self.draws + 1) for epoch in epochs}

    def unfinished(self, epochs: Sequence[int], *, draws: int = 0) -> list[int]:
        """Return the epochs whose quantities, of so many draws, are still to be measured."""
        ledger: Ledger[int, pd.DataFrame] = Ledger(self.folder, replace(self, draws=draws))
        return [*ledger.outcomes(epochs).left]

    def name(self, epoch: int) -> str:
        """Return an epoch's name in the manifest."""
        return f"epoch{epoch}"

    def files(self, epoch: int) -> Sequence[Path]:
        """Return the file of an epoch's quantities."""
        return [self.folder / f"epoch{epoch}.csv"]

    def do(self, epoch: int) -> pd.DataFrame:
        """Measure one epoch: the inputs themselves, and what is missing of the draws."""
        snapshot = snapshot_of(self.run, self.settings, epoch)
        rows: list[dict[str, float]] = []
        with suppress(DnnTopologyError):  # nothing there, or damaged
            rows = self.load(epoch).to_dict("records")  # type: ignore[assignment]
        for draw, activations in _drawn(snapshot, range(len(rows), self.draws + 1)):
            ((_, graph),) = graphs_of(_of_all_nodes(snapshot), activations=activations)
            rows.append({"draw": draw, **stopping_quantities(diagrams_of(graph, self.settings, self.resources))})
        return pd.DataFrame(rows)

    def keep(self, epoch: int, result: pd.DataFrame) -> None:
        """Write the quantities of an epoch."""
        store.write_table(self.files(epoch)[0], result)

    def load(self, epoch: int) -> pd.DataFrame:
        """Read the quantities of an epoch.

        Raises:
            DnnTopologyError: The file is damaged.
        """
        (path,) = self.files(epoch)
        return store.read_table(path, columns={"draw": int, **dict.fromkeys(QUANTITIES, float)})

    def is_enough(self, epoch: int) -> bool:
        """Return whether an epoch has all the draws that are asked for."""
        return len(self.load(epoch)) > self.draws


def stopping_settings(run: Run, **asked: Any) -> RunMeasureSettings:
    """Return what stopping looks at: what is asked for, else what it looked at before, else the usual.

    Args:
        run: The training.
        **asked: Fields of the settings; None for what is not asked for.

    Raises:
        DnnTopologyError: A setting is out of range, or the settings in the folder are damaged.
    """
    known: dict[str, Any] = {}
    if any((run.folder / STEM).glob(RESULTS)):
        there = stamps.read_settings(run.folder / STEM, RunMeasureSettings)
        known = {name: value for name, value in asdict(there).items() if name in OPTIONS}
    wanted = {**known, **{name: value for name, value in asked.items() if value is not None}}
    if wanted.get("layers") is not None:
        wanted["layers"] = tuple(wanted["layers"])
    return replace(USUAL, **wanted)


def values_of(tables: Mapping[int, pd.DataFrame], quantity: str, *, draw: int = 0) -> dict[int, float]:
    """Return the value of every epoch in one draw of the inputs; draw 0 is the inputs themselves."""
    return {epoch: float(table[quantity].iloc[draw]) for epoch, table in tables.items()}


@dataclass(frozen=True, eq=False)
class TrainingWatch:
    """A rule at work on a training.

    Attributes:
        epochs: What it looks at.
        rule: The rule.
    """

    epochs: StoppingEpochs
    rule: StoppingRule

    def should_stop(self, epoch: int) -> bool:
        """Return whether an epoch is the last, by what its checkpoint and the earlier ones say."""
        return self.decision(until=epoch)[0].stop_epoch is not None

    def decision(self, *, until: int | None = None) -> tuple[Decision, dict[int, pd.DataFrame]]:
        """Return what the rule makes of the checkpoints up to an epoch, and what it looked at."""
        trained = self.epochs.run.trained()
        tables = self.epochs.quantities([epoch for epoch in trained if until is None or epoch <= until])
        return self.rule.decide(values_of(tables, self.rule.quantity)), tables


def write_decision(
    decision: Decision,
    tables: Mapping[int, pd.DataFrame],
    looked_at: StoppingEpochs,
    folder: Path,
    *,
    sureness: pd.DataFrame | None = None,
) -> list[Path]:
    """Write a decision, its table and its picture.

    Args:
        decision: The decision.
        tables: What it was made of.
        looked_at: What was measured.
        folder: Where the files go.
        sureness: How often draws of the inputs agree, if there are any.

    Returns:
        The paths of the files.
    """
    from dnn_topology.show.early_stopping import plot_early_stopping
    from dnn_topology.show.report import save_figure

    values = values_of(tables, decision.rule.quantity)
    table = decision.of_all_epochs(values, sureness)
    inputs = {"n_inputs": looked_at.settings.n_inputs, "max_epsilon": looked_at.settings.max_epsilon}
    about = {"format": store.FORMAT, **decision.record, **inputs}
    store.write_json(folder / "early_stopping.json", about)
    store.write_table(folder / "early_stopping.csv", table)
    paths = [folder / "early_stopping.json", folder / "early_stopping.csv"]
    if decision.chosen_epoch is None:
        return paths
    history = looked_at.run.history()
    ax = plot_early_stopping(decision, history, values=table)
    return [*paths, *save_figure(ax, folder / "early_stopping", formats=["png"])]


def _drawn(snapshot: Snapshot, draws: Sequence[int]) -> Iterator[tuple[int, Activations]]:
    """Yield bootstrap draws of the inputs by their numbers, as signals of the same nodes; draw 0 is the inputs."""
    settings, signals = snapshot.settings, snapshot.activations
    if settings.sample_nodes is not None:
        signals = sample_nodes(signals, settings.sample_nodes, method=settings.sample_method, seed=snapshot.seed)
    for draw in draws:
        yield draw, resampled_inputs(signals, draw, seed=snapshot.seed) if draw else signals


def _of_all_nodes(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose signals are taken as they come, no longer sampled."""
    return replace(snapshot, settings=replace(snapshot.settings, sample_nodes=None, bootstrap=1))
