"""Training inputs and their classes, as someone gives them for the features of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.checks import real_array
from dnn_topology.graphs.graph_types import class_numbers
from dnn_topology.recording.classes import predicted_classes
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.layers import unwrapped
from dnn_topology.recording.restoring import borrowed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 250


def labelled(name: str, pair: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a pair of images (n_samples, …) and classes (n_samples,), tensors, arrays or lists, as tensors.

    Args:
        name: Of the argument, for messages.
        pair: The two.

    Raises:
        DnnTopologyError: They are no such pair.

    Example:
        >>> [part.dtype for part in labelled("inputs", ([[0.5], [1.0]], [0, 1]))]
        [torch.float64, torch.int64]
    """
    if len(pair) != 2 or len(pair[0]) != len(pair[1]) or not len(pair[0]):
        raise DnnTopologyError(
            f"{name} must be a pair, images (n_samples, …) and labels (n_samples,), found lengths "
            f"{[len(part) for part in pair]}"
        )
    images = pair[0] if isinstance(pair[0], torch.Tensor) else torch.as_tensor(real_array(f"{name}[0]", pair[0]))
    classes = class_numbers([real_array(f"{name}[1]", pair[1])])
    if images.ndim < 2:
        raise DnnTopologyError(f"images of {name} must be (n_samples, …), found the shape {tuple(images.shape)}")
    if classes.min() < 0:
        raise DnnTopologyError(f"labels of {name} must be classes from 0 on, found {classes.min()}: number them so")
    return images, torch.as_tensor(classes)


def predictions(model: nn.Module, images: torch.Tensor) -> NDArray[np.int64]:
    """Return the class (n_samples,) that a model predicts at each image, in eval mode; it is left as it was found.

    Raises:
        DnnTopologyError: It gives no classes, as `predicted_classes` reads them.
    """
    return predicted_classes(model, (images[start : start + BATCH] for start in range(0, len(images), BATCH)))


def check_logits(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Check that a model gives one number per class on such inputs.

    Raises:
        DnnTopologyError: It fails on them, gives something else, or has fewer classes than the labels.
    """
    inside = unwrapped(model)
    with borrowed(inside, None) as (home, dtype), torch.no_grad():
        some = images[:2].to(home, dtype)
        with failures_explained([some], {}):
            outputs = inside(some)
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or outputs.shape[1] <= int(labels.max()):
        found = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise DnnTopologyError(
            f"features of a network on its inputs need one number per class, (n_samples, {int(labels.max()) + 1}) or "
            f"more, and the model gives {found} of {len(some)} inputs: wrap it in a module that does, or give "
            "train_set= alone, for which predictions are enough"
        )
