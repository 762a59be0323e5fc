"""A picture of how the numbers of a network change over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.summaries import summarize
from dnn_topology.show.sources import EPOCH, labelled
from dnn_topology.show.styles import (
    GREY,
    MARKERS,
    NotebookAxes,
    epoch_axis,
    foreground,
    legend_above,
    line_styles,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dnn_topology.show.sources import Sources

# column of the table → what it is called
QUANTITIES = {"life": "life λ, in ε", "midlife": "midlife μ, in ε", "peak_epsilon": "ε of the peak"}
ACCURACIES = (("train_accuracy", "train", "-"), ("test_accuracy", "test", "--"))


def plot_history(
    topology: pd.DataFrame | Sources, history: pd.DataFrame | None = None, *, dim: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw life, midlife and the ε of the Betti curve's peak over the epochs, and train and test accuracy.

    Each has a panel of its own, one above the other.

    Args:
        topology: Epoch → diagrams or measurement, as `track` returns, or a list of them, epoch 0 first; or a table with
            the columns epoch, dim, life, midlife, peak_epsilon, as in a run's topology.csv.
        history: Columns epoch, train_accuracy, test_accuracy, as in a run's history.csv; None draws topology alone.
        dim: Dimension of the cavities.
        ax: Axes that make room for the panels; new ones by default.

    Returns:
        The axes of the first panel; the others are beside it in `ax.get_figure().axes`.

    Raises:
        DnnTopologyError: The table is none, or has no row of that dimension.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> epochs = {e: Diagrams([[], [(0.1, 0.2 + e / 100)]], max_epsilon=0.3) for e in (0, 5)}
        >>> plot_history(epochs).get_lines()[0].get_ydata().round(3).tolist()
        [0.1, 0.15]
    """
    check_argument("dim", dim, int)
    table = topology if isinstance(topology, pd.DataFrame) else _table(topology)
    missing = {"epoch", "dim", *QUANTITIES} - set(table.columns)
    if missing:
        raise DnnTopologyError(f"the topology table has no column {sorted(missing)[0]!r}: {', '.join(table.columns)}")
    rows = table[table["dim"] == dim].sort_values("epoch")
    if rows.empty:
        raise DnnTopologyError(f"the topology table has no rows of dimension {dim}")
    panels = _panels(ax, len(QUANTITIES) + (history is not None))
    look: dict[str, Any] = {**line_styles(1, panels[0])[0], "markersize": 4}
    for panel, (column, label), marker in zip(panels, QUANTITIES.items(), MARKERS, strict=False):
        panel.plot(rows["epoch"], rows[column], marker=marker, label=label, **look)
        panel.set_ylabel(label)
    panels[0].set_title(f"$H_{dim}$", fontsize=10, color=foreground(panels[0]))
    if history is not None:
        for column, label, line in ACCURACIES:
            marker = "o" if len(history) < 30 else ""
            panels[-1].plot(
                history["epoch"], history[column], color=GREY, linestyle=line, marker=marker, markersize=3, label=label
            )
        panels[-1].set_ylabel("accuracy")
        panels[-1].set_ylim(0, 1.02)
        legend_above(panels[-1])
    for panel in panels:
        tidy(panel)
        panel.margins(x=0.03)
        panel.tick_params(labelbottom=panel is panels[-1])
    epoch_axis(panels[-1])
    return panels[0]


def beside_accuracy(ax: Axes, history: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    """Draw train and test accuracy on an axis of its own at the right.

    Args:
        ax: Axes whose x is the epoch.
        history: Columns epoch, train_accuracy, test_accuracy.

    Returns:
        Handles and labels for the legend.
    """
    right = ax.twinx()
    marker = "." if len(history) < 30 else ""
    for column, label, line in ACCURACIES:
        right.plot(
            history["epoch"], history[column], color=GREY, linestyle=line, marker=marker, linewidth=1.4, label=label
        )
    right.set_ylabel("accuracy (grey)")
    right.set_ylim(0, 1.02)
    right.spines["top"].set_visible(False)
    handles, labels = right.get_legend_handles_labels()
    return handles, labels


def _table(sources: Sources) -> pd.DataFrame:
    """Return the numbers of every epoch in one table; what has no epoch's label counts as the next."""
    keyed = sources if isinstance(sources, Mapping) else {}
    labels = labelled(sources)
    tables = []
    for place, (label, diagrams) in enumerate(labels.items()):
        named = EPOCH.fullmatch(label) if keyed else None
        tables.append(summarize(diagrams).assign(epoch=int(named[1]) if named else place))
    return pd.concat(tables, ignore_index=True)


def _panels(ax: Axes | None, n_panels: int) -> list[Axes]:
    """Return axes one above the other that share their epochs: new ones, or those given and others cut off them."""
    if ax is None:
        figure = Figure(figsize=(6.4, 1.7 * n_panels), layout="constrained")
        return list(figure.subplots(n_panels, sharex=True, subplot_kw={"axes_class": NotebookAxes}))
    from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]  # it has no annotations

    divider = make_axes_locatable(ax)
    others = [divider.append_axes("bottom", size="100%", pad=0.25, sharex=ax) for _ in range(n_panels - 1)]
    return [ax, *others]
