"""A batch of any common form as the arguments of a model's forward pass."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from dnn_topology._checks import DnnTopologyError, shown

BATCH = 256  # samples of a bare tensor, array or data set that are passed at once
LABELS = {"label", "labels", "target", "targets", "y"}  # keys that are passed over where a model does not take them


def forward_arguments(
    batch: Any, device: torch.device | None, dtype: torch.dtype | None, model: nn.Module | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a batch as the arguments of the model's forward pass, in its precision and on its device.

    Args:
        batch: A tensor, an array, a mapping (keyword arguments), or a sequence: of as many inputs as the model's
            forward pass requires, or of one input or a sequence of inputs, with labels after it that are passed over.
        device: Where the inputs must be; None for where they are.
        dtype: The floating-point type that they must have; None for their own.
        model: Whose forward pass it is; by default one that takes a single input.

    Returns:
        Positional arguments, and keyword arguments.

    Raises:
        DnnTopologyError: The batch is none of these, or is not what the model takes.
    """
    put = partial(_ready, device=device, dtype=dtype)
    required, most = _positional(model)
    if model is not None:
        _check_several(batch, max(required, 1))
    sequence = isinstance(batch, Sequence) and not isinstance(batch, (str, bytes, PackedSequence))
    first = batch[0] if sequence and len(batch) else batch
    if isinstance(first, Mapping):
        return (), {str(key): put(item) for key, item in _accepted(first, model).items()}
    if required > 1 and is_input(first):
        inputs = batch if sequence else [batch]
        if len(inputs) < required:
            raise DnnTopologyError(
                f"{_called(model)} takes {required} inputs, and a batch holds {len(inputs)}: give tuples of all of them"
            )
        return tuple(put(item) for item in inputs[:required]), {}
    if isinstance(first, (tuple, list)) and not isinstance(first, PackedSequence) and first and is_input(first[0]):
        if len(first) > most:  # one argument that is a pair
            return (put(first),), {}
        return tuple(put(item) for item in first), {}
    if not is_input(first):
        raise DnnTopologyError(
            "a batch must be a tensor, an array, a mapping, or a sequence that starts with one, found "
            f"{type(batch).__name__}" + ("" if first is batch else f" that starts with {type(first).__name__}")
        )
    return (put(first),), {}


def _check_several(batch: Any, n_inputs: int) -> None:
    """Check that a batch is not a single sample: one has one label, where a batch has one for each of its samples.

    Raises:
        DnnTopologyError: It is one.
    """
    labels: Sequence[Any] = ()
    if isinstance(batch, Mapping):
        labels = [labels_of(batch)]
    elif isinstance(batch, (tuple, list)) and batch:
        grouped = isinstance(batch[0], (Mapping, tuple, list))
        labels = batch[n_inputs:] if is_input(batch[0]) else batch[1:] if grouped else ()
    for label in labels:
        if isinstance(label, (str, Number, np.generic)) or getattr(label, "ndim", 1) == 0:
            raise DnnTopologyError(
                f"a batch holds one label, {shown(label)}, beside its inputs, as a single sample does: pass "
                f"DataLoader(samples, batch_size={BATCH})"
            )


def _ready(item: Any, device: torch.device | None, dtype: torch.dtype | None) -> Any:
    """Return an argument with all tensors and arrays in it as tensors on a device, floating-point ones of a type.

    Raises:
        DnnTopologyError: A tensor is nested or has no values.
    """
    if isinstance(item, np.ndarray):
        item = as_tensor(item)
    if isinstance(item, torch.Tensor):
        if item.is_nested or item.is_meta:
            what, remedy = ("nested", "pad it") if item.is_nested else ("on the device 'meta'", "give its values")
            raise DnnTopologyError(f"a batch is a tensor {what}, which cannot be recorded: {remedy}")
        return item.to(device, dtype if item.is_floating_point() else None)
    if isinstance(item, PackedSequence):
        return PackedSequence(
            _ready(item.data, device, dtype), item.batch_sizes, *(_ready(each, device, None) for each in item[2:])
        )
    if type(item) in {tuple, list}:
        return type(item)(_ready(each, device, dtype) for each in item)
    return {key: _ready(value, device, dtype) for key, value in item.items()} if type(item) is dict else item


