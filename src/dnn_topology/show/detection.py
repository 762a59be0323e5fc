"""Pictures of detection: who is found at which price, and how the curves of batches differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.report import save_figure
from dnn_topology.show.styles import axes_or_new, legend_beside, line_styles, tidy

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from dnn_topology.analysis.adversarial.results import DetectResults


def plot_roc(scores: Mapping[str, tuple[ArrayLike, ArrayLike]], *, ax: Axes | None = None) -> Axes:
    """Draw one ROC curve per entry: the share of positives found over the share of negatives that raise an alarm.

    Args:
        scores: Label → scores of the negatives (n,) and of the positives (m,), higher being more suspicious.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    if not scores:
        raise DnnTopologyError("there is no curve to draw")
    ax = axes_or_new(ax)
    ax.set_box_aspect(1)
    for (label, pair), style in zip(scores.items(), line_styles(len(scores), ax), strict=True):
        negative, positive = (np.ravel(each) for each in pair)
        truth = np.repeat([0, 1], [len(negative), len(positive)])
        values = np.concatenate([negative, positive])
        alarms, detected, _ = roc_curve(truth, values)
        ax.plot(alarms, detected, label=f"{label} ({roc_auc_score(truth, values):.2f})", **style)
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    ax.set(xlabel="share of false alarms", ylabel="share found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    # beside the axes: a detector worse than chance fills the lower half
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    ax.legend(frameon=False, fontsize=8, title="detector (AUROC)", title_fontsize=8, **place)
    return tidy(ax)


def plot_batch_curves(
    curves: Mapping[str, ArrayLike], scales: ArrayLike, *, dim: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw the mean Betti curve of several kinds of batches, with a band of the middle 90 % of each.

    Args:
        curves: Label → curves (n_batches, n_scales).
        scales: (n_scales,): their ε.
        dim: Dimension of the cavities.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There is nothing to draw.
    """
    if not curves:
        raise DnnTopologyError("there is no curve to draw")
    ax = axes_or_new(ax)
    x = np.asarray(scales)
    for (label, of_batches), style in zip(curves.items(), line_styles(len(curves), ax), strict=True):
        rows = np.asarray(of_batches)
        ax.plot(x, rows.mean(axis=0), label=label, **style)
        low, high = np.quantile(rows, [0.05, 0.95], axis=0)
        ax.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
    ax.set_xlabel("scale ε (half the distance 1 − |correlation|)")
    ax.set_ylabel(rf"Betti number $\beta_{dim}$ of a batch")
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    legend_beside(ax)
    return tidy(ax)


def save_detection_figures(results: DetectResults, folder: Path) -> list[Path]:
    """Draw the ROC curves, and the Betti curves of the largest batches, of every attack at its strongest.

    Args:
        results: What detectors said.
        folder: Where the pictures go.

    Returns:
        Their paths.
    """
    paths = []
    strongest = {method: (method, strength) for method, strength in results.made}
    for attack in strongest.values():
        scores, name = results.scores(attack), results.name(attack)
        for negative in ("clean", "noise"):
            single = scores[negative].single.items()
            pairs = {detector: (values, scores["adversarial"].single[detector]) for detector, values in single}
            if pairs:
                ax = plot_roc(pairs)
                ax.set_title(f"{negative} against {name.replace('_', ' ')}", fontsize=10)
                paths += save_figure(ax, folder / f"roc_{name}_{negative}", formats=["png"])
        for size in [*scores["clean"].curves][-1:]:
            curves = {kind: of_kind.curves[size] for kind, of_kind in scores.items()}
            ax = plot_batch_curves(curves, results.clean[f"scales/{size}"])
            ax.set_title(f"batches of {size}, {name.replace('_', ' ')}", fontsize=10)
            paths += save_figure(ax, folder / f"betti_curves_{name}", formats=["png"])
    return paths
