"""Images, wherever they lie, in the one form that a network expects: channels, size and normalisation in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from dnn_topology._checks import DnnTopologyError

Shape = tuple[int, int, int]
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R BT.601, as in PIL
CACHE_BYTES = 2**31  # decoded images of a folder that are kept in memory; the others are decoded anew each time


class Samples(Protocol):
    """Samples that are taken out by lists of places: a `TensorDataset`, or `FittedImages`."""

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All images and labels at once."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, places: Any, /) -> tuple[torch.Tensor, ...]:
        """Return images and labels at some places."""


class Pixels(Protocol):
    """Images in their own form: (channels, height, width), uint8, or floating-point in the range of their source."""

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

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """Return images at some places."""
        return self.values[places]


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


def decoded(path: Path) -> torch.Tensor:
    """Return an image file as (3, height, width), uint8.

    Raises:
        DnnTopologyError: It is missing or damaged.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # PIL raises SyntaxError for some damaged files
        raise DnnTopologyError(f"cannot read the image {path}: {' '.join(str(error).split())}; remove it") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


@dataclass(frozen=True)
class Form:
    """What images are made into.

    Attributes:
        shape: (channels, height, width). Colour becomes grey by luminance, grey becomes colour by repetition. An image
            is resized bilinearly until it covers the shape, and cropped to its centre.
        mean: Per channel of the source, subtracted from its pixels in [0, 1].
        std: Per channel of the source, by which they are divided.
    """

    shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fit(self, images: torch.Tensor) -> torch.Tensor:
        """Return images (n, channels, height, width) in this form, float32."""
        scaled = images / 255 if images.dtype == torch.uint8 else images.float()
        return self._sized(self._coloured(self._scaled(scaled)))

    def normalisation(self) -> tuple[list[float], list[float]]:
        """Return mean and std per channel of the fitted images: (image · std + mean) lies in [0, 1].

        Where colour was made grey, that is a weighted grey whose weights take the source's normalisation in.
        """
        channels = len(self.mean)
        ends = [self._coloured(self._scaled(torch.full((1, channels, 1, 1), value))).flatten() for value in (0.0, 1.0)]
        std = 1 / (ends[1] - ends[0])
        return (-ends[0] * std).tolist(), std.tolist()

    def _scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std

    def _coloured(self, images: torch.Tensor) -> torch.Tensor:
        wanted, found = self.shape[0], images.shape[1]
        if wanted == found:
            return images
        if wanted == 1 and found == 3:
            return (images * LUMINANCE.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        if found == 1:
            return images.expand(-1, wanted, -1, -1).contiguous()
        raise DnnTopologyError(f"images of {found} channels cannot be made into {wanted}: give 1 or 3 channels")

    def _sized(self, images: torch.Tensor) -> torch.Tensor:
        height, width = self.shape[1:]
        scale = max(height / images.shape[2], width / images.shape[3])
        if scale != 1:
            size = (max(height, round(images.shape[2] * scale)), max(width, round(images.shape[3] * scale)))
            images = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        return images[:, :, top : top + height, left : left + width]


class FittedImages(Dataset[tuple[torch.Tensor, ...]]):
    """Images and labels of one split, made ready as they are taken out, so that memory holds their own form alone.

    Args:
        pixels: The images.
        labels: (n,), int64, of the images at `places`.
        places: (n,), int64: which of the images, in which order.
        form: What they are made into.
    """

    def __init__(self, pixels: Pixels, labels: torch.Tensor, places: torch.Tensor, form: Form) -> None:
        self.pixels, self.labels, self.places, self.form = pixels, labels, places, form

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.places)

    def __getitem__(self, places: Any) -> tuple[torch.Tensor, ...]:
        """Return the images (n, channels, height, width), float32, and labels (n,), int64, at some places.

        Args:
            places: A list, an array or a slice of places; a single one gives a single image.

        Returns:
            Images and labels, as a `TensorDataset` gives them.
        """
        if isinstance(places, (int, np.integer)):
            images, labels = self[[int(places)]]
            return images[0], labels[0]
        found = self.pixels.take(self.places[places])
        if isinstance(found, list):
            images = torch.cat([self.form.fit(image[None]) for image in found])
        else:
            images = self.form.fit(found)
        return images, self.labels[places]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All images and labels at once, as a `TensorDataset` has them."""
        return self[torch.arange(len(self))]
