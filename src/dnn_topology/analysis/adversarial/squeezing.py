"""Feature squeezing: how much a network's answer changes once an input has lost detail that should not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.pixels import pixels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.analysis.adversarial.observation import Observation

WINDOW = 2  # pixels in height and width, over which the median goes


def one_bit(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels in [0, 1] as black or white: 1 from a half on."""
    return (pixels >= 0.5).to(pixels.dtype)


def median(pixels: torch.Tensor) -> torch.Tensor:
    """Return the median of every 2 × 2 window of each channel, its edges mirrored, as the authors do by SciPy."""
    from scipy.ndimage import median_filter

    filtered = median_filter(pixels.detach().cpu().numpy(), size=(1, 1, WINDOW, WINDOW), mode="reflect")
    return torch.from_numpy(filtered).to(pixels)


SQUEEZERS = {"bit": one_bit, "median": median}


def squeezed_inputs(inputs: torch.Tensor, scaled: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return inputs as a network takes them after each squeezer.

    Args:
        inputs: (n, channels, height, width), as the network takes them.
        scaled: What was subtracted from the pixels, and by what they were divided; see `scaling`.

    Returns:
        Squeezer → the same shape.

    Raises:
        DnnTopologyError: The pixels lie outside [0, 1].
    """
    offset, scale = scaled
    pixels = pixels_of(inputs, offset, scale)
    return {name: ((squeeze(pixels) - offset) / scale).to(inputs) for name, squeeze in SQUEEZERS.items()}


class Squeezing:
    """L1 distance of the probabilities of an input and of the squeezed input, the larger over some squeezers.

    score(x) = max over squeezers s of Σ_c |p_c(x) - p_c(s(x))|, in [0, 2]. Nothing is fitted.

    Args:
        squeezers: Names: "bit" (every pixel black or white) and "median" (of 2 × 2 pixels).

    Source:
        Xu, Evans and Qi, Feature squeezing: detecting adversarial examples in deep neural networks, NDSS 2018, who take
        these two together for MNIST.

    Example:
        >>> from torch import nn
        >>> from dnn_topology.analysis.adversarial.detection import fit_detectors
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> ready = fit_detectors(model, torch.rand(30, 1, 2, 2), detectors=["squeeze-bit"])
        >>> ready.score(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])).single["squeeze-bit"].round(6)
        array([0.])
    """

    def __init__(self, squeezers: Sequence[str] = tuple(SQUEEZERS)) -> None:
        self.squeezers = tuple(squeezers)

    def __repr__(self) -> str:
        """Return the squeezers."""
        return f"Squeezing({', '.join(self.squeezers)})"

    @checked
    def fit(self, clean: Observation, /) -> Self:  # noqa: ARG002  # there is nothing to learn
        """Return the detector."""
        return self

    @checked
    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return the distances, (n,).

        Raises:
            DnnTopologyError: Nobody ran the network on squeezed inputs.
        """
        if not seen.squeezed:
            raise DnnTopologyError("this detector looks at squeezed inputs: observe with squeezed=squeezed_inputs(…)")
        plain = np.exp(seen.outputs)
        apart = [np.abs(plain - np.exp(seen.squeezed[name])).sum(axis=1) for name in self.squeezers]
        largest: NDArray[np.float64] = np.max(apart, axis=0)
        return largest


def parts_of(squeezed: Mapping[str, Any], part: slice) -> dict[str, Any]:
    """Return some inputs of each squeezer's."""
    return {name: inputs[part] for name, inputs in squeezed.items()}
