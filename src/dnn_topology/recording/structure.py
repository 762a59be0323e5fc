"""The structural graph: how strongly the weights of a network connect its recorded neurons.

The rule that says which neurons lie at the ends of a layer's weights:

* A *tracked* tensor is the output of a recorded layer, or of a Linear or convolution layer. Which tracked tensors
  another one is made of is read off autograd's record of a forward pass, so branches and skips are followed as
  they are.
* On its way from one tracked tensor to the next a unit keeps its place: non-linearities, normalisation, dropout and
  reshaping pass it on, and concatenation shifts its channel. Where it is pooled, sliced, padded or turned, its place
  is the one that the operation gives it, with its own kernel, stride, padding, dilation and rounding: a unit of a
  pooled map stands for the mean of its window, whether the mean or the maximum is taken.
* Two recorded neurons are connected by the sum, over the paths from one to the other that meet no recorded neuron in
  between, of the product of |weight| along the path. A path without weights (a skip) counts as a weight of 1.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import block_array, csr_array, eye_array, kron
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.inputs import forward_arguments
from dnn_topology.recording.layers import check_names, heard_modules, unwrapped
from dnn_topology.recording.listing import default_names, meant_layers
from dnn_topology.recording.probing import probe
from dnn_topology.recording.restoring import borrowed
from dnn_topology.recording.signals import Nodes
from dnn_topology.recording.ways import RESHAPES, Way, dimension, shape_after, way
from dnn_topology.recording.weights import LINEAR, channel_matrix, weight_matrix

if TYPE_CHECKING:
    Matrix = csr_array[Any, Any]

# Autograd's names for products of which a unit's way is not known; those of tracked layers are never met.
PRODUCTS = ("Convolution", "Addmm", "Mm", "Bmm", "Baddbmm", "ScaledDotProduct", "Trilinear", "MkldnnRnn")


def structural_graph(
    model: nn.Module, inputs: torch.Tensor, *, layers: Sequence[str] | None = None, nodes: Nodes = "unit"
) -> Matrix:
    """Return how strongly a network's weights connect every two of its recorded neurons; see the module for the rule.

    Args:
        model: Any module whose recorded layers and weight layers are each called once and give one tensor.
        inputs: (n, …), float, n at least 1. Only the first counts, and of it only its way through the network.
        layers: As for `record`.
        nodes: As for `record`. With "channel", a convolution connects two channels by the sum of |weight| over the
            kernel.

    Returns:
        (n_neurons, n_neurons), float64, symmetric, not negative, in the order of `record`'s neurons. Memory is that
        of its entries and of one weight matrix; many layers between two recorded ones make many entries.

    Raises:
        DnnTopologyError: A layer is missing, called more than once, or gives no single tensor; or units take a way
            that the rule does not speak of, such as attention.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> _ = nn.init.constant_(model[2].weight, -0.5)
        >>> structural_graph(model, torch.zeros(1, 4)).toarray().tolist()
        [[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.5, 0.5, 0.0]]
    """
    if nodes not in {"unit", "channel"}:
        raise DnnTopologyError(f"weights join nodes that are a 'unit' or a 'channel', found nodes={nodes!r}")
    model = unwrapped(model)
    with borrowed(model, None, gradients=True) as (home, dtype):
        args, kwargs = forward_arguments(inputs[:1], home, dtype, model)
        with failures_explained(args, kwargs):
            called = probe(model, args, kwargs, home)
        names = default_names(model, nodes, called) if layers is None else check_names(layers)
        recorded: dict[str, nn.Module] = {}
        for name, layer in meant_layers(model, names, called).items():
            if layer.path or layer.module is None:
                what = "one of several tensors" if layer.path else "a function, no module"
                raise DnnTopologyError(f"layer {name!r} is {what}: leave it out of the structural graph")
            recorded[name] = layer.module
        weighted = {name: module for name, module in heard_modules(model) if isinstance(module, LINEAR)}
        with _tracked({**weighted, **recorded}) as calls:
            model(args[0].detach().clone().requires_grad_())
    return _connected(calls, recorded=recorded, weighted=weighted, nodes=nodes)


@dataclass(frozen=True, eq=False)
class _Call:
    """One tracked tensor, and the input of its layer: shapes without the batch, and autograd's nodes.

    Attributes:
        shape: Of the tensor.
        mark: The node that made it, which nothing else has.
        input_shape: Of the layer's input.
        input_node: The node that made the input, or None for the network's own input.
    """

    shape: tuple[int, ...]
    mark: Any
    input_shape: tuple[int, ...]
    input_node: Any


@contextlib.contextmanager
def _tracked(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, _Call]]:
    """Keep the calls of some modules, in order.

    Yields:
        Name → its call, filled as the model runs.
    """
    calls: dict[str, _Call] = {}
    handles = []

    def keeper(name: str) -> Any:
        def keep(module: nn.Module, args: Any, output: Any) -> torch.Tensor:  # noqa: ARG001  # the signature is torch's
            if name in calls:
                raise DnnTopologyError(f"layer {name!r} is called more than once, so its neurons have no one place")
            if not isinstance(output, torch.Tensor):
                raise DnnTopologyError(f"layer {name!r} gives no single tensor: leave it out of the structural graph")
            given = args[0] if args and isinstance(args[0], torch.Tensor) else output
            # A copy has a node of its own in autograd's record, even where a container returns its last layer's output.
            copy = output.clone()
            calls[name] = _Call(tuple(output.shape[1:]), copy.grad_fn, tuple(given.shape[1:]), given.grad_fn)
            return copy

        return keep

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(keeper(name)))
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _connected(
    calls: Mapping[str, _Call], *, recorded: Mapping[str, Any], weighted: Mapping[str, nn.Module], nodes: Nodes
) -> Matrix:
    """Sum the paths between recorded layers, tensor by tensor in the order of the forward pass.

    Raises:
        DnnTopologyError: A recorded layer was not called, or a unit's way is not known.
    """
    idle = [name for name in recorded if name not in calls]
    if idle:
        raise DnnTopologyError(f"layer {idle[0]!r} was not called in the forward pass: leave it out")
    names = [name for name in calls if name in recorded]
    sizes = {name: _n_nodes(calls[name].shape, nodes) for name in names}
    blocks: dict[str, dict[str, Matrix]] = {a: {b: csr_array((sizes[a], sizes[b])) for b in names} for a in names}
    walk = _Walk(calls)
    ending: dict[str, dict[str, Matrix]] = {}  # tensor → recorded layer → strength of the paths that end in the tensor

    def ending_in(tensor: str) -> dict[str, Matrix]:
        """Return the strengths of the paths that end in a tensor, those of a moved one by those of its sources."""
        if tensor not in ending:
            sources, moved = walk.moved[tensor]
            matrix = moved.matrix(channels=nodes == "channel")
            ending[tensor] = {origin: matrix @ strength for origin, strength in joined(sources, moved.before).items()}
        return ending[tensor]

    def joined(sources: _Sources, shape: tuple[int, ...]) -> dict[str, Matrix]:
        """Return the strengths of the paths that end in a tensor which is made of others without weights."""
        strengths: dict[str, Matrix] = {}
        for source, shift in sorted(sources.places):
            passing = carried(walk.shape(source), shape, shift=shift, channels=sources.width, nodes=nodes)
            for origin, strength in ending_in(source).items():
                passed = passing @ strength
                strengths[origin] = passed + strengths[origin] if origin in strengths else passed
        return strengths

    for name, call in calls.items():
        layer = weighted.get(name)
        shape = call.shape if layer is None else call.input_shape
        strengths = joined(walk.before(call) if layer is None else walk.sources(call.input_node), shape)
        if layer is not None:
            weights = _strengths(layer, shape, nodes)
            strengths = {origin: weights @ strength for origin, strength in strengths.items()}
        if name in recorded:
            blocks[name].update(strengths)
            strengths = {name: csr_array(eye_array(sizes[name]))}
        ending[name] = strengths
    lower = block_array([[blocks[a][b] for b in names] for a in names], format="csr").astype(np.float64)
    return csr_array(lower + lower.T)


class _Sources(NamedTuple):
    """The tensors that a tensor is made of, each with the channel where it starts; and its own channels."""

    places: frozenset[tuple[str, int]]
    width: int | None


class _Walk:
    """Walks autograd's record back from a tensor to the nearest tracked ones, or ones whose units were moved.

    Args:
        calls: The tracked tensors.

    Attributes:
        moved: Name → of what a tensor is made whose units were moved, and how.
    """

    def __init__(self, calls: Mapping[str, _Call]) -> None:
        self._calls = calls
        self._seen = {
            call.mark: _Sources(frozenset({(name, 0)}), call.shape[0] if call.shape else None)
            for name, call in calls.items()
        }
        self.moved: dict[str, tuple[_Sources, Way]] = {}

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a tracked or moved tensor."""
        return self._calls[tensor].shape if tensor in self._calls else self.moved[tensor][1].after

    def before(self, call: _Call) -> _Sources:
        """Return what a tracked tensor itself is made of."""
        return self.sources(call.mark.next_functions[0][0])

    def sources(self, node: Any) -> _Sources:
        """Return what the tensor that a node made is made of.

        Raises:
            DnnTopologyError: There is a product on the way that no tracked layer accounts for, or units are moved in a
                manner that is not known.
        """
        if node is None:
            return _Sources(frozenset(), None)
        if node not in self._seen:
            self._seen[node] = self._made_of(node)
        return self._seen[node]

    def _made_of(self, node: Any) -> _Sources:
        """Return the sources of a node that was not met yet.

        Raises:
            DnnTopologyError: As for `sources`.
        """
        kind = node.name()
        inputs = [self.sources(before) for before, _ in node.next_functions]
        if not any(each.places for each in inputs):
            return _Sources(frozenset(), None)
        if kind.startswith(PRODUCTS):
            raise DnnTopologyError(
                f"units pass through {kind}, which is no Linear or convolution layer, so the weights do not say "
                "how they are connected: use the partition 'metis'"
            )
        if kind.startswith("Cat"):
            if _knows_shape(node) and dimension(node._saved_dim, len(shape_after(node)) + 1) != 1:
                raise DnnTopologyError(
                    "units are concatenated along another dimension than the channels, and how they go on is not "
                    "known: use the partition 'metis'"
                )
            return _side_by_side(inputs)
        if (moved := way(node)) is not None:
            name = f"\0{len(self.moved)}"  # as no module is called
            self.moved[name] = (_merged(inputs), moved)
            return _Sources(frozenset({(name, 0)}), moved.after[0] if moved.after else None)
        self._check_shape_kept(node, inputs)
        merged = _merged(inputs)
        after = shape_after(node) if kind.startswith(RESHAPES) and _knows_shape(node) else ()
        # Flattened channels stay the channels that they were.
        return _Sources(merged.places, after[0]) if len(after) > 1 else merged

    def _check_shape_kept(self, node: Any, inputs: Sequence[_Sources]) -> None:
        """Check that an operation that is not known as one that moves units does not.

        Raises:
            DnnTopologyError: Its output has another shape than an input that units come from.
        """
        if node.name().startswith(RESHAPES) or not _knows_shape(node):
            return
        for (before, number), source in zip(node.next_functions, inputs, strict=True):
            if source.places and _knows_shape(before) and shape_after(before, number) != shape_after(node):
                raise DnnTopologyError(
                    f"how units of shape {shape_after(before, number)} become units of shape {shape_after(node)} in "
                    f"{node.name()} is not known: use the partition 'metis'"
                )


