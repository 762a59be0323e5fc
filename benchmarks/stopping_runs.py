"""The trainings that `early_stopping.py` judges: all that any rule looks at, epoch by epoch, one file per training.

Every setting is trained twice, with the same images, labels, initial weights and epochs: on four fifths of the images,
the last fifth being a validation split, and on all of them. What is kept of an epoch: the prediction at every training
image, losses, accuracies, the disparity of the gradients of five batches, and (of the training on all images, LeNet's
aside, for the sake of time) the topology of the training inputs' activations. Test images are read to judge and decide
nothing. A training that is there is not done again.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from dnn_topology import DataSet, build_net, load_data, measure, train
from dnn_topology.analysis.early_stopping import MAX_EPSILON, stopping_quantities
from dnn_topology.nets.data import batches
from dnn_topology.nets.train import TrainingState, evaluate
from dnn_topology.nets.zoo import find_network
from dnn_topology.store import write_arrays, write_json

HELD_OUT = 0.2  # of the training images, for the rules that look at a validation split
N_TEST = 2_000
N_INPUTS = 1_000
N_BATCHES = 5  # whose gradients are compared, as in the paper
NODES = {"conv_2": "channel", "bn_cnn": "channel"}  # which have thousands of units; elsewhere every unit is a node
WITHOUT_LOOPS = ("lenet",)  # whose 1,820 nodes take as long as all the rest of the training


@dataclass(frozen=True)
class Run:
    """One training; `noise` is the share of its labels that is permuted, in the validation split too.

    `held_out` is the share of its images that is the validation split; 0 for none.
    """

    net: str
    dataset: str
    noise: float
    seed: int
    train_size: int
    epochs: int = 60
    lr: float = 0.02
    batch_size: int = 64
    held_out: float = HELD_OUT

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.net}-{self.dataset}-{round(100 * self.noise)}-{self.train_size}-{self.seed}" + (
            "" if self.held_out else "-all"
        )


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    Attributes:
        run: What was trained.
        table: Column → one number per epoch, the untrained network's first: `train_loss`, `train_accuracy`,
            `val_loss`, `val_accuracy`, `test_accuracy`, `disparity`; where loops were measured, `density`, `epsilon`,
            `midlife`, `life`.
        predictions: (n_epochs + 1, n_train), the class predicted at every training image.
        labels: (n_train,), the labels that were trained on.
    """

    run: Run
    table: Mapping[str, np.ndarray]
    predictions: np.ndarray
    labels: np.ndarray


def small_with_batch_norm(n_classes: int, channels: int) -> nn.Module:
    """Three convolutions of stride 2, each followed by batch normalisation, for images of any size from 16×16."""
    widths = (channels, 16, 32, 64)
    blocks = [
        nn.Sequential(nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU())
        for first, second in itertools.pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * widths[-1], n_classes))


def net_of(run: Run, data: DataSet) -> nn.Module:
    """Return the untrained network."""
    if run.net == "bn_cnn":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            return small_with_batch_norm(data.n_classes, data.shape[0])
    width = 0.125 if run.net == "conv_2" else None  # 8 channels instead of 64
    return build_net(run.net, n_classes=data.n_classes, shape=data.shape, seed=run.seed, width=width)


def carry_out(run: Run, folder: Path, sources: Mapping[str, str], data_dir: Path | None) -> Training:
    """Train, unless it is done.

    Args:
        run: What to train.
        folder: Where its file goes.
        sources: Name of a data set → what `load_data` calls it.
        data_dir: Of downloaded data sets.

    Raises:
        SystemExit: The folder holds the same training with other settings.
    """
    about, numbers = folder / f"{run.name}.json", folder / f"{run.name}.npz"
    if not numbers.exists():
        data, validation = split(run, sources[run.dataset], data_dir)
        observed, predictions = _trained(run, data, validation)
        write_json(about, {"run": asdict(run)})
        write_arrays(numbers, {**observed, "predictions": predictions, "labels": data.train.tensors[1].numpy()})
    if json.loads(about.read_text())["run"] != asdict(run):
        raise SystemExit(f"{about} was made with other settings: delete it, or name another --work folder")
    with np.load(numbers) as held:
        arrays = {name: held[name] for name in held.files}
    return Training(run, arrays, arrays.pop("predictions"), arrays.pop("labels").astype(np.int64))


