"""One cell of a study: a network is trained and measured, all in memory; where it runs changes nothing."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnn_topology.analysis.network_features import network_features
from dnn_topology.runs.run import Run
from dnn_topology.settings import RunMeasureSettings, TrainSettings

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.nets.data import DataSet
    from dnn_topology.nets.train import TrainingState

Value = str | float | int | None
Row = dict[str, Value]
# The columns that every row has; other settings have one where they are not the usual ones.
TRAINED = (
    *("net", "dataset", "width", "depth", "dropout", "weight_decay"),
    *("train_size", "permute_labels", "lr", "batch_size", "seed"),
)
USUAL_TRAINING, USUAL_MEASURING = asdict(TrainSettings()), RunMeasureSettings().results
MEASURED = ("graph_split", "n_inputs", "nodes", "max_epsilon")


@dataclass(frozen=True)
class Cell:
    """What is trained and measured.

    Attributes:
        training: The network, its data, and how it is trained.
        epochs: The last epoch of training.
        measured: The epochs that are measured, rising.
        settings: What is measured: of training inputs alone.
        draws: Number of draws of inputs, draw d with the seed `training.seed + d`; the features are their means.
        keep_weights: Whether the weights of measured epochs are kept; changes no result.
    """

    training: TrainSettings
    epochs: int
    measured: tuple[int, ...]
    settings: RunMeasureSettings
    draws: int = 1
    keep_weights: bool = False

    @cached_property
    def name(self) -> str:
        """What tells its settings from all others: a digest of those that are not the usual ones."""
        settings = {
            "training": _unusual(asdict(self.training), USUAL_TRAINING),
            "topology": _unusual(self.settings.results, USUAL_MEASURING),
            "epochs": self.epochs,
            "measured": self.measured,
            "draws": self.draws,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def columns(self) -> Row:
        """The columns that say what the cell is."""
        training = asdict(self.training)
        others = {name: value for name, value in training.items() if name not in TRAINED}
        return {
            "cell": self.name,
            **{name: training[name] for name in TRAINED},
            **_unusual(others, USUAL_TRAINING),
        }

    @property
    def measured_how(self) -> Row:
        """The columns that say how the cell is measured."""
        return measured_how(self.settings, draws=self.draws)

    @property
    def steps(self) -> int:
        """How much work it is, in epochs."""
        return self.epochs + 1

    @property
    def kind(self) -> tuple[str, str]:
        """What cells have in common that take as long per epoch."""
        return self.training.net, self.training.dataset

    def value(self, axis: str) -> Value:
        """Return its value of a setting."""
        return {**self.columns, **self.measured_how}.get(axis)

    def __str__(self) -> str:
        varied = _unusual(asdict(self.training), USUAL_TRAINING)
        named = (f"{name} {value}" for name, value in varied.items() if name not in {"net", "dataset"})
        return ", ".join([f"{self.training.net} on {self.training.dataset}", *named])


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
    net = run.load_net()
    states: dict[int, TrainingState] = {}

    def keep(state: TrainingState) -> None:
        if state.epoch in cell.measured:
            states[state.epoch] = state

    report: Literal["report"] | None = "report" if cell.keep_weights else None  # of all epochs, for who opens the run
    train(net, data, epochs=cell.epochs, on_epoch=keep, test=report, **cell.training.optimisation)
    rows, diagrams = list[Row](), dict[tuple[int, int], "Diagrams"]()
    for epoch, state in states.items():
        net.load_state_dict(state.model)
        drawn, features = measured_features(net, data, cell.training, cell.settings, draws=cell.draws)
        diagrams |= {(epoch, number): of_draw for number, of_draw in enumerate(drawn)}
        rows.append(_row(cell, state, evaluate(net, data.test), features))
    return CellResult(rows, diagrams, time.monotonic() - start, states if cell.keep_weights else {})


def measured_features(
    net: nn.Module,
    data: DataSet,
    training: TrainSettings,
    settings: RunMeasureSettings,
    *,
    draws: int,
    seed: int | None = None,
) -> tuple[list[Diagrams], dict[str, float]]:
    """Return the diagrams of each draw of training inputs, and all features of a network; test data are not read."""
    from dnn_topology.nets.draws import labelled_draws, measured_draws

    drawn_with = {"draws": draws, "seed": training.seed if seed is None else seed}
    drawn = measured_draws(net, data, settings, **drawn_with)
    inputs = labelled_draws(data, settings, **drawn_with)
    return drawn, network_features(net, drawn, inputs=inputs, training=training, n_train=len(data.train))


def measured_how(settings: RunMeasureSettings, *, draws: int) -> Row:
    """Return the columns that say how a network was measured."""
    others = {name: value for name, value in settings.results.items() if name not in {*MEASURED, "max_dim"}}
    return {
        "graph_split": settings.graph_split,
        "n_inputs": settings.n_inputs,
        "draws": draws,
        "nodes": settings.nodes,
        "max_epsilon": settings.max_epsilon,
        **{name: str(value) for name, value in _unusual(others, USUAL_MEASURING).items()},
    }


def _row(cell: Cell, state: TrainingState, test: tuple[float, float], features: Mapping[str, float]) -> Row:
    """Return one row of the table: settings, how well the network did, and its features."""
    last = state.history[-1]
    losses = {"train_loss": last.train_loss, "train_accuracy": last.train_accuracy}
    losses |= dict(zip(("test_loss", "test_accuracy"), test, strict=True))
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


def _unusual(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the usual ones, so that settings yet to be invented change no name."""
    return {name: value for name, value in settings.items() if value != usual.get(name)}
