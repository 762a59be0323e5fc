"""How a network bears small changes of its training inputs, and how far these lie from where its answer changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from dnn_topology.analysis.feature_sets import LEAST_LOSS
from dnn_topology.recording.layers import unwrapped
from dnn_topology.recording.restoring import borrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

NOISE = 0.5  # standard deviation, in standard deviations of the inputs' numbers
SHIFT = 1 / 14  # of the side of an image
LOW = 0.1  # the quantile of margins beside the median
BATCH = 250


def perturbation_features(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    points: Mapping[str, NDArray[np.float64]],
    seed: int = 0,
) -> dict[str, float]:
    """Return the numbers of the set "perturbation", from training inputs and their given labels.

    Args:
        model: Gives logits or log-probabilities (n_samples, n_classes); taken in eval mode and left as it was found.
        images: (n_samples, channels, height, width), or another shape with samples first.
        labels: (n_samples,), the given classes.
        points: The same inputs in the "first" and the "last" hidden layer, as `representations` gives them.
        seed: Of the noise and of who is mixed with whom.

    Returns:
        * ``mixup_accuracy``, ``mixup_log_loss``: of the mean of two inputs of one class, which keep their label;
        * ``noise_accuracy``, ``noise_log_loss``: with Gaussian noise of half the standard deviation of the inputs;
        * ``shift_accuracy``, ``shift_log_loss``: moved by a fourteenth of the side, at least one place, in each
          direction, the edge repeated; losses are log(cross-entropy + 0.001);
        * ``margin_median``, ``margin_low`` (the tenth percentile): how far the given class's output lies above the
          next, over the length of its gradient in the inputs: to first order the distance to the boundary, negative
          where the answer is wrong, over the root mean square distance of inputs from their mean;
        * ``log_davies_bouldin_first``, ``…_last``: of classes in those layers, as in scikit-learn; NaN of one class.

    Source:
        Natekar and Sharma, Representation based complexity measures for predicting generalization in deep learning,
        arXiv:2012.02775 (mixup within a class, Davies–Bouldin, noise; best in the NeurIPS 2020 competition); Elsayed
        et al., Large margin deep networks for classification, NeurIPS 2018 (the margin to first order).

    Example:
        >>> images = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).repeat_interleave(20, dim=0)
        >>> labels = torch.arange(2).repeat_interleave(20)
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> model.weight = torch.nn.Parameter(torch.eye(2))  # the larger number's place is the answer
        >>> points = dict.fromkeys(["first", "last"], images.numpy() + np.linspace(0, 0.1, 40)[:, None])
        >>> features = perturbation_features(model, images, labels, points=points)
        >>> [round(features[name], 2) for name in ("mixup_accuracy", "noise_accuracy", "margin_median")]
        [1.0, 1.0, 1.0]
    """
    inside = unwrapped(model)
    rng = np.random.default_rng(seed)
    with borrowed(inside, None, gradients=True) as (home, dtype):
        given, truth = images.to(home, dtype), labels.to(home)
        changed = {
            "mixup": [_mixed(given, truth, rng)],
            "noise": [_noisy(given, rng)],
            "shift": _shifted(given),
        }
        features = {
            name: value
            for kind, versions in changed.items()
            for name, value in _answers(inside, versions, truth, kind).items()
        }
        margins = _margins(inside, given, truth)
    features |= {"margin_median": float(np.median(margins)), "margin_low": float(np.quantile(margins, LOW))}
    classes = labels.cpu().numpy()
    return features | {
        f"log_davies_bouldin_{place}": _davies_bouldin(points[place], classes) for place in ("first", "last")
    }


def _answers(model: nn.Module, versions: list[torch.Tensor], labels: torch.Tensor, kind: str) -> dict[str, float]:
    """Return the accuracy and the loss over versions of all inputs."""
    right = loss = 0.0
    with torch.no_grad():
        for version in versions:
            for start in range(0, len(version), BATCH):
                outputs, truth = model(version[start : start + BATCH]), labels[start : start + BATCH]
                right += float((outputs.argmax(dim=1) == truth).sum())
                loss += float(functional.cross_entropy(outputs, truth, reduction="sum"))
    n_answers = len(versions) * len(labels)
    return {f"{kind}_accuracy": right / n_answers, f"{kind}_log_loss": math.log(loss / n_answers + LEAST_LOSS)}


def _mixed(images: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return the mean of every input and another of its class."""
    classes = labels.cpu().numpy()
    partner = np.arange(len(classes))
    for one in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == one))
        partner[members] = np.roll(members, 1)
    return (images + images[torch.from_numpy(partner).to(images.device)]) / 2


def _noisy(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return inputs with noise."""
    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape))).to(images)
    return images + NOISE * images.std() * noise


def _shifted(images: torch.Tensor) -> list[torch.Tensor]:
    """Return inputs moved along each of their axes, in both directions; an axis of one place or of channels stays."""
    return [
        _moved(images, axis, direction * max(1, round(SHIFT * images.shape[axis])))
        for axis in range(min(2, images.ndim - 1), images.ndim)
        if images.shape[axis] > 1
        for direction in (-1, 1)
    ] or [images]


def _moved(images: torch.Tensor, axis: int, places: int) -> torch.Tensor:
    """Return inputs moved along an axis, the edge repeated."""
    length = images.shape[axis]
    taken = (torch.arange(length, device=images.device) - places).clamp(0, length - 1)
    return images.index_select(axis, taken)


def _margins(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> NDArray[np.float64]:
    """Return (n_samples,) the distances to the boundary to first order, over the spread of the inputs."""
    margins = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].detach().clone().requires_grad_()
        truth = labels[start : start + BATCH, None]
        outputs = model(part)
        above = outputs.gather(1, truth)[:, 0] - outputs.scatter(1, truth, -torch.inf).amax(dim=1)
        slopes = torch.autograd.grad(above.sum(), part, allow_unused=True)[0] if above.requires_grad else None
        # Outputs that do not depend on the inputs have no slopes.
        steep = part.new_zeros(len(part)) if slopes is None else slopes.flatten(1).norm(dim=1)
        margins.append((above / steep.clamp_min(1e-12)).detach().where(steep > 0, 0.0).cpu())
    centred = (images - images.mean(dim=0)).flatten(1)
    size = float(centred.square().sum(dim=1).mean().sqrt())
    return np.asarray(torch.cat(margins), dtype=np.float64) / (size or 1.0)


def _davies_bouldin(points: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return the logarithm of the index, NaN where it is not defined."""
    from sklearn.metrics import davies_bouldin_score

    if not 1 < len(np.unique(labels)) < len(labels) or not np.isfinite(points).all():
        return float("nan")
    index = float(davies_bouldin_score(points, labels))
    return math.log(index) if index > 0 else float("nan")
