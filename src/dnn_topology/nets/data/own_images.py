"""Images that somebody has in a file, in the form that a network expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError

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
    pixels = torch.from_numpy(images)
    fitted: torch.Tensor = pixels.float() if form is None else form.fit(pixels)
    return fitted
