"""A picture of how well gaps were foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.styles import MARKERS, axes_or_new, line_styles, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_gap(
    predictions: pd.DataFrame, *, predictor: str = "lambda-mu", by_row: bool = False, ax: Axes | None = None
) -> Axes:
    """Draw the gap that was foretold over the true one, a point per row, markers telling data sets apart.

    Args:
        predictions: Columns `gap` and that of the predictor, in points, as `Evaluation.predictions`; with `dataset`,
            points of one data set look alike.
        predictor: Which column.
        by_row: Whether only the row itself was left out, while other epochs of its network were in the fit.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is no such column, or no row.
    """
    if predictor not in predictions or predictions.empty:
        raise DnnTopologyError(f"there are no predictions of {predictor!r} to draw")
    ax = axes_or_new(ax, square=True)
    kinds = predictions["dataset"].astype(str) if "dataset" in predictions else predictions["gap"] * 0
    names = list(dict.fromkeys(kinds))
    for place, (name, style) in enumerate(zip(names, line_styles(len(names)), strict=True)):
        rows = predictions[kinds == name]
        marker, label = MARKERS[place % len(MARKERS)], name if len(names) > 1 else None
        ax.scatter(rows["gap"], rows[predictor], s=18, marker=marker, color=style["color"], alpha=0.8, label=label)
    both = predictions[["gap", predictor]].to_numpy(dtype=np.float64)
    low, high = float(both.min()), float(both.max())
    margin = 0.05 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    left_out = "row" if by_row else "network"
    ax.plot(ends, ends, color="0.6", linewidth=0.8)
    ax.set(xlabel="gap in points", ylabel=f"gap foretold without its {left_out} ({predictor})", xlim=ends, ylim=ends)
    ax.set_aspect("equal")
    if len(names) > 1:
        ax.legend(frameon=False)
    return tidy(ax)
