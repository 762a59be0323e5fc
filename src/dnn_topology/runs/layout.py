"""What is trained, and where its files lie."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.homology.dipha import file_name

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.nets.data import DataSet


@dataclass(frozen=True)
class Training:
    """What is trained, and how; see `build_net`, `load_data` and `train`. The number of epochs may grow later."""

    net: str = "lenet"
    dataset: str = "mnist-5k"
    trial: int = 0
    seed: int = 0
    lr: float = 0.01
    batch_size: int = 128
    data_subset: float = 1.0
    binarize_labels: int = -1
    permute_labels: float = 0.0
    weights: str | None = None  # digest of the file of initial weights
    weight_decay: float = 5e-4
    train_size: int = 0
    width: float | None = None
    depth: int | None = None
    dropout: float | None = None


@dataclass(frozen=True)
class Experiment:
    """A training and the files that it leaves.

    Attributes:
        training: What is trained.
        save_path: The folder of all results.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.
        device: Where to train and record.
        weights_file: Initial weights; None for seeded ones. See `load_weights`.
    """

    training: Training
    save_path: Path = Path("results_dnn_topology")
    data_dir: Path | None = None
    device: str = "cpu"
    weights_file: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder of this network and data set, where the original leaves its diagrams."""
        return self.save_path / f"{_file_part(self.training.net)}_{_file_part(self.training.dataset)}"

    @property
    def trial_folder(self) -> Path:
        """The folder of this trial."""
        return self.folder / f"trial{self.training.trial}"

    def topology_folder(self, max_epsilon: float) -> Path:
        """Return the folder of what was measured up to one scale."""
        return self.trial_folder / f"eps{max_epsilon:g}"

    def checkpoint(self, epoch: int) -> Path:
        """Return the file of an epoch's weights."""
        return self.trial_folder / "checkpoints" / f"epoch{epoch}.pt"

    def dipha_file(self, epoch: int, max_epsilon: float, part: str = "") -> Path:
        """Return the file of an epoch's diagrams, named as by the original."""
        return self.folder / file_name(epoch, trial=self.training.trial, max_epsilon=max_epsilon, part=part)

    def diagrams_file(self, epoch: int, max_epsilon: float, part: str = "") -> Path:
        """Return the file of an epoch's diagrams with everything about them."""
        return self.topology_folder(max_epsilon) / f"epoch{epoch}{'_' if part else ''}{part}.npz"

    def failure_file(self, epoch: int, max_epsilon: float) -> Path:
        """Return the file that says why an epoch has no diagrams."""
        return self.topology_folder(max_epsilon) / f"epoch{epoch}.failed.json"

    def load_data(self) -> DataSet:
        """Return the data set, in the form that the network expects."""
        return _load_data(self.training, self.data_dir)

    def build_net(self, data: DataSet) -> nn.Module:
        """Return the network with its seeded weights."""
        from dnn_topology.nets.zoo import build_net

        training = self.training
        return build_net(
            training.net,
            n_classes=data.n_classes,
            shape=data.shape,
            seed=training.seed,
            width=training.width,
            depth=training.depth,
            dropout=training.dropout,
        )


def check_trained(experiment: Experiment, epochs: Iterable[int] | None) -> list[int]:
    """Return the epochs wanted, or all that have a checkpoint.

    Args:
        experiment: The training.
        epochs: Which epochs; None for all.

    Returns:
        The epochs, in order.

    Raises:
        DnnTopologyError: One has no checkpoint; the message names those that have.
    """
    there = epochs_in(experiment.checkpoint(0).parent, r"epoch(\d+)\.pt")
    missing = sorted(set([0] if epochs is None and not there else epochs or []) - there)
    if missing:
        raise DnnTopologyError(
            f"epochs {listed(missing)} of {experiment.folder.name}, trial {experiment.training.trial}, have no "
            f"checkpoint in {experiment.trial_folder} (there are: {listed(sorted(there))}){neighbours(experiment)}: "
            "train them with `dnn-topology run` or `train`"
        )
    return sorted(there if epochs is None else set(epochs))


def file_digest(path: Path) -> str:
    """Return what tells the content of a file from others.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    with store.readable_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def epochs_in(folder: Path, pattern: str) -> set[int]:
    """Return the epochs that file names in a folder carry."""
    if not folder.is_dir():
        return set()
    matches = (re.fullmatch(pattern, path.name) for path in folder.iterdir())
    return {int(match[1]) for match in matches if match}


def listed(epochs: Sequence[int]) -> str:
    """Return epochs as text."""
    return " ".join(map(str, epochs)) or "none"


def neighbours(experiment: Experiment) -> str:
    """Return the end of a message that helps when a whole run is missing: runs of nearly that name."""
    if experiment.folder.is_dir() or not experiment.save_path.is_dir():
        return ""
    runs = [path.name for path in experiment.save_path.iterdir() if path.is_dir()]
    return f" ({nearest(experiment.folder.name, runs)})" if runs else ""


@lru_cache(maxsize=1)
def _load_data(training: Training, data_dir: Path | None) -> DataSet:
    """Return the data set of a training; the last one is kept for its next epoch."""
    from dnn_topology.nets.data import load_data
    from dnn_topology.nets.zoo import find_network

    return load_data(
        training.dataset,
        shape=find_network(training.net).shape_for,
        data_dir=data_dir,
        data_subset=training.data_subset,
        train_size=training.train_size,
        binarize_labels=training.binarize_labels,
        permute_labels=training.permute_labels,
        seed=training.seed,
    )


def _file_part(name: str) -> str:
    """Return the name of a network or data set as part of a file's name; of a path, its last part."""
    kind, _, rest = name.partition(":")
    return re.sub(r"[^\w.-]+", "-", f"{kind}-{Path(rest).name}" if rest else name)
