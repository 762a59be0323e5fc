"""Training by the original's recipe, seeded and resumable. Knows nothing of topology."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.nets import speed
from dnn_topology.nets.data import DataSet, Samples
from dnn_topology.nets.data.loading import each_batch, some
from dnn_topology.nets.training_state import LARGEST, EpochRecord, TrainingState, history_table, save_weights
from dnn_topology.recording.devices import usable_device
from dnn_topology.recording.failures import failures_explained

__all__ = ["EpochRecord", "TrainingState", "evaluate", "history_table", "save_weights", "train"]

EVALUATION_BATCH = 500
LARGE_EVALUATION_BATCH = 250  # of which a layer's images stay in memory that the process keeps
EVALUATED = 5_000  # training images that loss and accuracy are taken of where there are more than `speed.LARGE`
RECIPE: Mapping[str, float] = {"lr": 0.01, "batch_size": 128, "weight_decay": 5e-4, "seed": 0}
MOMENTUM = 0.9


class UnfitStateError(DnnTopologyError):
    """A state to go on from that is not one of the training that is to go on."""


@checked
def train(
    model: nn.Module,
    data: DataSet,
    *,
    epochs: int,
    lr: float | None = None,
    batch_size: int | None = None,
    weight_decay: float | None = None,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    resume: TrainingState | None = None,
    test: Literal["report"] | None = "report",
    on_epoch: Callable[[TrainingState], bool | None] | None = None,
) -> pd.DataFrame:
    """Train as the original does: SGD, momentum 0.9, weight decay 5e-4, learning rate halved on plateaus.

    Unlike the original's, the schedule looks at the training loss; test data are evaluated for the history and decide
    nothing. The order of the samples and every random layer depend on `seed` and the epoch alone, so that a resumed
    training ends bit for bit as an uninterrupted one. The global random state is left as it was.

    With more than 10,000 training images, loss and accuracy of training are those of 5,000 of them, always the same
    ones, and convolutions on the CPU run in another memory format and, with one thread of PyTorch's, partly in compiled
    loops of our own; trained weights differ from PyTorch's in the last bits. See `nets.speed`.

    Args:
        model: Gives logits or log-probabilities (batch, n_classes). It is trained in place and left on `device`.
        data: Training and test images.
        epochs: The last epoch.
        lr: Initial learning rate. None, as for the next three: 0.01, or what the training that is resumed began with.
        batch_size: Samples per step; 128.
        weight_decay: Factor w of the penalty w/2 · |weights|² that is added to the loss; 5e-4.
        seed: Seed of order and random layers; 0. The initial weights are the model's own.
        device: Where to train.
        resume: A state to go on from, rather than from the model's weights.
        test: "report" evaluates the test images after each epoch, for the history; None never reads them.
        on_epoch: Called with the state after each epoch, first with epoch 0 before any training; return True to stop.

    Returns:
        The history: one row per epoch, with the columns of `EpochRecord`.

    Raises:
        DnnTopologyError: The loss is no longer finite, an argument is out of range or contradicts the state to go on
            from.
        UnfitStateError: That state does not fit the model.

    Example:
        >>> from dnn_topology.nets.data import load_data
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        >>> train(model, load_data("digits"), epochs=2, test=None)["epoch"].tolist()
        [0, 1, 2]
    """
    check_at_least("epochs", epochs, 0)
    check_at_least("the number of training images", len(data.train), 2)
    asked = {"lr": lr, "batch_size": batch_size, "weight_decay": weight_decay, "seed": seed}
    recipe = _recipe(asked, resume)
    device = usable_device(device)
    model.to(device)
    training = _Training.of(model, data, recipe, device, test=test)
    if resume is None:
        state = training.finished(0, ())
        stop = bool(on_epoch and on_epoch(state))
    else:
        state, stop = resume, False
        training.go_on_from(resume)
    while state.epoch < epochs and not stop:
        epoch = state.epoch + 1
        training.run_epoch(epoch)
        state = training.finished(epoch, state.history)
        stop = bool(on_epoch and on_epoch(state))
    return history_table(state)


def evaluate(
    model: nn.Module, dataset: Samples, *, device: torch.device | str = "cpu", channels_last: bool = False
) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy of a model in eval mode, which is then taken back.

    Args:
        model: Gives logits or log-probabilities (batch, n_classes).
        dataset: Images and labels.
        device: Where the model is.
        channels_last: Whether images are laid out channels last, as convolutions on the CPU are faster.

    Returns:
        (loss, accuracy), the latter in [0, 1].

    Example:
        >>> from dnn_topology.nets.data import load_data
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        >>> _ = nn.init.zeros_(model[1].weight), nn.init.zeros_(model[1].bias)
        >>> loss, accuracy = evaluate(model, load_data("digits").test)
        >>> abs(loss - math.log(10)) < 1e-4, 0.08 < accuracy < 0.12
        (True, True)
    """
    training = model.training
    model.eval()
    loss = correct = 0.0
    batch_size = LARGE_EVALUATION_BATCH if channels_last else EVALUATION_BATCH
    with torch.no_grad(), speed.hastened(model, channels_last=channels_last) as memory_format:
        for images, labels in each_batch(dataset, batch_size=batch_size):
            given, target = _given(images, device, memory_format), labels.to(device)
            with failures_explained([given], {}):
                output = model(given)
                # Cross-entropy of log-probabilities is their negative log-likelihood: the softmax changes nothing.
                loss += functional.cross_entropy(output, target, reduction="sum").item()
            correct += (output.argmax(dim=1) == target).sum().item()
    model.train(training)
    return loss / len(dataset), correct / len(dataset)


