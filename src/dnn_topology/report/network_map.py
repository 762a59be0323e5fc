"""Where every neuron stands in the map of a network: layers from left to right, feature maps with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnn_topology.graphs.nodes import nodes_are

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph

COLUMN, HEIGHT, MARGIN, HEAD = 92.0, 250.0, 10.0, 30.0  # in units of the picture, which are about pixels
TALLEST = 40  # units in a column of a layer that is no feature map
MOST_DOTS = 6000  # neurons that are drawn one by one


@dataclass(frozen=True)
class LayerBox:
    """A layer in the map.

    Attributes:
        name: The layer.
        shape: Of its output: (channels, height, width), or what there is.
        x: Left edge.
        y: Upper edge.
        step: From one unit to the next.
        tiles: (left, upper, width, height) of every feature map, or of the layer.
        columns: Columns of tiles, or of units.
    """

    name: str
    shape: tuple[int, ...]
    x: float
    y: float
    step: float
    tiles: Sequence[tuple[float, float, float, float]]
    columns: int

    def places(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the middle (n, 2) of units by their place in the flattened output."""
        if len(self.shape) == 3:
            _, height, width = self.shape
            channel, within = np.divmod(index, height * width)
            row, column = np.divmod(within, width)
            corners = np.array([tile[:2] for tile in self.tiles])[channel]
            return corners + (np.column_stack([column, row]) + 0.5) * self.step
        row, column = np.divmod(index, self.columns)
        return np.array([self.x, self.y]) + (np.column_stack([column, row]) + 0.5) * self.step


@dataclass(frozen=True)
class NetworkMap:
    """The map of a network.

    Attributes:
        boxes: Layer → where it is.
        neurons: Rows of layer and index: the neurons that are in the graph.
    """

    boxes: Mapping[str, LayerBox]
    neurons: pd.DataFrame

    @property
    def width(self) -> float:
        """Width of the picture."""
        return COLUMN * len(self.boxes)

    @property
    def has_maps(self) -> bool:
        """Whether a layer is drawn as feature maps."""
        return any(len(box.shape) == 3 for box in self.boxes.values())

    @property
    def height(self) -> float:
        """Height of the picture."""
        return HEAD + HEIGHT + MARGIN

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """(n_nodes, 2): the middle of every node of the graph."""
        layers, index = self.neurons["layer"].astype(str).to_numpy(), self.neurons["index"].to_numpy(np.int64)
        places = np.zeros((len(index), 2))
        for name, box in self.boxes.items():
            mine = layers == name
            places[mine] = box.places(index[mine])
        return places

    def dots(self, nodes: NDArray[np.int64] | None = None) -> str:
        """Return nodes, or all, as lines without length in the words of SVG; "" where all are too many."""
        if nodes is None and len(self.neurons) > MOST_DOTS:
            return ""
        return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in (self.places if nodes is None else self.places[nodes]))

    def path(self, edges: NDArray[np.int64]) -> str:
        """Return edges (m, 2) between nodes in the words of SVG."""
        return "".join(
            f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" for (x, y), (u, v) in self.places[np.asarray(edges, np.int64)]
        )


def map_rows(graph: FunctionalGraph) -> pd.DataFrame:
    """Return layer and index of every node of a graph, as its map places them.

    The number of a group says nothing of a place in its layer, so groups stand there in their order.

    Args:
        graph: The graph, whose nodes are known.
    """
    assert graph.neurons is not None
    rows = graph.neurons[["layer", "index"]].astype({"layer": str})
    if nodes_are(graph) == "groups":
        rows["index"] = rows.groupby("layer", sort=False).cumcount()
    return rows


def network_map(neurons: pd.DataFrame, shapes: Mapping[str, tuple[int, ...]]) -> NetworkMap:
    """Lay out the layers of a graph's neurons.

    Args:
        neurons: Columns layer and index, one row per node of the graph.
        shapes: Layer → shape of its output for one input; where it is not known, a layer is drawn as plain units.
    """
    boxes = {}
    for place, name in enumerate(dict.fromkeys(neurons["layer"].astype(str))):
        largest = int(neurons.loc[neurons["layer"].astype(str) == name, "index"].max()) + 1
        shape = shapes.get(name, ())
        fits = len(shape) == 3 and math.prod(shape) >= largest and shape[1] * shape[2] > 1
        boxes[name] = _box(name, shape if fits else (max(largest, math.prod(shape or (0,))),), place)
    return NetworkMap(boxes, neurons.reset_index(drop=True))


def _box(name: str, shape: tuple[int, ...], place: int) -> LayerBox:
    """Return where a layer is."""
    left, wide = place * COLUMN + MARGIN, COLUMN - 2 * MARGIN
    if len(shape) == 3:
        n_channels, height, width = shape
        columns = max(1, round(math.sqrt(n_channels * height / width * wide / HEIGHT)))
        rows = math.ceil(n_channels / columns)
        step = min(wide / (columns * (width + 1)), HEIGHT / (rows * (height + 1)), 9.0)
        top = HEAD + (HEIGHT - rows * (height + 1) * step) / 2
        edge = left + (wide - columns * (width + 1) * step) / 2
        tiles = [
            (
                edge + (channel % columns) * (width + 1) * step,
                top + (channel // columns) * (height + 1) * step,
                width * step,
                height * step,
            )
            for channel in range(n_channels)
        ]
        return LayerBox(name, shape, edge, top, step, tiles, columns)
    columns = max(1, math.ceil(shape[0] / TALLEST), round(math.sqrt(shape[0] * wide / HEIGHT)) if shape[0] > 200 else 1)
    rows = math.ceil(shape[0] / columns)
    step = min(wide / columns, HEIGHT / rows, 12.0)
    top, edge = HEAD + (HEIGHT - rows * step) / 2, left + (wide - columns * step) / 2
    return LayerBox(name, shape, edge, top, step, [(edge, top, columns * step, rows * step)], columns)
