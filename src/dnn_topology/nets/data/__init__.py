"""The data sets: by name or path, in the form that a network expects, with seeded changes of labels."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_at_least, check_fraction, nearest
from dnn_topology.nets.data import embedded, files
from dnn_topology.nets.data.downloaded import DOWNLOADS
from dnn_topology.nets.data.images import FittedImages, Form, Samples, Shape
from dnn_topology.nets.data.labels import Split, binarized, permuted, subset
from dnn_topology.nets.data.loading import batches, sample
from dnn_topology.nets.data.source import Raw, Source

__all__ = [
    "DATA_SETS",
    "DataSet",
    "FittedImages",
    "Samples",
    "Shape",
    "batches",
    "check_name",
    "default_data_dir",
    "load_data",
    "sample",
]

ENDING = re.compile(r"(?P<name>.+)_(?P<colour>gray|color)(?P<size>\d+)?")

_ABOUT = {
    "mnist": "MNIST: handwritten digits, 60,000 to train, 10,000 to test",
    "fashion_mnist": "Fashion-MNIST: clothes, 60,000 to train, 10,000 to test",
    "kmnist": "KMNIST: Japanese characters, 60,000 to train, 10,000 to test",
    "emnist": "EMNIST, balanced: letters and digits, 112,800 to train, 18,800 to test",
    "cifar10": "CIFAR-10: small photographs, 50,000 to train, 10,000 to test",
    "cifar100": "CIFAR-100: the same with 100 classes",
    "svhn": "SVHN: house numbers, 73,257 to train, 26,032 to test",
}
DATA_SETS = {
    source.name: source
    for source in (
        Source("mnist-5k", "5,000 MNIST images, 4,000 to train", "comes with the package", embedded.mnist_5k),
        Source("digits", "1,797 digits of 8×8, 1,437 to train", "comes with the package", embedded.digits),
        Source("mnist1d", "MNIST-1D: 5,000 sequences of 40 numbers, 4,000 to train", "generated", embedded.mnist1d),
        *(Source(each.name, _ABOUT[each.name], "downloaded once", each) for each in DOWNLOADS),
        Source(
            "tiny-imagenet",
            "200 classes, 100,000 photographs of 64×64 to train, 10,000 to test",
            "your copy, in --data-dir",
            files.tiny_imagenet,
            ("imagenet",),
        ),
        Source(
            "folder:", "a folder with train/ and test/ or val/, one folder per class in each", "yours", files.folder
        ),
        Source("npz:", "a file with x_train, y_train, x_test, y_test", "yours", files.arrays),
    )
}
_NAMES = {name: source for source in DATA_SETS.values() for name in (source.name, *source.aliases)}


@dataclass(frozen=True)
class DataSet:
    """Images and labels, ready for a network.

    Attributes:
        name: As on the command line.
        train: Images (n, channels, height, width), float32, normalised, and labels (n,), int64, taken out by lists of
            places: `images, labels = data.train[[0, 5]]`.
        test: The same. Used to report accuracy, never to decide anything.
        n_classes: Number of classes.
    """

    name: str
    train: Samples
    test: Samples
    n_classes: int

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of the images."""
        channels, height, width = self.train[[0]][0].shape[1:]
        return int(channels), int(height), int(width)


def load_data(
    name: str,
    *,
    shape: Shape | Callable[..., Shape] = (1, 28, 28),
    data_dir: str | Path | None = None,
    data_subset: float = 1.0,
    train_size: int = 0,
    binarize_labels: int = -1,
    permute_labels: float = 0.0,
    seed: int = 0,
) -> DataSet:
    """Load a data set in the form that a network expects.

    The changes are made in this order, each once, so that every epoch sees the same data.

    Args:
        name: One of `DATA_SETS`, "folder:PATH" or "npz:PATH"; an ending such as _gray28, _color32 or _gray asks for
            that form of its images.
        shape: (channels, height, width) that the network expects, or what chooses it, such as `Network.shape_for`: it
            is called with the shape that the data set has or was asked for, and `exact`, whether its size was asked
            for. Images are made grey or coloured, and resized bilinearly.
        data_dir: Where downloads are kept; by default the user's cache folder.
        data_subset: Share of the training images that is kept, drawn at random; 0 keeps all, as in the original.
        train_size: Number of training images that is kept instead, drawn at random; 0 keeps all.
        binarize_labels: A class c: its images get label 1, an equally large random sample of the others label 0, and
            the rest is left out, in both splits. Negative: no change.
        permute_labels: Share of the *training labels* that is permuted among one another, to be memorised.
        seed: Seed of the three draws.

    Returns:
        The data set.

    Raises:
        DnnTopologyError: The name or class is unknown, a share lies outside [0, 1], there are not so many images,
            files are missing, a download fails, or the network cannot take such images.

    Example:
        >>> data = load_data("digits", permute_labels=0.5)
        >>> len(data.train), len(data.test), data.shape
        (1437, 360, (1, 28, 28))
    """
    check_fraction("data_subset", data_subset)
    check_fraction("permute_labels", permute_labels)
    raw, asked = _found(name, default_data_dir() if data_dir is None else Path(data_dir).expanduser())
    form = Form(_agreed(name, raw.shape, asked, shape), raw.mean, raw.std)
    if binarize_labels >= raw.n_classes:
        raise DnnTopologyError(
            f"binarize_labels must name a class of {name}, 0 to {raw.n_classes - 1}, found {binarize_labels}"
        )
    train, test, n_classes = raw.train, raw.test, raw.n_classes
    rng = np.random.default_rng(seed)
    if n_kept := _n_kept(len(train), data_subset, train_size, name):
        train = subset(train, n_kept, rng)
    if binarize_labels >= 0:
        train, test, n_classes = binarized(train, binarize_labels, rng), binarized(test, binarize_labels, rng), 2
    if permute_labels:
        train = permuted(train, permute_labels, rng)
    return DataSet(name, _fitted(train, form), _fitted(test, form), n_classes)


