"""What early stopping looks at in a training on disk: quantities on training inputs, epoch by epoch.

Under `early_stopping/` (loops) and `neighbours/` in the folder of a run, or beside it for other settings:
settings.json, what was looked at; epoch<E>.csv, one row per draw of the inputs, the first being the inputs themselves.
Whether they are made while the network trains or afterwards, they come from the checkpoints, and are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import (
    MAX_EPSILON,
    NEIGHBOURS,
    OF_LOOPS,
    StoppingRule,
    stopping_quantities,
)
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.bootstrap import resampled_inputs
from dnn_topology.pipeline import Snapshot, diagrams_of, graphs_of
from dnn_topology.runs.measuring import snapshot_of
from dnn_topology.runs.neighbours import NeighbourEpochs
from dnn_topology.runs.run import Run
from dnn_topology.settings import NeighbourSettings, Resources, RunMeasureSettings
from dnn_topology.work import stamps
from dnn_topology.work.epoch_tables import RESULTS, EpochTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnn_topology.recording.activations import Activations

STEM = "early_stopping"
USUAL = RunMeasureSettings(max_dim=1, max_epsilon=MAX_EPSILON)
OPTIONS = RunMeasureSettings.__dataclass_fields__


@dataclass(frozen=True, eq=False)
class StoppingEpochs(EpochTables):
    """The quantities of the loops among a run's activations, epoch by epoch.

    Attributes:
        settings: What is measured, up to H1.
    """

    run: Run
    settings: RunMeasureSettings
    columns: ClassVar[Collection[str]] = OF_LOOPS
    stem: ClassVar[str] = STEM
    usual: ClassVar[RunMeasureSettings] = USUAL

    def __post_init__(self) -> None:
        if self.settings.graph_split != "train":
            raise DnnTopologyError("early stopping looks at training inputs alone: leave out graph_split='test'")
        if self.settings.graph_type not in {"functional", "grouped"} or self.settings.by is not None:
            raise DnnTopologyError(
                f"early stopping looks at one graph per epoch, and graph_type {self.settings.graph_type!r} gives "
                "several: take 'functional' or 'grouped'"
            )

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


def looked_at(
    run: Run,
    rule: StoppingRule,
    neighbours: NeighbourSettings,
    settings: RunMeasureSettings,
    *,
    draws: int = 0,
    resources: Resources,
) -> EpochTables:
    """Return what a rule looks at in a training: neighbours, or loops.

    Args:
        run: The training.
        rule: The rule.
        neighbours: Which inputs are neighbours.
        settings: How loops are measured.
        draws: Number of bootstrap draws of the inputs.
        resources: What it may use.

    Raises:
        DnnTopologyError: It would look at test inputs, or at several graphs per epoch.
    """
    if rule.quantity != NEIGHBOURS:
        return StoppingEpochs(run, settings, draws, resources)
    return NeighbourEpochs(run, neighbours, draws, resources)


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
