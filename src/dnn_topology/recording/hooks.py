"""Hearing what layers return during a forward pass, through hooks that never stay behind."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.recording.function_calls import function_calls
from dnn_topology.recording.layers import Layer
from dnn_topology.recording.signals import Nodes, leaves, signals


@dataclass
class Tape:
    """What the hooked modules returned during one batch.

    Attributes:
        nodes: What is a neuron.
        by_default: Whether nobody named the layers, so that one that repeats another or is not called is passed over.
        mask: Which tokens of the batch count.
        calls: Layer name and signals of each tensor that it returned, by path, in the order of the calls.
        seen: The tensors recorded, by identity and version, as long as they live.
    """

    nodes: Nodes
    by_default: bool
    mask: torch.Tensor | None = None
    calls: list[tuple[str, dict[str, torch.Tensor]]] = field(default_factory=list)
    seen: weakref.WeakValueDictionary[tuple[int, int], torch.Tensor] = field(
        default_factory=weakref.WeakValueDictionary
    )

    def start(self, mask: torch.Tensor | None) -> None:
        """Forget the last batch."""
        self.mask = mask
        self.calls.clear()
        self.seen.clear()

    def keep(self, name: str, layer: Layer, output: Any) -> None:
        """Write down what a layer returned.

        Raises:
            DnnTopologyError: As for `signals`; or the layer does not return the tensor that it was named for.
        """
        found = dict(leaves(output))
        taken = {path: leaf for path, leaf in found.items() if layer.takes(path)}
        if layer.path and not taken:
            known = [layer.module_name + path for path in found]
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, [layer.module_name, *known])}")
        if not taken:
            raise DnnTopologyError(f"layer {name!r} returned no floating-point tensor of samples: leave it out")
        if self.by_default:
            taken = {path: leaf for path, leaf in taken.items() if self.seen.get(_identity(leaf)) is not leaf}
        self.seen.update({_identity(leaf): leaf for leaf in taken.values()})
        self.calls.append(
            (name, {path: signals(leaf, nodes=self.nodes, mask=self.mask, layer=name) for path, leaf in taken.items()})
        )

    def by_layer(self, layers: Mapping[str, Layer], size: int) -> dict[str, torch.Tensor]:
        """Return the signals of the batch by layer name, in the order of the calls.

        Raises:
            DnnTopologyError: A layer that was named was not called, or one returned no first dimension of samples.
        """
        found: dict[str, torch.Tensor] = {}
        times = dict.fromkeys(layers, 0)
        for name, parts in self.calls:
            times[name] += 1
            label = layers[name].module_name + (f"@{times[name]}" if times[name] > 1 else "")
            for path, part in parts.items():
                if len(part) != size:
                    raise DnnTopologyError(
                        f"layer {label + path!r} returned {len(part)} rows for a batch of {size}: the first dimension "
                        "of its output must be the samples; leave it out"
                    )
                found[label + path] = part
        idle = [name for name, count in times.items() if not count]
        if idle and not self.by_default:
            raise DnnTopologyError(f"layer {idle[0]!r} was not called in the forward pass: leave it out")
        return found


@contextlib.contextmanager
def hooked(model: nn.Module, layers: Mapping[str, Layer], tape: Tape) -> Iterator[None]:
    """Let the tape keep every call of the layers; no hook stays behind."""
    handles = []
    functions = {name for name, layer in layers.items() if layer.module is None}

    def called(name: str, output: Any) -> None:
        if name in functions:
            tape.keep(name, layers[name], output)

    def keep(name: str, layer: Layer) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001  # the signature is torch's
            with paused():
                tape.keep(name, layer, output)

        return hook

    with function_calls(model, called) if functions else contextlib.nullcontext(contextlib.nullcontext) as paused:
        try:
            for name, layer in layers.items():
                if layer.module is not None:
                    handles.append(layer.module.register_forward_hook(keep(name, layer)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def _identity(tensor: torch.Tensor) -> tuple[int, int]:
    """Return what stays the same until a tensor is changed in place, as a following in-place ReLU does."""
    return id(tensor), 0 if tensor.is_inference() else tensor._version
