"""What an attack made of inputs, and beside it harmless changes of the same size.

A change of an input that makes a network fail may show in its neurons because the network fails, or because the input
was changed at all. Three controls tell the two apart: noise as large in the attack's norm, noise as large in the L2
norm, and the attack's own change, shuffled among equally bright pixels.

Sizes are in pixels in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dnn_topology._calls import checked_fields
from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.analysis.adversarial.noise import change_sizes, equal_noise, shuffled_change
from dnn_topology.recording.failures import failures_explained

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CarryOut = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # pixels and right classes → adversarial pixels
CHANGES = ("adversarial", "noise", "l2noise", "shuffled")


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Attacked:
    """Some inputs, what an attack made of them, and controls: harmless changes of the same size. In the inputs' order.

    Attributes:
        method: Name of the attack.
        strength: Its largest size in pixels, in `norm`; None for as large as need be.
        norm: "linf" or "l2": the norm in which the attack is measured and the noise is as large.
        inputs: (n, channels, height, width), as the network takes them.
        adversarial: The same shape.
        noise: The same shape: inputs plus random noise as large in `norm`.
        l2noise: The same, but as large in the L2 norm, whatever the attack's is.
        shuffled: The same shape: inputs plus the attack's own change, shuffled among equally bright pixels.
        labels: (n,), int64.
        predicted: (n,), int64: the class that the network gives each input.
        predicted_adversarial: The same, of the adversarial inputs.
        predicted_noise: The same, of the noisy inputs.
        predicted_l2noise: The same, of those whose noise is as large in the L2 norm.
        predicted_shuffled: The same, of those with the shuffled change.
        sizes: One row per input, in pixels, after clipping to [0, 1]: adversarial_linf, adversarial_l2, noise_linf,
            noise_l2, and so on for `l2noise` and `shuffled`.

    Example:
        >>> from torch import nn
        >>> from dnn_topology.analysis.adversarial.attacks import attack
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> made = attack(model, torch.full((3, 1, 2, 2), 0.5), torch.tensor([0, 1, 0]), method="fgsm", strength=0.0)
        >>> int(made.right.sum()) in range(4), bool(made.fooled.any()), bool((made.noise == made.inputs).all())
        (True, False, True)
    """

    method: str
    strength: float | None
    norm: str
    inputs: torch.Tensor
    adversarial: torch.Tensor
    noise: torch.Tensor
    l2noise: torch.Tensor
    shuffled: torch.Tensor
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    predicted_adversarial: NDArray[np.int64]
    predicted_noise: NDArray[np.int64]
    predicted_l2noise: NDArray[np.int64]
    predicted_shuffled: NDArray[np.int64]
    sizes: pd.DataFrame

    def __post_init__(self) -> None:
        shape, n = self.inputs.shape, len(self.inputs) if self.inputs.ndim else 0
        for name, value in vars(self).items():
            found = getattr(value, "shape", None)
            expected = shape if hasattr(value, "detach") else (n, *found[1:]) if name == "sizes" and found else (n,)
            if found and tuple(found) != tuple(expected):
                raise DnnTopologyError(f"{name} must be of shape {tuple(expected)} as inputs are, found {tuple(found)}")

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


def attacked_by(
    carry_out: CarryOut,
    classify: Callable[[torch.Tensor], torch.Tensor],
    pixels: torch.Tensor,
    labels: torch.Tensor,
    *,
    norm: str,
    place: tuple[torch.device, torch.dtype | None],
    batch_size: int,
) -> tuple[list[torch.Tensor], list[NDArray[np.int64]]]:
    """Attack pixels batch by batch, and make the controls.

    Args:
        carry_out: The attack.
        classify: The model on pixels: gives (n, n_classes).
        pixels: (n, channels, height, width), in [0, 1], on the CPU.
        labels: (n,), int64.
        norm: In which the attack is measured.
        place: Device and floating-point type of the model.
        batch_size: Inputs at a time.

    Returns:
        The changes of the pixels in the order of `CHANGES`; and the classes (n,) before, and after each of them.
    """
    home, dtype = place
    parts = [slice(start, start + batch_size) for start in range(0, len(pixels), batch_size)]
    changes, classes = [], []
    for part in parts:
        before, truth = pixels[part].to(home, dtype), labels[part].to(home)
        with failures_explained([before], {}):
            given = classify(before)
        _check_classes(given, truth)
        change = (carry_out(before, truth) - before).cpu().to(pixels.dtype)
        controls = [equal_noise(pixels[part], change, norm=one) for one in (norm, "l2")]
        changes.append((change, *controls, shuffled_change(pixels[part], change)))
        shifted = (pixels[part] + each for each in (torch.zeros_like(change), *changes[-1]))
        classes.append([classify(each.to(home, dtype)).argmax(dim=1).cpu() for each in shifted])
    together = [torch.cat(each) for each in zip(*changes, strict=True)]
    return together, [torch.cat(each).numpy() for each in zip(*classes, strict=True)]


def as_attacked(
    about: tuple[str, float | None, str],
    inputs: torch.Tensor,
    labels: torch.Tensor,
    made: tuple[Sequence[torch.Tensor], Sequence[NDArray[np.int64]]],
    scale: torch.Tensor,
) -> Attacked:
    """Return what `attacked_by` made of inputs.

    Args:
        about: The attack's name, strength and norm.
        inputs: As the network takes them.
        labels: (n,), int64.
        made: What it returned.
        scale: By what pixels were divided.
    """
    changes, classes = made
    given = inputs.cpu()
    adversarial, noise, l2noise, shuffled = (given + each / scale for each in changes)
    images = (given, adversarial, noise, l2noise, shuffled)
    before, after, noisy, l2noisy, dealt = classes
    return Attacked(*about, *images, labels.cpu().numpy(), before, after, noisy, l2noisy, dealt, _sizes(changes))


def check_images(inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Check that there are images and a label for each.

    Raises:
        DnnTopologyError: There are not.
    """
    if inputs.ndim != 4 or labels.shape != (len(inputs),) or not len(inputs):
        raise DnnTopologyError(
            "an attack takes images (n, channels, height, width) and labels (n,), n at least 1, found shapes "
            f"{tuple(inputs.shape)} and {tuple(labels.shape)}"
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


def _sizes(changes: Sequence[torch.Tensor]) -> pd.DataFrame:
    """Return both norms of all changes as a table."""
    import pandas as pd

    return pd.DataFrame(
        {
            f"{what}_{norm}": change_sizes(each, norm).numpy()
            for what, each in zip(CHANGES, changes, strict=True)
            for norm in ("linf", "l2")
        }
    )
