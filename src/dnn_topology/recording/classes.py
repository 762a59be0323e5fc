"""Classes of inputs: the labels that come with batches, and those that a model predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.batches import as_batches
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.inputs import LABELS, forward_arguments
from dnn_topology.recording.restoring import borrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.utils.data import Dataset


def predicted_classes(
    model: nn.Module, batches: Iterable[Any] | Dataset[Any], *, device: torch.device | str | None = None
) -> NDArray[np.int64]:
    """Return the class that a model predicts at every input.

    The model runs in eval mode and without gradients, and is left as it was found.

    Args:
        model: Gives logits or probabilities (batch, n_classes), or (batch,) or (batch, 1) logits of class 1; as they
            are, as the first of several outputs, or as `logits` of a mapping or a dataclass.
        batches: As for `record`.
        device: Where to run; by default where the model is.

    Returns:
        (n_inputs,), int64.

    Raises:
        DnnTopologyError: There is no input, or the model gives something else.

    Example:
        >>> predicted_classes(nn.Identity(), torch.tensor([[0.1, 0.9], [0.8, 0.2]])).tolist()
        [1, 0]
    """
    classes = []
    with borrowed(model, device) as (place, dtype):
        for batch in as_batches(batches):
            args, kwargs = forward_arguments(batch, place, dtype, model)
            with failures_explained(args, kwargs):
                outputs = model(*args, **kwargs)
            classes.append(_classes(outputs))
    if not classes:
        raise DnnTopologyError("there is no input to predict at: `batches` is empty")
    return np.concatenate(classes)


def inputs_and_labels(batches: Sequence[Any]) -> tuple[Any, NDArray[np.int64] | None]:
    """Return the inputs of batches, and the labels that come with them, or None where none do.

    Args:
        batches: Pairs of inputs and labels, or mappings with a key such as "labels".

    Returns:
        The inputs, (n_inputs, ...), in one tensor, or a list of those of every batch where they are several tensors (of
        a mapping: all of it but the labels) or of unlike shapes; and (n_inputs,) labels.

    Example:
        >>> inputs_and_labels([(torch.zeros(2, 3), torch.tensor([0, 1]))])[1].tolist()
        [0, 1]
    """
    inputs, labels = [], []
    for batch in batches:
        if isinstance(batch, Mapping):
            keys = [key for key in batch if str(key).lower() in LABELS]
            inputs.append({key: value for key, value in batch.items() if key not in keys})
            labels += [batch[key] for key in keys[:1]]
        elif isinstance(batch, (tuple, list)) and len(batch) == 2:
            inputs.append(batch[0])
            labels.append(batch[1])
        else:
            inputs.append(batch)
    joined = _joined(inputs)
    if len(labels) < len(inputs):
        return joined, None
    return joined, np.concatenate([np.asarray(torch.as_tensor(part).cpu()).reshape(-1) for part in labels])


def _joined(inputs: list[Any]) -> Any:
    """Return the inputs of batches in one tensor, where they go into one."""
    arrays = all(isinstance(part, (torch.Tensor, np.ndarray)) and part.ndim for part in inputs)
    if not arrays or len({tuple(part.shape[1:]) for part in inputs}) != 1:
        return inputs
    return torch.cat([torch.as_tensor(part).cpu() for part in inputs])


def _classes(output: Any) -> NDArray[np.int64]:
    """Return the classes in the output of one batch.

    Raises:
        DnnTopologyError: It holds no logits.
    """
    logits: Any = getattr(
        output, "logits", output["logits"] if isinstance(output, Mapping) and "logits" in output else output
    )
    logits = logits[0] if isinstance(logits, (tuple, list)) and logits else logits
    if fault := _fault(logits):
        raise DnnTopologyError(
            f"predictions need logits, (batch, n_classes), and the model gives {fault}: wrap it in a module that does"
        )
    if bool(logits.isnan().any()):
        raise DnnTopologyError(
            f"the model gives NaN at {int(logits.isnan().reshape(len(logits), -1).any(dim=1).sum())} of {len(logits)} "
            "inputs of a batch, and so no class: leave such inputs out, or look at its weights"
        )
    if logits.ndim == 1 or logits.shape[1] == 1:
        classes = (logits.reshape(-1) > 0).long()
    else:
        classes = (logits.byte() if logits.dtype is torch.bool else logits).argmax(dim=1)
    return np.asarray(classes.cpu(), dtype=np.int64)


def _fault(logits: Any) -> str:
    """Return what an output is that is no logits, or an empty text."""
    if not isinstance(logits, torch.Tensor):
        return type(logits).__name__
    if logits.ndim not in {1, 2} or not all(logits.shape[1:]):
        return f"shape {tuple(logits.shape)}"
    if logits.layout != torch.strided or logits.is_complex():
        return "complex numbers" if logits.is_complex() else "sparse ones"
    if logits.ndim == 1 and not logits.is_floating_point() and bool((logits > 1).any()):
        return f"one whole number per input, up to {int(logits.max())}, which is no logit"
    return ""