def batch_size(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Return the number of samples in a batch.

    Raises:
        DnnTopologyError: No argument is a tensor with a dimension for samples.
    """
    for item in itertools.chain(args, kwargs.values()):
        if isinstance(item, PackedSequence):
            return int(item.batch_sizes[0])
        if isinstance(item, torch.Tensor) and item.ndim:
            return len(item)
        if isinstance(item, (tuple, list)) and item and is_input(item[0]):
            return batch_size(item, {})
    raise DnnTopologyError("a batch holds no tensor with a first dimension of samples")


def labels_of(batch: Any) -> Any:
    """Return the labels that a batch has beside its inputs, or None: the second item of a pair, or by their name."""
    if isinstance(batch, Mapping):
        return next((value for key, value in batch.items() if str(key).lower() in LABELS), None)
    return batch[1] if isinstance(batch, tuple | list) and len(batch) > 1 else None


def rows_of(item: Any, rows: Sequence[int], size: int) -> Any:
    """Return some rows of a batch, in this order, wherever in it there are as many as the batch has samples.

    Args:
        item: Arguments of a forward pass, or anything in them.
        rows: Places within the batch.
        size: Number of its samples.

    Returns:
        The same with those rows; what has another length is left as it is.
    """
    if isinstance(item, torch.Tensor):
        return item[torch.as_tensor(rows, device=item.device)] if item.ndim and len(item) == size else item
    if isinstance(item, PackedSequence):
        values, lengths = pad_packed_sequence(item, batch_first=True)
        chosen = torch.as_tensor(rows)
        return pack_padded_sequence(values[chosen], lengths[chosen], batch_first=True, enforce_sorted=False)
    if isinstance(item, Mapping):
        return {key: rows_of(value, rows, size) for key, value in item.items()}
    if type(item) in {tuple, list}:
        return type(item)(rows_of(value, rows, size) for value in item)
    return item


def as_tensor(array: Any) -> torch.Tensor:
    """Return an array as a tensor.

    Raises:
        DnnTopologyError: Its values are of a type that torch does not have, or some are masked.
    """
    if np.ma.is_masked(array):
        raise DnnTopologyError(
            f"inputs are a masked array, of which {int(np.ma.getmaskarray(array).sum())} values are masked: fill them, "
            "as by .filled(0), or leave those samples out"
        )
    try:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))
    except TypeError as error:
        raise DnnTopologyError(
            f"inputs of the type {array.dtype} are no numbers that torch has: convert them, as by .astype('float32')"
        ) from error


def is_input(item: Any) -> bool:
    """Tell whether something is an input of a model by itself."""
    return isinstance(item, (torch.Tensor, np.ndarray, PackedSequence))


def _positional(model: nn.Module | None) -> tuple[int, float]:
    """Return how many positional arguments a model's forward pass requires, and how many it takes at most."""
    parameters = _parameters(model)
    if parameters is None:
        return 1, 1
    most = sum(1.0 for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD})
    required = sum(
        each.default is each.empty
        for each in parameters
        if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    )
    return required, float("inf") if any(each.kind is each.VAR_POSITIONAL for each in parameters) else most


def _parameters(model: nn.Module | None) -> list[inspect.Parameter] | None:
    """Return the parameters of a model's forward pass; None if they are not known."""
    try:
        return None if model is None else [*inspect.signature(model.forward).parameters.values()]
    except (TypeError, ValueError):
        return None


def _accepted(batch: Mapping[Any, Any], model: nn.Module | None) -> Mapping[Any, Any]:
    """Return the items of a batch that are arguments of the model, labels that are none being passed over.

    Raises:
        DnnTopologyError: Something else is no argument either.
    """
    parameters = _parameters(model)
    if parameters is None or any(each.kind is each.VAR_KEYWORD for each in parameters):
        return batch
    known = [each.name for each in parameters if each.kind not in {each.POSITIONAL_ONLY, each.VAR_POSITIONAL}]
    wrong = [key for key in batch if str(key) not in known and str(key).lower() not in LABELS]
    if wrong:
        raise DnnTopologyError(
            f"a batch has the key {str(wrong[0])!r}, which {_called(model)} does not take (it takes "
            f"{', '.join(known) or 'no names'}): rename it, leave it out, or pass the inputs alone"
        )
    return {key: item for key, item in batch.items() if str(key) in known}


def _called(model: nn.Module | None) -> str:
    """Return the name of a model's forward pass, for messages."""
    return f"{type(model).__name__}.forward"
