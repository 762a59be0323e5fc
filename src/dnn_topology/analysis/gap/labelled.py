"""Training inputs and their classes, as someone gives them for the features of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.checks import real_array
from dnn_topology.graphs.graph_types import class_numbers
from dnn_topology.recording.classes import predicted_classes
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.inputs import as_tensor
from dnn_topology.recording.layers import unwrapped
from dnn_topology.recording.restoring import borrowed

if TYPE_CHECKING:
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
    wanted = f"{name} must be a pair, images (n_samples, …) and labels (n_samples,), found"
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        length = f" of {len(pair)}" if hasattr(pair, "__len__") else ""
        raise DnnTopologyError(f"{wanted} {type(pair).__name__}{length}: give (images, labels), each of all samples")
    images, numbers = _dense(f"{name}[0]", pair[0]), real_array(f"{name}[1]", pair[1])
    lengths = [len(part) if part.ndim else 0 for part in (images, numbers)]
    if lengths[0] != lengths[1] or not all(lengths):
        raise DnnTopologyError(f"{wanted} lengths {lengths}")
    classes = class_numbers([numbers])
    if images.ndim < 2 or not all(images.shape[1:]):
        raise DnnTopologyError(f"images of {name} must be (n_samples, …), found the shape {tuple(images.shape)}")
    if classes.min() < 0:
        raise DnnTopologyError(f"labels of {name} must be classes from 0 on, found {classes.min()}: number them so")
    return images, torch.as_tensor(classes)


def _dense(name: str, images: Any) -> torch.Tensor:
    """Return images, a tensor, an array or lists, as a tensor.

    Raises:
        DnnTopologyError: They are sparse, nested, quantised, without values, or no numbers.
    """
    if not isinstance(images, torch.Tensor):
        # Of arrays that must not be written to, as of data frames, torch warns.
        return as_tensor(np.require(real_array(name, images), requirements="W"))
    wrong = {
        "nested": (images.is_nested, "convert it, as by .to_padded_tensor(0)"),
        "quantised": (images.is_quantized, "convert it, as by .dequantize()"),
        "sparse": (images.layout != torch.strided, "convert it, as by .to_dense()"),
        "meta": (images.is_meta, "give its values"),
    }
    for kind, (is_one, remedy) in wrong.items():
        if is_one:
            raise DnnTopologyError(f"{name} must be a dense tensor with values, found a {kind} one: {remedy}")
    # numpy has no floating-point types of fewer bits than float16, nor bfloat16; float32 holds all of their numbers.
    known_to_numpy = not images.is_floating_point() or images.dtype in {torch.float16, torch.float32, torch.float64}
    return images.detach() if known_to_numpy else images.detach().float()


def predictions(model: nn.Module, images: torch.Tensor) -> NDArray[np.int64]:
    """Return the class (n_samples,) that a model predicts at each image, in eval mode; it is left as it was found.

    Raises:
        DnnTopologyError: It gives no classes, as `predicted_classes` reads them, or not one per image.
    """
    answers = predicted_classes(model, (images[start : start + BATCH] for start in range(0, len(images), BATCH)))
    if len(answers) != len(images):
        raise DnnTopologyError(
            f"the model gives {len(answers)} predictions of {len(images)} inputs: wrap it in a module that gives one "
            "of each"
        )
    return answers


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
