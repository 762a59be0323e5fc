"""An adaptive attack: projected gradient descent that fools the network and lowers a detector's score as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, check_fraction
from dnn_topology.analysis.adversarial.attacked import Attacked, as_attacked, attacked_by, check_images
from dnn_topology.analysis.adversarial.attacks import PGD_REACH, frozen
from dnn_topology.analysis.adversarial.differentiable import EVADABLE, Score, differentiable_score
from dnn_topology.analysis.adversarial.pixels import Normalised, Numbers, pixels_of, scaling
from dnn_topology.recording.restoring import borrowed, seeded

if TYPE_CHECKING:
    from dnn_topology.analysis.adversarial.detection import FittedDetectors

ADAPTIVE = {f"adaptive-{name}": name for name in EVADABLE}  # attack → the detector that it evades


@checked
def adaptive_attack(
    detectors: FittedDetectors,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    evade: str,
    strength: float = 0.1,
    data: Normalised | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    steps: int = 80,
    seed: int = 0,
    batch_size: int = 250,
    device: str | None = None,
) -> Attacked:
    """Change inputs so that a network fails on them and one of its detectors finds them less suspicious.

    In the first half of the steps inputs go up the gradient of the cross entropy, of the network's answer and of its
    answers to what the detector makes of the input (squeezed ones). In the second half only those do that do not fool
    the network, and the others go down the gradient of the detector's score. A step is 2.5 · strength over half of the
    steps. Of what fools the network on the way that with the lowest score is kept; of what never does, the last.

    Args:
        detectors: The network and its fitted detectors.
        inputs: (n, channels, height, width), float, as the network takes them.
        labels: (n,), int64: the right classes.
        evade: Which of the detectors: one of `EVADABLE`. Those of outputs and signals are differentiable, and those on
            trees almost everywhere: the gradient goes through the edges that a step's tree has, which takes a few
            milliseconds per input and step. Squeezing is not: its gradient passes the squeezers unchanged. The trees'
            controls ("heaviest", "layer-inputs") are not offered.
        strength: The largest change of a pixel, in [0, 1].
        data: The data set that the inputs come from, which knows how they were normalised.
        mean: Instead of `data`, what was subtracted from the pixels; 0.
        std: By what they were divided; 1.
        steps: How many.
        seed: Of the start and of the controls.
        batch_size: Inputs at a time.
        device: Where to run; by default where the model is.

    Returns:
        The attacked inputs; with strength 0 they are the inputs, bit by bit.

    Raises:
        DnnTopologyError: There is no such fitted detector, a number is out of range, or inputs and labels do not fit.

    Source:
        Selective gradients: Bryniarski et al., Evading adversarial example detection defenses with orthogonal projected
        gradient descent, ICLR 2022. Straight through what has no gradient: Athalye, Carlini and Wagner, ICML 2018.

    Example:
        >>> from dnn_topology.analysis.adversarial.detection import fit_detectors
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> ready = fit_detectors(model, torch.rand(30, 1, 2, 2), detectors=["squeezing"])
        >>> images = torch.full((3, 1, 2, 2), 0.5)
        >>> made = adaptive_attack(ready, images, torch.tensor([0, 1, 0]), evade="squeezing", strength=0.1, steps=3)
        >>> bool(made.sizes["adversarial_linf"].max() < 0.11)
        True
    """
    check_choice("evade", evade, EVADABLE)
    check_fraction("strength", strength)
    check_at_least("steps", steps, 1)
    check_at_least("batch_size", batch_size, 1)
    _check_fitted(evade, detectors)
    check_images(inputs, labels)
    offset, scale = scaling(inputs, data, mean, std)
    pixels, model = pixels_of(inputs, offset, scale), detectors.model
    with borrowed(model, device) as (home, dtype), seeded(seed, (), home), frozen(model):
        scaled = (offset.to(home, dtype), scale.to(home, dtype))
        score = differentiable_score(evade, detectors, scaled)

        def carry_out(before: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                return _evading(score, before, truth, strength=strength, steps=steps)

        def classify(shifted: torch.Tensor) -> torch.Tensor:
            return score(shifted)[0][0]

        place = (home, dtype)
        made = attacked_by(carry_out, classify, pixels, labels, norm="linf", place=place, batch_size=batch_size)
    return as_attacked((f"adaptive-{evade}", strength, "linf"), inputs, labels, made, scale)


def _check_fitted(name: str, detectors: FittedDetectors) -> None:
    """Check that a detector is there.

    Raises:
        DnnTopologyError: It is not.
    """
    if name not in detectors.detectors:
        raise DnnTopologyError(
            f"evade={name!r} is none of the fitted detectors ({', '.join(detectors.detectors)}): fit it too"
        )


def _evading(score: Score, pixels: torch.Tensor, labels: torch.Tensor, *, strength: float, steps: int) -> torch.Tensor:
    """Return the adversarial pixels of a batch."""
    first, cross_entropy = (steps + 1) // 2, nn.CrossEntropyLoss(reduction="none")
    moving = (pixels + strength * (2 * torch.rand_like(pixels) - 1)).clamp(0, 1)
    best, lowest = moving, torch.full(labels.shape, torch.inf, device=pixels.device, dtype=torch.float64)
    for number in range(steps + 1):
        moving = moving.detach().requires_grad_(True)
        answers, scores = score(moving)
        fooled = answers[0].argmax(dim=1) != labels
        better = (fooled & (scores.detach() < lowest)) | lowest.isinf()
        best = torch.where(better.view(-1, 1, 1, 1), moving.detach(), best)
        lowest = torch.where(better & fooled, scores.detach(), lowest)
        if number == steps:
            break
        wrong = torch.stack([cross_entropy(each, labels).double() for each in answers]).sum(dim=0)
        goal = wrong if number < first else torch.where(fooled, -scores, wrong)
        (gradient,) = torch.autograd.grad(goal.sum(), moving)
        gradient = torch.where(gradient.isfinite(), gradient, 0.0)
        moved = moving.detach() + PGD_REACH * strength / first * gradient.sign()
        moving = torch.minimum(torch.maximum(moved, pixels - strength), pixels + strength).clamp(0, 1)
    return best
