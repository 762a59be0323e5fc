"""Adversarial inputs, and beside each of them random noise of the same size.

A change of an input that makes a network fail may show in its neurons because the network fails, or because the input
was changed at all. The noise tells the two apart: per input it is as large as the attack's change, in the attack's own
norm.

Sizes are in pixels in [0, 1]; inputs come as the network takes them, (pixels - mean) / std.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice
from dnn_topology.recording.restoring import borrowed, seeded

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# attack → the norm that measures it
ATTACKS = {"fgsm": "linf", "pgd": "linf", "deepfool": "l2", "deepfool-linf": "linf"}
BOX_TOLERANCE = 1e-3  # of pixels that normalising and back has moved out of [0, 1]
HALVINGS = 40  # of the interval that holds the scale of the noise: beyond float32's precision


@dataclass(frozen=True, eq=False)
class Attacked:
    """Some inputs, what an attack made of them, and noise of the same size. All in the order of the inputs.

    Attributes:
        method: Name of the attack.
        strength: Its largest size in pixels, in `norm`; None for as large as need be.
        norm: "linf" or "l2": the norm in which the attack is measured and the noise is as large.
        inputs: (n, channels, height, width), as the network takes them.
        adversarial: The same shape.
        noise: The same shape: inputs plus noise.
        labels: (n,), int64.
        predicted: (n,), int64: the class that the network gives each input.
        predicted_adversarial: The same, of the adversarial inputs.
        predicted_noise: The same, of the noisy inputs.
        sizes: One row per input, in pixels, after clipping to [0, 1]: adversarial_linf, adversarial_l2, noise_linf,
            noise_l2.
    """

    method: str
    strength: float | None
    norm: str
    inputs: torch.Tensor
    adversarial: torch.Tensor
    noise: torch.Tensor
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    predicted_adversarial: NDArray[np.int64]
    predicted_noise: NDArray[np.int64]
    sizes: pd.DataFrame

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,): whether the network is right about the input itself."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @property
    def fooled(self) -> NDArray[np.bool_]:
        """(n,): whether the network is right about the input and wrong about what the attack made of it."""
        fooled: NDArray[np.bool_] = self.right & (self.predicted_adversarial != self.labels)
        return fooled


def attack(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    method: str = "pgd",
    strength: float | None = 0.1,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    steps: int = 40,
    seed: int = 0,
    batch_size: int = 250,
    device: torch.device | str | None = None,
) -> Attacked:
    """Change inputs a little so that a model fails on them, and make noise of the same size beside.

    The noise is a random direction per input (random signs for "linf", normal for "l2"), scaled so that *after*
    clipping to [0, 1] it is as large as the attack's change is: clipping makes a change smaller, differently for
    every image, and bisection makes up for it as far as the box allows. `sizes` has both norms of both.

    Args:
        model: Gives logits or log-probabilities (n, n_classes). Its mode, device, gradients and torch's random state
            are left as they were found.
        inputs: (n, channels, height, width), float, as the network takes them.
        labels: (n,), int64: the right classes.
        method: "fgsm" (one step), "pgd" (`steps` steps from a random start), both of `strength` in the largest change
            of a pixel; "deepfool" and "deepfool-linf": steps across the nearest class boundary, in the L2 norm and in
            the largest change.
        strength: Size in pixels in [0, 1]. With DeepFool the most that it may change, None for as much as need be.
        mean: What was subtracted from the pixels, one number or one per channel.
        std: By what they were divided.
        steps: Steps of PGD, and at most of DeepFool.
        seed: Of PGD's start and of the noise.
        batch_size: Inputs at a time.
        device: Where to run; by default where the model is.

    Returns:
        The attacked inputs, on the CPU. With strength 0 they are the inputs, bit by bit, and so is the noise.

    Raises:
        DnnTopologyError: The method is unknown, a size is negative or missing, inputs and labels do not match, the
            pixels lie outside [0, 1], the model gives no row of classes, or foolbox is not installed.

    Source:
        FGSM: Goodfellow, Shlens and Szegedy, ICLR 2015. PGD: Madry et al., ICLR 2018. DeepFool: Moosavi-Dezfooli,
        Fawzi and Frossard, CVPR 2016. Carried out by foolbox (Rauber et al., JOSS 2020).

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> _ = nn.init.constant_(model[1].weight, 1.0), nn.init.constant_(model[1].bias[:1], -2.0)
        >>> _ = nn.init.constant_(model[1].weight[:1], 2.0), nn.init.constant_(model[1].bias[1:], 0.0)
        >>> found = attack(model, torch.full((1, 1, 2, 2), 0.4), torch.tensor([1]), method="fgsm", strength=0.2)
        >>> found.predicted.tolist(), found.predicted_adversarial.tolist(), found.adversarial.flatten().tolist()
        ([1], [0], [0.6..., 0.6..., 0.6..., 0.6...])
    """
    check_choice("attack", method, ATTACKS)
    _check_strength(method, strength)
    check_at_least("steps", steps, 1)
    check_at_least("batch_size", batch_size, 1)
    if inputs.ndim != 4 or labels.shape != (len(inputs),) or not len(inputs):
        raise DnnTopologyError(
            "an attack takes images (n, channels, height, width) and labels (n,), n at least 1, found shapes "
            f"{tuple(inputs.shape)} and {tuple(labels.shape)}"
        )
    offset, scale = (_per_channel(name, values, inputs) for name, values in (("mean", mean), ("std", std)))
    pixels = _pixels(inputs, offset, scale)
    norm = ATTACKS[method]
    changes, noises, classes = [], [], []
    with borrowed(model, device) as (home, dtype), seeded(seed, (), home), _frozen(model):
        run = _runner(model, method, strength, steps, offset, scale, home, dtype)
        for start in range(0, len(inputs), batch_size):
            part = slice(start, start + batch_size)
            before = pixels[part].to(home, dtype)
            truth = labels[part].to(home)
            _check_classes(run.model(before), truth)
            change = (run.attacked(before, truth) - before).cpu().to(pixels.dtype)
            changes.append(change)
            noises.append(equal_noise(pixels[part], change, norm=norm))
            shifted = (pixels[part] + each for each in (torch.zeros_like(change), change, noises[-1]))
            classes.append([run.model(each.to(home, dtype)).argmax(dim=1).cpu() for each in shifted])
    change, noise = torch.cat(changes), torch.cat(noises)
    was, after, noisy = (torch.cat(found).numpy() for found in zip(*classes, strict=True))
    return Attacked(
        method,
        strength,
        norm,
        inputs,
        inputs + change / scale,
        inputs + noise / scale,
        labels.cpu().numpy(),
        was,
        after,
        noisy,
        _sizes(change, noise),
    )


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
    wanted = _norm(change, norm)
    low = torch.zeros_like(wanted)
    # The furthest corner of the box along the direction is reached within 1 / its smallest step; 1e3 is beyond it.
    high = torch.full_like(wanted, 1.0 if norm == "linf" else 1e3)

    def clipped(scales: torch.Tensor) -> torch.Tensor:
        return (pixels + direction * scales.view(-1, *[1] * (pixels.ndim - 1))).clamp(0, 1) - pixels

    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = _norm(clipped(middle), norm) <= wanted
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    noise = clipped(low)
    return torch.where((wanted > 0).view(-1, *[1] * (pixels.ndim - 1)), noise, torch.zeros_like(noise))


def noisy_inputs(
    inputs: torch.Tensor,
    *,
    strength: float = 0.35,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> torch.Tensor:
    """Return inputs with harmless noise, to show a detector that a changed input need not be an attack.

    Every other input gets normal noise, the others random signs, the two kinds that `attack` makes; each of a size of
    its own, uniform in [0, strength], and clipped to [0, 1]. Noise of other kinds remains unheard of.

    Args:
        inputs: (n, channels, height, width), as the network takes them.
        strength: The largest size, in pixels: the standard deviation, or what a sign is multiplied with.
        mean: What was subtracted from the pixels.
        std: By what they were divided.
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
    offset, scale = (_per_channel(name, values, inputs) for name, values in (("mean", mean), ("std", std)))
    pixels = _pixels(inputs, offset, scale)
    generator = torch.Generator().manual_seed(seed)
    sizes = strength * torch.rand(len(inputs), 1, 1, 1, generator=generator)
    noise = torch.randn(pixels.shape, generator=generator)
    noise[1::2] = torch.sign(noise[1::2])
    noise *= sizes
    return inputs + ((pixels + noise).clamp(0, 1) - pixels) / scale


