"""Images in their own form, in memory or in files."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError

CACHE_BYTES = 2**31  # decoded images of a folder that are kept in memory; the others are decoded anew each time
MOST_PIXELS = 2**26  # of one image: as floating-point numbers in colour these are 800 MB
PIXELS_OF_ANY = 2**25  # of one image that are believed whatever its size in bytes, such as a blank page
PIXELS_OF_A_BYTE = 32  # that are believed of a larger one: strongly compressed photographs have 10
SIXTEEN_BITS = 65535


class Pixels(Protocol):
    """Images in their own form: (channels, height, width), uint8, or floating-point in the range of their source."""

    @property
    def digest(self) -> str:
        """What tells these images from others."""

    def __len__(self) -> int:
        """Return the number of images."""

    def take(self, places: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return images at some places: one tensor (n, channels, height, width), or a list if they differ in size."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Images in memory.

    Attributes:
        values: (n, channels, height, width).
    """

    values: torch.Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.values)

    @cached_property
    def digest(self) -> str:
        """What tells these values from others."""
        return tensor_digest(self.values)

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """Return images at some places."""
        return self.values.index_select(0, places)  # several times as fast as indexing


class Files:
    """Image files, decoded when they are needed, in colour.

    The decoded images are kept while they need less than `CACHE_BYTES`.

    Args:
        paths: The files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._kept: dict[int, torch.Tensor] = {}
        self._free = CACHE_BYTES

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    @cached_property
    def digest(self) -> str:
        """What tells the content of these files, in their order, from others."""
        content = hashlib.blake2b(digest_size=16)
        for path in self.paths:
            with store.readable_errors("read", path):
                content.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
        return content.hexdigest()

    def take(self, places: torch.Tensor) -> list[torch.Tensor]:
        """Return images at some places."""
        return [self._image(place) for place in places.tolist()]

    def _image(self, place: int) -> torch.Tensor:
        if place in self._kept:
            return self._kept[place]
        image = decoded(self.paths[place])
        if image.nbytes <= self._free:
            self._kept[place] = image
            self._free -= image.nbytes
        return image


def tensor_digest(*tensors: torch.Tensor) -> str:
    """Return what tells the types, shapes and values of tensors from others.

    Example:
        >>> tensor_digest(torch.zeros(2)) == tensor_digest(torch.zeros(2)) != tensor_digest(torch.ones(2))
        True
    """
    content = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        content.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().numpy().data)
    return content.hexdigest()


def decoded(path: Path) -> torch.Tensor:
    """Return an image file as (3, height, width), turned upright as its camera says.

    Args:
        path: The file. Grey becomes colour; what is transparent shows a white ground, as in a viewer.

    Returns:
        uint8; of an image of 16 bits or of floating-point numbers, float32 in [0, 1].

    Raises:
        DnnTopologyError: It is missing, damaged, too large, or holds values whose range nobody knows.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes, which are looked at here
            with Image.open(path) as image:
                most = min(MOST_PIXELS, max(PIXELS_OF_ANY, PIXELS_OF_A_BYTE * path.stat().st_size))
                if image.width * image.height > most:
                    raise DnnTopologyError(
                        f"the image {path} has {image.width}×{image.height} pixels: make it smaller than "
                        f"{most / 1e6:.0f} million, or remove it"
                    )
                ImageOps.exif_transpose(image, in_place=True)
                return torch.from_numpy(_colours(image, path))
    except DnnTopologyError:
        raise
    except Exception as error:  # of a damaged file PIL raises anything from SyntaxError to struct.error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DnnTopologyError(f"cannot read the image {path}: {reason}; remove it") from error


def _colours(image: Any, path: Path) -> np.ndarray[Any, Any]:
    """Return an image of PIL's as (3, height, width), uint8 or float32 in [0, 1], with few copies: it may be large.

    Raises:
        DnnTopologyError: Its numbers lie in no range that says what is white.
    """
    from PIL import Image

    if image.mode in {"F", "I"} or image.mode.startswith("I;"):
        values = np.asarray(image)
        white = 1 if image.mode == "F" else SIXTEEN_BITS
        if not (values.min() >= 0 and values.max() <= white):
            raise DnnTopologyError(
                f"the image {path} holds numbers from {values.min():g} to {values.max():g}, expected 0 to {white}: "
                "scale it, or save it with 8 or 16 bits"
            )
        channels = np.empty((3, *values.shape), np.float32)
        # 16 bits are exact in float32, so this is the quotient, rounded once.
        np.divide(values, np.float32(white), out=channels[0], dtype=np.float32, casting="unsafe")
        channels[1:] = channels[0]
        return channels
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    colours = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return np.array(colours.transpose(2, 0, 1), order="C")
