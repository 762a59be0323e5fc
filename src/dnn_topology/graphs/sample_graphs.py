"""The graph of a single input: neurons are joined where their activations on it differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_choice, check_fraction, check_max_epsilon
from dnn_topology.graphs.checks import real_array
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.settings import SampleScale

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

LDA_SHRINKAGE = 0.001


NORMALISE = get_args(SampleScale)


def sample_graph(
    activations: ArrayLike,
    *,
    max_epsilon: float = 0.3,
    neurons: pd.DataFrame | None = None,
    normalise: SampleScale = "layer",
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> FunctionalGraph:
    """Join every two neurons whose activations on one input differ strongly: d = 1 - |a_i - a_j| / (max a - min a).

    The neurons that *differ* are joined: joining the similar ones would put points on a line, and no loop of points
    on a line lives.

    Layers differ in their scale: log-probabilities reach -30 where hidden activations reach 3, and all ten of them then
    differ strongly from all hidden neurons and from nothing else. Such a graph is nearly complete bipartite, whatever
    the input is. So each layer's activations are first put on the same scale, from 0 at its lowest to 1 at its highest.

    Args:
        activations: (n_neurons,), real: each neuron's answer to the input.
        max_epsilon: The largest scale of the filtration, in (0, 0.5].
        neurons: The table of the neurons, if there is one; its column `layer` says which belong together. Without it
            all are one layer.
        normalise: "layer", or "none" for activations as they are, which is what the original does.
        shapes: Layer → the shape in which its neurons lie, where that is known.

    Returns:
        The graph. Without edges if all activations are equal, as then no two neurons differ.

    Raises:
        DnnTopologyError: The activations are not one row, or one is not finite; `max_epsilon` lies outside (0, 0.5];
            `normalise` is unknown.

    Source:
        The original's graph type "functional_persample"; normalising is ours.

    Example:
        >>> graph = sample_graph([0.0, 0.5, 2.0], max_epsilon=0.3)
        >>> graph.rows.tolist(), graph.cols.tolist(), graph.distances.tolist()
        ([0, 1], [2, 2], [0.0, 0.25])
    """
    check_max_epsilon(max_epsilon)
    check_choice("normalise", normalise, NORMALISE)
    values = real_array("activations", activations).astype(np.float64)
    if values.ndim != 1:
        raise DnnTopologyError(f"`activations` must be those of one input, (n_neurons,), found shape {values.shape}")
    if not np.isfinite(values).all():
        raise DnnTopologyError(f"{(~np.isfinite(values)).sum()} of {values.size} activations are NaN or infinite")
    if normalise == "layer" and neurons is not None and "layer" in neurons:
        values = _on_one_scale(values, neurons)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    low, high = _far_pairs(ranked, share=1 - 2 * max_epsilon)
    span = ranked[-1] - ranked[0] if len(ranked) else 0.0
    distances = 1 - (ranked[high] - ranked[low]) / span if span > 0 else np.empty(0)
    kept = distances <= 2 * max_epsilon
    ends = np.sort([order[low[kept]], order[high[kept]]], axis=0)
    rows, cols = ends.astype(np.int32)
    return FunctionalGraph(
        rows, cols, distances[kept], len(values), float(max_epsilon), neurons, shapes=dict(shapes or {})
    )


def _on_one_scale(values: NDArray[np.float64], neurons: pd.DataFrame) -> NDArray[np.float64]:
    """Return activations (n_neurons,) from 0 to 1 in each layer; 0 where a layer is constant."""
    scaled = np.zeros_like(values)
    for members in neurons.groupby("layer", observed=True).indices.values():
        layer = values[members]
        span = layer.max() - layer.min()
        scaled[members] = (layer - layer.min()) / span if span > 0 else 0.0
    return scaled


def discriminative_neurons(activations: ArrayLike, labels: ArrayLike, *, share: float = 0.1) -> NDArray[np.intp]:
    """Return the neurons that best tell two kinds of inputs apart, by linear discriminant analysis.

    Args:
        activations: (n_samples, n_neurons), real.
        labels: (n_samples,): two kinds, such as whether the network classified the input rightly.
        share: Share of the neurons that is returned, at least one: those of largest |coefficient| of signals that are
            standardised first, for a coefficient is the larger the less its neuron varies. Constant ones come last.

    Returns:
        Their places, rising.

    Raises:
        DnnTopologyError: All labels are equal, or `share` lies outside [0, 1].

    Source:
        The original's `--select_nodes`: least squares with shrinkage 0.001, of the signals as they are.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    check_fraction("share", share)
    values, classes = real_array("activations", activations).astype(np.float64), np.asarray(labels)
    if len(np.unique(classes)) != 2:
        raise DnnTopologyError(
            f"to select neurons by right and wrong predictions there must be both, found {len(np.unique(classes))} "
            f"kind among {len(classes)} inputs: take more inputs (n_inputs=), test inputs (graph_split=), or an "
            "earlier epoch"
        )
    spread = values.std(axis=0)
    varying = spread > 1e-12 * np.abs(values).max(axis=0, initial=0.0)
    values = np.where(varying, values - values.mean(axis=0), 0.0) / np.where(varying, spread, 1.0)
    fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=LDA_SHRINKAGE).fit(values, classes)
    n_chosen = max(1, int(share * values.shape[1]))
    strongest = np.argsort(-np.abs(fitted.coef_[0]), kind="stable")[:n_chosen]
    return np.sort(strongest)


def _far_pairs(ranked: NDArray[np.float64], *, share: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs i < j of rising values with ranked[j] - ranked[i] ≥ share of their span, and perhaps a few nearer.

    A value's far partners are those from some place on, so that pairs which are not joined cost nothing.
    """
    if not len(ranked):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    reach = share * (ranked[-1] - ranked[0]) * (1 - 1e-12)  # round-off must not lose a pair; the caller decides exactly
    first = np.maximum(np.searchsorted(ranked, ranked + reach * (1 - 1e-12), side="left"), np.arange(len(ranked)) + 1)
    counts = len(ranked) - np.minimum(first, len(ranked))
    low = np.repeat(np.arange(len(ranked)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    high = np.arange(counts.sum()) - starts + np.repeat(first, counts)
    return low, high