@dataclass(frozen=True)
class _Runner:
    """One of foolbox's attacks on one model, whose inputs are pixels."""

    model: Any
    attack: Any
    strength: float | None

    def attacked(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the adversarial pixels, within the strength and the box."""
        # Autograd has been switched off by whoever borrowed the model.
        with torch.enable_grad(), warnings.catch_warnings():
            # foolbox divides by the length of gradients that may be zero, which it then leaves out
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="eagerpy|foolbox")
            _, clipped, _ = self.attack(self.model, pixels, labels, epsilons=self.strength)
        found: torch.Tensor = clipped.detach()
        return torch.where(found.isfinite(), found, pixels)


def _runner(
    model: nn.Module,
    method: str,
    strength: float | None,
    steps: int,
    offset: torch.Tensor,
    scale: torch.Tensor,
    home: torch.device,
    dtype: torch.dtype | None,
) -> _Runner:
    """Return foolbox's attack.

    Raises:
        DnnTopologyError: foolbox is not installed.
    """
    try:
        with warnings.catch_warnings():
            # foolbox 3.3 imports an attack of its own through a name that SciPy calls deprecated
            warnings.filterwarnings("ignore", message="Please import `gaussian_filter`", category=DeprecationWarning)
            import foolbox
    except ImportError as error:
        raise DnnTopologyError("attacks need the package foolbox: pip install 'dnn-topology[attacks]'") from error
    attacks = {
        "fgsm": foolbox.attacks.LinfFastGradientAttack,
        "pgd": lambda: foolbox.attacks.LinfProjectedGradientDescentAttack(steps=steps),
        "deepfool": lambda: foolbox.attacks.L2DeepFoolAttack(steps=steps),
        "deepfool-linf": lambda: foolbox.attacks.LinfDeepFoolAttack(steps=steps),
    }
    wrapped = foolbox.PyTorchModel(
        model,
        bounds=(0, 1),
        device=home,
        preprocessing={
            "mean": offset.to(home, dtype).flatten(1)[0],
            "std": scale.to(home, dtype).flatten(1)[0],
            "axis": -3,
        },
    )
    return _Runner(wrapped, attacks[method](), strength)


@contextlib.contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Keep gradients of the loss from the model's parameters."""
    wanted = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)


