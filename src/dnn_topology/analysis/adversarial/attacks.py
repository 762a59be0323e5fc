"""Adversarial inputs, carried out by foolbox.

Sizes are in pixels in [0, 1]; inputs come as the network takes them, (pixels - mean) / std.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice
from dnn_topology._packages import pip_install
from dnn_topology.analysis.adversarial.attacked import Attacked, as_attacked, attacked_by, check_images
from dnn_topology.analysis.adversarial.noise import equal_noise, noisy_inputs
from dnn_topology.analysis.adversarial.pixels import Normalised, Numbers, pixels_of, scaling
from dnn_topology.recording.restoring import borrowed, seeded

__all__ = ["ATTACKS", "Attacked", "attack", "equal_noise", "noisy_inputs"]

# attack → the norm that measures it
ATTACKS = {"fgsm": "linf", "pgd": "linf", "deepfool": "l2", "deepfool-linf": "linf"}
LARGEST = 1e30  # size in pixels, which lie in [0, 1]: what is larger float32 does not square
PGD_REACH = 2.5  # of the strength: how far all steps of PGD together go, as in Madry et al.'s code


@checked
def attack(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    method: str = "pgd",
    strength: float | None = 0.1,
    data: Normalised | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    steps: int = 40,
    seed: int = 0,
    batch_size: int = 250,
    device: torch.device | str | None = None,
) -> Attacked:
    """Change inputs a little so that a model fails on them, and make harmless changes of the same size beside.

    The noise is a random direction per input (random signs for "linf", normal for "l2"), scaled so that *after*
    clipping to [0, 1] it is as large as the attack's change is: clipping makes a change smaller, differently for
    every image, and bisection makes up for it as far as the box allows. `l2noise` is normal noise as large in the L2
    norm, and `shuffled` the attack's own change with its pixels dealt out anew among equally bright ones. `sizes` has
    both norms of all.

    Args:
        model: Gives logits or log-probabilities (n, n_classes). Its mode, device, gradients and torch's random state
            are left as they were found.
        inputs: (n, channels, height, width), float, as the network takes them.
        labels: (n,), int64: the right classes.
        method: "fgsm" (one step), "pgd" (`steps` steps of 2.5 · strength / steps from a random start; where a single
            step does more harm, that one), both of `strength` in the largest change of a pixel; "deepfool" and
            "deepfool-linf": steps across the nearest class boundary, in the L2 norm and in the largest change.
        strength: Size in pixels in [0, 1]. With DeepFool the most that it may change, None for as much as need be.
        data: The data set that the inputs come from: it knows how they were normalised (`DataSet.normalisation`).
        mean: Instead of `data`, what was subtracted from the pixels, one number or one per channel; 0.
        std: By what they were divided; 1.
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
        >>> made = attack(model, torch.full((1, 1, 2, 2), 0.4), torch.tensor([1]), method="fgsm", strength=0.2)
        >>> made.predicted.tolist(), made.predicted_adversarial.tolist(), made.adversarial.flatten().tolist()
        ([1], [0], [0.6..., 0.6..., 0.6..., 0.6...])
    """
    check_choice("attack", method, ATTACKS)
    check_strength(method, strength)
    check_at_least("steps", steps, 1)
    check_at_least("batch_size", batch_size, 1)
    check_images(inputs, labels)
    offset, scale = scaling(inputs, data, mean, std)
    pixels = pixels_of(inputs, offset, scale)
    norm = ATTACKS[method]
    with borrowed(model, device) as (home, dtype), seeded(seed, (), home), frozen(model):
        wrapped = _wrapped(model, (offset, scale), home, dtype)
        run = _Runner(wrapped, method, strength, steps)
        place = (home, dtype)
        made = attacked_by(run.attacked, wrapped, pixels, labels, norm=norm, place=place, batch_size=batch_size)
    return as_attacked((method, strength, norm), inputs, labels, made, scale)


@dataclass(frozen=True)
class _Runner:
    """One of foolbox's attacks on one model, whose inputs are pixels."""

    model: Any
    method: str
    strength: float | None
    steps: int

    def attacked(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the adversarial pixels, within the strength and the box."""
        adversarial = self._carried_out(self.method, pixels, labels)
        if self.method != "pgd":
            return adversarial
        # From a random start PGD may stay where a single step from the input itself would have come further.
        single = self._carried_out("fgsm", pixels, labels)
        better = self._harm(single, labels) > self._harm(adversarial, labels)
        return torch.where(better.view(-1, *[1] * (pixels.ndim - 1)), single, adversarial)

    def _carried_out(self, method: str, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return what an attack makes of pixels."""
        # Autograd has been switched off by whoever borrowed the model.
        with torch.enable_grad(), warnings.catch_warnings():
            # foolbox divides by the length of gradients that may be zero, which it then leaves out
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="eagerpy|foolbox")
            _, clipped, _ = _foolbox_attack(method, self.steps)(self.model, pixels, labels, epsilons=self.strength)
        changed: torch.Tensor = clipped.detach()
        return torch.where(changed.isfinite(), changed, pixels)

    def _harm(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return how far the right class lies below the best of the others, (n,): above 0 the model is fooled."""
        outputs: torch.Tensor = self.model(pixels)
        right = outputs.gather(1, labels[:, None])[:, 0]
        return outputs.scatter(1, labels[:, None], -math.inf).amax(dim=1) - right


def _foolbox() -> Any:
    """Return the package foolbox.

    Raises:
        DnnTopologyError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            # foolbox 3.3 imports an attack of its own through a name that SciPy calls deprecated
            warnings.filterwarnings("ignore", message="Please import `gaussian_filter`", category=DeprecationWarning)
            import foolbox
    except ImportError as error:
        raise DnnTopologyError(f"attacks need the package foolbox: {pip_install('foolbox')}") from error
    return foolbox


def _foolbox_attack(method: str, steps: int) -> Any:
    """Return foolbox's attack of a name."""
    attacks = _foolbox().attacks
    if method == "fgsm":
        return attacks.LinfFastGradientAttack()
    if method == "pgd":
        return attacks.LinfProjectedGradientDescentAttack(rel_stepsize=PGD_REACH / steps, steps=steps)
    kind = attacks.L2DeepFoolAttack if method == "deepfool" else attacks.LinfDeepFoolAttack
    return kind(steps=steps)


def _wrapped(
    model: nn.Module, scaled: tuple[torch.Tensor, torch.Tensor], home: torch.device, dtype: torch.dtype | None
) -> Any:
    """Return a model as foolbox attacks it: one that takes pixels.

    Args:
        model: The model.
        scaled: What is subtracted from the pixels, and by what they are divided, (1, channels, 1, 1) each.
        home: The device of both.
        dtype: The floating-point type of its inputs.
    """
    mean, std = (numbers.to(home, dtype).flatten(1)[0] for numbers in scaled)
    preprocessing = {"mean": mean, "std": std, "axis": -3}
    return _foolbox().PyTorchModel(model, bounds=(0, 1), device=home, preprocessing=preprocessing)


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Keep gradients of the loss from the model's parameters."""
    wanted = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)


def check_strength(method: str, strength: float | None) -> None:
    """Check the size of an attack.

    Raises:
        DnnTopologyError: It is negative, no number, or missing where the attack needs one.
    """
    if strength is None:
        if not method.startswith("deepfool"):
            raise DnnTopologyError(f"the attack {method!r} needs a strength in pixels, such as 0.1")
    elif not 0 <= strength <= LARGEST:
        raise DnnTopologyError(
            f"strength must be a number of at least 0 and at most {LARGEST:g}, in pixels in [0, 1], found {strength}"
        )
