"""Figures for papers: each draws on the axes given, or on new ones, and changes no global state.

Colours run through matplotlib's cividis, whose luminance rises evenly, so that curves differ in grey print and for
colour-blind readers; on a dark background they run the other way. Epochs are a sequence: their lines are solid, the
colour says which; of what has no order the lines' styles differ too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator

from dnn_topology._calls import check_argument, checked
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.homology.diagrams import diagrams_of
from dnn_topology.homology.filter_keywords import filter_keywords
from dnn_topology.homology.original_curve import original_curve
from dnn_topology.show.curves import BAND_WORDS, Drawn, betti_curve_of
from dnn_topology.show.end_labels import label_ends
from dnn_topology.show.sources import epochs_of, filter_words, labelled
from dnn_topology.show.styles import (
    GREY,
    MANY,
    MARKERS,
    axes_or_new,
    epoch_bar,
    epoch_styles,
    foreground,
    legend_beside,
    line_styles,
    palette,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams
    from dnn_topology.show.sources import Sources

Filtration = Literal["nominal", "density"]
FILTRATIONS: tuple[Filtration, ...] = ("nominal", "density")
YScale = Literal["auto", "linear", "log"]
YSCALES: tuple[YScale, ...] = ("auto", "linear", "log")
DECADES = 30  # times that the highest curve exceeds the lowest where the axis is logarithmic by itself
SCALE = "scale ε (half the distance 1 − |correlation|)"


@filter_keywords
def plot_betti_curves(
    curves: Sources,
    *,
    dim: int = 1,
    filtration: Filtration = "nominal",
    smooth: bool = False,
    as_original: bool = False,
    yscale: YScale = "auto",
    ax: Axes | None = None,
) -> Axes:
    """Draw one Betti curve per entry, of a group of trainings their mean with the band of their middle 95 %.

    The points that are given count: hand over `diagrams.filtered()` for the cavities of the papers' pictures.

    Args:
        curves: Diagrams or a measurement; a list of them, which is a group; label (or epoch) → one or a list of them,
            in the order in which colours darken; or a list of what `track` returns. Curves of epochs have their labels
            at their ends, from eight on a bar says which colour is which. A measurement of several draws of neurons is
            a group of its draws.
        dim: Dimension of the cavities.
        filtration: The horizontal axis: "nominal" is ε, "density" the share of pairs of neurons joined at ε.
        smooth: Draw the moving average over a tenth of the curve's breakpoints, from the first birth on. By default
            the exact step function is drawn.
        as_original: Draw what the original draws of unfiltered diagrams, for comparison with published figures: its
            counting, which gives no Betti numbers, its filter of 0.02 and its smoothing; see `original_curve`.
        yscale: The vertical axis: "linear", "log" (linear below 1, for there are zeros), or "auto": "log" where the
            highest of several curves is 30 times the lowest.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw; `filtration="density"` and the density is not known; or
            `as_original` with filtered diagrams, with a group, or over the density, which the original does not draw.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> loops = Diagrams([[], [(0.1, 0.2), (0.15, 0.25)]], max_epsilon=0.3)
        >>> plot_betti_curves({"mine": loops}).get_lines()[0].get_ydata().tolist()
        [0, 1, 2, 1, 0, 0]
        >>> none = Diagrams([[], []], max_epsilon=0.3)
        >>> plot_betti_curves([loops, none]).get_lines()[0].get_ydata().tolist()  # the mean of a group
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    for name, value, hint in (("dim", dim, int), ("smooth", smooth, bool), ("as_original", as_original, bool)):
        check_argument(name, value, hint)
    check_choice("filtration", filtration, FILTRATIONS)
    check_choice("yscale", yscale, YSCALES)
    if as_original and filtration == "density":
        raise DnnTopologyError("the original draws over ε alone: leave out filtration='density' or as_original")
    sources = labelled(curves)
    if as_original and any(len(group) > 1 for group in sources.values()):
        raise DnnTopologyError(
            "the original draws one training, no mean of several: pass one, or leave as_original out"
        )
    ax = axes_or_new(ax)
    epochs = epochs_of(sources)
    styles = line_styles(len(sources), ax) if epochs is None else epoch_styles(epochs, ax)
    heights, n_before = [], len(ax.get_lines())
    same_size = len({len(group) for group in sources.values()}) == 1
    for (label, group), style in zip(sources.items(), styles, strict=True):
        about = label if same_size or not label else f"{label} ({len(group)})"
        if as_original:
            ax.plot(*original_curve(group[0], dim), label=about, **style)
            continue
        curve = betti_curve_of(group, dim, over_density=filtration == "density")
        _draw_curve(ax, curve.smoothed() if smooth else curve, steps=not smooth, label=about, style=style)
        heights.append(float(curve.y.max()))
    members = [one for group in sources.values() for one in group]
    _curve_axes(ax, members, dim=dim, filtration=filtration, as_original=as_original)
    if yscale == "log" or (yscale == "auto" and _spans_decades(heights)):
        ax.set_yscale("symlog", linthresh=1, linscale=0.4)
    ax.set_ylim(bottom=0, auto=True)  # what else is drawn here, or on axes that share this one, still makes room
    if not any(heights) and ax.get_ylim()[1] < 1:  # no cavity at any scale: ticks of whole numbers all the same
        ax.set_ylim(0, 1, auto=True)
    _name_curves(ax, sources, ax.get_lines()[n_before:])
    return tidy(ax)