def _check_strength(method: str, strength: float | None) -> None:
    """Check the size of an attack.

    Raises:
        DnnTopologyError: It is negative, no number, or missing where the attack needs one.
    """
    if strength is None:
        if not method.startswith("deepfool"):
            raise DnnTopologyError(f"the attack {method!r} needs a strength in pixels, such as 0.1")
    elif not 0 <= strength < math.inf:
        raise DnnTopologyError(f"strength must be a number of at least 0, in pixels in [0, 1], found {strength}")


def _per_channel(name: str, values: float | Sequence[float], inputs: torch.Tensor) -> torch.Tensor:
    """Return one number per channel as (1, channels, 1, 1).

    Raises:
        DnnTopologyError: There is another number of them, or a standard deviation is not positive.
    """
    found = torch.as_tensor(values, dtype=torch.float32).flatten()
    channels = inputs.shape[1]
    if len(found) not in {1, channels}:
        raise DnnTopologyError(f"{name} must be one number, or one per channel ({channels}), found {len(found)}")
    if name == "std" and not (found > 0).all():
        raise DnnTopologyError(f"std must be positive, found {found.tolist()}")
    return found.expand(channels).view(1, -1, 1, 1)


def _pixels(inputs: torch.Tensor, offset: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return inputs as pixels in [0, 1].

    Raises:
        DnnTopologyError: They lie outside.
    """
    pixels = inputs.detach().cpu().float() * scale + offset
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -BOX_TOLERANCE and high <= 1 + BOX_TOLERANCE):
        raise DnnTopologyError(
            f"with this mean and std the pixels lie in [{low:.3g}, {high:.3g}], expected [0, 1]: attacks are for "
            "images, and mean and std are what normalised them"
        )
    return pixels.clamp(0, 1)


def _check_classes(outputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Check that a model's outputs tell the classes of the labels apart.

    Raises:
        DnnTopologyError: They do not.
    """
    if outputs.ndim != 2 or outputs.shape[1] <= int(labels.max()) or outputs.shape[1] < 2:
        raise DnnTopologyError(
            f"an attack needs a model that gives (n, n_classes), found shape {tuple(outputs.shape)} for labels up to "
            f"{int(labels.max())}"
        )


def _norm(change: torch.Tensor, norm: str) -> torch.Tensor:
    """Return the size (n,) of each change."""
    flat = change.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


def _sizes(change: torch.Tensor, noise: torch.Tensor) -> pd.DataFrame:
    """Return both norms of both changes as a table."""
    import pandas as pd

    return pd.DataFrame(
        {
            f"{what}_{norm}": _norm(each, norm).numpy()
            for what, each in (("adversarial", change), ("noise", noise))
            for norm in ("linf", "l2")
        }
    )
