"""The data sets: by name or path, in the form that a network expects, with seeded changes of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import TensorDataset

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_extent, check_fraction, check_type, shown
from dnn_topology.nets.data.forms import FittedImages, Form, Normalisation, Normalise, Samples, Shape, form_of
from dnn_topology.nets.data.labels import Split, binarized, permuted, subset
from dnn_topology.nets.data.loading import batches, sample
from dnn_topology.nets.data.names import DATA_SETS, Asked, check_name, named, resolved, understood
from dnn_topology.nets.data.pixels import tensor_digest
from dnn_topology.nets.data.source import default_data_dir

__all__ = [
    "DATA_SETS",
    "DataSet",
    "FittedImages",
    "Normalisation",
    "Normalise",
    "Samples",
    "Shape",
    "batches",
    "check_name",
    "default_data_dir",
    "load_data",
    "sample",
]


@dataclass(frozen=True, repr=False)
class DataSet:
    """Images and labels, ready for a network.

    Attributes:
        name: As on the command line.
        train: Images (n, channels, height, width), float32, normalised, and labels (n,), int64, taken out by lists of
            places: `images, labels = data.train[[0, 5]]`. All at once they are `data.train.tensors`, which are kept:
            what is changed in them is what is trained on from then on.
        test: The same. Used to report accuracy, never to decide anything.
        n_classes: Number of classes.
        source: The name with its path made absolute: it means the same data from every folder.
        normalisation: Mean and standard deviation of the pixels, one per channel of the images: images · std + mean
            are pixels in [0, 1]. None where nobody knows. This is what `attack` and `fit_detectors` want of `data`.

    Example:
        >>> data = load_data("digits")
        >>> images, labels = data.train[[0, 1, 2]]
        >>> tuple(images.shape), tuple(labels.shape), data.n_classes
        ((3, 1, 8, 8), (3,), 10)
    """

    name: str
    train: FittedImages | TensorDataset
    test: FittedImages | TensorDataset
    n_classes: int
    source: str = ""
    normalisation: Normalisation | None = None

    def __post_init__(self) -> None:
        for name, hint in (("name", str), ("n_classes", int), ("source", str), ("normalisation", Normalisation | None)):
            check_type(name, getattr(self, name), hint)
        check_at_least("n_classes", self.n_classes, 1)
        for name in ("train", "test"):
            part = getattr(self, name)
            plain = isinstance(part, (Sequence, Mapping, np.ndarray))  # which hold no labels beside the images
            if plain or not all(hasattr(part, method) for method in ("__len__", "__getitem__")):
                raise DnnTopologyError(
                    f"{name} must be images and labels, such as a TensorDataset, found {shown(part)}"
                )

    def __repr__(self) -> str:
        """Return how many images of which shape and how many classes there are."""
        sizes = f"{len(self.train)} training and {len(self.test)} test images {self.shape}"
        return f"DataSet({self.name!r}: {sizes}, {self.n_classes} classes)"

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of the images."""
        channels, height, width = self.train[[0]][0].shape[1:]
        return int(channels), int(height), int(width)

    @cached_property
    def train_digest(self) -> str:
        """What tells its training part from others; the test part is not read."""
        return str(getattr(self.train, "digest", None) or tensor_digest(*self.train.tensors))

    @cached_property
    def digest(self) -> str:
        """What tells the images and labels of both parts, as they were read, from others; computed once.

        Images of files are told apart by the files' content, whatever form they are made into. Changes made later in
        `train.tensors` are not in it.
        """
        return "-".join(
            getattr(part, "digest", None) or tensor_digest(*part.tensors) for part in (self.train, self.test)
        )


