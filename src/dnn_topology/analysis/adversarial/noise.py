"""Random noise on images, as large as an attack's change or of sizes of its own."""

from __future__ import annotations

import torch

from dnn_topology._checks import check_at_least
from dnn_topology.analysis.adversarial.pixels import Normalised, Numbers, pixels_of, scaling

LEVELS = 16  # of brightness, within which pixels count as equally bright
HALVINGS = 40  # of the interval that holds the scale of the noise: beyond float32's precision


def equal_noise(pixels: torch.Tensor, change: torch.Tensor, *, norm: str) -> torch.Tensor:
    """Return random noise that, once pixels plus noise are clipped to [0, 1], is as large as a change.

    Args:
        pixels: (n, …), in [0, 1].
        change: (n, …): what an attack adds.
        norm: "linf" (random signs) or "l2" (a normal direction).

    Returns:
        (n, …): what to add to the pixels; drawn from torch's random state. Where the box does not allow so much noise
        in its direction, as much as it does.

    Example:
        >>> noise = equal_noise(torch.zeros(1, 3), torch.tensor([[0.3, 0.0, 0.0]]), norm="linf")
        >>> bool((noise >= 0).all()), noise.max().item() in (0.0, 0.30000001192092896)
        (True, True)
    """
    direction = torch.randn_like(pixels)
    if norm == "linf":
        direction = torch.sign(direction)
    wanted = change_sizes(change, norm)
    low = torch.zeros_like(wanted)
    # The furthest corner of the box along the direction is reached within 1 / its smallest step; 1e3 is beyond it.
    high = torch.full_like(wanted, 1.0 if norm == "linf" else 1e3)

    def clipped(scales: torch.Tensor) -> torch.Tensor:
        return (pixels + direction * scales.view(-1, *[1] * (pixels.ndim - 1))).clamp(0, 1) - pixels

    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = change_sizes(clipped(middle), norm) <= wanted
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    noise = clipped(low)
    return torch.where((wanted > 0).view(-1, *[1] * (pixels.ndim - 1)), noise, torch.zeros_like(noise))


def shuffled_change(pixels: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Return an attack's own change, dealt out anew among pixels of a channel that are equally bright.

    It has the same values on the same levels of brightness, so that background and strokes are changed as much as the
    attack changes them, but no longer where it harms.

    Args:
        pixels: (n, channels, …), in [0, 1].
        change: The same shape: what an attack adds.

    Returns:
        The same shape: what to add to the pixels, which stay in [0, 1]. The order is drawn from torch's random state;
        brightness has 16 levels.

    Example:
        >>> pixels = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
        >>> shuffled = shuffled_change(pixels, torch.tensor([[[0.1, 0.2, -0.3, -0.4]]]))
        >>> [sorted(half) for half in shuffled.flatten().round(decimals=2).view(2, 2).tolist()]
        [[0.1..., 0.2...], [-0.4..., -0.3...]]
    """
    channels = torch.arange(pixels.shape[1], device=pixels.device).view(1, -1, *[1] * (pixels.ndim - 2))
    level = ((pixels * LEVELS).floor().clamp(0, LEVELS - 1) + LEVELS * channels).flatten(1).double()
    # Both orders list the pixels level by level, the one as they lie, the other at random.
    lying = level.argsort(dim=1, stable=True)
    dealt = (level + torch.rand(level.shape, dtype=torch.float64, device=level.device)).argsort(dim=1)
    flat = change.flatten(1)
    shuffled = torch.zeros_like(flat).scatter(1, dealt, flat.gather(1, lying)).view_as(change)
    return (pixels + shuffled).clamp(0, 1) - pixels


def noisy_inputs(
    inputs: torch.Tensor,
    *,
    strength: float = 0.35,
    data: Normalised | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """Return inputs with harmless noise, to show a detector that a changed input need not be an attack.

    Every other input gets normal noise, the others random signs, the two kinds that `attack` makes; each of a size of
    its own, uniform in [0, strength], and clipped to [0, 1]. Noise of other kinds remains unheard of.

    Args:
        inputs: (n, channels, height, width), as the network takes them.
        strength: The largest size, in pixels: the standard deviation, or what a sign is multiplied with.
        data: The data set that the inputs come from, which knows how they were normalised.
        mean: Instead of `data`, what was subtracted from the pixels; 0.
        std: By what they were divided; 1.
        seed: Of the noise; torch's random state is left alone.

    Returns:
        The same shape.

    Raises:
        DnnTopologyError: The pixels lie outside [0, 1], or the strength is negative.

    Example:
        >>> noisy_inputs(torch.zeros(2, 1, 3, 3), seed=1).shape
        torch.Size([2, 1, 3, 3])
    """
    check_at_least("strength", strength, 0)
    offset, scale = scaling(inputs, data, mean, std)
    pixels = pixels_of(inputs, offset, scale)
    generator = torch.Generator().manual_seed(seed)
    sizes = strength * torch.rand(len(inputs), 1, 1, 1, generator=generator, device=generator.device)
    noise = torch.randn(pixels.shape, generator=generator, device=generator.device)
    noise[1::2] = torch.sign(noise[1::2])
    noise *= sizes
    return inputs + ((pixels + noise).clamp(0, 1) - pixels) / scale


def change_sizes(change: torch.Tensor, norm: str) -> torch.Tensor:
    """Return the size (n,) of each change."""
    flat = change.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)
