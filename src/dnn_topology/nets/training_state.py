"""What a training has come to at the end of an epoch, in memory and in a file."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.state_dicts import StateDict, read_state, write_state


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

    def save(self, path: Path) -> None:
        """Write the state in one step. Equal states give equal bytes, whatever interruptions led to them."""
        content = {**vars(self), "history": [asdict(record) for record in self.history], "recipe": dict(self.recipe)}
        write_state(path, canonical(content))

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        content = read_state(path)
        try:
            content.setdefault("recipe", {})
            state = cls(**{name: content[name] for name in cls.__dataclass_fields__})
            return replace(state, history=tuple(EpochRecord(**record) for record in content["history"]))
        except (KeyError, TypeError) as error:
            raise DnnTopologyError(f"{path} is no training state ({error}); delete it to train afresh") from error


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
