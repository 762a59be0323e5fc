"""Training by the original's recipe, seeded and resumable. Knows nothing of topology."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.nets.data import DataSet, Samples, batches
from dnn_topology.recording.state_dicts import StateDict, read_state, write_state

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class EpochRecord:
    """One row of a training history. Losses are mean cross-entropies, accuracies shares in [0, 1], in eval mode."""

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class TrainingState:
    """Everything that the rest of a training depends on, at the end of an epoch.

    Attributes:
        epoch: The last finished epoch; 0 before any training.
        model: The weights.
        optimizer: Momentum and learning rate.
        scheduler: What the schedule remembers.
        history: One record per epoch from 0.
    """

    epoch: int
    model: StateDict
    optimizer: StateDict
    scheduler: StateDict
    history: tuple[EpochRecord, ...]

    def save(self, path: Path) -> None:
        """Write the state in one step."""
        write_state(path, {**vars(self), "history": [asdict(record) for record in self.history]})

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        content = read_state(path)
        try:
            state = cls(**{name: content[name] for name in cls.__dataclass_fields__})
            return replace(state, history=tuple(EpochRecord(**record) for record in content["history"]))
        except (KeyError, TypeError) as error:
            raise DnnTopologyError(f"{path} is no training state ({error}); delete it to train afresh") from error


def train(
    model: nn.Module,
    data: DataSet,
    *,
    epochs: int,
    lr: float = 0.01,
    batch_size: int = 128,
    weight_decay: float = 5e-4,
    seed: int = 0,
    device: torch.device | str = "cpu",
    resume: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], bool | None] | None = None,
) -> pd.DataFrame:
    """Train as the original does: SGD, momentum 0.9, weight decay 5e-4, learning rate halved on plateaus.

    Unlike the original's, the schedule looks at the training loss; test data are evaluated for the history and decide
    nothing. The order of the samples and every random layer depend on `seed` and the epoch alone, so that a resumed
    training ends bit for bit as an uninterrupted one. The global random state is left as it was.

    Args:
        model: Gives logits or log-probabilities (batch, n_classes). It is trained in place and left on `device`.
        data: Training and test images.
        epochs: The last epoch.
        lr: Initial learning rate.
        batch_size: Samples per step.
        weight_decay: Factor w of the penalty w/2 · |weights|² that is added to the loss.
        seed: Seed of order and random layers; the initial weights are the model's own.
        device: Where to train.
        resume: A state to go on from, rather than from the model's weights.
        on_epoch: Called with the state after each epoch, first with epoch 0 before any training; return True to stop.

    Returns:
        The history: one row per epoch, with the columns of `EpochRecord`.

    Raises:
        DnnTopologyError: The loss is no longer finite, or an argument is out of range.
    """
    check_at_least("epochs", epochs, 0)
    check_at_least("batch_size", batch_size, 1)
    if not 0 < lr < math.inf:
        raise DnnTopologyError(f"lr must be positive and finite, found {lr}")
    check_at_least("the number of training images", len(data.train), 2)
    if not 0 <= weight_decay < math.inf:
        raise DnnTopologyError(f"weight_decay must be at least 0 and finite, found {weight_decay}")
    device = torch.device(device)
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5)

    def finished(epoch: int, history: tuple[EpochRecord, ...]) -> TrainingState:
        record = EpochRecord(
            epoch,
            optimizer.param_groups[0]["lr"],
            *evaluate(model, data.train, device=device),
            *evaluate(model, data.test, device=device),
        )
        if not math.isfinite(record.train_loss):
            raise DnnTopologyError(f"training diverged: the loss of epoch {epoch} is {record.train_loss}; lower the lr")
        if epoch:
            scheduler.step(record.train_loss)
        # Copied, because the tensors inside are the live ones, which the next epoch changes.
        weights, momentum, schedule = (copy.deepcopy(part.state_dict()) for part in (model, optimizer, scheduler))
        return TrainingState(epoch, weights, momentum, schedule, (*history, record))

    if resume is None:
        state = finished(0, ())
        stop = bool(on_epoch and on_epoch(state))
    else:
        state, stop = resume, False
        model.load_state_dict(state.model)
        optimizer.load_state_dict(state.optimizer)
        scheduler.load_state_dict(state.scheduler)
    while state.epoch < epochs and not stop:
        epoch = state.epoch + 1
        _train_epoch(model, optimizer, data.train, batch_size, seed=_epoch_seed(seed, epoch), device=device)
        state = finished(epoch, state.history)
        stop = bool(on_epoch and on_epoch(state))
    return history_table(state)


def evaluate(model: nn.Module, dataset: Samples, *, device: torch.device | str = "cpu") -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy of a model in eval mode, which is then taken back.

    Args:
        model: Gives logits or log-probabilities (batch, n_classes).
        dataset: Images and labels.
        device: Where the model is.

    Returns:
        (loss, accuracy), the latter in [0, 1].
    """
    training = model.training
    model.eval()
    loss = correct = 0.0
    with torch.no_grad():
        for images, labels in batches(dataset, batch_size=EVALUATION_BATCH):
            output, target = model(images.to(device)), labels.to(device)
            # Cross-entropy of log-probabilities is their negative log-likelihood: the softmax changes nothing.
            loss += functional.cross_entropy(output, target, reduction="sum").item()
            correct += (output.argmax(dim=1) == target).sum().item()
    model.train(training)
    return loss / len(dataset), correct / len(dataset)


def history_table(state: TrainingState) -> pd.DataFrame:
    """Return the history of a training as a table, one row per epoch."""
    return pd.DataFrame([asdict(record) for record in state.history])


def save_weights(path: Path, state: TrainingState) -> None:
    """Write the weights of one epoch, for measuring and for others to load, in one step."""
    write_state(path, {"epoch": state.epoch, "model": state.model})


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: Samples,
    batch_size: int,
    *,
    seed: int,
    device: torch.device,
) -> None:
    """Take one step per batch, in an order and with random layers that depend on `seed` alone."""
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            for images, labels in batches(dataset, batch_size=batch_size, shuffle_seed=seed):
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(images.to(device)), labels.to(device))
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return a seed for one epoch, far from those of its neighbours."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
