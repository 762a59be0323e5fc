"""Images, wherever they lie, in the one form that a network expects: channels, size and normalisation in one step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.nets.data.pixels import Pixels, tensor_digest

Shape = tuple[int, int, int]
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation per channel
Normalise = str | tuple[float | Sequence[float], float | Sequence[float]]  # "data", "none", "MEAN,STD" or the two
LUMINANCE = torch.tensor([0.299, 0.587, 0.114], device="cpu")  # of red, green and blue: ITU-R BT.601, as in PIL


class Samples(Protocol):
    """Samples that are taken out by lists of places: a `TensorDataset`, or `FittedImages`."""

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All images and labels at once."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, places: Any, /) -> tuple[torch.Tensor, ...]:
        """Return images and labels at some places."""


@dataclass(frozen=True)
class Form:
    """What images are made into.

    Attributes:
        shape: (channels, height, width). Colour becomes grey by luminance, grey becomes colour by repetition. An image
            is resized bilinearly until it covers the shape, and cropped to its centre.
        mean: Per channel, subtracted from the pixels in [0, 1].
        std: Per channel, by which they are divided.
        channels: Whose channels mean and std speak of: the source's, before they are made grey or coloured, or those
            of the shape, after that.
    """

    shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Literal["source", "shape"] = "source"

    def fit(self, images: torch.Tensor) -> torch.Tensor:
        """Return images (n, channels, height, width) in this form, float32."""
        pixels = images / 255 if images.dtype == torch.uint8 else images.to(torch.float32, copy=True)
        if self.channels == "source":
            return self._sized(self._coloured(self._scaled(pixels)))
        return self._sized(self._scaled(self._coloured(pixels)))

    def normalisation(self) -> Normalisation:
        """Return mean and std per channel of the fitted images: (image · std + mean) lies in [0, 1].

        Where colour was made grey, that is a weighted grey whose weights take the source's normalisation in.
        """
        if self.channels == "shape":
            return self.mean, self.std
        n = len(self.mean)
        ends = [
            self._coloured(self._scaled(torch.full((1, n, 1, 1), value, device="cpu"))).flatten()
            for value in (0.0, 1.0)
        ]
        std = 1 / (ends[1] - ends[0])
        return tuple((-ends[0] * std).tolist()), tuple(std.tolist())

    def _scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return pixels, which are nobody else's, normalised in place: new memory costs more than the arithmetic."""
        mean, std = (torch.tensor(values, device=pixels.device).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return pixels.sub_(mean).div_(std)

    def _coloured(self, images: torch.Tensor) -> torch.Tensor:
        wanted, given = self.shape[0], images.shape[1]
        if wanted == given:
            return images
        if wanted == 1 and given == 3:
            return (images * LUMINANCE.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        if given == 1:
            return images.expand(-1, wanted, -1, -1).contiguous()
        raise DnnTopologyError(f"images of {given} channels cannot be made into {wanted}: give 1 or 3 channels")

    def _sized(self, images: torch.Tensor) -> torch.Tensor:
        height, width = self.shape[1:]
        scale = max(height / images.shape[2], width / images.shape[3])
        if scale != 1:
            size = (max(height, round(images.shape[2] * scale)), max(width, round(images.shape[3] * scale)))
            images = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        return images[:, :, top : top + height, left : left + width]


def form_of(shape: Shape, own: Normalisation, normalise: Normalise) -> Form:
    """Return the form of images that a network expects.

    Args:
        shape: (channels, height, width).
        own: Mean and standard deviation of the source, per channel of the source.
        normalise: "data" for its own, "none" for pixels in [0, 1] as they are, or mean and standard deviation, one
            number each or one per channel of the shape; also as text, "0.5,0.25" or "0.5 0.5 0.5,0.2 0.2 0.2".

    Returns:
        The form.

    Raises:
        DnnTopologyError: It is none of these, or a number is not finite, not positive, or one of too many.

    Example:
        >>> form_of((1, 28, 28), ((0.13,), (0.31,)), "0.5,0.25").normalisation()
        ((0.5,), (0.25,))
    """
    if normalise == "data":
        return Form(shape, *own)
    asked = (0.0, 1.0) if normalise == "none" else _two(normalise)
    mean, std = (_per_channel(values, shape[0], normalise) for values in asked)
    if not min(std) > 0:
        raise DnnTopologyError(f"normalise: a standard deviation must be positive, found {shown(normalise)}")
    return Form(shape, mean, std, "shape")


def _two(normalise: Any) -> Any:
    """Return mean and standard deviation as they were given.

    Raises:
        DnnTopologyError: There are not two of them.
    """
    parts = [part.split() for part in normalise.split(",")] if isinstance(normalise, str) else normalise
    if not isinstance(parts, (tuple, list)) or len(parts) != 2:
        raise DnnTopologyError(
            "normalise must be 'data', 'none', or mean and standard deviation such as (0.5, 0.25), found "
            f"{shown(normalise)}"
        )
    return parts


def _per_channel(values: Any, n_channels: int, normalise: Any) -> tuple[float, ...]:
    """Return numbers as one per channel.

    Raises:
        DnnTopologyError: They are no finite numbers, or another number of them.
    """
    try:
        numbers = [float(value) for value in (values if isinstance(values, (tuple, list)) else [values])]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in {1, n_channels} or not all(map(math.isfinite, numbers)):
        raise DnnTopologyError(
            f"normalise takes one finite number, or one per channel ({n_channels}), for the mean and for the standard "
            f"deviation, found {shown(normalise)}"
        )
    return tuple(numbers * (1 if len(numbers) == n_channels else n_channels))


class FittedImages(Dataset[tuple[torch.Tensor, ...]]):
    """Images and labels of one split, made ready as they are taken out, so that memory holds their own form alone.

    Once `tensors` was asked for, they are what is taken from, so that a change made in them takes effect.

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

    def __repr__(self) -> str:
        """Return how many images of which shape there are."""
        return f"FittedImages({len(self)} images {tuple(self[[0]][0].shape[1:]) if len(self) else ''})"

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
        if "tensors" in vars(self):
            return self.tensors[0][places], self.labels[places]
        return self._fitted(self.places[places]), self.labels[places]

    @cached_property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All images and labels at once, as a `TensorDataset` has them; made once and kept."""
        return self._fitted(self.places), self.labels

    @cached_property
    def digest(self) -> str:
        """What tells images and labels, as they were read, from others; whatever form they are made into."""
        return f"{self.pixels.digest}-{tensor_digest(self.labels, self.places)}"

    def _fitted(self, places: torch.Tensor) -> torch.Tensor:
        """Return images at places of the source, in the form that is wanted."""
        taken = self.pixels.take(places)
        if isinstance(taken, list):
            return torch.cat([self.form.fit(image[None]) for image in taken])
        return self.form.fit(taken)
