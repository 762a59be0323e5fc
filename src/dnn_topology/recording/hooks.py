"""Hearing what layers return during a forward pass, through hooks that never stay behind."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.recording.folding import unfolded, untold
from dnn_topology.recording.function_calls import function_calls, hear
from dnn_topology.recording.layers import Layer
from dnn_topology.recording.probing import AFTER, CalledTensor
from dnn_topology.recording.signals import Nodes, identity, is_mapped, leaves, signals

MOST_NAMED = 6  # layers that a message names


@dataclass
class Tape:
    """What the hooked modules returned during one batch.

    Attributes:
        nodes: What is a neuron.
        by_default: Whether nobody named the layers, so that one that repeats another or is not called is passed over.
        output: The layer name of the model's own output.
        tensors: What is known of the tensors that the model returns, by layer name.
        certain: Whether that says where their samples lie.
        with_hooks: Whether the model runs with the user's own hooks alone.
        mask: Which tokens of the batch count.
        size: Number of samples of the batch.
        parts: Layer name and signals of each tensor, in the order of the calls.
        shapes: Layer name and the shape of its neurons: of a feature map (channels, rows, columns), else their number.
        times: How often each layer was called.
        called: The layers that were called in any batch.
        passed_over: Tensors without samples that stand beside others in what a layer returned.
        folded: Layers that folded another dimension into that of the samples in this batch.
        thread: The one that runs the batch, whose calls are heard.
        seen: The tensors recorded, by identity and version, as long as they live.
    """

    nodes: Nodes
    by_default: bool
    output: str
    tensors: Mapping[str, CalledTensor] = field(default_factory=dict)
    certain: bool = False
    with_hooks: bool = False
    mask: torch.Tensor | None = None
    size: int = 0
    parts: dict[str, torch.Tensor] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    called: set[str] = field(default_factory=set)
    passed_over: dict[str, None] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)
    thread: int | None = None
    seen: weakref.WeakValueDictionary[tuple[int, int], torch.Tensor] = field(
        default_factory=weakref.WeakValueDictionary
    )

    def start(self, size: int, mask: torch.Tensor | None) -> None:
        """Forget the last batch."""
        self.size, self.mask = size, mask
        self.parts.clear()
        self.times.clear()
        self.folded.clear()
        self.seen.clear()
        self.thread = threading.get_ident()

    def stop(self) -> None:
        """Hear nothing until the next batch: what makes the batches may run the model too."""
        self.thread = None

    def keep(self, name: str, layer: Layer, output: Any) -> None:
        """Write down what a layer returned.

        Raises:
            DnnTopologyError: As for `signals`; the layer does not return the tensor that it was named for; or a tensor
                has no dimension of samples, or tokens in place of channels.
        """
        if self.thread != threading.get_ident():
            return
        returned = dict(leaves(output))
        taken = {path: leaf for path, leaf in returned.items() if layer.takes(path)}
        if layer.path and not taken:
            known = [layer.module_name + path for path in returned]
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, [layer.module_name, *known])}")
        if not taken:
            raise DnnTopologyError(f"layer {name!r} {_unusable(output)}{self.leave_out(name)}")
        self.times[name] += 1
        label = layer.module_name + (f"@{self.times[name]}" if self.times[name] > 1 else "")
        if layer.by_glob:
            taken = {path: leaf for path, leaf in taken.items() if self._is_listed(label + path)}
        if self.by_default:
            taken = self._of_samples(label, taken)
            taken = {path: leaf for path, leaf in taken.items() if self.seen.get(identity(leaf)) is not leaf}
        self.seen.update({identity(leaf): leaf for leaf in taken.values()})
        self.called.add(name)
        for path, leaf in taken.items():
            samples = self._samples_first(label + path, leaf)
            kept = signals(samples, nodes=self.nodes, mask=self.mask, layer=label + path)
            about = self.tensors.get(label + path)
            is_map = self.nodes == "unit" and not (about is not None and (about.tokens or about.fold))
            self.parts[label + path] = kept
            self.shapes[label + path] = tuple(samples.shape[1:]) if is_map else tuple(kept.shape[1:])

    def _is_listed(self, label: str) -> bool:
        """Tell whether a tensor has samples, as far as the looks at the model show."""
        about = self.tensors.get(label)
        return about is None or about.axis is not None or bool(about.fold)

    def _of_samples(self, label: str, taken: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the tensors of a layer's output to record: those that hold samples, or all if none does."""
        about = {path: self.tensors.get(label + path) for path in taken}
        without = {path for path, each in about.items() if each is not None and (each.fixed or each.crossed)}
        kept = {path: leaf for path, leaf in taken.items() if path not in without}
        if not kept:
            return taken
        self.passed_over.update(dict.fromkeys(label + path for path in taken if path not in kept))
        return kept

    def leave_out(self, label: str) -> str:
        """Return the remedy for a layer that cannot be recorded: how to leave it out."""
        if not self.by_default:
            return "leave it out"
        unfit = {each.name for each in self.tensors.values() if not self._is_fit(each)}
        others = [
            each
            for each in self.tensors.values()
            if self._is_fit(each) and each.layer != label and (each.name not in unfit or each.path)
        ]
        # The model's output, else an activation, else any layer.
        others.sort(key=lambda each: (each.name != self.output, each.stage != AFTER))
        return f"name layers without it, such as layers=[{others[0].layer!r}]" if others else "leave it out"

    def _is_fit(self, tensor: CalledTensor) -> bool:
        """Tell whether a tensor could be recorded by its name, as far as the looks at the model show."""
        in_order = tensor.axis is not None and not tensor.reordered and "@" not in tensor.layer
        return in_order and not (self.nodes == "channel" and tensor.tokens)

    def check_called(self, layers: Mapping[str, Layer]) -> None:
        """Check that every layer that was named was called in this batch.

        Raises:
            DnnTopologyError: One was not.
        """
        idle = [name for name in layers if not self.times[name]]
        if idle and not self.by_default:
            fired = [name for name in dict.fromkeys(each.name for each in self.tensors.values()) if name != self.output]
            known = f"those that were are {', '.join(fired[:MOST_NAMED])}" + (", …" if len(fired) > MOST_NAMED else "")
            raise DnnTopologyError(
                f"layer {idle[0]!r} was not called in the forward pass: leave it out" + (f"; {known}" if fired else "")
            )

    def _samples_first(self, label: str, leaf: torch.Tensor) -> torch.Tensor:
        """Return a tensor with its dimension of samples first.

        Raises:
            DnnTopologyError: It has none, or has tokens where channels are asked for.
        """
        about = self.tensors.get(label)
        axis = about.axis if about is not None and self.certain else 0
        fold = about.fold if about is not None and self.certain and not len(leaf) % self.size else ""
        if about is not None and about.crossed:
            raise DnnTopologyError(
                f"layer {label!r} has the samples in two dimensions, {tuple(leaf.shape)}, as where each is compared "
                f"with each, and says nothing of single ones: {self.leave_out(label)}"
            )
        if not fold and (axis is None or leaf.ndim <= axis or leaf.shape[axis] != self.size):
            if axis is None and len(leaf) > self.size and not len(leaf) % self.size:
                raise DnnTopologyError(untold(label, self.leave_out(label)))
            raise DnnTopologyError(
                f"layer {label!r} returned {len(leaf)} rows for a batch of {self.size}: the first dimension of its "
                f"output must be the samples (in torch's sequence layers: batch_first=True); {self.leave_out(label)}"
            )
        if about is not None and about.reordered:
            raise DnnTopologyError(
                f"layer {label!r} has the samples in another order than the batch, as a model has that sorts them: "
                f"{self.leave_out(label)}, or let the model put them back in order before it"
            )
        if self.nodes == "channel" and about is not None and about.tokens:
            raise DnnTopologyError(
                f"layer {label!r} has tokens or places, not channels, in the dimension after the samples (output "
                f"{tuple(leaf.shape)}): use nodes='feature'"
            )
        if fold:
            self.folded.append(label)
            return unfolded(leaf, fold, self.size, self.nodes)
        return leaf.movedim(axis or 0, 0) if axis else leaf


def _unusable(output: Any) -> str:
    """Return what is wrong with the output of a layer in which nothing can be recorded, before the remedy."""
    if isinstance(output, torch.Tensor) and is_mapped(output):
        return "is called inside torch.vmap, which shows it one part of a whole: record what torch.vmap returns, or "
    said = "returned no floating-point tensor of samples"
    if not isinstance(output, torch.Tensor):
        return f"{said}: "
    return f"{said} (but {output.dtype}): " + ("let the model return its absolute value, or " * output.is_complex())


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
                    handles.append(hear(layer.module, keep(name, layer)))
            yield
        finally:
            for handle in handles:
                handle.remove()
