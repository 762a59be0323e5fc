"""A picture of how well gaps were foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.styles import MARKERS, axes_or_new, legend_beside, line_styles, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


BESIDE = ("cell", "gap", "dataset")  # columns of predictions that are no predictor's
ACROSS = 4  # panels side by side


def plot_predictors(predictions: pd.DataFrame, *, by_row: bool = False) -> Axes:
    """Draw the gap that every predictor foretold over the true one: a panel each, the best first.

    Args:
        predictions: As for `plot_gap`; every other column is a predictor's. With a column `fold`, as in
            `Evaluation.predictions`, those of the fold "sample" are drawn.
        by_row: As for `plot_gap`.

    Returns:
        The axes of the first panel; the others are beside it in `ax.get_figure().axes`. Its title is the mean of
        |gap foretold - gap| in points.

    Raises:
        DnnTopologyError: There is no predictor, or no row.
    """
    if "fold" in predictions:
        predictions = predictions[predictions["fold"] == "sample"].drop(columns="fold")
    known = predictions.drop(columns=[name for name in BESIDE if name in predictions]).select_dtypes("number")
    errors = known.sub(predictions["gap"], axis=0).abs().mean().dropna().sort_values()
    if errors.empty:
        raise DnnTopologyError("there are no predictions to draw")
    n_rows, n_columns = -(-len(errors) // ACROSS), min(len(errors), ACROSS)
    figure = Figure(figsize=(3.4 * n_columns, 3.6 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, (name, error) in zip(panels, errors.items(), strict=False):
        plot_gap(predictions.dropna(subset=[str(name)]), predictor=str(name), by_row=by_row, ax=panel)
        panel.set_title(f"{name}: off by {error:.1f}", fontsize=9)
        panel.set(ylabel=f"gap foretold without its {'row' if by_row else 'network'}", xlabel="gap in points")
        if panel.get_legend() is not None and panel is not panels[n_columns - 1]:
            panel.get_legend().remove()
    for panel in panels[len(errors) :]:
        panel.remove()
    first: Axes = panels[0]
    return first


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
    ax = axes_or_new(ax, square=True, beside="dataset" in predictions)
    datasets = predictions["dataset"].astype(str) if "dataset" in predictions else predictions["gap"] * 0
    names = list(dict.fromkeys(datasets))
    for place, (name, style) in enumerate(zip(names, line_styles(len(names), ax), strict=True)):
        rows = predictions[datasets == name]
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
        legend_beside(ax)
    return tidy(ax)