@dataclass(frozen=True, eq=False)
class _Training:
    """A training under way.

    Attributes:
        model: What is trained.
        data: Training and test images.
        recipe: lr, batch_size, weight_decay and seed.
        device: Where it is trained.
        optimizer: SGD.
        scheduler: Halves the learning rate on plateaus of the training loss.
        judged: Training images that loss and accuracy are taken of.
        large: Whether speed comes before the last bits.
        test: Whether the test images are evaluated.
    """

    model: nn.Module
    data: DataSet
    recipe: Mapping[str, float]
    device: torch.device
    optimizer: torch.optim.Optimizer
    scheduler: ReduceLROnPlateau
    judged: Samples
    large: bool
    test: bool

    @classmethod
    def of(
        cls, model: nn.Module, data: DataSet, recipe: Mapping[str, float], device: torch.device, *, test: str | None
    ) -> _Training:
        """Return the training before its first step.

        Raises:
            DnnTopologyError: The model has no weights.
        """
        if not any(True for _ in model.parameters()):
            raise DnnTopologyError("model must have weights to train, found none: take another network")
        optimizer = torch.optim.SGD(
            model.parameters(), lr=recipe["lr"], momentum=MOMENTUM, weight_decay=recipe["weight_decay"]
        )
        large = speed.is_large(len(data.train))
        judged = some(data.train, EVALUATED) if large else data.train
        scheduler = ReduceLROnPlateau(optimizer, factor=0.5)
        return cls(model, data, recipe, device, optimizer, scheduler, judged, large, test is not None)

    def go_on_from(self, state: TrainingState) -> None:
        """Take up a state.

        Raises:
            UnfitStateError: It is that of another network.
        """
        known = self.scheduler.state_dict()  # another version of torch may have written more
        try:
            state.check_fits(self.model, self.optimizer, self.scheduler)
            self.model.load_state_dict(state.model)
            self.optimizer.load_state_dict(copy.deepcopy(state.optimizer))
            self.scheduler.load_state_dict({name: state.scheduler[name] for name in known if name in state.scheduler})
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UnfitStateError(
                f"the state to resume from does not fit this model: {reason}; give the model that it was trained with"
            ) from error

    def run_epoch(self, epoch: int) -> None:
        """Take one step per batch, in an order and with random layers that depend on seed and epoch alone."""
        seed = _epoch_seed(int(self.recipe["seed"]), epoch)
        loader = each_batch(self.data.train, batch_size=int(self.recipe["batch_size"]), shuffle_seed=seed)
        self.model.train()
        with (
            torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []),
            torch.backends.cudnn.flags(deterministic=True, benchmark=False),
            speed.hastened(self.model, channels_last=self.large) as memory_format,
        ):
            torch.manual_seed(seed)
            for images, labels in loader:
                self.optimizer.zero_grad()
                output = self.model(_given(images, self.device, memory_format))
                functional.cross_entropy(output, labels.to(self.device)).backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()

    def finished(self, epoch: int, history: tuple[EpochRecord, ...]) -> TrainingState:
        """Return the state at the end of an epoch, and let the schedule know of it.

        Raises:
            DnnTopologyError: The loss is no longer finite.
        """
        record = EpochRecord(
            epoch,
            self.optimizer.param_groups[0]["lr"],
            *self._judged(self.judged),
            *(self._judged(self.data.test) if self.test else (math.nan, math.nan)),
        )
        if not math.isfinite(record.train_loss):
            raise DnnTopologyError(f"training diverged: the loss of epoch {epoch} is {record.train_loss}; lower the lr")
        if epoch:
            self.scheduler.step(record.train_loss)
        # Copied, because the tensors inside are the live ones, which the next epoch changes.
        weights, momentum, schedule = (
            copy.deepcopy(part.state_dict()) for part in (self.model, self.optimizer, self.scheduler)
        )
        return TrainingState(epoch, weights, momentum, schedule, (*history, record), self.recipe)

    def _judged(self, dataset: Samples) -> tuple[float, float]:
        return evaluate(self.model, dataset, device=self.device, channels_last=self.large)


