"""A picture of where in a network, and when, something changes: layer by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize

from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError, check_choice, shown
from dnn_topology.homology.tables import WHOLE
from dnn_topology.measurement import Breakdown
from dnn_topology.show.styles import axes_or_new, foreground

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# column of a table → what it is called, and whether it counts, so that a tenfold difference is a step
SUMMARIES = {
    "count": ("finite cavities", True),
    "essential": ("cavities alive at the end", True),
    "life": ("life λ, in ε", False),
    "midlife": ("midlife μ, in ε", False),
    "betti_max": ("cavities at once, at most", True),
    "peak_epsilon": ("ε of the peak", False),
    "peak_density": ("density of the peak", False),
    "integral": ("area under the Betti curve, in ε", True),
    "total_persistence": ("total persistence, in ε", True),
    "entropy": ("persistence entropy, in nats", False),
}
DECADES = 30.0  # largest over smallest count, from which colours are of its logarithm
MOST_WRITTEN = 80  # cells that are large enough for their numbers
MISSING = "–"


def plot_layers(
    measured: Breakdown | Mapping[int, Breakdown] | pd.DataFrame,
    *,
    summary: str = "betti_max",
    dim: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw a number of each layer, or class, at each epoch as a heat map; the whole network is left out.

    Args:
        measured: What `track(…, by="layer")` or `measure(…, by="layer")` returned, or the same by class; or a table
            with the columns epoch, layer or class, dim and the summary, as in a run's topology.csv.
        summary: A column of `summarize`: "betti_max", "life", "midlife", "count", ….
        dim: Dimension of the cavities.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes: epochs from left to right, layers from top to bottom in the order of the forward pass. A number that
        is not defined, as the life of no cavity, is a dash.

    Raises:
        DnnTopologyError: It is nothing of that kind, there is no such summary, or that dimension was not measured.

    Example:
        >>> import torch
        >>> from dnn_topology.pipeline import measure
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> ax = plot_layers(measure(model, inputs.split(50), max_dim=1, by="layer"))
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['1', 'output']
    """
    check_argument("dim", dim, int)
    check_choice("summary", summary, SUMMARIES)
    table, by = _table(measured)
    missing = sorted({"epoch", "dim", summary} - set(table.columns))
    if missing:
        raise DnnTopologyError(f"the table has no column {missing[0]!r}: {', '.join(map(str, table.columns))}")
    rows = table[(table["dim"] == dim) & table[by].notna() & (table[by] != WHOLE)]
    if rows.empty:
        raise DnnTopologyError(
            f"no {by} has numbers of dimension {dim}: measure with max_dim={dim}, or give another dim"
        )
    if rows.duplicated(["epoch", by]).any():
        raise DnnTopologyError(f"the table has several rows of the same epoch and {by}: pass one measurement's")
    cells = rows.pivot_table(summary, by, "epoch", dropna=False, sort=False, observed=True)
    cells = cells.reindex(index=list(dict.fromkeys(rows[by])), columns=sorted(set(rows["epoch"])))
    label, counts = SUMMARIES[summary]
    return _drawn(cells, by, f"$H_{dim}$ {label}", counts=counts, ax=ax)


def _table(measured: Any) -> tuple[pd.DataFrame, str]:
    """Return the numbers of layers or classes by epoch, and which they are.

    Raises:
        DnnTopologyError: There are none.
    """
    if isinstance(measured, Breakdown):
        measured = {0: measured}
    if isinstance(measured, Mapping) and measured and all(isinstance(one, Breakdown) for one in measured.values()):
        measured = pd.concat([one.table.assign(epoch=epoch) for epoch, one in measured.items()], ignore_index=True)
    if isinstance(measured, pd.DataFrame):
        for by in ("layer", "class"):
            if by in measured:
                return measured, by
        raise DnnTopologyError("the table has no column 'layer' or 'class': measure with by='layer' or by='class'")
    raise DnnTopologyError(
        f"measured must be what measure or track returned with by='layer' or by='class', found {shown(measured)}"
    )


def _drawn(cells: pd.DataFrame, by: str, label: str, *, counts: bool, ax: Axes | None) -> Axes:
    """Draw a table of numbers, a row a layer and a column an epoch."""
    ax = axes_or_new(ax)
    values = np.ma.masked_invalid(cells.to_numpy(dtype=np.float64))
    scale = _scale(values, counts=counts)
    shades = ax.pcolormesh(values, cmap="cividis", norm=scale, edgecolors=ax.get_facecolor(), linewidth=0.6)
    ax.set_xticks(np.arange(cells.shape[1]) + 0.5, [str(epoch) for epoch in cells.columns])
    ax.set_yticks(np.arange(cells.shape[0]) + 0.5, [str(name) for name in cells.index])
    ax.set(xlabel="epoch", ylabel=by)
    if cells.shape[1] > 12:  # every number would cover the next
        ax.set_xticks(ax.get_xticks()[:: -(-cells.shape[1] // 12)], list(cells.columns[:: -(-cells.shape[1] // 12)]))
    ax.invert_yaxis()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    for place, value in np.ndenumerate(values.filled(np.nan)):
        if values.size <= MOST_WRITTEN or np.isnan(value):
            _write(ax, place, value, shades.norm, counts=counts)
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(shades, ax=ax, label=label)
    bar.ax.yaxis.label.set_color(foreground(ax))
    return ax


def _write(ax: Axes, place: tuple[int, ...], value: float, scale: Any, *, counts: bool) -> None:
    """Write a cell's number into it, readable on its colour."""
    missing = np.isnan(value)
    light = not missing and float(np.clip(scale(value), 0, 1)) > 0.5  # as cividis is from its middle on
    whole = counts and float(value).is_integer()
    text = MISSING if missing else f"{value:.0f}" if whole else f"{value:.2g}"
    colour = foreground(ax) if missing else "black" if light else "white"
    ax.text(place[1] + 0.5, place[0] + 0.5, text, ha="center", va="center", size=8, color=colour)


def _scale(values: NDArray[Any], *, counts: bool) -> Normalize:
    """Return how numbers become colours: counts that span decades by their logarithm."""
    known = np.asarray(values.compressed() if isinstance(values, np.ma.MaskedArray) else values)
    positive = known[known > 0]
    if counts and len(positive) and positive.max() >= DECADES * positive.min():
        return LogNorm(positive.min(), positive.max(), clip=True)
    return Normalize(known.min(), known.max()) if len(known) else Normalize(0, 1)
