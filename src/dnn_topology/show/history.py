"""A picture of how the numbers of a network, or of several trainings of it, change over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.summaries import summarize
from dnn_topology.show.curves import BAND_WORDS, mean_and_band
from dnn_topology.show.sources import EPOCH, by_epoch, is_several, labelled
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
Histories = pd.DataFrame | Sequence[pd.DataFrame] | Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]]


def plot_history(
    topology: pd.DataFrame | Sources | Mapping[str, Any],
    history: Histories | None = None,
    *,
    dim: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw life, midlife and the ε of the Betti curve's peak over the epochs, and train and test accuracy.

    Each has a panel of its own, one above the other. Where an epoch has several values, of several trials or draws of
    neurons, their mean is drawn with the band of their middle 95 %.

    Args:
        topology: Epoch → diagrams or measurement, as `track` returns, or a list of them, epoch 0 first; a table with
            the columns epoch, dim, life, midlife, peak_epsilon, as in a run's topology.csv; a list of either, which is
            a group of trials; or label → any of these, a line each.
        history: Columns epoch, train_accuracy, test_accuracy, as in a run's history.csv, a list of such tables for a
            group, or label → either; None draws topology alone.
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
    tables = {label: _rows(table, dim) for label, table in _by_label(topology).items()}
    panels = _panels(ax, len(QUANTITIES) + (history is not None))
    looks = [{**look, "linestyle": "-"} for look in line_styles(len(tables), panels[0])]
    for panel, (column, label), marker in zip(panels, QUANTITIES.items(), MARKERS, strict=False):
        for (name, rows), look in zip(tables.items(), looks, strict=True):
            _draw_mean(panel, rows, column, marker=marker, markersize=4, label=name or label, **look)
        panel.set_ylabel(label)
    several = any(rows["epoch"].duplicated().any() for rows in tables.values())
    words = [rf"$H_{dim}$", *([f"mean, {BAND_WORDS}"] if several else [])]
    if len(tables) > 1:
        legend_above(panels[0], title=", ".join(words))
    else:
        panels[0].set_title(", ".join(words), fontsize=10, color=foreground(panels[0]))
    if history is not None:
        _draw_accuracies(panels[-1], _tables_of(history), looks if len(tables) > 1 else [{"color": GREY}])
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


def _draw_mean(panel: Axes, rows: pd.DataFrame, column: str, **look: Any) -> None:
    """Draw a column over the epochs, of several rows per epoch their mean with its band."""
    epochs = np.sort(rows["epoch"].unique())
    numbered = rows.assign(trial=rows.groupby("epoch").cumcount())
    values = numbered.pivot(index="trial", columns="epoch", values=column).to_numpy(dtype=float)
    mean, low, high = mean_and_band(values)
    panel.plot(epochs, mean if len(values) > 1 else values[0], **look)
    if len(values) > 1 and len(epochs) > 1:
        panel.fill_between(epochs, low, high, color=look["color"], alpha=0.25, linewidth=0)
    elif len(values) > 1:  # a band of no width would not be seen
        panel.vlines(epochs, low, high, color=look["color"], alpha=0.5)


def _draw_accuracies(panel: Axes, tables: Mapping[str, pd.DataFrame], looks: Sequence[Mapping[str, Any]]) -> None:
    """Draw train and test accuracy of every group."""
    for (name, table), look in zip(tables.items(), looks, strict=False):
        marker = "o" if table["epoch"].nunique() < 30 else ""
        for column, label, line in ACCURACIES:
            about = f"{name}, {label}" if name else label
            style: dict[str, Any] = {"color": look["color"], "linestyle": line, "marker": marker, "markersize": 3}
            _draw_mean(panel, table, column, label=about, **style)
    panel.set_ylabel("accuracy")
    panel.set_ylim(0, 1.02)
    legend_above(panel)


def _by_label(topology: Any) -> dict[str, pd.DataFrame]:
    """Return one table per line that is drawn, "" being the label of the only one."""
    if isinstance(topology, Mapping) and not all(isinstance(key, int) or EPOCH.fullmatch(str(key)) for key in topology):
        series = {str(label): one for label, one in topology.items()}
        if all(isinstance(one, Mapping | pd.DataFrame) or _holds_trials(one) for one in series.values()):
            return {label: _table(one) for label, one in series.items()}
    return {"": _table(topology)}


def _holds_trials(source: Any) -> bool:
    """Return whether something is a list of tracks or of tables."""
    members = source if isinstance(source, Sequence) and not isinstance(source, str) else ()
    return bool(members) and all(isinstance(one, Mapping | pd.DataFrame) for one in members)


def _table(source: Any) -> pd.DataFrame:
    """Return the numbers of every epoch in one table; what has no epoch's label counts as the next."""
    tables: list[pd.DataFrame] = []
    if isinstance(source, pd.DataFrame):
        table: pd.DataFrame = source
        return table
    if is_several(source) and (members := list(source)):
        if all(isinstance(one, pd.DataFrame) for one in members):
            joined: pd.DataFrame = pd.concat(members, ignore_index=True)
            return joined
        tracks = all(isinstance(one, Mapping) for one in members)
        source = by_epoch(members) if tracks else dict(enumerate(members))
    for place, (label, group) in enumerate(labelled(source).items()):
        named = EPOCH.fullmatch(label)
        tables += [summarize(one).assign(epoch=int(named[1]) if named else place) for one in group]
    return pd.concat(tables, ignore_index=True)


def _rows(table: pd.DataFrame, dim: int) -> pd.DataFrame:
    """Return the rows of one dimension, by epoch.

    Raises:
        DnnTopologyError: A column is missing, or there is no such row.
    """
    missing = {"epoch", "dim", *QUANTITIES} - set(table.columns)
    if missing:
        raise DnnTopologyError(
            f"the topology table has no column {sorted(missing)[0]!r}: {', '.join(map(str, table.columns))}"
        )
    rows = table[table["dim"] == dim].sort_values("epoch", kind="stable")
    if rows.empty:
        raise DnnTopologyError(
            f"the topology table has no rows of dimension {dim}: measure with max_dim={dim}, or give another dim"
        )
    return rows


def _tables_of(history: Histories) -> dict[str, pd.DataFrame]:
    """Return the histories of every group, each in one table."""
    named = history if isinstance(history, Mapping) else {"": history}
    return {label: one if isinstance(one, pd.DataFrame) else pd.concat(list(one)) for label, one in named.items()}


def _panels(ax: Axes | None, n_panels: int) -> list[Axes]:
    """Return axes one above the other that share their epochs: new ones, or those given and others cut off them."""
    if ax is None:
        figure = Figure(figsize=(6.4, 1.7 * n_panels), layout="constrained")
        return list(figure.subplots(n_panels, sharex=True, subplot_kw={"axes_class": NotebookAxes}))
    if (place := ax.get_subplotspec()) is not None and (parent := ax.get_figure()) is not None:
        cells = place.subgridspec(n_panels, 1)  # which a constrained layout knows of
        ax.set_subplotspec(cells[0])
        return [ax, *(parent.add_subplot(cells[k], sharex=ax) for k in range(1, n_panels))]
    from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]  # it has no annotations

    divider = make_axes_locatable(ax)
    others = [divider.append_axes("bottom", size="100%", pad=0.35, sharex=ax) for _ in range(n_panels - 1)]
    return [ax, *others]
