"""The network as a map: layers as columns, feature maps as tiles within them, every unit at its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dnn_topology.show.styles import GREY, NotebookAxes, foreground

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

WIDEST = 0.62  # of a column, the height of the map being 1
BETWEEN = 0.22  # columns
UNIT_GAP, MAP_GAP = 0.35, 0.14  # between tiles: in units, and as a share of a feature map
NEARLY = 0.75  # of the largest side that is possible, for rows that are all full
ALL_UNITS = 600  # units of a layer above which a tile is outlined once


@dataclass(frozen=True)
class Column:
    """A layer on the map.

    Attributes:
        layer: Its name.
        shape: (channels, rows, columns) of its units.
        left: Where it begins.
        per_row: How many channels lie side by side.
        side: Of a unit.
        gap: Between tiles, in units.
    """

    layer: str
    shape: tuple[int, int, int]
    left: float
    per_row: int
    side: float
    gap: float

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.side * (self.per_row * (self.shape[2] + self.gap) - self.gap)

    @property
    def height(self) -> float:
        """How high it is, at most 1."""
        return self.side * (math.ceil(self.shape[0] / self.per_row) * (self.shape[1] + self.gap) - self.gap)

    def corner(self, channel: int) -> tuple[float, float]:
        """Return the upper left corner of a channel's tile."""
        row, column = divmod(channel, self.per_row)
        top = 0.5 + self.height / 2
        return (
            self.left + column * self.side * (self.shape[2] + self.gap),
            top - row * self.side * (self.shape[1] + self.gap),
        )

    def centre(self, place: int) -> tuple[float, float]:
        """Return the middle of a unit, by its place in the flattened layer."""
        channel, row, column = (int(each) for each in np.unravel_index(place, self.shape))
        left, top = self.corner(channel)
        return left + (column + 0.5) * self.side, top - (row + 0.5) * self.side


class NetworkMap:
    """The layers of a graph on a map, and where each of its nodes is.

    Args:
        neurons: One row per node: layer and index.
        shapes: Layer → the shape of its neurons, where it is known.
        are_groups: Whether an index is a group's number, which says nothing of its place in the layer.
    """

    def __init__(self, neurons: pd.DataFrame, shapes: Mapping[str, tuple[int, ...]], *, are_groups: bool) -> None:
        self.columns: dict[str, Column] = {}
        self.places = np.empty(len(neurons), np.int64)
        self.layers = neurons["layer"].astype(str).to_numpy()
        left = 0.0
        for layer in dict.fromkeys(self.layers):
            members = np.flatnonzero(self.layers == layer)
            indices = neurons["index"].to_numpy()[members].astype(np.int64)
            shape = shapes.get(layer)
            if are_groups or shape is None or indices.max() >= math.prod(shape):
                shape, indices = (len(members),), np.arange(len(members))
            self.places[members] = indices
            column = _column(layer, shape, left)
            self.columns[layer] = column
            left += column.width + BETWEEN
        self.width = left - BETWEEN

    def centre(self, node: int) -> tuple[float, float]:
        """Return where a node is."""
        return self.columns[self.layers[node]].centre(int(self.places[node]))

    def new_axes(self, *, beside: float = 0.0) -> Axes:
        """Return axes of a new figure that the map fills, with room at its right, in heights of the map."""
        width = min(10.0, 2.6 * (self.width + beside))
        height = width / (self.width + beside) * 1.17 + 0.4
        return Figure(figsize=(width, height), layout="constrained").add_subplot(axes_class=NotebookAxes)

    def outline(self, ax: Axes) -> None:
        """Draw the tiles of every layer, and their names below."""
        for column in self.columns.values():
            channels, rows, across = column.shape
            for channel in range(channels) if channels <= ALL_UNITS else ():
                left, top = column.corner(channel)
                size = (across * column.side, -rows * column.side)
                ax.add_patch(Rectangle((left, top), *size, fill=False, edgecolor=GREY, linewidth=0.4, alpha=0.7))
            if channels > ALL_UNITS:
                bottom = 0.5 - column.height / 2
                ax.add_patch(Rectangle((column.left, bottom), column.width, column.height, fill=False, edgecolor=GREY))
            ax.text(column.left + column.width / 2, -0.03, column.layer, ha="center", va="top", color=foreground(ax))
        ax.set(xlim=(-0.03, self.width + 0.03), ylim=(-0.12, 1.05), aspect="equal")
        ax.set_axis_off()

    def paint(self, ax: Axes, values: NDArray[np.float64], **colours: Any) -> Any:
        """Fill the units with colours for values (n_nodes,); units that are no node of the graph stay empty.

        Args:
            ax: Where.
            values: One per node.
            **colours: Norm and colour map, of `imshow`.

        Returns:
            The last image, for a bar of colours.
        """
        image = None
        for layer, column in self.columns.items():
            whole = np.full(math.prod(column.shape), np.nan)
            members = np.flatnonzero(self.layers == layer)
            whole[self.places[members]] = values[members]
            for channel, tile in enumerate(whole.reshape(column.shape)):
                left, top = column.corner(channel)
                extent = (left, left + tile.shape[1] * column.side, top - tile.shape[0] * column.side, top)
                image = ax.imshow(np.ma.masked_invalid(tile), extent=extent, interpolation="nearest", **colours)
        return image


def _column(layer: str, shape: tuple[int, ...], left: float) -> Column:
    """Return a layer as a column whose units are as large as fits."""
    channels, rows, across = shape[0], math.prod(shape[1:-1]), math.prod(shape[-1:] if len(shape) > 1 else ())
    gap = UNIT_GAP if rows * across == 1 else max(1.0, MAP_GAP * max(rows, across))

    def side(per_row: int) -> float:
        stacked = math.ceil(channels / per_row)
        return min(1 / (stacked * (rows + gap) - gap), WIDEST / (per_row * (across + gap) - gap))

    best = max(range(1, channels + 1), key=side)
    whole = [per_row for per_row in range(1, channels + 1) if channels % per_row == 0]  # no row half empty
    if side(fitting := max(whole, key=side)) >= NEARLY * side(best):
        best = fitting
    return Column(layer, (channels, rows, across), left, best, side(best), gap)
