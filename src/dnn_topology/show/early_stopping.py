"""A picture of when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.history import beside_accuracy
from dnn_topology.show.styles import GREY, axes_or_new, epoch_axis, foreground, legend_above, line_styles, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dnn_topology.analysis.early_stopping import Decision

# quantity → what it is called, and what stands at its axis
NAMES = {
    "neighbours": ("disagreement of neighbours", "disagreement of neighbours, share of edges"),
    "density": ("density of the peak ρ*", "$H_1$ density of the peak ρ*, share of pairs"),
    "epsilon": ("ε of the peak", "$H_1$ ε of the peak, in ε"),
    "midlife": ("midlife μ", "$H_1$ midlife μ, in ε"),
    "life": ("life λ", "$H_1$ life λ, in ε"),
}


@checked
def plot_early_stopping(
    decision: Decision,
    history: pd.DataFrame | None = None,
    *,
    values: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a rule looked at and the epochs that it chose and stopped at, beside train and test accuracy.

    Args:
        decision: What the rule made of the epochs.
        history: Columns epoch, train_accuracy, test_accuracy, as in a run's history.csv; None draws no accuracy.
        values: Columns epoch, value, and, for a band, lower and upper (and bias, where it is an interval for the
            value): also of epochs after the stop. None for the decision's own.
        ax: Axes to draw on; new ones by default. Accuracy gets an axis of its own at the right.

    Returns:
        The axes of what the rule looked at.

    Raises:
        DnnTopologyError: No epoch has a value.

    Example:
        >>> from dnn_topology.analysis.early_stopping import StoppingRule
        >>> decision = StoppingRule(patience=2, min_delta=0).decide({0: 0.24, 1: 0.18, 2: 0.2, 3: 0.22})
        >>> plot_early_stopping(decision).get_lines()[0].get_ydata().tolist()
        [0.24, 0.18, 0.2, 0.22]
    """
    table = (decision.table if values is None else values).sort_values("epoch")
    if table["value"].isna().all():
        raise DnnTopologyError(f"there is nothing to draw: {decision.reason}")
    ax = axes_or_new(ax)
    (style,) = line_styles(1, ax)
    label, axis = NAMES[decision.rule.quantity]
    ax.plot(table["epoch"], table["value"], marker="o", markersize=3, label=label, **style)
    if "lower" in table:
        band = "90 % interval, bias-corrected" if "bias" in table else "90 % of draws of inputs"
        ax.fill_between(table["epoch"], table["lower"], table["upper"], color=GREY, alpha=0.3, linewidth=0, label=band)
    for epoch, text, line in ((decision.chosen_epoch, "chosen", "-"), (decision.stop_epoch, "stopped", ":")):
        if epoch is not None:
            ax.axvline(epoch, color=foreground(ax), linestyle=line, linewidth=1.2, label=f"{text}: epoch {epoch}")
    ax.set_ylabel(axis)
    ax.set_ylim(bottom=0)
    epoch_axis(ax)
    lines, labels = ax.get_legend_handles_labels()
    if history is not None:
        more = beside_accuracy(ax, history)
        lines, labels = lines + more[0], labels + more[1]
    legend_above(ax, lines, labels)
    return tidy(ax, right=history is not None)
