"""What a model calls, found by running it on a few samples: names, shapes, which dimension is the samples."""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dnn_topology.recording.function_calls import function_calls, hear
from dnn_topology.recording.inputs import batch_size, rows_of
from dnn_topology.recording.layers import (
    ACTIVATION_FUNCTIONS,
    heard_modules,
    is_activation,
    is_leaf,
    is_weighted,
    output_name,
)
from dnn_topology.recording.random_states import preserved
from dnn_topology.recording.signals import identity, leaves

AFTER, BEFORE, OTHER = "after activation", "before activation", "other"
FUNCTION = "function"


@dataclass(frozen=True)
class CalledTensor:
    """A tensor that a module or function returned.

    Attributes:
        layer: Its name: of the module or function, from the second call on with "@2", …, and its path in the output.
        name: Of the module or function.
        path: Within the output; "" for a bare tensor.
        kind: The class of the module, or "function".
        size: Its shape, with as many samples as the model was run on.
        axis: The dimension of the samples; None if there is none.
        stage: "after activation" or "before activation" if an activation or a layer of weights made it, else "other".
        tokens: Whether its last dimension, not the first after the samples, is what a layer of weights mixes.
        activation: Whether the call is of an activation, which is no part of another one.
    """

    layer: str
    name: str
    path: str
    kind: str
    size: tuple[int, ...]
    axis: int | None
    stage: str
    tokens: bool
    activation: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        axis = self.axis or 0
        return self.size[:axis] + self.size[axis + 1 :]


@dataclass(frozen=True)
class Probe:
    """What a model calls.

    Attributes:
        tensors: In the order of the calls.
        certain: Whether two numbers of samples were tried, which tell where the samples lie.
    """

    tensors: tuple[CalledTensor, ...]
    certain: bool

    @property
    def of_samples(self) -> list[CalledTensor]:
        """The tensors that have a dimension of samples."""
        return [tensor for tensor in self.tensors if tensor.axis is not None]


def probe(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], device: torch.device) -> Probe:
    """Run a borrowed model on two and on three samples of a batch: the dimension that follows is the samples.

    Random states, buffers and the modules' attributes are left as they were, and hooks of the user's are not called. A
    model that takes no other number of samples than it was given is run on the whole batch.

    Args:
        model: A borrowed model.
        args: Positional arguments of its forward pass.
        kwargs: Keyword arguments of its forward pass.
        device: Where it runs.

    Returns:
        What it calls.
    """
    size = batch_size(args, kwargs)
    rows = ([place % size for place in range(n_rows)] for n_rows in (2, 3))
    try:
        two, three = (
            _calls(model, rows_of(tuple(args), some, size), rows_of(dict(kwargs), some, size), device) for some in rows
        )
    except Exception:  # whatever a model says of a number of samples that it does not take
        whole = _calls(model, args, kwargs, device)
        return Probe(tuple(_with_axis(each, 0 if each.size[0] == size else None) for each in whole), certain=False)
    larger = {tensor.layer: tensor.size for tensor in three}
    return Probe(
        tuple(_with_axis(each, _sample_axis(each.size, larger.get(each.layer, ()))) for each in two), certain=True
    )


def _sample_axis(two: tuple[int, ...], three: tuple[int, ...]) -> int | None:
    """Return the dimension of the samples, from the shapes of a tensor for two and for three samples."""
    if len(two) != len(three):
        return None
    axes = [axis for axis, pair in enumerate(zip(two, three, strict=True)) if pair == (2, 3)]
    return axes[0] if axes and (axes[0] == 0 or len(axes) == 1) else None


def _with_axis(tensor: CalledTensor, axis: int | None) -> CalledTensor:
    """Return a tensor whose dimension of samples is known."""
    return CalledTensor(**{**vars(tensor), "axis": axis})


