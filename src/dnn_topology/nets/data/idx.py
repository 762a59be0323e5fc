"""MNIST's own file format, read from the packed files as they are, so that a folder need not be writable."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError

STEMS = (("train-images-idx3", "train-labels-idx1"), ("t10k-images-idx3", "t10k-labels-idx1"))
UNSIGNED_BYTES = 8  # the code of the only type of number that MNIST and its kin have
Part = tuple[torch.Tensor, torch.Tensor]


def packed_files(folder: Path) -> list[tuple[Path, Path]] | None:
    """Return the packed files of images and of labels, for training and for testing; None if one is missing."""
    pairs = [(folder / f"{images}-ubyte.gz", folder / f"{labels}-ubyte.gz") for images, labels in STEMS]
    return pairs if all(path.is_file() for pair in pairs for path in pair) else None


def read_packed(pair: tuple[Path, Path]) -> Part:
    """Return the images (n, 1, height, width) and labels (n,) of two packed files, uint8.

    Raises:
        DnnTopologyError: One is damaged, or there are not as many labels as images.
    """
    images, labels = map(read_idx, pair)
    if images.ndim != 3 or labels.shape != (len(images),):
        raise DnnTopologyError(
            f"{pair[1]} has labels {tuple(labels.shape)} for images {tuple(images.shape)} in {pair[0].name}: expected "
            "one per image; fetch both again"
        )
    return images[:, None], labels


def read_idx(path: Path) -> torch.Tensor:
    """Return the array of unsigned bytes in a gzipped IDX file.

    Raises:
        DnnTopologyError: It is damaged, or of another kind.
    """
    try:
        shape, content = _unpacked(path)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DnnTopologyError(f"{path} is damaged ({' '.join(str(error).split())}); fetch it again") from error
    if len(content) != math.prod(shape):
        raise DnnTopologyError(f"{path} is no whole IDX file of unsigned bytes; fetch it again")
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape)


def _unpacked(path: Path) -> tuple[list[int], bytearray]:
    """Return the lengths that the header of a file announces, and one byte more than that at most.

    Raises:
        ValueError: It is of another kind, or announces more than a file of its size packs.
    """
    with gzip.open(path) as file:
        start = file.read(4)
        if start[:3] != bytes((0, 0, UNSIGNED_BYTES)) or len(start) < 4:
            raise ValueError("it is no IDX file of unsigned bytes")
        shape: list[int] = np.frombuffer(file.read(4 * start[3]), dtype=">u4").tolist()
        if not 0 < math.prod(shape) <= store.believed(path.stat().st_size):
            raise ValueError(f"its header announces {math.prod(shape)} bytes, and it has {path.stat().st_size} packed")
        return shape, bytearray(file.read(math.prod(shape) + 1))
