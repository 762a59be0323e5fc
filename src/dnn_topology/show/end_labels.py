"""The epochs of curves at their right ends, outside the axes, where they cover neither data nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform

from dnn_topology.show.styles import foreground

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from numpy.typing import ArrayLike, NDArray

# Points: the thin line that leads to the height of a label, the piece of the curve before it, the gap before its text.
SLANT, PIECE, GAP = 9.0, 9.0, 3.0
FONT_SIZE = 8.0
HEADING = "epoch"
LINE_HEIGHT = 1.25  # of a label, in heights of its text: labels are at least so far apart


class EndLabels(Artist):
    """The epochs of some curves, each joined to the end of its own by a line in its colour, under a common heading.

    Where they go is found out when they are drawn, so that they stay right when axes change afterwards.

    Args:
        ax: The axes of the curves.
        lines: The curves, labelled "epoch 3" and so on.
    """

    def __init__(self, ax: Axes, lines: Sequence[Line2D]) -> None:
        super().__init__()
        self.lines = list(lines)
        self.axes = ax
        figure = ax.get_figure()
        assert figure is not None
        self.set_figure(figure)
        self.texts = [self._text(str(line.get_label()).removeprefix(f"{HEADING} "), foreground(ax)) for line in lines]
        self.heading = self._text(HEADING, foreground(ax))

    def draw(self, renderer: RendererBase) -> None:
        """Draw the labels and what joins them to their curves."""
        if not self.get_visible():
            return
        edge, starts, heights = self._place(renderer)
        slant, piece = renderer.points_to_pixels(SLANT), renderer.points_to_pixels(PIECE)
        for line, text, (x, y), height in zip(self.lines, self.texts, starts, heights, strict=True):
            look: dict[str, Any] = {"color": line.get_color(), "transform": IdentityTransform()}
            if x < edge - 1:  # it ends before the others: what is beyond is no data
                self._draw_line(renderer, [x, edge], [y, y], linewidth=0.6, linestyle=":", **look)
            beside = edge + slant
            self._draw_line(renderer, [edge, beside], [y, height], linewidth=0.8, **look)
            own = {"linewidth": line.get_linewidth(), "linestyle": line.get_linestyle()}
            self._draw_line(renderer, [beside, beside + piece], [height, height], **own, **look)
            text.draw(renderer)
        self.heading.draw(renderer)

    def get_window_extent(self, renderer: RendererBase | None = None) -> Bbox:
        """Return the box around everything that is written, in pixels."""
        figure = self.get_figure(root=True)
        assert figure is not None
        used: Any = renderer or figure._get_renderer()  # type: ignore[attr-defined]  # as matplotlib's own artists do
        self._place(used)
        return Bbox.union([text.get_window_extent(used) for text in (*self.texts, self.heading)])

    def get_tightbbox(self, renderer: RendererBase | None = None) -> Bbox:
        """Return the same: the layout of the figure makes room for it."""
        return self.get_window_extent(renderer)

    def _place(self, renderer: RendererBase) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Put the labels where they belong now.

        Returns:
            The right edge of the axes, the ends (n, 2) of the curves and the heights (n,) of their labels, in pixels.
        """
        assert self.axes is not None
        box = self.axes.get_window_extent(renderer)
        starts = np.array([_end(line, box) for line in self.lines])
        least = LINE_HEIGHT * renderer.points_to_pixels(FONT_SIZE)
        heights = apart(starts[:, 1], least, box.y0, box.y1)
        left = box.x1 + renderer.points_to_pixels(SLANT + PIECE + GAP)
        for text, height in zip(self.texts, heights, strict=True):
            text.set_position((left, float(height)))
        self.heading.set_position((box.x1 + renderer.points_to_pixels(SLANT), float(heights.max()) + least))
        return float(box.x1), starts, heights

    def _text(self, words: str, colour: Any) -> Text:
        """Return a label, without its place."""
        text = Text(0, 0, words, color=colour, fontsize=FONT_SIZE, va="center", transform=IdentityTransform())
        figure = self.get_figure()
        assert figure is not None
        text.set_figure(figure)
        return text

    def _draw_line(self, renderer: RendererBase, x: Sequence[float], y: Sequence[float], **look: Any) -> None:
        """Draw a piece of line in pixels."""
        line = Line2D(x, y, **look)
        figure = self.get_figure()
        assert figure is not None
        line.set_figure(figure)
        line.draw(renderer)


def label_ends(ax: Axes, lines: Sequence[Line2D]) -> None:
    """Write the epochs of curves at their right ends, with those that axes have already."""
    before = [one for one in ax.get_children() if isinstance(one, EndLabels)]
    for one in before:
        one.remove()
    ax.add_artist(EndLabels(ax, [*(line for one in before for line in one.lines), *lines])).set_clip_on(False)


def apart(wanted: ArrayLike, least: float, bottom: float, top: float) -> NDArray[np.float64]:
    """Return heights that are at least so far apart, as near to those that are wanted as they can be.

    Of those that are wanted at one height, the first is uppermost. They stay between bottom and top; should they be too
    many for that, they end at the top and go on below the bottom.

    Args:
        wanted: (n,), float64.
        least: How far apart.
        bottom: The lowest.
        top: The highest.

    Example:
        >>> apart([5, 5, 20], 4, 0, 30).tolist()
        [7.0, 3.0, 20.0]
    """
    heights = np.asarray(wanted, dtype=np.float64)
    order = np.lexsort((-np.arange(len(heights)), heights))
    steps = least * np.arange(len(heights))
    blocks: list[list[float]] = []  # of labels that touch: their mean place without the steps, how many they are
    for place in heights[order] - steps:
        blocks.append([float(place), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (first, n_first), (second, n_second) = blocks.pop(-2), blocks.pop()
            n_both = n_first + n_second
            blocks.append([(first * n_first + second * n_second) / n_both, n_both])
    placed = np.repeat([place for place, _ in blocks], [int(number) for _, number in blocks])
    result = np.empty_like(heights)
    result[order] = np.minimum(np.maximum(placed, bottom), top - steps[-1]) + steps
    return result


def _end(line: Line2D, box: Bbox) -> tuple[float, float]:
    """Return where a curve ends within the box of its axes, in pixels; one without points at its lower right."""
    points = np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float)
    if not len(points):
        return box.x1, box.y0
    x, y = line.get_transform().transform(points[-1])
    return float(np.clip(x, box.x0, box.x1)), float(np.clip(y, box.y0, box.y1))
