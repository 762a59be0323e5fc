"""Data sets that torchvision downloads once, checks, and reads.

A download happens in a folder of its own, which takes its final name when it is complete; one that was interrupted
goes on with the files that are still missing. What is in the cache is therefore whole. Packed files that somebody
already has are read where they lie, or unpacked into the cache, never fetched again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import of_the_machine
from dnn_topology.nets._torchvision import torchvision
from dnn_topology.nets.data.forms import Shape
from dnn_topology.nets.data.idx import packed_files, read_packed
from dnn_topology.nets.data.labels import Split
from dnn_topology.nets.data.pixels import Stack
from dnn_topology.nets.data.source import Raw, default_data_dir

PACKED = {".gz", ".zip", ".mat"}  # files whose checksum torchvision knows
Part = tuple[torch.Tensor, torch.Tensor]
Read = Callable[[Any], Part]


@dataclass(frozen=True)
class Download:
    """A data set of torchvision; called with the cache folder, it reads it.

    Attributes:
        name: As on the command line, and of its folder in the cache.
        kind: torchvision's class.
        splits: Its arguments for training and for test data.
        read: Gives images (n, channels, height, width), uint8, and labels.
        shape: (channels, height, width) of the images.
        n_classes: Number of classes.
        mean: Of the training pixels in [0, 1], per channel.
        std: The same.
    """

    name: str
    kind: str
    splits: tuple[Mapping[str, Any], Mapping[str, Any]]
    read: Read
    shape: Shape
    n_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, data_dir: Path) -> Raw:
        """Read the data set, and download it first if need be.

        Args:
            data_dir: The cache folder. What torchvision itself put there before, as in ./data/MNIST/raw, is used too.

        Returns:
            The data set.

        Raises:
            DnnTopologyError: It cannot be fetched, or is damaged.
        """
        folder = data_dir / self.name
        for place in (data_dir, folder):
            try:
                return self._raw(self._open(place, download=False))
            except RuntimeError as error:  # torchvision's way to say that something is missing or has another checksum
                if (packed := self._packed(place)) is not None:
                    return packed
                if place == folder and folder.is_dir():
                    raise self._damaged(folder, error) from error
            except (OSError, ValueError, AssertionError, EOFError, IndexError) as error:
                raise self._damaged(place, error) from error
        return self._raw(self._fetched(folder))

    def _packed(self, place: Path) -> Raw | None:
        """Read what lies packed in a folder; None if there is nothing."""
        pairs = packed_files(place / self.kind / "raw")
        if pairs is not None:
            return self._of_parts([read_packed(pair) for pair in pairs])
        archive = getattr(getattr(torchvision("datasets"), self.kind), "filename", None)
        if archive is None or not (place / archive).is_file():
            return None
        # Unpacked beside itself where that can be written to, else in the user's cache.
        home = place if os.access(place, os.W_OK) else default_data_dir() / self.name
        if home != place:
            if home.is_dir():
                return self._raw(self._open(home, download=False))
            partial = self._partial(home)
            with store.readable_errors("write", partial):
                partial.mkdir(parents=True, exist_ok=True)
                if not (partial / archive).exists():
                    (partial / archive).symlink_to((place / archive).resolve())
            return self._raw(self._fetched(home))
        try:
            return self._raw(self._open(place, download=True))
        except (OSError, RuntimeError, EOFError, ValueError) as error:
            if isinstance(error, OSError) and (told := of_the_machine(error)) is not None:
                raise told from error
            raise self._damaged(place, error) from error

    def _damaged(self, folder: Path, error: Exception) -> DnnTopologyError:
        return DnnTopologyError(
            f"{self.name} in {folder} is damaged or incomplete ({_line(error)}): delete it, and it is fetched again"
        )

    def _partial(self, folder: Path) -> Path:
        """Return the folder that a download happens in."""
        return folder.with_name(f".{folder.name}.part")

    def _fetched(self, folder: Path) -> list[Any]:
        """Download into a folder beside the final one, which it becomes.

        Raises:
            DnnTopologyError: Something could not be fetched.
        """
        partial = self._partial(folder)
        try:
            partial.mkdir(parents=True, exist_ok=True)
            for path in list(partial.rglob("*")):
                if path.is_file() and path.suffix not in PACKED:
                    path.unlink()  # unpacking may have been interrupted, which no checksum would show
            self._open(partial, download=True)
            partial.rename(folder)
            return self._open(folder, download=False)
        except (OSError, RuntimeError, EOFError, ValueError) as error:
            raise DnnTopologyError(
                f"{self.name} could not be fetched into {folder} ({_line(error)}): check the network and the disk, "
                "name a folder that has it as data_dir, or take the embedded mnist-5k"
            ) from error

    def _open(self, folder: Path, *, download: bool) -> list[Any]:
        kind = getattr(torchvision("datasets"), self.kind)
        return [kind(str(folder), download=download, **split) for split in self.splits]

    def _raw(self, opened: list[Any]) -> Raw:
        return self._of_parts([self.read(each) for each in opened])

    def _of_parts(self, parts: Sequence[Part]) -> Raw:
        train, test = (Split.whole(Stack(pixels), torch.as_tensor(labels)) for pixels, labels in parts)
        return Raw(train, test, self.shape, self.n_classes, self.mean, self.std)


def _line(error: Exception) -> str:
    """Return what an error says, in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _grey(opened: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return opened.data[:, None], opened.targets


def _transposed(opened: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return opened.data.transpose(1, 2)[:, None].contiguous(), opened.targets  # EMNIST's files hold columns


def _channels_last(opened: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(opened.data).permute(0, 3, 1, 2).contiguous(), opened.targets


def _channels_first(opened: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(opened.data), opened.labels


TRAIN_TEST = ({"train": True}, {"train": False})
BALANCED = ({"split": "balanced", "train": True}, {"split": "balanced", "train": False})
SPLITS = ({"split": "train"}, {"split": "test"})
GREY, COLOUR = (1, 28, 28), (3, 32, 32)

DOWNLOADS = (
    Download("mnist", "MNIST", TRAIN_TEST, _grey, GREY, 10, (0.1307,), (0.3081,)),
    Download("fashion_mnist", "FashionMNIST", TRAIN_TEST, _grey, GREY, 10, (0.2860,), (0.3530,)),
    Download("kmnist", "KMNIST", TRAIN_TEST, _grey, GREY, 10, (0.1918,), (0.3483,)),
    Download("emnist", "EMNIST", BALANCED, _transposed, GREY, 47, (0.1751,), (0.3332,)),
    Download(
        "cifar10",
        "CIFAR10",
        TRAIN_TEST,
        _channels_last,
        COLOUR,
        10,
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
    ),
    Download(
        "cifar100",
        "CIFAR100",
        TRAIN_TEST,
        _channels_last,
        COLOUR,
        100,
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
    ),
    Download("svhn", "SVHN", SPLITS, _channels_first, COLOUR, 10, (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
)
