"""Figures for papers: each draws on the axes given, or on new ones, and changes no global state.

Colours run through matplotlib's cividis and line styles alternate, so that curves differ in grey print and for
colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from scipy.ndimage import uniform_filter1d

from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.homology.diagrams import diagrams_of
from dnn_topology.homology.filter_keywords import filter_keywords

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dnn_topology.homology.betti_curve import BettiCurve
    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams

Filtration = Literal["nominal", "density"]
FILTRATIONS: tuple[Filtration, ...] = ("nominal", "density")
LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")


@filter_keywords
def plot_betti_curves(
    curves: Mapping[str, Diagrams | HasDiagrams],
    *,
    dim: int = 1,
    filtration: Filtration = "nominal",
    smooth: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw one Betti curve per entry.

    Args:
        curves: Label → diagrams (or a measurement), in the order in which colours darken.
        dim: Dimension of the cavities.
        filtration: The horizontal axis: "nominal" is ε, "density" the share of pairs of neurons joined at ε.
        smooth: Draw what the original drew: a moving average over a tenth of the curve's breakpoints. By default
            the exact step function is drawn.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw, or `filtration="density"` and the density is not known.
    """
    check_choice("filtration", filtration, FILTRATIONS)
    if not curves:
        raise DnnTopologyError("there is no curve to draw")
    ax = axes_or_new(ax)
    for (label, source), style in zip(curves.items(), line_styles(len(curves)), strict=True):
        diagrams = diagrams_of(source)
        curve = diagrams.betti_curve(dim)
        x = curve.epsilon if filtration == "nominal" else diagrams.density_at(curve.epsilon)
        if smooth:
            ax.plot(x, _smoothed(curve), label=label, **style)
        else:
            ax.step(x, curve.beta, where="post", label=label, **style)
    ax.set_xlabel("scale ε (half the distance 1 − |correlation|)" if filtration == "nominal" else "edge density")
    filters = {diagrams_of(source).min_persistence for source in curves.values()} - {0.0}
    least = f" (cavities living longer than {min(filters):g})" if len(filters) == 1 else ""
    ax.set_ylabel(rf"Betti number $\beta_{dim}${least}")
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    if len(curves) > 1 or next(iter(curves)):
        ax.legend(frameon=False)
    return tidy(ax)


@filter_keywords
def plot_diagram(diagrams: Diagrams | HasDiagrams, *, ax: Axes | None = None) -> Axes:
    """Draw the points (birth, death) of every dimension, essential classes on a line above.

    Args:
        diagrams: Diagrams, or a measurement.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.
    """
    ax = axes_or_new(ax, square=True)
    source = diagrams_of(diagrams)
    end = source.max_epsilon
    top = 1.06 * end  # the line of the classes that never die
    for dim, style in enumerate(line_styles(source.max_dim + 1)):
        births, deaths = source.select(dim).T
        ax.plot(
            births,
            np.where(np.isinf(deaths), top, deaths),
            linestyle="none",
            marker=MARKERS[dim % len(MARKERS)],
            markersize=4,
            alpha=0.6,
            color=style["color"],
            label=f"$H_{dim}$ ({len(births)})",
        )
    ax.plot([0, end], [0, end], color="0.5", linewidth=0.8)
    ax.axhline(top, color="0.5", linewidth=0.8, linestyle=":")
    ax.annotate("alive at the end", (0.06, top), xycoords=("axes fraction", "data"), va="bottom", size=8)
    ax.set(xlabel="birth ε", ylabel="death ε", xlim=(-0.02 * end, 1.12 * end), ylim=(-0.02 * end, 1.12 * end))
    ax.legend(frameon=False, loc="lower right")
    return tidy(ax)


