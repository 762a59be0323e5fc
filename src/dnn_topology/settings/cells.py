"""One network of a study as its settings describe it: how it is trained, and how it is measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.settings.measuring import RunMeasureSettings
from dnn_topology.settings.training import TrainSettings

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

    Raises:
        DnnTopologyError: No loops would be measured, which every network's features need.
    """

    training: TrainSettings
    epochs: int
    measured: tuple[int, ...]
    settings: RunMeasureSettings
    draws: int = 1
    keep_weights: bool = False

    def __post_init__(self) -> None:
        if self.settings.max_dim < 1:
            raise DnnTopologyError(
                f"max_dim must be at least 1 in a study, found {self.settings.max_dim}: the gap is read off loops"
            )

    @cached_property
    def name(self) -> str:
        """What tells its settings from all others: a digest of those that are not the usual ones."""
        settings = {
            "training": _unusual(vars(self.training), USUAL_TRAINING),
            "topology": _unusual(self.settings.results, USUAL_MEASURING),
            "epochs": self.epochs,
            "measured": self.measured,
            "draws": self.draws,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def columns(self) -> Row:
        """The columns that say what the cell is."""
        training = vars(self.training)  # plain values, so that thousands of cells need no copies
        others = {name: value for name, value in training.items() if name not in TRAINED}
        return {
            "cell": self.name,
            **{name: training[name] for name in TRAINED},
            **_unusual(others, USUAL_TRAINING),
        }

    @cached_property
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

    def what_is_wrong(self, rows: Sequence[Row]) -> str | None:
        """Return what is wrong with its rows in a file, or None: each says which cell it is of, and its features."""
        if [row.get("epoch") for row in rows] != [*self.measured]:
            return f"it has no row for each of the epochs {' '.join(map(str, self.measured))}"
        about = {**self.columns, **self.measured_how}
        for row in rows:
            if row.get("cell") != self.name or row.keys() != rows[0].keys():
                return "a row is of another cell, or has other columns than the rest"
            if other := [name for name in row.keys() & about.keys() if row[name] != about[name]]:
                return f"{other[0]} is {shown(row[other[0]])}, and not {shown(about[other[0]])}"
            words = [name for name, value in row.items() if name not in about and isinstance(value, str)]
            if words:
                return f"{words[0]} must be a number, found {shown(row[words[0]])}"
        return None

    def __str__(self) -> str:
        varied = _unusual(vars(self.training), USUAL_TRAINING)
        named = (f"{name} {value}" for name, value in varied.items() if name not in {"net", "dataset"})
        return ", ".join([f"{self.training.net} on {self.training.dataset}", *named])


def digest_of(cells: Iterable[Cell]) -> str:
    """Return what tells some cells, in this order, from others."""
    return hashlib.sha256(" ".join(cell.name for cell in cells).encode()).hexdigest()[:12]


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


def _unusual(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the usual ones, so that settings yet to be invented change no name."""
    return {name: value for name, value in settings.items() if value != usual.get(name)}