def _recipe(asked: Mapping[str, float | None], resume: TrainingState | None) -> dict[str, float]:
    """Return lr, batch_size, weight_decay and seed: those asked for, else those of the state to go on from.

    Raises:
        DnnTopologyError: One is out of range, or is asked for and is another than that of the state.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    began = {} if resume is None else _began_with(resume)
    recipe: dict[str, float] = {**RECIPE, **given, **began}
    for each in (given, recipe):
        _check_recipe(each)
    recipe |= {name: float(recipe[name]) for name in ("lr", "weight_decay")}
    recipe |= {name: int(recipe[name]) for name in ("batch_size", "seed")}  # a file of plain values takes no NumPy ones
    for name, value in given.items():
        if began.get(name, value) != value:
            raise DnnTopologyError(
                f"{name} is {value} and the training to resume began with {began[name]}: leave it out, or train afresh"
            )
    return recipe


def _check_recipe(recipe: Mapping[str, float]) -> None:
    """Check the numbers of a recipe.

    Raises:
        DnnTopologyError: One is out of range.
    """
    for name, least in (("batch_size", 1), ("seed", 0)):
        if not isinstance(recipe.get(name, least), (int, np.integer)):
            raise DnnTopologyError(f"{name} must be a whole number, found {recipe[name]!r}")
        check_at_least(name, recipe.get(name, least), least)
    if not 0 < recipe.get("lr", 1) <= LARGEST:
        raise DnnTopologyError(f"lr must be positive, and a number that weights take, found {recipe['lr']}")
    if not 0 <= recipe.get("weight_decay", 0) <= LARGEST:
        raise DnnTopologyError(
            f"weight_decay must be at least 0, and a number that weights take, found {recipe['weight_decay']}"
        )


def _began_with(state: TrainingState) -> dict[str, float]:
    """Return how a training began, as far as its state says."""
    if state.recipe:
        return {name: state.recipe[name] for name in RECIPE if name in state.recipe}
    groups: list[Any] = state.optimizer.get("param_groups", [])
    began = {"lr": state.history[0].lr} if state.history else {}
    return {**began, **({"weight_decay": groups[0]["weight_decay"]} if groups else {})}


def _given(images: torch.Tensor, device: torch.device | str, memory_format: torch.memory_format) -> torch.Tensor:
    """Return images as a model on a device takes them."""
    moved = images.to(device)
    turned = memory_format is torch.channels_last and moved.ndim == 4
    return moved.to(memory_format=memory_format) if turned else moved


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return a seed for one epoch, far from those of its neighbours."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
