"""Images as pixels in [0, 1], from the form in which a network takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch

from dnn_topology._checks import DnnTopologyError, shown

BOX_TOLERANCE = 1e-3  # of pixels that normalising and back has moved out of [0, 1]
Numbers = float | Sequence[float]


class Normalised(Protocol):
    """Data that know how they were normalised, such as `DataSet`."""

    @property
    def normalisation(self) -> tuple[Sequence[float], Sequence[float]] | None:
        """Mean and standard deviation of the pixels, one per channel of the images."""


def scaling(
    inputs: torch.Tensor, data: Normalised | None, mean: Numbers | None, std: Numbers | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what was subtracted from pixels, and by what they were divided, (1, channels, 1, 1) each.

    Args:
        inputs: (n, channels, height, width).
        data: Data that know it, or None.
        mean: What was subtracted, where no data say so; None for 0.
        std: The divisor; None for 1.

    Raises:
        DnnTopologyError: Both say so, the data do not know, the numbers fit no such inputs, or these are no images.
    """
    if inputs.ndim != 4 or not inputs.is_floating_point():
        raise DnnTopologyError(
            f"images (n, channels, height, width) of floating-point numbers are needed, found {inputs.dtype} of shape "
            f"{tuple(inputs.shape)}: noise, attacks and squeezing change pixels; take detectors without them"
        )
    if data is not None:
        if mean is not None or std is not None:
            raise DnnTopologyError("data= says how the images were normalised, and so do mean= and std=: give one")
        if data.normalisation is None:
            raise DnnTopologyError(
                "the data do not know how they were normalised: give mean= and std= instead of data="
            )
        mean, std = data.normalisation
    offset = per_channel("mean", 0.0 if mean is None else mean, inputs)
    return offset, per_channel("std", 1.0 if std is None else std, inputs)


def per_channel(name: str, values: Numbers, inputs: torch.Tensor) -> torch.Tensor:
    """Return one number per channel as (1, channels, 1, 1).

    Raises:
        DnnTopologyError: There is another number of them, or a standard deviation is not positive.
    """
    if isinstance(values, Mapping):
        raise DnnTopologyError(f"{name} must be one number, or one per channel, found {shown(values)}")
    try:
        numbers = torch.as_tensor(values, dtype=torch.float32, device="cpu").flatten()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DnnTopologyError(f"{name} must be one number, or one per channel, found {shown(values)}") from error
    channels = inputs.shape[1]
    if len(numbers) not in {1, channels}:
        raise DnnTopologyError(f"{name} must be one number, or one per channel ({channels}), found {len(numbers)}")
    if name == "std" and not (numbers > 0).all():
        raise DnnTopologyError(f"std must be positive, found {numbers.tolist()}")
    return numbers.expand(channels).view(1, -1, 1, 1)


def pixels_of(inputs: torch.Tensor, offset: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return inputs as pixels in [0, 1].

    Raises:
        DnnTopologyError: They lie outside.
    """
    pixels = inputs.detach().cpu().float() * scale + offset
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -BOX_TOLERANCE and high <= 1 + BOX_TOLERANCE):
        raise DnnTopologyError(
            f"with this mean and std the pixels lie in [{low:.3g}, {high:.3g}], expected [0, 1]: attacks are for "
            "images, and mean and std are what normalised them; a DataSet knows them (data=)"
        )
    return pixels.clamp(0, 1)