def _calls(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], device: torch.device
) -> list[CalledTensor]:
    """Run a model once and return every tensor that it computes."""
    log = _Log(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(preserved((model,), device))
        stack.enter_context(_unchanged(model))
        paused = stack.enter_context(function_calls(model, log.function))
        for name, module in [*list(heard_modules(model))[1:], (output_name(model), model)]:
            stack.callback(hear(module, log.module_hook(name, paused)).remove)
        model(*args, **kwargs)
    return log.tensors


class _Log:
    """Writes down the calls of one forward pass."""

    def __init__(self, model: nn.Module) -> None:
        self.tensors: list[CalledTensor] = []
        self._times: Counter[str] = Counter()
        self._activations = {name for name, module in heard_modules(model) if is_leaf(module) and is_activation(module)}
        self._last_dimension_mixed: dict[tuple[int, ...], bool] = {}
        self._stages: dict[tuple[int, int], str] = {}
        self._alive: weakref.WeakValueDictionary[tuple[int, int], torch.Tensor] = weakref.WeakValueDictionary()

    def module_hook(self, name: str, paused: Any) -> Any:
        def heard(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001  # the signature is torch's
            with paused():
                stage = None
                if is_leaf(module):
                    self._note_layout(module, output)
                    active = is_activation(module) or isinstance(module, nn.RNNBase)
                    stage = AFTER if active else BEFORE if is_weighted(module) else None
                self._take(name, output, type(module).__name__, stage, activation=stage == AFTER)

        return heard

    def function(self, name: str, output: Any) -> None:
        owner, _, called = name.rpartition(".")
        active = called.rstrip("_0123456789") in ACTIVATION_FUNCTIONS or called in ACTIVATION_FUNCTIONS
        inside = any(owner == each or owner.startswith(f"{each}.") for each in self._activations)
        self._take(name, output, FUNCTION, AFTER if active else None, activation=active and not inside)

    def _take(self, name: str, output: Any, kind: str, stage: str | None, *, activation: bool) -> None:
        self._times[name] += 1
        label = name if self._times[name] == 1 else f"{name}@{self._times[name]}"
        for path, leaf in leaves(output):
            key = identity(leaf)
            if stage is not None:
                self._stages[key] = stage
                self._alive[key] = leaf
            known = self._stages[key] if self._alive.get(key) is leaf else OTHER
            size = tuple(leaf.shape)
            tokens = leaf.ndim > 2 and self._last_dimension_mixed.get(size, False)
            self.tensors.append(CalledTensor(label + path, name, path, kind, size, None, known, tokens, activation))

    def _note_layout(self, module: nn.Module, output: Any) -> None:
        """Remember of a shape whether the last layer that returned it mixes the last dimension, as Linear does."""
        scripted = isinstance(module, torch.jit.ScriptModule)
        weight = None if scripted else module._parameters.get("weight")
        for _, leaf in leaves(output):
            size = tuple(leaf.shape)
            if isinstance(module, (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)):
                self._last_dimension_mixed[size] = False
            elif isinstance(module, nn.RNNBase) or (weight is not None and weight.ndim == 2):
                self._last_dimension_mixed[size] = weight is None or size[-1] in weight.shape
            elif hasattr(module, "normalized_shape") or type(module).__name__.endswith(("LayerNorm", "RMSNorm")):
                self._last_dimension_mixed[size] = weight is None or size[-1] == weight.shape[-1]


@contextlib.contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Put every attribute and buffer of a model back as it was, and call no hook of the user's meanwhile."""
    modules = [module for _, module in heard_modules(model) if not isinstance(module, torch.jit.ScriptModule)]
    attributes = [(module, dict(module.__dict__), dict(module._buffers)) for module in modules]
    values = [(buffer, buffer.clone()) for buffer in model.buffers() if not buffer.is_inference()]
    versions = [buffer._version for buffer, _ in values]
    for module in modules:
        module.__dict__["_forward_hooks"] = OrderedDict()
    try:
        yield
    finally:
        for module, kept, buffers in attributes:
            for added in module.__dict__.keys() - kept.keys():
                del module.__dict__[added]
            module.__dict__.update(kept)
            module._buffers.clear()
            module._buffers.update(buffers)
        for (buffer, before), version in zip(values, versions, strict=True):
            if buffer._version != version:
                buffer.copy_(before)