def _trained(run: Run, data: DataSet, validation: TensorDataset) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Train and return what is kept of every epoch."""
    model = net_of(run, data)
    rows: list[dict[str, float]] = []
    predictions: list[np.ndarray] = []

    def observe(state: TrainingState) -> None:
        record = state.history[-1]
        predictions.append(predicted(model, data.train.tensors[0]))
        loss, accuracy = evaluate(model, validation) if len(validation) else (math.nan, math.nan)
        row = {"train_loss": record.train_loss, "train_accuracy": record.train_accuracy}
        row |= {"val_loss": loss, "val_accuracy": accuracy, "test_accuracy": evaluate(model, data.test)[1]}
        row["disparity"] = gradient_disparity(model, data, run.batch_size, seed=1000 * run.seed + state.epoch)
        if not run.held_out and run.net not in WITHOUT_LOOPS:
            inputs = batches(data.train, batch_size=500)
            sizes: dict[str, Any] = {"max_samples": N_INPUTS, "max_dim": 1, "max_epsilon": MAX_EPSILON, "threads": 1}
            measured = measure(model, inputs, nodes=NODES.get(run.net, "unit"), **sizes)
            row |= stopping_quantities(measured.diagrams)
        rows.append(row)

    options = {"lr": run.lr, "batch_size": run.batch_size, "seed": run.seed}
    train(model, data, epochs=run.epochs, test=None, on_epoch=observe, **options)  # type: ignore[arg-type]
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    return columns, np.stack(predictions).astype(np.uint8)


def predicted(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Return the classes predicted in eval mode, (n,), int64."""
    training = model.training
    model.eval()
    with torch.no_grad():
        classes = torch.cat([model(part).argmax(dim=1) for part in images.split(500)])
    model.train(training)
    return classes.numpy()


def gradient_disparity(model: nn.Module, data: DataSet, batch_size: int, *, seed: int) -> float:
    """Return the mean L2 distance between the gradients of five batches, losses divided by their spread in a batch.

    Source:
        Forouzesh & Thiran, Disparity between batches as a signal for early stopping, ECML 2021.
    """
    images, labels = data.train.tensors
    places = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels))[: N_BATCHES * batch_size])
    training = model.training
    model.eval()
    gradients = []
    for part in places.split(batch_size):
        losses = functional.cross_entropy(model(images[part]), labels[part], reduction="none")
        loss = (losses / losses.std().detach().clamp(min=1e-12)).mean()
        gradients.append(torch.cat([one.flatten() for one in torch.autograd.grad(loss, [*model.parameters()])]))
    model.train(training)
    pairs = [(first - second).norm() for place, first in enumerate(gradients) for second in gradients[:place]]
    return float(torch.stack(pairs).mean())


def split(run: Run, source: str, data_dir: Path | None) -> tuple[DataSet, TensorDataset]:
    """Return the data without the validation split, and that."""
    whole = _loaded(source, run.net, run.train_size, run.noise, run.seed, data_dir)
    images, labels = whole.train.tensors
    order = torch.from_numpy(np.random.default_rng(run.seed + 1000).permutation(len(labels)))
    n_held = round(run.held_out * len(labels))
    held, kept = order[:n_held], order[n_held:]
    tested = np.random.default_rng(0).permutation(len(whole.test))[:N_TEST]
    rest = DataSet(
        whole.name,
        TensorDataset(images[kept], labels[kept]),  # type: ignore[arg-type]
        TensorDataset(*whole.test[tested.tolist()]),  # type: ignore[arg-type]
        whole.n_classes,
    )
    return rest, TensorDataset(images[held], labels[held])


@lru_cache(maxsize=1)
def _loaded(source: str, net: str, size: int, noise: float, seed: int, data_dir: Path | None) -> DataSet:
    """Return the images and labels of a setting; the last one is kept for its second training."""
    shape = None if net == "bn_cnn" else find_network(net).shape_for
    return load_data(source, shape=shape, data_dir=data_dir, train_size=size, permute_labels=noise, seed=seed)
