"""One cell of a study: a network is trained and measured, all in memory; where it runs changes nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnn_topology.analysis.feature_sets import PARTS
from dnn_topology.runs.run import Run
from dnn_topology.settings import RunMeasureSettings, TrainSettings
from dnn_topology.settings.cells import Cell, Row

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.nets.data import DataSet
    from dnn_topology.nets.train import TrainingState

LOSSES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True, eq=False)
class CellResult:
    """What a cell gave.

    Attributes:
        rows: One row per measured epoch, in the order of the table's columns.
        diagrams: (epoch, draw) → diagrams.
        seconds: How long it took; in no row, because rows are the same wherever they are made.
        weights: Epoch → the state, if weights are kept.
    """

    rows: Sequence[Row]
    diagrams: Mapping[tuple[int, int], Diagrams]
    seconds: float
    weights: Mapping[int, TrainingState] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """How well the network did and how long it took, in few words."""
        last = self.rows[-1]
        return f"train {last['train_accuracy']:.3f}, test {last['test_accuracy']:.3f}, {self.seconds:.1f} s"


def run_cell(cell: Cell, *, data_dir: Path | None = None) -> CellResult:
    """Train and measure one cell.

    Args:
        cell: What to do.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.

    Returns:
        The rows, the diagrams, and the weights if they are kept.

    Raises:
        DnnTopologyError: Its settings cannot be trained or measured; there are fewer training images than `n_inputs`.
    """
    from dnn_topology.nets.draws import check_enough
    from dnn_topology.nets.train import evaluate, train

    start = time.monotonic()
    run = Run(Path(), cell.training, data_dir)
    data = run.load_data()
    check_enough(data, cell.settings)
    net, draws = run.load_net(), {"draws": cell.draws, "seed": cell.training.seed}
    states: dict[int, TrainingState] = {}

    def keep(state: TrainingState) -> None:
        if state.epoch in cell.measured:
            states[state.epoch] = state

    report: Literal["report"] | None = "report" if cell.keep_weights else None  # of all epochs, for who opens the run
    train(net, data, epochs=cell.epochs, on_epoch=keep, test=report, **cell.training.optimisation)
    rows, diagrams = list[Row](), dict[tuple[int, int], "Diagrams"]()
    for epoch, state in states.items():
        net.load_state_dict(state.model)
        drawn, features = measured_features(net, data, cell.training, cell.settings, parts=PARTS, **draws)
        diagrams |= {(epoch, number): of_draw for number, of_draw in enumerate(drawn)}
        rows.append(_row(cell, state, evaluate(net, data.test), features))
    return CellResult(rows, diagrams, time.monotonic() - start, states if cell.keep_weights else {})


def measured_features(
    net: nn.Module, data: DataSet, training: TrainSettings, how: RunMeasureSettings, *, parts: set[str], **draws: int
) -> tuple[list[Diagrams], dict[str, float]]:
    """Return diagrams of draws (number, seed) of training inputs, and features, of PARTS asked for; no test data."""
    from dnn_topology.analysis.network_features import network_features
    from dnn_topology.nets.draws import labelled_draws, labelled_training, measured_draws

    drawn = measured_draws(net, data, how, **draws) if "graph" in parts else []
    inputs, whole = labelled_draws(data, how, **draws) if "inputs" in parts else (), labelled_training(data)
    return drawn, network_features(net, drawn, inputs, whole, training=training, n_train=len(data.train))


def _row(cell: Cell, state: TrainingState, test: tuple[float, float], features: Mapping[str, float]) -> Row:
    """Return one row of the table: settings, how well the network did, and its features."""
    last = state.history[-1]
    losses = dict(zip(LOSSES, (last.train_loss, last.train_accuracy, *test), strict=True))
    return {
        **cell.columns,
        "epoch": state.epoch,
        **{name: _value(value) for name, value in losses.items()},
        "gap": 100 * (last.train_accuracy - test[1]),
        **{name: _value(value) for name, value in features.items()},
        **cell.measured_how,
    }


def _value(number: Any) -> float | None:
    """Return a number as JSON has it: NaN as null."""
    return None if math.isnan(number) or np.isinf(number) else float(number)