def _name_curves(ax: Axes, sources: Mapping[str, Sequence[Diagrams]], lines: Sequence[Line2D]) -> None:
    """Say which curve is which: at the ends of few epochs, by a bar of many, by a legend of what has no order."""
    epochs, title = epochs_of(sources), _band_title(sources)
    if epochs is not None and len(epochs) >= MANY:
        epoch_bar(epochs, ax)
    elif epochs is not None:
        label_ends(ax, lines)
    elif len(sources) > 1 or next(iter(sources)):
        legend_beside(ax, title=title)
        return
    if title is not None:
        ax.set_title(title.replace("\n", ", "), fontsize=9, color=foreground(ax))


def _draw_curve(ax: Axes, curve: Drawn, *, steps: bool, label: str, style: dict[str, Any]) -> None:
    """Draw a curve with its band, as steps or as a smooth line."""
    if steps:
        ax.step(curve.x, curve.y, where="post", label=label, **style)
    else:
        ax.plot(curve.x, curve.y, label=label, **style)
    if curve.low is not None and curve.high is not None:
        step: Any = "post" if steps else None
        ax.fill_between(curve.x, curve.low, curve.high, step=step, color=style["color"], alpha=0.25, linewidth=0)


def _curve_axes(ax: Axes, members: Sequence[Diagrams], *, dim: int, filtration: Filtration, as_original: bool) -> None:
    """Say what the axes of Betti curves are."""
    ax.set_xlabel(SCALE if filtration == "nominal" else "edge density")
    ax.set_ylabel(
        f"cavities of dim {dim}, as the original counts"
        if as_original
        else rf"Betti number $\beta_{dim}${filter_words(members)}"
    )
    ax.set_xlim(0, max(one.max_epsilon for one in members) if filtration == "nominal" else None)
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))  # what is counted is whole


def _spans_decades(heights: Sequence[float]) -> bool:
    """Return whether the highest curve is so much higher than the lowest that this one would lie flat."""
    there = [height for height in heights if height > 0]
    return len(there) > 1 and max(there) >= DECADES * min(there)


def _band_title(sources: Mapping[str, Sequence[Diagrams]]) -> str | None:
    """Return what bands are, as the title of a legend; None where there are none."""
    sizes = {len(group) for group in sources.values()}
    if sizes == {1}:
        return None
    return f"mean of {sizes.pop()}\n{BAND_WORDS}" if len(sizes) == 1 else f"mean (number)\n{BAND_WORDS}"


