"""Data sets of the user's own as arrays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.nets.data.labels import Split
from dnn_topology.nets.data.pixels import Stack
from dnn_topology.nets.data.source import Raw

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
Array = np.ndarray[Any, Any]
SHOWN = 6  # labels that a message lists


def arrays(path: Path) -> Raw:
    """Read an npz with x_train, y_train, x_test and y_test.

    Args:
        path: The file. Images are (n, height, width), (n, channels, height, width), (n, height, width, channels), or
            (n, length) for sequences: uint8 in 0 … 255, which is divided by 255, or other numbers, taken as they are.
            Labels are whole numbers; where those of y_train are not 0, 1, 2, …, each becomes its place among them,
            which a warning says.

    Returns:
        The data set, normalised by the mean and standard deviation of its own training values.

    Raises:
        DnnTopologyError: The file is missing or damaged, or an array is missing or has another form.
    """
    given = store.read_arrays(path, remedy=f"save your data again: numpy.savez(path, {', '.join(ARRAYS)})")
    for name in ARRAYS:
        if name not in given:
            raise DnnTopologyError(
                f"{path} has no array {name!r}: expected {', '.join(ARRAYS)}, found {shown(sorted(given))}"
            )
    x_train, x_test = (_pixels(given[name], f"{name} of {path}") for name in ("x_train", "x_test"))
    if (given["x_train"].dtype == np.uint8) != (given["x_test"].dtype == np.uint8):
        raise DnnTopologyError(
            f"{path}: images for training are {given['x_train'].dtype} and for testing {given['x_test'].dtype}, and "
            "only uint8 means 0 to 255: give them one type"
        )
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DnnTopologyError(
            f"{path}: images for training are {tuple(x_train.shape[1:])} and for testing {tuple(x_test.shape[1:])}: "
            "give them one shape"
        )
    y_train = _labels(given["y_train"], len(x_train), f"y_train of {path}")
    y_test = _labels(given["y_test"], len(x_test), f"y_test of {path}")
    train, test, n_classes = _classes(y_train, y_test, path)
    values = x_train / 255 if x_train.dtype == torch.uint8 else x_train
    mean, std = values.mean(dim=(0, 2, 3)), values.std(dim=(0, 2, 3))
    return Raw(
        Split.whole(Stack(x_train), train),
        Split.whole(Stack(x_test), test),
        (x_train.shape[1], x_train.shape[2], x_train.shape[3]),
        n_classes,
        tuple(mean.tolist()),
        tuple(torch.where(std > 0, std, torch.ones_like(std)).tolist()),
    )


def _pixels(given: Array, name: str) -> torch.Tensor:
    """Return an array as images (n, channels, height, width).

    Raises:
        DnnTopologyError: It has another number of dimensions or channels, no images, or values that are no numbers.
    """
    if given.dtype.kind not in "uif" or not given.size or not np.isfinite(given).all():
        raise DnnTopologyError(
            f"{name} must hold finite numbers, at least one image, found {given.dtype} {given.shape}"
        )
    with np.errstate(over="ignore"):
        values = torch.from_numpy(given if given.dtype == np.uint8 else given.astype(np.float32))
    if not torch.isfinite(values.sum(dtype=torch.float64)):
        raise DnnTopologyError(
            f"{name} holds numbers as large as {np.abs(given).max():.3g}, which float32 has not: scale the images"
        )
    if values.ndim == 2:
        return values[:, None, None]
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 4 and values.shape[1] in {1, 3}:
        return values
    if values.ndim == 4 and values.shape[3] in {1, 3}:
        return values.permute(0, 3, 1, 2).contiguous()
    raise DnnTopologyError(
        f"{name} must be (n, height, width), (n, channels, height, width), (n, height, width, channels) with 1 or 3 "
        f"channels, or (n, length), found {given.shape}"
    )


def _labels(given: Array, n_images: int, name: str) -> Array:
    """Return an array of labels (n,), as they are.

    Raises:
        DnnTopologyError: They are not one whole number from 0 per image.
    """
    whole = given.dtype.kind in "uib" or (given.dtype.kind == "f" and bool((given == np.round(given)).all()))
    if given.size != n_images or not whole or given.min() < 0:
        raise DnnTopologyError(
            f"{name} must hold one whole number from 0 per image, {n_images} in all, found {given.dtype} {given.shape}"
            + (f" from {given.min()} to {given.max()}" if given.size and given.dtype.kind in "uif" else "")
        )
    return given.reshape(-1)


def _classes(y_train: Array, y_test: Array, path: Path) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return labels as places among the classes of the training images, and the number of these.

    Raises:
        DnnTopologyError: The test images have a class of their own, or there is one class alone.
    """
    classes, train = np.unique(y_train, return_inverse=True)
    test = np.searchsorted(classes, y_test)
    strange = classes[np.minimum(test, len(classes) - 1)] != y_test
    if strange.any():
        raise DnnTopologyError(f"y_test of {path} has class {y_test[strange][0]}, which y_train lacks")
    if len(classes) < 2:
        raise DnnTopologyError(f"y_train of {path} has one class alone, {classes[0]}: there is nothing to tell apart")
    if classes[-1] != len(classes) - 1:
        listed = ", ".join(map(str, classes[:SHOWN])) + (f", …, {classes[-1]}" if len(classes) > SHOWN else "")
        warnings.warn(
            f"the labels of {path} are {listed}: they are taken for classes 0 to {len(classes) - 1}, in this order",
            stacklevel=2,
        )
    return torch.from_numpy(train.reshape(-1).astype(np.int64)), torch.from_numpy(test.astype(np.int64)), len(classes)
