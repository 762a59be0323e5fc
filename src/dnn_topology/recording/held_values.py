"""What the attributes of modules hold, down through containers: noted before forward passes, and put back after them.

Whether a tensor was written to is told by its values: torch counts no version where normalisation updates its running
statistics, nor where a pass writes through `.data` or NumPy.
"""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

REFILLED = (list, dict, set, deque, OrderedDict, defaultdict, Counter)  # what modules keep things in
MOST_ITEMS = 100_000  # of one container, up to which what the items hold is kept too


class HeldValues:
    """The containers, tensors and arrays that are reached from some values, as they are now.

    Of parameters the memory alone is noted, without a copy of it, but where torch itself writes into them.

    Args:
        values: What attributes of modules hold.
        written: Parameters whose values are copied.
    """

    def __init__(self, values: Iterable[Any], written: Iterable[torch.Tensor]) -> None:
        copied = {id(each) for each in written}
        self._containers: list[tuple[Any, list[Any]]] = []
        self._tensors: list[_HeldTensor] = []
        self._arrays: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
        for each in _reached(values):
            if isinstance(each, torch.Tensor):
                if not (each.is_inference() or is_lazy(each)):
                    self._tensors.append(_HeldTensor(each, whole=not _is_parameter(each) or id(each) in copied))
            elif isinstance(each, np.ndarray):
                self._arrays.append((each, each.copy()))
            elif isinstance(each, REFILLED):
                self._containers.append((each, _items(each)))

    def put_back(self) -> None:
        """Make all of it what it was, as the same objects."""
        for container, before in self._containers:
            _refill(container, before)
        with torch.no_grad():
            for tensor in self._tensors:
                tensor.put_back()
        for array, values in self._arrays:
            if not np.array_equal(array, values):
                array[...] = values


def embedded(model: nn.Module) -> list[torch.Tensor]:
    """Return the parameters into which forward passes of torch's own modules write: embeddings of a largest norm."""
    embeddings = (each for each in model.modules() if isinstance(each, (nn.Embedding, nn.EmbeddingBag)))
    return [each.weight for each in embeddings if each.max_norm is not None]


class _HeldTensor:
    """A tensor, where its values lie, and, if they are kept, a copy of them."""

    def __init__(self, tensor: torch.Tensor, *, whole: bool) -> None:
        self.tensor, self.version = tensor, tensor._version
        self.memory = tensor.data if tensor.layout is torch.strided else tensor  # a sparse one's shares nothing
        self.place = _place(tensor)
        self.values = _once(self.memory).clone() if whole else None

    def put_back(self) -> None:
        """Give the tensor its memory back if it has another, and the memory its values."""
        if _place(self.tensor) != self.place:
            self.tensor.data = self.memory
        if self.values is not None and not self._holds(self.values):
            _once(self.memory).copy_(self.values)

    def _holds(self, before: torch.Tensor) -> bool:
        """Return whether the memory holds such values, by torch's count of writes where there is no comparing them."""
        now = _once(self.memory)
        try:
            return torch.equal(now, before) or bool(((now == before) | ((now != now) & (before != before))).all())
        except (RuntimeError, NotImplementedError, TypeError):
            return bool(self.tensor._version == self.version)


def _is_parameter(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is a parameter, and not a buffer that is a class of its own."""
    return isinstance(tensor, nn.Parameter)


def _place(tensor: torch.Tensor) -> tuple[Any, ...] | None:
    """Return where a tensor's values lie and in which form; None if it has no memory of its own, as sparse ones."""
    try:
        return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
    except (RuntimeError, NotImplementedError):
        return None


def _once(memory: torch.Tensor) -> torch.Tensor:
    """Return a view of a tensor in which repeated values (`expand`) are there once, since no others can be written."""
    if memory.layout is not torch.strided or memory.is_nested:
        return memory
    for axis, step in enumerate(memory.stride()):
        memory = memory.narrow(axis, 0, 1) if step == 0 and memory.shape[axis] > 1 else memory
    return memory


def _reached(values: Iterable[Any]) -> list[Any]:
    """Return the values that can be put back, each once, with those that containers among them hold."""
    reached: dict[int, Any] = {}
    waiting = [*values]
    while waiting:
        each = waiting.pop()
        if id(each) in reached:
            continue
        if isinstance(each, (*REFILLED, tuple)):
            reached[id(each)] = each
            if len(each) <= MOST_ITEMS:
                waiting.extend(each.values() if isinstance(each, dict) else each)
        elif isinstance(each, torch.Tensor) or _is_plain_array(each):
            reached[id(each)] = each
    return [*reached.values()]


def _is_plain_array(value: Any) -> bool:
    """Return whether a value is an array of numbers in memory that somebody can write into."""
    array = isinstance(value, np.ndarray) and not isinstance(value, np.memmap)
    return array and value.flags.writeable and not value.dtype.hasobject


def _kind(container: Any) -> Any:
    """Return which of the usual containers one is: a class made from one may do other things when it is filled."""
    return next(each for each in type(container).__mro__ if each in REFILLED)


def _items(container: Any) -> list[Any]:
    """Return what a container holds, in order; of a mapping, pairs."""
    kind = _kind(container)
    return [*kind.items(container)] if issubclass(kind, dict) else [*kind.__iter__(container)]


def _refill(container: Any, before: list[Any]) -> None:
    """Put what a container held back into it, where it holds something else now."""
    kind = _kind(container)
    if _are_same(_items(container), before, of_pairs=issubclass(kind, dict)):
        return
    kind.clear(container)
    if issubclass(kind, dict):
        kind.update(container, dict(before))
    elif kind is set:
        kind.update(container, before)
    else:
        kind.extend(container, before)


def _are_same(items: list[Any], before: list[Any], *, of_pairs: bool) -> bool:
    """Return whether items are the same objects in the same order, of pairs both."""
    if of_pairs:
        items, before = ([one for pair in each for one in pair] for each in (items, before))
    return len(items) == len(before) and all(map(operator.is_, items, before))
