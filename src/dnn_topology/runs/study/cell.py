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
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.runs.graphs import Topology
from dnn_topology.runs.layout import Experiment, Training
from dnn_topology.runs.study.readings import readings

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.nets.data import DataSet
    from dnn_topology.nets.train import TrainingState

Value = str | float | int | None
Row = dict[str, Value]
BATCH = 100
TRAINED = (
    *("net", "dataset", "width", "depth", "dropout", "weight_decay"),
    *("train_size", "permute_labels", "lr", "batch_size", "seed"),
)


@dataclass(frozen=True)
class Cell:
    """What is trained and measured.

    Attributes:
        training: The network, its data, and how it is trained.
        epochs: The last epoch of training.
        measured: The epochs that are measured, rising.
        topology: What is measured: of training inputs alone.
        draws: Number of draws of inputs, draw d with the seed `training.seed + d`; the readings are their means.
        keep_weights: Whether the weights of measured epochs are kept; changes no result.
    """

    training: Training
    epochs: int
    measured: tuple[int, ...]
    topology: Topology
    draws: int = 1
    keep_weights: bool = False

    @cached_property
    def name(self) -> str:
        """What tells its settings from all others: a digest of those that are not the usual ones."""
        settings = {
            "training": _unusual(asdict(self.training), asdict(Training())),
            "topology": _unusual(asdict(self.topology), asdict(Topology())),
            "epochs": self.epochs,
            "measured": self.measured,
            "draws": self.draws,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def settings(self) -> Row:
        """The columns that say what the cell is."""
        return {"cell": self.name, **{name: getattr(self.training, name) for name in TRAINED}}

    def __str__(self) -> str:
        varied = _unusual({**self.settings, "cell": None}, {**asdict(Training()), "cell": None})
        varied = {name: value for name, value in varied.items() if name not in {"net", "dataset"}}
        names = [
            f"{self.training.net} on {self.training.dataset}",
            *(f"{key} {value}" for key, value in varied.items()),
        ]
        return ", ".join(names)


@dataclass(frozen=True, eq=False)
class CellResult:
    """What a cell gave.

    Attributes:
        rows: One row per measured epoch, in the order of the table's columns.
        diagrams: (epoch, draw) → diagrams.
        weights: Epoch → the state, if weights are kept.
        seconds: How long it took; in no row, because rows are the same wherever they are made.
    """

    rows: Sequence[Row]
    diagrams: Mapping[tuple[int, int], Diagrams]
    seconds: float
    weights: Mapping[int, TrainingState] = field(default_factory=dict)


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
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.nets.train import train

    start = time.monotonic()
    experiment = Experiment(cell.training, data_dir=data_dir)
    data = experiment.load_data()
    _check_inputs(data, cell.topology)
    net = experiment.build_net(data)
    states: dict[int, TrainingState] = {}

    def keep(state: TrainingState) -> None:
        if state.epoch in cell.measured:
            states[state.epoch] = state

    training = cell.training
    train(
        net,
        data,
        epochs=cell.epochs,
        lr=training.lr,
        batch_size=training.batch_size,
        weight_decay=training.weight_decay,
        seed=training.seed,
        on_epoch=keep,
    )
    rows, diagrams = list[Row](), dict[tuple[int, int], Diagrams]()
    for epoch, state in states.items():
        net.load_state_dict(state.model)
        drawn = measured_draws(net, data, cell.topology, draws=cell.draws, seed=training.seed)
        diagrams |= {(epoch, draw): found for draw, found in enumerate(drawn)}
        rows.append(_row(cell, state, net, drawn))
    return CellResult(rows, diagrams, time.monotonic() - start, states if cell.keep_weights else {})


def measured_draws(net: nn.Module, data: DataSet, topology: Topology, *, draws: int, seed: int) -> list[Diagrams]:
    """Measure a network on several draws of training inputs.

    Args:
        net: The network.
        data: Its data; the training part is drawn from.
        topology: What to measure: `n_inputs`, `nodes`, `max_dim` and `max_epsilon`.
        draws: Number of draws, draw d with the seed `seed + d`.
        seed: Of the first draw.

    Returns:
        The diagrams of each draw.

    Raises:
        DnnTopologyError: There are fewer training images than `n_inputs`, or as for `measure`.
    """
    from dnn_topology.nets.data import batches, sample
    from dnn_topology.pipeline import measure

    _check_inputs(data, topology)
    return [
        measure(
            net,
            batches(sample(data.train, topology.n_inputs, seed=seed + draw), batch_size=BATCH),
            nodes=topology.nodes,
            max_samples=None,
            seed=seed,
            max_dim=topology.max_dim,
            max_epsilon=topology.max_epsilon,
            threads=1,
        ).diagrams
        for draw in range(draws)
    ]


def measured_how(topology: Topology, *, draws: int) -> Row:
    """Return the columns that say how a network was measured."""
    return {
        "graph_split": topology.graph_split,
        "n_inputs": topology.n_inputs,
        "draws": draws,
        "nodes": topology.nodes,
        "max_epsilon": topology.max_epsilon,
    }


def _check_inputs(data: DataSet, topology: Topology) -> None:
    """Check that there are enough training images to draw inputs from.

    Raises:
        DnnTopologyError: There are not.
    """
    if len(data.train) < topology.n_inputs:
        raise DnnTopologyError(
            f"n_inputs asks for {topology.n_inputs} training inputs and there are {len(data.train)}: every network "
            "is measured on as many, so lower n_inputs or raise train_size"
        )


def _row(cell: Cell, state: TrainingState, net: nn.Module, drawn: Sequence[Diagrams]) -> Row:
    """Return one row of the table: settings, how well the network did, and what its topology and weights say."""
    last = state.history[-1]
    losses = {name: getattr(last, name) for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")}
    return {
        **cell.settings,
        "epoch": state.epoch,
        **{name: _value(value) for name, value in losses.items()},
        "gap": 100 * (last.train_accuracy - last.test_accuracy),
        **{name: _value(value) for name, value in readings(net, drawn).items()},
        **measured_how(cell.topology, draws=cell.draws),
    }


def _value(number: Any) -> float | None:
    """Return a number as JSON has it: NaN as null."""
    return None if math.isnan(number) or np.isinf(number) else float(number)


def _unusual(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the usual ones, so that settings yet to be invented change no name."""
    return {name: value for name, value in settings.items() if value != usual.get(name)}