def _n_kept(n_images: int, share: float, train_size: int, name: str) -> int:
    """Return how many of a data set's training images are kept; 0 for all.

    Raises:
        DnnTopologyError: There are not so many, or the number is asked for in both ways.
    """
    check_at_least("train_size", train_size, 0)
    if not 0 < share < 1:
        if train_size > n_images:
            raise DnnTopologyError(
                f"train_size asks for {train_size} training images and {name} has {n_images}: ask for at most that, or "
                "0 for all"
            )
        return train_size
    if train_size:
        raise DnnTopologyError(f"train_size={train_size} and data_subset={share} both choose training images: give one")
    return max(1, round(share * n_images))


def default_data_dir() -> Path:
    """Return the folder of downloaded data sets: `dnn-topology` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dnn-topology"


Asked = tuple[int | None, int | None]  # channels and size


def _found(name: str, data_dir: Path) -> tuple[Raw, Asked]:
    """Return a data set as its source gives it, and the channels and the size that its name asks for.

    Raises:
        DnnTopologyError: There is none of that name, or it cannot be read.
    """
    source, path, asked = _source(name)
    return source.load(data_dir if path is None else path), asked


def check_name(name: str) -> None:
    """Check that there is a data set of a name, without reading it.

    Raises:
        DnnTopologyError: There is none; the message names the nearest.
    """
    _source(name)


def _source(name: str) -> tuple[Source, Path | None, Asked]:
    """Return where a data set comes from, the path in its name, and the channels and the size that it asks for.

    Raises:
        DnnTopologyError: There is none of that name.
    """
    kind, colon, path = name.partition(":")
    if colon:
        if f"{kind}:" not in DATA_SETS:
            raise DnnTopologyError(f"unknown kind of data {kind!r}: {nearest(kind, ('folder', 'npz'))}")
        return DATA_SETS[f"{kind}:"], Path(path).expanduser(), (None, None)
    if name in _NAMES:
        return _NAMES[name], None, (None, None)
    ending = ENDING.fullmatch(name)
    if ending is None or ending["name"] not in _NAMES:
        known = [each for each in _NAMES if not each.endswith(":")]
        raise DnnTopologyError(f"unknown dataset {name!r}: {nearest(name, known)}; folder:PATH and npz:PATH go too")
    size = int(ending["size"]) if ending["size"] else None
    return _NAMES[ending["name"]], None, (1 if ending["colour"] == "gray" else 3, size)


def _agreed(name: str, own: Shape, asked: Asked, shape: Shape | Callable[..., Shape]) -> Shape:
    """Return the shape of images that data set and network agree upon.

    Raises:
        DnnTopologyError: The name of the data set asks for another shape than the network takes, or sequences would
            have to become images.
    """
    channels, size = asked
    wished = (channels or own[0], size or own[1], size or own[2])
    chosen = shape(wished, exact=size is not None) if callable(shape) else shape
    if (channels and chosen[0] != channels) or (size and chosen[1:] != (size, size)):
        raise DnnTopologyError(
            f"the network takes images of {_shown(chosen)}, and {name} asks for {_shown(wished)}: name the data set "
            "without its ending, or another network"
        )
    if own[1] == 1 and chosen != own:
        raise DnnTopologyError(
            f"{name} holds sequences of {own[2]} numbers, which cannot become images of {_shown(chosen)}: take --net "
            "lenet_300_100, mlp or conv_1d, or a network of your own"
        )
    return chosen


def _shown(shape: Shape) -> str:
    """Return a shape as text: 3×32×32."""
    return "×".join(map(str, shape))


def _fitted(split: Split, form: Form) -> FittedImages:
    """Return a split in the form that the network expects."""
    return FittedImages(split.pixels, split.labels, split.places, form)
