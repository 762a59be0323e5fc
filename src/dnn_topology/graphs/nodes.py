"""What a node of a graph stands for: a neuron and its place in its layer, a group of neurons, or nobody knows what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dnn_topology._calls import checked_fields, unchecked
from dnn_topology._checks import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from dnn_topology.graphs.graph import FunctionalGraph

NodesAre = Literal["neurons", "groups", "centroids", "nodes"]


@checked_fields
@dataclass(frozen=True)
class Neuron:
    """A node of a graph, and what it stands for.

    Attributes:
        node: Its number in the graph.
        layer: The layer that it is of, or None in a graph from elsewhere; of a group whose members are of several
            layers, these joined by "+".
        index: Its place within the layer's flattened output; of a group, the number of the group.
        channel: Of a unit of a feature map, its channel.
        position: Of a unit of a feature map, its place there: (row, column), as many numbers as the map has dimensions.
        size: How many neurons it stands for; 1 for a neuron, and for a group that has a single one.
        group: Of a group, its number; else None.

    Example:
        >>> str(Neuron(7, layer="conv1", index=31, channel=1, position=(2, 3))), str(Neuron(7))
        ('conv1[1, 2, 3]', 'node 7')
        >>> str(Neuron(7, layer="conv1+fc1", index=4, size=19, group=4))
        'group 4 (conv1+fc1, 19 neurons)'
    """

    node: int
    layer: str | None = None
    index: int | None = None
    channel: int | None = None
    position: tuple[int, ...] | None = None
    size: int = 1
    group: int | None = None

    def __str__(self) -> str:
        """Return it in words."""
        if self.layer is None:
            return f"node {self.node}"
        if self.group is not None:
            return f"group {self.group} ({self.layer}, {counted(self.size, 'neuron')})"
        if self.position is not None:
            return f"{self.layer}[{', '.join(map(str, (self.channel, *self.position)))}]{self._alike}"
        return f"{self.layer}[{self.index}]" + self._alike

    @property
    def _alike(self) -> str:
        """What a centroid's name says besides: how many other neurons it stands for."""
        return f" + {self.size - 1} more" if self.size > 1 else ""


def nodes_are(graph: FunctionalGraph) -> NodesAre:
    """Return what the nodes of a graph are."""
    if graph.neurons is None:
        return "nodes"
    return "groups" if "size" in graph.neurons else "centroids" if "members" in graph.neurons else "neurons"


def neurons_of(graph: FunctionalGraph, nodes: Iterable[int]) -> tuple[Neuron, ...]:
    """Return what some nodes of a graph stand for.

    Args:
        graph: The graph.
        nodes: Numbers of nodes.

    Returns:
        One of each, in that order.

    Example:
        >>> import pandas as pd
        >>> from dnn_topology.graphs.graph import FunctionalGraph
        >>> table = pd.DataFrame({"layer": ["conv", "conv"], "index": [3, 7]})
        >>> graph = FunctionalGraph([0], [1], [0.2], 2, 0.3, neurons=table, shapes={"conv": (2, 2, 2)})
        >>> [str(neuron) for neuron in neurons_of(graph, [1, 0])]
        ['conv[1, 1, 1]', 'conv[0, 1, 1]']
    """
    table, are = graph.neurons, nodes_are(graph)
    if table is None:
        return tuple(unchecked(Neuron, node=int(node)) for node in nodes)
    chosen = list(nodes)
    rows = table.iloc[chosen]
    layers, indices = rows["layer"].astype(str), rows["index"].astype(int)
    triples = zip(chosen, layers, indices, _sizes(rows, are), strict=True)
    return tuple(
        unchecked(
            Neuron,
            node=int(node),
            layer=layer,
            index=index,
            **dict(zip(("channel", "position"), _place(graph, layer, index, are), strict=True)),
            size=size,
            group=index if are == "groups" else None,
        )
        for node, layer, index, size in triples
    )


def _sizes(rows: pd.DataFrame, are: NodesAre) -> list[int]:
    """Return how many neurons each node stands for."""
    if are == "groups":
        return [int(size) for size in rows["size"]]
    return [len(members) for members in rows["members"]] if are == "centroids" else [1] * len(rows)


def _place(graph: FunctionalGraph, layer: str, index: int, are: NodesAre) -> tuple[int | None, tuple[int, ...] | None]:
    """Return channel and position of a unit of a feature map, None of any other node."""
    shape = graph.shapes.get(layer, ())
    if are == "groups" or len(shape) < 2 or not 0 <= index < math.prod(shape):
        return None, None
    channel, *position = (int(place) for place in np.unravel_index(index, shape))
    return channel, tuple(position)
