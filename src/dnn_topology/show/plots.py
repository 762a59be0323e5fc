"""Figures for papers: each draws on the axes given, or on new ones, and changes no global state.

Colours run through matplotlib's cividis and line styles alternate, so that curves differ in grey print and for
colour-blind readers; on a dark background they run the other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.ndimage import uniform_filter1d

from dnn_topology._calls import check_argument, checked
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.homology.diagrams import diagrams_of
from dnn_topology.homology.filter_keywords import filter_keywords
from dnn_topology.homology.original_curve import original_curve
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
    from numpy.typing import NDArray

    from dnn_topology.homology.betti_curve import BettiCurve
    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams
    from dnn_topology.show.sources import Sources

Filtration = Literal["nominal", "density"]
FILTRATIONS: tuple[Filtration, ...] = ("nominal", "density")
SCALE = "scale ε (half the distance 1 − |correlation|)"


@filter_keywords
def plot_betti_curves(
    curves: Sources,
    *,
    dim: int = 1,
    filtration: Filtration = "nominal",
    smooth: bool = False,
    as_original: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw one Betti curve per entry.

    The points that are given count: hand over `diagrams.filtered()` for the cavities of the papers' pictures.

    Args:
        curves: Diagrams or a measurement; label (or epoch) → such, in the order in which colours darken; or a list of
            them. From eight epochs on, a bar says which colour is which.
        dim: Dimension of the cavities.
        filtration: The horizontal axis: "nominal" is ε, "density" the share of pairs of neurons joined at ε.
        smooth: Draw the moving average over a tenth of the curve's breakpoints, from the first birth on. By default
            the exact step function is drawn.
        as_original: Draw what the original draws of unfiltered diagrams, for comparison with published figures: its
            counting, which gives no Betti numbers, its filter of 0.02 and its smoothing; see `original_curve`.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw; `filtration="density"` and the density is not known; or
            `as_original` with filtered diagrams, or over the density, which the original does not draw.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> loops = Diagrams([[], [(0.1, 0.2), (0.15, 0.25)]], max_epsilon=0.3)
        >>> plot_betti_curves({"mine": loops}).get_lines()[0].get_ydata().tolist()
        [0, 1, 2, 1, 0, 0]
    """
    check_argument("dim", dim, int)
    check_choice("filtration", filtration, FILTRATIONS)
    if as_original and filtration == "density":
        raise DnnTopologyError("the original draws over ε alone: leave out filtration='density' or as_original")
    sources = labelled(curves)
    ax = axes_or_new(ax)
    epochs = epochs_of(sources)
    many = epochs is not None and len(sources) >= MANY
    styles = epoch_styles(epochs, ax) if many and epochs else line_styles(len(sources), ax)
    for (label, source), style in zip(sources.items(), styles, strict=True):
        if as_original:
            ax.plot(*original_curve(source, dim), label=label, **style)
            continue
        curve = source.betti_curve(dim)
        x = curve.epsilon if filtration == "nominal" else source.density_at(curve.epsilon)
        if smooth:
            start, beta = _smoothed(curve)
            ax.plot(x[start:], beta, label=label, **style)
        else:
            ax.step(x, curve.beta, where="post", label=label, **style)
    ax.set_xlabel(SCALE if filtration == "nominal" else "edge density")
    ax.set_ylabel(
        f"cavities of dim {dim}, as the original counts"
        if as_original
        else rf"Betti number $\beta_{dim}${filter_words(sources.values())}"
    )
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, max(one.max_epsilon for one in sources.values()) if filtration == "nominal" else None)
    if many and epochs:
        epoch_bar(epochs, ax)
    elif len(sources) > 1 or next(iter(sources)):
        legend_beside(ax)
    return tidy(ax)


@filter_keywords
def plot_diagram(diagrams: Sources, *, ax: Axes | None = None) -> Axes:
    """Draw the points (birth, death) of every dimension, essential classes on a line above.

    Args:
        diagrams: Diagrams or a measurement; label (or epoch) → such, told apart by their colours; or a list of them.
            All points that are given are drawn.
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
    end = max(source.max_epsilon for source in sources.values())
    top = 1.06 * end  # the line of the classes that never die
    epochs, alone = epochs_of(sources), len(sources) == 1
    many = epochs is not None and len(sources) >= MANY
    styles = epoch_styles(epochs, ax) if many and epochs else line_styles(len(sources), ax)
    for (label, source), style in zip(sources.items(), styles, strict=True):
        by_dim = line_styles(source.max_dim + 1, ax) if alone else [style] * (source.max_dim + 1)
        for dim, look in enumerate(by_dim):
            births, deaths = source.select(dim).T
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
        dims = range(max(len(source) for source in sources.values()))
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


def _smoothed(curve: BettiCurve) -> tuple[int, NDArray[np.float64]]:
    """Return the place of the first birth, and the moving average over a tenth of the breakpoints from there on.

    Before the first birth there is no cavity; the last value holds beyond the end, where nothing is known.
    """
    start = int(np.argmax(curve.beta > 0))
    beta: Any = curve.beta[start:].astype(float)
    size = max(1, len(curve.beta) // 10)
    before = np.full(size, 0.0 if start else beta[0])  # H0 is born at 0, where the axis begins
    padded = np.concatenate([before, beta, np.full(size, beta[-1])])
    smooth: NDArray[np.float64] = uniform_filter1d(padded, size=size, mode="nearest")[size : size + len(beta)]
    return start, smooth
