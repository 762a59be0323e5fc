"""Silencing neurons: their activations are zero while a block lasts, and no hook stays behind."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import pandas as pd
import torch
from torch import nn

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_choice, nearest, shown
from dnn_topology.recording.function_calls import function_calls, hear
from dnn_topology.recording.inputs import batch_size
from dnn_topology.recording.layers import check_samples_first, module_of, named, unwrapped
from dnn_topology.recording.restoring import uncompiled
from dnn_topology.recording.signals import NODES, Nodes, changed_leaves

CALL = re.compile(r"(.*?)@(\d+)(.*)")  # the second call of a module and what follows, in the name of a layer
SINGLE = "name those to silence, as (layer, index)"


@checked
@contextlib.contextmanager
def ablate(model: nn.Module, neurons: Iterable[Any], *, nodes: Nodes = "unit") -> Iterator[None]:
    """Set the activations of some neurons to zero wherever the model runs inside the block.

    What the layer returns is changed before anything else sees it, by a forward hook (or in place of the function that
    the layer is), so that training goes through it too. The model's weights, mode and own hooks stay as they are.
    Compiled modules run as they were written meanwhile.

    Args:
        model: Any module.
        neurons: Which: the neurons of a `Cavity`, rows of the table of a `Participation` or of `Activations.neurons`,
            or pairs (layer, index), the layers named as by `record`.
        nodes: What an index means: "unit", a place in the layer's flattened output; "channel", an entry of dimension
            1; "feature", one of the last dimension.

    Yields:
        Nothing.

    Raises:
        DnnTopologyError: There is no such layer or it was not called when the model ran; a layer has fewer neurons;
            a node is a group of neurons or of an unknown layer; the first dimension of a layer is not the samples.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> _ = nn.init.ones_(model[0].weight), nn.init.zeros_(model[0].bias)
        >>> with ablate(model, [("1", 0), ("1", 2)]):
        ...     model(torch.ones(1, 2)).tolist()
        [[0.0, 2.0, 0.0]]
    """
    check_choice("nodes", nodes, NODES)
    model = unwrapped(model)
    silenced = [_silenced(model, layer, indices, nodes) for layer, indices in _by_layer(neurons).items()]
    check_samples_first(model, [each.module_name for each in silenced if each.module is not None])
    functions = {each.label: each for each in silenced if each.module is None or each.path}
    began = [0]

    def begin(_: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        began[0] += 1
        for each in silenced:
            each.times, each.size = 0, _size(args, kwargs)

    def called(name: str, output: Any) -> Any:
        return functions[name].silenced(output, "") if name in functions else None

    with contextlib.ExitStack() as stack:
        stack.enter_context(uncompiled())
        stack.callback(nn.Module.register_forward_pre_hook(model, begin, with_kwargs=True).remove)
        if functions:
            stack.enter_context(function_calls(model, called))
        for each in silenced:
            if each.module is not None:
                stack.callback(hear(each.module, each.hook).remove)
        yield
    idle = [each.label for each in silenced if not each.was_called]
    if began[0] and idle:
        known = [name for name in named(model) if name != idle[0]]
        raise DnnTopologyError(
            f"layer {idle[0]!r} was not called when the model ran, so nothing was silenced: {nearest(idle[0], known)}"
        )


@dataclass(eq=False)
class _Silenced:
    """The neurons of one layer that are silent.

    Attributes:
        label: The name of the layer.
        module_name: The module that its name begins with, "" for none.
        module: That module; None where the name can only be a function's.
        call: Which call of it in a forward pass is meant, from 1.
        path: What follows in the name: which of the module's tensors, "" for a bare one, or a function.
        indices: (k,), int64.
        nodes: What an index means.
        times: How often it was called in this forward pass.
        size: Samples of the batch that the model is given; None if it does not show.
        was_called: Whether the call that is meant has come.
        thread: The one in which the block runs, whose calls count.
    """

    label: str
    module_name: str
    module: nn.Module | None
    call: int
    path: str
    indices: torch.Tensor
    nodes: Nodes
    times: int = 0
    size: int | None = None
    was_called: bool = False
    thread: int = field(default_factory=threading.get_ident)

    def hook(self, module: nn.Module, args: Any, output: Any) -> Any:  # noqa: ARG002  # the signature is torch's
        """Return what the module returns once its neurons are silent; None, for no change, in another call of it."""
        if self.thread != threading.get_ident():
            return None
        self.times += 1
        return self.silenced(output, self.path) if self.times == self.call else None

    def silenced(self, output: Any, path: str) -> Any:
        """Return an output in which the neurons of the tensor at a path are zero."""

        def change(place: str, leaf: torch.Tensor) -> torch.Tensor:
            if place != path:
                return leaf
            self.was_called = True
            return self._zeroed(leaf)

        return changed_leaves(output, change)

    def _zeroed(self, leaf: torch.Tensor) -> torch.Tensor:
        """Return a tensor (n_samples, …) in which the neurons are zero.

        Raises:
            DnnTopologyError: It has fewer neurons, or its rows are not the samples.
        """
        if self.size is not None and len(leaf) != self.size:
            raise DnnTopologyError(
                f"layer {self.label!r} returned {len(leaf)} rows for a batch of {self.size}: neurons are silenced in "
                "layers whose first dimension is the samples alone; name others"
            )
        axis = {"unit": 1, "channel": 1, "feature": -1}[self.nodes]
        flat = leaf.flatten(1) if self.nodes == "unit" and leaf.ndim > 1 else leaf[:, None] if leaf.ndim == 1 else leaf
        width, highest = flat.shape[axis], int(self.indices.max())
        if highest >= width:
            raise DnnTopologyError(
                f"layer {self.label!r} has {width} neurons with nodes={self.nodes!r}, found index {highest} of one to "
                "silence: name neurons of this model, with the nodes= that it was recorded with"
            )
        return flat.index_fill(axis, self.indices.to(leaf.device), 0).reshape(leaf.shape)


def _size(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
    """Return the number of samples that a model is given; None if no argument shows it."""
    try:
        return batch_size(args, kwargs)
    except DnnTopologyError:
        return None


def _by_layer(neurons: Iterable[Any]) -> dict[str, list[int]]:
    """Return layer → places of the neurons.

    Raises:
        DnnTopologyError: One is no neuron, or a group of them.
    """
    if isinstance(neurons, pd.DataFrame):
        if not {"layer", "index"} <= {*neurons.columns}:
            raise DnnTopologyError(f"neurons must have columns layer and index, found {', '.join(map(str, neurons))}")
        if _of_groups(neurons):
            raise DnnTopologyError(f"neurons must be single ones, found groups of them: {SINGLE}")
        neurons = zip(neurons["layer"], neurons["index"], strict=True)
    if getattr(neurons, "ndim", 1) == 0 or not isinstance(neurons, Iterable):
        raise DnnTopologyError(f"neurons must be several of them, found {shown(neurons)}: {SINGLE}")
    by_layer: dict[str, list[int]] = {}
    for neuron in neurons:
        layer, index = neuron if isinstance(neuron, tuple) and len(neuron) == 2 else (None, None)
        if layer is None:
            layer, index = getattr(neuron, "layer", None), getattr(neuron, "index", None)
        size = getattr(neuron, "size", 1)
        if (isinstance(size, int) and size > 1) or getattr(neuron, "group", None) is not None:
            raise DnnTopologyError(f"neurons must be single ones, found {neuron}: {SINGLE}")
        if not isinstance(layer, str) or not isinstance(index, Integral) or index < 0:
            raise DnnTopologyError(f"neurons must be of a cavity or pairs (layer, index), found {shown(neuron)}")
        by_layer.setdefault(layer, []).append(int(index))
    return by_layer


def _of_groups(neurons: pd.DataFrame) -> bool:
    """Return whether a node of a table stands for several neurons, or for a group."""
    if "group" in neurons:  # the table of a cavity
        return bool(neurons["group"].notna().any() or (neurons["size"] > 1).any())
    return "members" in neurons or "size" in neurons


def _silenced(model: nn.Module, label: str, indices: list[int], nodes: Nodes) -> _Silenced:
    """Return what is to be silenced in a layer.

    What follows the name of a module is a part of its output, or a function that it calls: both are listened to.
    """
    known, places = named(model), torch.tensor(sorted(set(indices)), device="cpu")
    matched = CALL.fullmatch(label)
    name, call, path = (matched[1], int(matched[2]), matched[3]) if matched else (module_of(known, label), 1, None)
    path = label[len(name) :] if path is None else path
    return _Silenced(label, name, known.get(name), call, path, places, nodes)
