"""What all pictures share: colours that differ in grey print and on dark paper, legends beside the data, epoch axes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnn_topology._calls import check_argument

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")
GREY = "0.5"  # of what is drawn beside the data: readable on white and on black
MANY = 8  # curves that a legend does not tell apart any more


class NotebookAxes(Axes):
    """Axes that a notebook shows as the picture that they are, though no global list knows their figure."""

    def _repr_png_(self) -> bytes:
        """Return the whole figure as a PNG."""
        figure = self.get_figure(root=True)
        assert figure is not None
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def axes_or_new(ax: Axes | None, *, square: bool = False, beside: bool = False) -> Axes:
    """Return the axes given, or those of a new figure that no global list keeps alive.

    Args:
        ax: The axes given, or None.
        square: Whether new ones are square.
        beside: Whether a square needs room for a legend or a bar at its right.
    """
    check_argument("ax", ax, Axes | None)
    if ax is not None:
        return ax
    size = ((6.8 if beside else 4.8), 4.8) if square else (6.4, 4.0)
    figure = Figure(figsize=size, layout="constrained")
    return figure.add_subplot(axes_class=NotebookAxes, box_aspect=1 if square else None)


def palette(ax: Axes | None = None) -> Colormap:
    """Return the colours of lines from the first to the last: away from the axes' background, ever further."""
    ends = (0.5, 1.0) if ax is not None and is_dark(ax) else (0.85, 0.0)
    return LinearSegmentedColormap.from_list("epochs", colormaps["cividis"](np.linspace(*ends, 256)))


def is_dark(ax: Axes) -> bool:
    """Return whether the axes' background is dark."""
    return bool(np.dot([0.299, 0.587, 0.114], to_rgb(ax.get_facecolor())) < 0.5)


def foreground(ax: Axes) -> Any:
    """Return the colour of the axes' own text."""
    return ax.xaxis.label.get_color()


def line_styles(n_lines: int, ax: Axes | None = None) -> list[dict[str, Any]]:
    """Return colour and line style of each of n lines, readable in grey; `ax` says on what they are drawn."""
    shades = palette(ax)(np.linspace(0.0, 1.0, n_lines) if n_lines > 1 else [1.0])
    return [
        {"color": tuple(shade), "linestyle": LINE_STYLES[place % len(LINE_STYLES)], "linewidth": 1.6}
        for place, shade in enumerate(shades)
    ]


def epoch_styles(epochs: Sequence[int], ax: Axes) -> list[dict[str, Any]]:
    """Return colour and line style of the curves of epochs: the colour says which, all lines are solid.

    From `MANY` on, colours are those of the bar, by the number of the epoch; fewer have colours as far apart as can be,
    for epochs such as 0, 1, 2, 5, 50 would hardly differ otherwise.
    """
    if len(epochs) < MANY:
        return [{**style, "linestyle": "-"} for style in line_styles(len(epochs), ax)]
    colours, scale = palette(ax), Normalize(min(epochs), max(epochs))
    return [{"color": colours(scale(epoch)), "linestyle": "-", "linewidth": 1.4} for epoch in epochs]


def epoch_bar(epochs: Sequence[int], ax: Axes) -> None:
    """Put a bar that says which colour is which epoch beside axes."""
    figure = ax.get_figure()
    assert figure is not None
    shades = ScalarMappable(Normalize(min(epochs), max(epochs)), palette(ax))
    bar = figure.colorbar(shades, ax=ax, label="epoch", ticks=MaxNLocator(6, integer=True))
    bar.ax.yaxis.label.set_color(foreground(ax))


def legend_beside(ax: Axes, *args: Any, **options: Any) -> None:
    """Put the legend at the right of axes, where it covers no data."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "fontsize": 8, "title_fontsize": 8}
    legend = ax.legend(*args, frameon=False, labelcolor=foreground(ax), **{**place, **options})
    legend.get_title().set_color(foreground(ax))


def legend_above(ax: Axes, *args: Any, **options: Any) -> None:
    """Put the legend above axes, where it covers no data."""
    legend_beside(ax, *args, **{"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3, **options})


def epoch_axis(ax: Axes) -> None:
    """Label the horizontal axis as one of epochs, with ticks at whole numbers."""
    ax.set_xlabel("epoch")
    low, high = ax.get_xlim()
    if high - low < 1:  # a single epoch, which would get ticks at fractions
        ax.set_xlim(round((low + high) / 2) - 0.75, round((low + high) / 2) + 0.75)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def tidy(ax: Axes, *, right: bool = False) -> Axes:
    """Leave out the frame where nothing is read off."""
    ax.spines["top"].set_visible(False)
    ax.spines["right"].set_visible(right)
    return ax