@filter_keywords
def plot_barcode(diagrams: Diagrams | HasDiagrams, *, dim: int = 1, ax: Axes | None = None) -> Axes:
    """Draw every cavity of one dimension as a bar from birth to death, in the order of birth.

    Args:
        diagrams: Diagrams, or a measurement.
        dim: Dimension of the cavities.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.
    """
    ax = axes_or_new(ax)
    source = diagrams_of(diagrams)
    births, deaths = source.select(dim).T
    alive = np.isinf(deaths)
    height = np.arange(len(births))
    dark, light = colormaps["cividis"]([0.25, 0.8])
    ax.hlines(height[~alive], births[~alive], deaths[~alive], color=dark, linewidth=1.0, label="finite")
    if alive.any():
        ax.hlines(
            height[alive],
            births[alive],
            source.max_epsilon,
            color=light,
            linewidth=1.4,
            linestyle="--",
            label="alive at the end",
        )
        ax.legend(frameon=False, loc="upper left")
    ax.set(xlabel="scale ε", ylabel=f"$H_{dim}$ cavities by birth", xlim=(0, source.max_epsilon), yticks=[])
    return tidy(ax)


def plot_history(
    topology: pd.DataFrame, history: pd.DataFrame | None = None, *, dim: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw life, midlife and the ε of the Betti curve's peak over the epochs, beside train and test accuracy.

    Args:
        topology: Columns epoch, dim, life, midlife, peak_epsilon, as in a run's topology.csv.
        history: Columns epoch, train_accuracy, test_accuracy, as in a run's history.csv; None draws topology alone.
        dim: Dimension of the cavities.
        ax: Axes to draw on; new ones by default. Accuracy gets an axis of its own at the right.

    Returns:
        The axes of the topology.

    Raises:
        DnnTopologyError: The table has no row of that dimension.
    """
    rows = topology[topology["dim"] == dim].sort_values("epoch")
    if rows.empty:
        raise DnnTopologyError(f"the topology table has no rows of dimension {dim}")
    ax = axes_or_new(ax)
    quantities = {"life": "life λ", "midlife": "midlife μ", "peak_epsilon": "ε of the peak"}
    for place, ((column, label), style) in enumerate(zip(quantities.items(), line_styles(3), strict=True)):
        ax.plot(rows["epoch"], rows[column], marker=MARKERS[place], markersize=4, label=label, **style)
    ax.set(xlabel="epoch", ylabel=f"$H_{dim}$, in ε")
    ax.set_ylim(bottom=0)
    lines, labels = ax.get_legend_handles_labels()
    if history is not None:
        more = beside_accuracy(ax, history)
        lines, labels = lines + more[0], labels + more[1]
    ax.legend(lines, labels, frameon=False, ncols=len(lines), loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    return tidy(ax, right=history is not None)


def beside_accuracy(ax: Axes, history: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    """Draw train and test accuracy on an axis of its own at the right.

    Args:
        ax: Axes whose x is the epoch.
        history: Columns epoch, train_accuracy, test_accuracy.

    Returns:
        Handles and labels for the legend.
    """
    right = ax.twinx()
    for column, label, line in (("train_accuracy", "train", "-"), ("test_accuracy", "test", "--")):
        right.plot(history["epoch"], history[column], color="0.72", linestyle=line, linewidth=1.4, label=label)
    right.set_ylabel("accuracy (grey)")
    right.set_ylim(0, 1.02)
    right.spines["top"].set_visible(False)
    handles, labels = right.get_legend_handles_labels()
    return handles, labels


def axes_or_new(ax: Axes | None, *, square: bool = False) -> Axes:
    """Return the axes given, or those of a new figure that no global list keeps alive."""
    if ax is not None:
        return ax
    return Figure(figsize=(4.8, 4.8) if square else (6.4, 4.0), layout="constrained").add_subplot()


def line_styles(n_lines: int) -> list[dict[str, Any]]:
    """Return colour and line style of each of n lines, light to dark, readable in grey."""
    shades = colormaps["cividis"](np.linspace(0.85, 0.0, n_lines) if n_lines > 1 else [0.0])
    return [
        {"color": tuple(shade), "linestyle": LINE_STYLES[place % len(LINE_STYLES)], "linewidth": 1.6}
        for place, shade in enumerate(shades)
    ]


def _smoothed(curve: BettiCurve) -> Any:
    """Return the moving average that the original drew: over a tenth of the breakpoints, 0 beyond the ends."""
    return uniform_filter1d(curve.beta.astype(float), size=max(1, len(curve.beta) // 10), mode="constant")


def tidy(ax: Axes, *, right: bool = False) -> Axes:
    """Leave out the frame where nothing is read off."""
    ax.spines["top"].set_visible(False)
    ax.spines["right"].set_visible(right)
    return ax