@filter_keywords
def plot_diagram(diagrams: Sources, *, ax: Axes | None = None) -> Axes:
    """Draw the points (birth, death) of every dimension, essential classes on a line above.

    Args:
        diagrams: Diagrams or a measurement; a list of them, whose points are drawn together; or label (or epoch) → one
            or a list of them, told apart by their colours. All points that are given are drawn.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> ax = plot_diagram(Diagrams([[(0, 0.1), (0, float("inf"))]], max_epsilon=0.3))
        >>> ax.get_lines()[0].get_label()
        '$H_0$ (2)'
    """
    sources = labelled(diagrams)
    ax = axes_or_new(ax, square=True, beside=len(sources) > 1)
    end = max(one.max_epsilon for group in sources.values() for one in group)
    top = 1.06 * end  # the line of the classes that never die
    epochs, alone = epochs_of(sources), len(sources) == 1
    many = epochs is not None and len(sources) >= MANY
    styles = line_styles(len(sources), ax) if epochs is None else epoch_styles(epochs, ax)
    for (label, group), style in zip(sources.items(), styles, strict=True):
        n_dims = min(len(one) for one in group)
        by_dim = line_styles(n_dims, ax) if alone else [style] * n_dims
        for dim, look in enumerate(by_dim):
            births, deaths = np.concatenate([one.select(dim) for one in group]).T
            ax.plot(
                births,
                np.where(np.isinf(deaths), top, deaths),
                linestyle="none",
                marker=MARKERS[dim % len(MARKERS)],
                markersize=4,
                alpha=0.6,
                color=look["color"],
                label=f"$H_{dim}$ ({len(births)})" if alone else f"{label}, $H_{dim}$ ({len(births)})",
            )
    ax.plot([0, end], [0, end], color=GREY, linewidth=0.8)
    ax.axhline(top, color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate(
        "alive at the end", (0.06, top), xycoords=("axes fraction", "data"), va="bottom", size=8, color=foreground(ax)
    )
    ax.set(xlabel="birth ε", ylabel="death ε", xlim=(-0.02 * end, 1.12 * end), ylim=(-0.02 * end, 1.12 * end))
    if many and epochs:
        epoch_bar(epochs, ax)
        dims = range(max(len(one) for group in sources.values() for one in group))
        shapes = [ax.plot([], [], linestyle="none", marker=MARKERS[dim % len(MARKERS)], color=GREY)[0] for dim in dims]
        ax.legend(shapes, [f"$H_{dim}$" for dim in dims], frameon=False, loc="lower right", labelcolor=foreground(ax))
    elif alone:  # below the diagonal there is never a point
        ax.legend(frameon=False, loc="lower right", labelcolor=foreground(ax))
    else:
        legend_beside(ax)
    return tidy(ax)


@filter_keywords
@checked
def plot_barcode(diagrams: Diagrams | HasDiagrams, *, dim: int = 1, ax: Axes | None = None) -> Axes:
    """Draw every cavity of one dimension as a bar from birth to death, in the order of birth.

    Args:
        diagrams: Diagrams, or a measurement. All points that are given are drawn.
        dim: Dimension of the cavities.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: The dimension was not computed.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> plot_barcode(Diagrams([[(0, 0.1), (0, 0.2)]], max_epsilon=0.3), dim=0).get_ylabel()
        '$H_0$ cavities by birth'
    """
    ax = axes_or_new(ax)
    source = diagrams_of(diagrams)
    births, deaths = source.select(dim).T
    alive = np.isinf(deaths)
    height = np.arange(len(births))
    weak, strong = palette(ax)([0.1, 0.7])
    ax.hlines(height[~alive], births[~alive], deaths[~alive], color=strong, linewidth=1.0, label="finite")
    if alive.any():
        ax.hlines(
            height[alive],
            births[alive],
            source.max_epsilon,
            color=weak,
            linewidth=1.4,
            linestyle="--",
            label="alive at the end",
        )
        legend_beside(ax)
    ax.set(xlabel="scale ε", ylabel=f"$H_{dim}$ cavities by birth", xlim=(0, source.max_epsilon), yticks=[])
    return tidy(ax)
