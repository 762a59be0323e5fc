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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, counted
from dnn_topology._packages import pip_install
from dnn_topology.analysis.adversarial.noise import change_sizes, equal_noise, noisy_inputs
from dnn_topology.analysis.adversarial.pixels import Normalised, Numbers, pixels_of, scaling
from dnn_topology.recording.restoring import borrowed, seeded

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ATTACKS", "Attacked", "attack", "equal_noise", "noisy_inputs"]

# attack → the norm that measures it
ATTACKS = {"fgsm": "linf", "pgd": "linf", "deepfool": "l2", "deepfool-linf": "linf"}
LARGEST = 1e30  # size in pixels, which lie in [0, 1]: what is larger float32 does not square
PGD_REACH = 2.5  # of the strength: how far all steps of PGD together go, as in Madry et al.'s code


@dataclass(frozen=True, eq=False, repr=False)
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

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> made = attack(model, torch.full((3, 1, 2, 2), 0.5), torch.tensor([0, 1, 0]), method="fgsm", strength=0.0)
        >>> int(made.right.sum()) in range(4), made.fooled.any(), bool((made.noise == made.inputs).all())
        (True, np.False_, True)
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

    def __repr__(self) -> str:
        """Return the attack, how many inputs of which shape it changed, and how many fooled the network."""
        size = "" if self.strength is None else f" of size {self.strength:g} in {self.norm}"
        inputs = f"{counted(len(self.inputs), 'input')} {tuple(self.inputs.shape[1:])}"
        fooled = f"{int(self.fooled.sum())} of {int(self.right.sum())} right answers turned wrong"
        return f"Attacked({self.method}{size}: {inputs}, {fooled})"

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
    """Change inputs a little so that a model fails on them, and make noise of the same size beside.

    The noise is a random direction per input (random signs for "linf", normal for "l2"), scaled so that *after*
    clipping to [0, 1] it is as large as the attack's change is: clipping makes a change smaller, differently for
    every image, and bisection makes up for it as far as the box allows. `sizes` has both norms of both.

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
    _check_strength(method, strength)
    check_at_least("steps", steps, 1)
    check_at_least("batch_size", batch_size, 1)
    _check_images(inputs, labels)
    offset, scale = scaling(inputs, data, mean, std)
    pixels = pixels_of(inputs, offset, scale)
    norm = ATTACKS[method]
    with borrowed(model, device) as (home, dtype), seeded(seed, (), home), _frozen(model):
        run = _Runner(_wrapped(model, (offset, scale), home, dtype), method, strength, steps)
        starts = range(0, len(inputs), batch_size)
        parts = (slice(start, start + batch_size) for start in starts)
        batches = [run.batch(pixels[part], labels[part], norm=norm, home=home, dtype=dtype) for part in parts]
    change, noise, was, after, noisy = (torch.cat(results) for results in zip(*batches, strict=True))
    changed = (inputs, inputs + change / scale, inputs + noise / scale)
    predicted = (was.numpy(), after.numpy(), noisy.numpy())
    return Attacked(method, strength, norm, *changed, labels.cpu().numpy(), *predicted, _sizes(change, noise))


def _check_images(inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Check that there are images and a label for each.

    Raises:
        DnnTopologyError: There are not.
    """
    if inputs.ndim != 4 or labels.shape != (len(inputs),) or not len(inputs):
        raise DnnTopologyError(
            "an attack takes images (n, channels, height, width) and labels (n,), n at least 1, found shapes "
            f"{tuple(inputs.shape)} and {tuple(labels.shape)}"
        )


@dataclass(frozen=True)
class _Runner:
    """One of foolbox's attacks on one model, whose inputs are pixels."""

    model: Any
    method: str
    strength: float | None
    steps: int

    def batch(
        self, pixels: torch.Tensor, labels: torch.Tensor, *, norm: str, home: torch.device, dtype: torch.dtype | None
    ) -> tuple[torch.Tensor, ...]:
        """Attack some pixels, and return change, noise, and the classes before, after and with noise, on the CPU."""
        before, truth = pixels.to(home, dtype), labels.to(home)
        _check_classes(self.model(before), truth)
        change = (self.attacked(before, truth) - before).cpu().to(pixels.dtype)
        noise = equal_noise(pixels, change, norm=norm)
        shifted = (pixels + each for each in (torch.zeros_like(change), change, noise))
        classes = [self.model(each.to(home, dtype)).argmax(dim=1).cpu() for each in shifted]
        return change, noise, *classes

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
    elif not 0 <= strength <= LARGEST:
        raise DnnTopologyError(
            f"strength must be a number of at least 0 and at most {LARGEST:g}, in pixels in [0, 1], found {strength}"
        )


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


def _sizes(change: torch.Tensor, noise: torch.Tensor) -> pd.DataFrame:
    """Return both norms of both changes as a table."""
    import pandas as pd

    return pd.DataFrame(
        {
            f"{what}_{norm}": change_sizes(each, norm).numpy()
            for what, each in (("adversarial", change), ("noise", noise))
            for norm in ("linf", "l2")
        }
    )
