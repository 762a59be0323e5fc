"""Images that somebody has in a file, in the form that a network expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data.forms import FittedImages

if TYPE_CHECKING:
    from pathlib import Path

    from dnn_topology.nets.data import DataSet

PIXELS = "x"  # the name of their array


def read_own_images(path: Path, data: DataSet) -> torch.Tensor:
    """Return a file's images in the form that the network expects.

    Raises:
        DnnTopologyError: The file holds none, their values are no pixels, or they are of another size.
    """
    arrays = store.read_arrays(path, remedy=f"save your images again: numpy.savez(path, {PIXELS}=images)")
    images = arrays.get(PIXELS, np.empty(0))
    if images.ndim != 4 or not images.size:
        there = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise DnnTopologyError(f"{path} must hold images as {PIXELS} (n, channels, height, width), found {there}")
    if images.dtype != np.uint8:
        if not (np.issubdtype(images.dtype, np.floating) and images.min() >= 0 and images.max() <= 1):
            raise DnnTopologyError(
                f"{path}: pixels must be uint8, or floating-point in [0, 1]; found {images.dtype} from "
                f"{images.min():g} to {images.max():g}"
            )
        images = images.astype(np.float32)
    form = getattr(data.train, "form", None)
    _check_size(path, images.shape[1:], data)
    pixels = torch.from_numpy(images)
    fitted: torch.Tensor = pixels.float() if form is None else form.fit(pixels)
    return fitted


def _check_size(path: Path, shape: tuple[int, ...], data: DataSet) -> None:
    """Check that images are of the size that the data set's own have, or of that in which the network takes them.

    Raises:
        DnnTopologyError: They are not, and would have to be scaled or cut, which changes what detectors see.
    """
    own = data.train.pixels.take(torch.tensor([0], device="cpu")) if isinstance(data.train, FittedImages) else None
    if isinstance(own, list):
        return  # images of many sizes, each of which is made to fit
    sizes = dict.fromkeys(tuple(images.shape[1:]) for images in (own, data.train[[0]][0]) if images is not None)
    if shape not in sizes:
        expected = " or ".join("×".join(map(str, size)) for size in sizes)
        raise DnnTopologyError(
            f"{path} has images of {'×'.join(map(str, shape))}, and the network was trained on {expected} (channels × "
            "height × width): bring them to that size first"
        )
