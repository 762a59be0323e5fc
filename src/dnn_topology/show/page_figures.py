"""The pictures of a page about a run: small, so that they are read on a telephone, with parts that a script can find.

Each part that the page lights has a group id: "curve-<epoch>" is an epoch's curve, "point-<number>" a cavity's point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnn_topology.show.history import ACCURACIES
from dnn_topology.show.styles import MARKERS, epoch_axis
from dnn_topology.show.svg import FIRST, INK, MUTED, SECOND, epoch_colour, page_style, svg_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dnn_topology.homology.diagrams import Diagrams

LINES = ("-", "--", ":", "-.")
NARROW, WIDE, SQUARE = (2.8, 2.0), (3.5, 2.4), (4.0, 3.9)
# Of the dots of a diagram, dimension by dimension: colour, how a line without length ends, the same as a marker.
DOTS: Sequence[tuple[str, Any, str]] = ((FIRST, "round", "o"), (SECOND, "projecting", "s"), (MUTED, "projecting", "s"))
FINEST = 300  # scales at which a curve is drawn: finer than a telephone shows


def history_figures(table: pd.DataFrame, history: pd.DataFrame | None, *, dim: int, prefix: str) -> list[str]:
    """Return accuracy, life, midlife and the ε of the peak over the epochs, each on a scale of its own, as SVG.

    Args:
        table: The table of the epochs, as `epoch_table` makes it.
        history: How the training went; None leaves the accuracy out.
        dim: Dimension of the cavities.
        prefix: Of every id.
    """
    rows = table[table["dim"] == dim]
    drawn = []
    if history is not None:
        with page_style():
            ax = _axes(NARROW, "Accuracy")
            for (column, label, line), marker, colour in zip(ACCURACIES, MARKERS, (SECOND, FIRST), strict=False):
                _line(ax, history["epoch"], history[column], colour, line, marker, label)
            ax.legend(loc="lower right")
            epoch_axis(ax)
            drawn.append(_svg(ax, f"{prefix}-accuracy", "Accuracy on training and test images over the epochs"))
    quantities = {
        "life": f"Life of $H_{dim}$ (mean, ε)",
        "midlife": f"Midlife of $H_{dim}$ (mean, ε)",
        "peak_epsilon": f"Place of the peak of $β_{dim}$ (ε)",
    }
    for column, title in quantities.items():
        with page_style():
            ax = _axes(NARROW, title)
            _line(ax, rows["epoch"], rows[column], FIRST, "-", "o", column)
            if rows[column].isna().all():
                ax.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
                ax.set_yticks([])
            epoch_axis(ax)
            drawn.append(_svg(ax, f"{prefix}-{column}", f"{title.replace('$', '')} over the epochs"))
    return drawn


def together_figures(
    tables: Mapping[str, pd.DataFrame], last: Mapping[str, Diagrams], *, dim: int, colours: Sequence[int]
) -> list[str]:
    """Return several runs in the same axes, as SVG: test accuracy and midlife over the epochs, the last Betti curve.

    Args:
        tables: Name → what was measured at each epoch in this dimension, test_accuracy beside it where it is known.
        last: Name → the diagrams of its last epoch, filtered.
        dim: Dimension of the cavities.
        colours: The colours of the runs, as places of epochs.
    """
    drawn = []
    for column, title in {"test_accuracy": "Test accuracy", "midlife": f"Midlife of $H_{dim}$ (mean, ε)"}.items():
        known = {name: table for name, table in tables.items() if column in table}
        if not known:
            continue
        with page_style():
            ax = _axes(WIDE, title)
            for place, (name, table) in enumerate(known.items()):
                look = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
                _line(ax, table["epoch"], table[column], epoch_colour(colours[place]), *look, name)
            epoch_axis(ax)
            drawn.append(_svg(ax, f"together-{column}", f"{title.replace('$', '')} of {', '.join(known)}"))
    with page_style():
        ax = _axes(WIDE, f"$β_{dim}$ at the last epoch")
        for place, (name, one) in enumerate(last.items()):
            epsilon, beta = one.betti_curve(dim).coarse(FINEST)
            colour, line = epoch_colour(colours[place]), LINES[place % len(LINES)]
            ax.step(epsilon, beta, where="post", color=colour, linestyle=line, linewidth=1.2, label=name)
        ax.set(xlabel="scale ε", ylim=(0, None), xlim=(0, max(one.max_epsilon for one in last.values())))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="upper left" if dim else "upper right")  # where no curve begins
        drawn.append(_svg(ax, f"together-betti{dim}", f"Betti curves of dimension {dim} of {', '.join(last)}"))
    return drawn


def curves_figure(diagrams: Mapping[int, Diagrams], *, dim: int, prefix: str) -> str:
    """Return the Betti curves of several epochs as SVG, each a solid line in its epoch's colour.

    A curve is drawn at 300 scales; between two of them its highest value is.

    Args:
        diagrams: Epoch → diagrams, filtered, in the order of the epochs.
        dim: Dimension of the cavities.
        prefix: Of every id.
    """
    with page_style():
        ax = _axes(WIDE, f"$β_{dim}$")
        for place, (epoch, one) in enumerate(diagrams.items()):
            epsilon, beta = one.betti_curve(dim).coarse(FINEST)
            ends = place in {0, len(diagrams) - 1}
            look: dict[str, Any] = {"color": epoch_colour(place), "linewidth": 1.8 if ends else 0.9}
            ax.step(epsilon, beta, where="post", gid=f"curve-{epoch}", **look)
        highest = max(int(one.betti_curve(dim)[1].max(initial=0)) for one in diagrams.values())
        ax.set(xlabel="scale ε", xlim=(0, max(one.max_epsilon for one in diagrams.values())))
        ax.set_ylim(0, None if highest else 1)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        if not highest:
            ax.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
        label = f"Betti curves of dimension {dim} at epochs {', '.join(map(str, diagrams))}"
        attributes = {f"curve-{epoch}": {"class": "curve", "data-epoch": str(epoch)} for epoch in diagrams}
        return _svg(ax, f"{prefix}-betti{dim}", label, attributes)


def graphs_figure(
    diagrams: Mapping[str, Diagrams], chosen: Mapping[str, Diagrams], *, dim: int, title: str, shown: str, prefix: str
) -> str:
    """Return the Betti curves of several graphs of an epoch as SVG, one of them in front.

    Args:
        diagrams: Name → diagrams, filtered.
        chosen: The same of the one in front.
        dim: Dimension of the cavities.
        title: Title of the picture.
        shown: What the one in front is called.
        prefix: Of every id.
    """
    with page_style():
        ax = _axes(WIDE, title)
        for name, one in {**diagrams, **chosen}.items():
            front = name in chosen
            look: dict[str, Any] = {"color": FIRST if front else MUTED, "linewidth": 1.8 if front else 0.7}
            epsilon, beta = one.betti_curve(dim).coarse(FINEST // 2)
            ax.step(epsilon, beta, where="post", zorder=3 if front else 2, label=shown if front else None, **look)
        ax.set(xlabel="scale ε", xlim=(0, max(one.max_epsilon for one in [*diagrams.values(), *chosen.values()])))
        ax.set_ylim(0, None if ax.get_ylim()[1] > 0.5 else 1)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="upper left" if dim else "upper right")  # where no curve begins
        label = f"{title.replace('$', '')}: {shown} in front of the others"
        return _svg(ax, f"{prefix}-graphs", label)


def diagram_figure(
    diagrams: Diagrams, cavities: Sequence[tuple[float, float, str]], *, dim: int, title: str, prefix: str
) -> str:
    """Return one epoch's diagram as SVG: points of some cavities are links to what is said of them.

    Of dimensions above 0, or of H0 where that is all.

    Args:
        diagrams: The epoch's diagrams, filtered.
        cavities: (birth, death, id on the page) of those cavities, death inf for one alive at the end.
        dim: Their dimension.
        title: Title of the picture.
        prefix: Of every id.
    """
    end = diagrams.max_epsilon
    top = 1.06 * end
    with page_style():
        ax = _axes(SQUARE, title, square=True)
        dims = range(1, len(diagrams)) if len(diagrams) > 1 else (0,)
        for other, (colour, cap, marker) in zip(dims, DOTS, strict=False):
            points = diagrams.select(other)
            _dots(ax, points[:, 0], np.minimum(points[:, 1], top), colour, cap, 2.6)
            ax.plot([], [], color=colour, linestyle="none", marker=marker, markersize=3, label=f"$H_{other}$")
        ax.plot([0, end], [0, end], color=MUTED, linewidth=0.6)
        ax.axhline(top, color=MUTED, linewidth=0.6, linestyle=":")
        ax.annotate("alive at the end", (0, top), va="bottom", size=7)
        for number, (birth, death, where) in enumerate(cavities, start=1):
            ax.plot(
                [birth],
                [min(death, top)],
                linestyle="none",
                marker="o",
                markersize=6,
                color="none",
                markeredgecolor=INK,
                gid=f"point-{number}",
                url=f"#{where}",
            )
        ax.set(xlabel="birth ε", ylabel="death ε", xlim=(-0.02 * end, 1.02 * end), ylim=(-0.02 * end, 1.14 * end))
        ax.legend(loc="lower right")
        attributes = {
            f"point-{number}": {"class": "point", "data-cavity": where}
            for number, (_, _, where) in enumerate(cavities, start=1)
        }
        label = f"Persistence diagram, {title}: every ring is one of the longest-lived cavities of dimension {dim}"
        return _svg(ax, f"{prefix}-diagram", label, attributes)


def _axes(size: tuple[float, float], title: str, *, square: bool = False) -> Axes:
    """Return the axes of a new small figure."""
    ax = Figure(figsize=size, layout="constrained").add_subplot(box_aspect=1 if square else None)
    ax.set_title(title, loc="left")
    return ax


def _line(ax: Axes, x: Any, y: Any, colour: str, line: str, marker: str, label: str) -> None:
    """Draw a quantity over the epochs."""
    shown = marker if len(x) < 30 else ""
    ax.plot(x, y, color=colour, linestyle=line, marker=shown, markersize=3, linewidth=1.2, label=label)


def _dots(ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, cap: Any, size: float) -> None:
    """Draw many points as one path of lines without length, which takes a third of the bytes of as many markers."""
    if len(x):
        nothing, step = np.full(len(x), np.nan), 1e-5
        across, up = np.column_stack([x, x + step, nothing]).ravel(), np.column_stack([y, y, nothing]).ravel()
        (line,) = ax.plot(across, up, color=colour, linewidth=size, solid_capstyle=cap, alpha=0.55)
        line.get_path().should_simplify = False


def _svg(ax: Axes, prefix: str, label: str, attributes: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return the figure of some axes as an SVG element."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return svg_text(figure, prefix=prefix, label=label, attributes=attributes)
