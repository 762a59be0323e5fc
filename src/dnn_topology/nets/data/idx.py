"""MNIST's own file format, read from the packed files as they are, so that a folder need not be writable."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch

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
        with gzip.open(path) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DnnTopologyError(f"{path} is damaged ({' '.join(str(error).split())}); fetch it again") from error
    start = 4 + 4 * (content[3] if len(content) > 3 else 0)
    shape = np.frombuffer(content[4:start], dtype=">u4").tolist() if len(content) >= start else []
    if content[:3] != bytes((0, 0, UNSIGNED_BYTES)) or len(content) - start != math.prod(shape):
        raise DnnTopologyError(f"{path} is no whole IDX file of unsigned bytes; fetch it again")
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).reshape(shape)