@checked
def load_data(
    name: str | Path,
    *,
    shape: Shape | Callable[..., Shape] | None = None,
    data_dir: str | Path | None = None,
    data_subset: float = 1.0,
    train_size: int = 0,
    binarize_labels: int = -1,
    permute_labels: float = 0.0,
    normalise: Normalise = "data",
    seed: int = 0,
) -> DataSet:
    """Load a data set, as it is or in the form that a network expects.

    The changes are made in this order, each once, so that every epoch sees the same data.

    Args:
        name: One of `DATA_SETS`, "folder:PATH", "npz:PATH" or a path; an ending such as _gray28, _color32 or _gray asks
            for that form of its images.
        shape: (channels, height, width) that the network expects, or what chooses it, such as `Network.shape_for`: it
            is called with the shape that the data set has or was asked for, and `exact`, whether its size was asked
            for. Images are made grey or coloured, and resized bilinearly. None: the data set's own form, or the one
            that its name asks for.
        data_dir: Where downloads are kept; by default the user's cache folder. A folder of torchvision's own, as with
            ./data/MNIST/raw in it, is understood too, packed files included.
        data_subset: Share of the training images that is kept, drawn at random; 0 keeps all, as in the original.
        train_size: Number of training images that is kept instead, drawn at random; 0 keeps all.
        binarize_labels: A class c: its images get label 1, an equally large random sample of the others label 0, and
            the rest is left out, in both splits. Negative: no change.
        permute_labels: Share of the *training labels* that is permuted among one another, to be memorised.
        normalise: "data" subtracts the data set's own mean and divides by its standard deviation; "none" leaves pixels
            in [0, 1]; (mean, std), numbers or one per channel, or "0.5,0.25" as text, are those that a network of
            one's own was trained with.
        seed: Seed of the three draws.

    Returns:
        The data set.

    Raises:
        DnnTopologyError: The name or class is unknown, a share lies outside [0, 1], there are not so many images,
            files are missing, a download fails, or the network cannot take such images.

    Example:
        >>> data = load_data("digits", permute_labels=0.5)
        >>> len(data.train), len(data.test), data.shape
        (1437, 360, (1, 8, 8))
        >>> load_data("digits_gray28", normalise=(0.5, 0.25)).normalisation
        ((0.5,), (0.25,))
    """
    for argument, number in (
        ("data_subset", data_subset),
        ("train_size", train_size),
        ("binarize_labels", binarize_labels),
        ("permute_labels", permute_labels),
        ("seed", seed),
    ):
        _check_number(argument, number, whole=argument not in {"data_subset", "permute_labels"})
    check_fraction("data_subset", data_subset)
    check_fraction("permute_labels", permute_labels)
    check_at_least("seed", seed, 0)
    name = named(name)
    source, path, asked = understood(name)
    raw = source.load(_folder(data_dir) if path is None else path)
    form = form_of(_agreed(name, raw.shape, asked, shape), (raw.mean, raw.std), normalise)
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
    return DataSet(
        name, _fitted(train, form), _fitted(test, form), n_classes, resolved(name), _normalisation(form, raw.shape)
    )


def _check_number(name: str, value: Any, *, whole: bool) -> None:
    """Check that an argument is a number.

    Raises:
        DnnTopologyError: It is not, or not a whole one.
    """
    numbers = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if not isinstance(value, numbers) or isinstance(value, bool):
        raise DnnTopologyError(f"{name} must be a {'whole ' if whole else ''}number, found {shown(value)}"[:300])


def _folder(data_dir: Any) -> Path:
    """Return the folder of downloads.

    Raises:
        DnnTopologyError: It is neither a text nor a path.
    """
    if data_dir is None:
        return default_data_dir()
    if not isinstance(data_dir, (str, Path)):
        raise DnnTopologyError(f"data_dir must be a folder, as a text or a path, found {shown(data_dir)}"[:300])
    return Path(data_dir).expanduser()


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


def _agreed(name: str, own: Shape, asked: Asked, shape: Any) -> Shape:
    """Return the shape of images that data set and network agree upon.

    Raises:
        DnnTopologyError: The name of the data set asks for another shape than the network takes, the shape is none, or
            sequences would have to become images.
    """
    channels, size = asked
    wished = (channels or own[0], size or own[1], size or own[2])
    try:
        chosen = shape(wished, exact=size is not None) if callable(shape) else wished if shape is None else shape
    except (TypeError, NotImplementedError) as error:
        raise DnnTopologyError(
            f"shape must be a function of (shape, *, exact), as a network's shape_for is, found {shown(shape)}"
        ) from error
    if not isinstance(chosen, (tuple, list)) or [type(side) for side in chosen] != [int] * 3 or min(chosen) < 1:
        raise DnnTopologyError(
            f"shape must be (channels, height, width), such as (1, 28, 28), or None for the data set's own, found "
            f"{chosen!r}"[:300]
        )
    check_extent(tuple(chosen))
    if (channels and chosen[0] != channels) or (size and tuple(chosen[1:]) != (size, size)):
        raise DnnTopologyError(
            f"the network takes images of {_shown(chosen)}, and {name} asks for {_shown(wished)}: name the data set "
            "without its ending, or another network"
        )
    if own[:2] == (1, 1) and tuple(chosen) != own:
        raise DnnTopologyError(
            f"{name} holds sequences of {own[2]} numbers, which cannot become images of {_shown(chosen)}: take the net "
            "lenet_300_100, mlp or conv_1d, or a network of your own"
        )
    return chosen[0], chosen[1], chosen[2]


def _shown(shape: Any) -> str:
    """Return a shape as text: 3×32×32."""
    return "×".join(map(str, shape))


def _fitted(split: Split, form: Form) -> FittedImages:
    """Return a split in the form that the network expects; its labels may be changed without harm to others."""
    return FittedImages(split.pixels, split.labels.clone(), split.places, form)


def _normalisation(form: Form, own: Shape) -> Normalisation | None:
    """Return how the images are normalised; None for what cannot be made into them, as the first use will say."""
    return form.normalisation() if form.shape[0] == own[0] or 1 in {form.shape[0], own[0]} else None