def _knows_shape(node: Any) -> bool:
    """Tell whether a node knows the shape of what it made."""
    return node is not None and bool(getattr(node, "_input_metadata", None))


def _merged(inputs: Sequence[_Sources]) -> _Sources:
    """Return the sources of a unit-by-unit operation of several tensors, such as a sum."""
    widths = [each.width for each in inputs if each.width is not None]
    return _Sources(frozenset().union(*(each.places for each in inputs)), widths[0] if widths else None)


def _side_by_side(inputs: Sequence[_Sources]) -> _Sources:
    """Return the sources of a concatenation along the channels.

    Raises:
        DnnTopologyError: The number of channels of a part is not known.
    """
    places: set[tuple[str, int]] = set()
    start = 0
    for each in inputs:
        if each.width is None:
            raise DnnTopologyError(
                "a concatenation takes in something that is no layer's output, so its channels cannot be followed: "
                "use the partition 'metis'"
            )
        places |= {(name, shift + start) for name, shift in each.places}
        start += each.width
    return _Sources(frozenset(places), start)


def carried(
    source: tuple[int, ...],
    target: tuple[int, ...],
    *,
    shift: int = 0,
    channels: int | None = None,
    nodes: Nodes = "unit",
) -> Matrix:
    """Return how the nodes of one tensor are passed on to a later one, without weights in between.

    Args:
        source: Shape without the batch: (features,) or (channels, *space).
        target: Shape of the later tensor: the same space, or flattened.
        shift: The channel of the target at which the source starts.
        channels: Number of channels of the target before it was flattened; by default the source's.
        nodes: What a node is.

    Returns:
        (n_target, n_source): 1 where a node is passed on.

    Raises:
        DnnTopologyError: The one shape cannot come from the other by flattening and concatenating.

    Example:
        >>> carried((1, 2), (2, 2), shift=1, channels=2).toarray().tolist()
        [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    space = math.prod(source[1:])
    width = source[0] if channels is None else channels
    beside = target == (width, *source[1:]) or target == (width * space,)
    if nodes == "unit" and not shift and math.prod(source) == math.prod(target):
        return csr_array(eye_array(math.prod(target)))  # reshaped as a whole
    if not beside and (nodes == "unit" or target[:1] != (width,) or shift):
        raise DnnTopologyError(f"how units of shape {source} become units of shape {target} is not known")
    passed: Matrix = csr_array(eye_array(width, source[0], k=-shift))
    if nodes == "channel":
        flattened = space if len(target) < len(source) else 1
        return csr_array(kron(passed, np.ones((flattened, 1)), format="csr"))
    return csr_array(kron(passed, eye_array(space), format="csr"))


def _strengths(layer: nn.Module, input_shape: tuple[int, ...], nodes: Nodes) -> Matrix:
    """Return |weight| between the nodes of a layer's input and of its output.

    Raises:
        DnnTopologyError: Channels of a Linear layer's input are not the ones that it mixes.
    """
    if nodes == "unit":
        return abs(weight_matrix(layer, input_shape))
    if isinstance(layer, nn.Linear) and len(input_shape) > 1:
        raise DnnTopologyError(
            "a Linear layer on inputs of several dimensions does not mix their channels: use nodes='unit'"
        )
    return channel_matrix(layer)


def _n_nodes(shape: tuple[int, ...], nodes: Nodes) -> int:
    """Return how many nodes a tensor has."""
    return shape[0] if nodes == "channel" and len(shape) > 1 else math.prod(shape)
