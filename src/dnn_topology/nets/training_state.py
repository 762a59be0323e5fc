"""What a training has come to at the end of an epoch, in memory and in a file."""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_type, check_whole, shown
from dnn_topology._records import record_of
from dnn_topology.recording.state_dicts import StateDict, read_state, write_state

LARGEST = torch.finfo(torch.float32).max
STEPS = ("lr", "momentum", "dampening", "weight_decay", "params")  # what every version of SGD writes of its groups


@checked_fields
@dataclass(frozen=True)
class EpochRecord:
    """One row of a training history. Losses are mean cross-entropies, accuracies shares in [0, 1], in eval mode.

    Those of the test images are NaN where nobody evaluated them.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float

    @property
    def described(self) -> str:
        """The accuracies, in few words."""
        return f"accuracy {self.train_accuracy:.3f} train, {self.test_accuracy:.3f} test"


@checked_fields
@dataclass(frozen=True, repr=False)
class TrainingState:
    """Everything that the rest of a training depends on, at the end of an epoch.

    Attributes:
        epoch: The last finished epoch; 0 before any training.
        model: The weights.
        optimizer: Momentum and learning rate.
        scheduler: What the schedule remembers.
        history: One record per epoch from 0.
        recipe: How it was trained: lr (the initial one), batch_size, weight_decay, seed. Empty in files of versions
            that did not write it.
    """

    epoch: int
    model: StateDict
    optimizer: StateDict
    scheduler: StateDict
    history: tuple[EpochRecord, ...]
    recipe: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return how far it is, how many weights there are, and how well it does."""
        tensors = [each for each in self.model.values() if isinstance(each, torch.Tensor)]
        sizes = f"{len(tensors)} tensors of {sum(each.numel() for each in tensors)} numbers"
        accuracy = f", {self.history[-1].train_accuracy:.1%} of the training images right" if self.history else ""
        return f"TrainingState(epoch {self.epoch}, {sizes}{accuracy})"

    @checked
    def save(self, path: str | Path) -> None:
        """Write the state in one step. Equal states give equal bytes, whatever interruptions led to them."""
        content = {**vars(self), "history": [asdict(record) for record in self.history], "recipe": dict(self.recipe)}
        write_state(Path(path), canonical(content))

    @classmethod
    @checked
    def load(cls, path: str | Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        content = read_state(Path(path))
        try:
            return _state_of(content)
        except DnnTopologyError as error:
            raise DnnTopologyError(f"{path} is no training state: {error}; delete it to train afresh") from error

    @checked
    def check_fits(self, model: nn.Module, optimizer: Optimizer, scheduler: ReduceLROnPlateau) -> None:
        """Check, before anything takes it up, that the state is one of such a training.

        Args:
            model: The network.
            optimizer: Its optimizer, before the first step.
            scheduler: Its schedule, before the first step.

        Raises:
            DnnTopologyError: It is not; the message says what differs.
        """
        _check_like("scheduler", dict(self.scheduler), scheduler.state_dict())
        usual, groups = optimizer.state_dict()["param_groups"], self.optimizer.get("param_groups", [])
        _check_like("optimizer.param_groups", groups, usual)
        if lost := [name for group in groups for name in STEPS if name not in group]:
            raise DnnTopologyError(f"optimizer.param_groups has no {lost[0]}")
        shapes = dict(enumerate(one.shape for one in model.parameters()))
        state = self.optimizer.get("state")
        for number, of_one in state.items() if isinstance(state, dict) else [(None, None)]:
            momentum = of_one.get("momentum_buffer") if isinstance(of_one, dict) else of_one
            if number not in shapes or not isinstance(momentum, torch.Tensor) or momentum.shape != shapes[number]:
                raise DnnTopologyError(
                    f"optimizer.state must hold a momentum of each weight's shape, found {shown(number)}"
                )


def _state_of(content: StateDict) -> TrainingState:
    """Return the state that a file holds.

    Raises:
        DnnTopologyError: A part is missing or of another type.
    """
    parts = {"recipe": {}, **content}
    if missing := [name for name in TrainingState.__dataclass_fields__ if name not in parts]:
        raise DnnTopologyError(f"{missing[0]} is missing")
    check_whole("epoch", parts["epoch"], 0)
    for name in ("model", "optimizer", "scheduler"):
        check_type(name, parts[name], dict)
    recipe = record_of(parts["recipe"], dict[str, float | int], name="recipe")
    check_type("history", parts["history"], list)
    history = tuple(_record(f"history[{place}]", row) for place, row in enumerate(parts["history"]))
    if [one.epoch for one in history] != [*range(len(history))] or len(history) != parts["epoch"] + 1:
        raise DnnTopologyError(f"history must have the epochs from 0 to {parts['epoch']}")
    return TrainingState(parts["epoch"], parts["model"], parts["optimizer"], parts["scheduler"], history, recipe)


def _record(name: str, row: Any) -> EpochRecord:
    """Return one row of a history; what was said of test images may be any number, NaN included.

    Raises:
        DnnTopologyError: A column is missing, unknown or no number.
    """
    blind = {
        one: 0.0 for one in ("test_loss", "test_accuracy") if isinstance(row, dict) and type(row.get(one)) is float
    }
    record = record_of({**row, **blind} if blind else row, EpochRecord, name=name)
    return replace(record, **{one: row[one] for one in blind})


def _check_like(name: str, value: Any, usual: Any) -> None:
    """Check that nested plain values have the types and lengths of others, keys that only one of them has aside.

    Raises:
        DnnTopologyError: They have not; the message names the first place that differs.
    """
    if isinstance(usual, dict):
        check_type(name, value, dict)
        for key in usual.keys() & value.keys():
            _check_like(f"{name}.{key}", value[key], usual[key])
    elif isinstance(usual, list):
        if not isinstance(value, list) or len(value) != len(usual):
            raise DnnTopologyError(f"{name} must be a list of {len(usual)}, found {shown(value)}")
        for place, (one, other) in enumerate(zip(value, usual, strict=True)):
            _check_like(f"{name}[{place}]", one, other)
    elif isinstance(usual, (int, float)) and not isinstance(usual, bool):
        _check_number(name, value)
    elif not any(value is one for one in (usual, None, False)) and not (isinstance(usual, str) and value == usual):
        # Another way of computing than is ever taken here.
        raise DnnTopologyError(f"{name} must be {usual}, found {shown(value)}")


def _check_number(name: str, value: Any) -> None:
    """Check that a value is a number that weights take; the best loss so far may be infinite.

    Raises:
        DnnTopologyError: It is not.
    """
    if not (isinstance(value, float) and value == math.inf):
        check_type(name, value, float)
        if abs(value) > LARGEST:
            raise DnnTopologyError(f"{name} must be a number that weights take, found {shown(value)}")


def save_weights(path: Path, state: TrainingState) -> None:
    """Write the weights of one epoch, for measuring and for others to load, in one step."""
    write_state(path, canonical({"epoch": state.epoch, "model": state.model}))


def history_table(state: TrainingState) -> pd.DataFrame:
    """Return the history of a training as a table, one row per epoch."""
    return pd.DataFrame([asdict(record) for record in state.history])


def canonical(content: Any) -> Any:
    """Return the same content made of fresh parts, so that a file of it has bytes that depend on its values alone.

    A pickle also shows which strings were one object and in which memory a tensor lay, which differs between what was
    just computed and what was read from a file.

    Args:
        content: Mappings, sequences, tensors, texts, numbers.

    Returns:
        Plain dicts, lists, tuples and numbers; tensors on the CPU, contiguous, each with memory of its own.
    """
    if isinstance(content, torch.Tensor):
        values = content.detach().cpu()
        return torch.empty(values.shape, dtype=values.dtype).copy_(values)
    if isinstance(content, Mapping):
        plain = {canonical(key): canonical(value) for key, value in content.items()}
        versions = getattr(content, "_metadata", None)  # of the modules of a state dict
        if versions is None:
            return plain
        ordered = OrderedDict(plain)
        vars(ordered)["_metadata"] = canonical(versions)
        return ordered
    if isinstance(content, (list, tuple)):
        return type(content)(canonical(value) for value in content)
    return sys.intern(content) if type(content) is str else content
