"""The pairs of neurons that a metric without a bound finds near: Euclidean distances, and a user's own function."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.checks import checked_distances
from dnn_topology.graphs.correlation import Edges

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BLOCK = 1024  # neurons per block of distances


def own_pairs(
    metric: Callable[[NDArray[np.floating]], ArrayLike], signals: NDArray[np.floating], *, threshold: float
) -> Edges:
    """Return the pairs that a user's metric finds near.

    Args:
        metric: Takes the signals (n_samples, n), returns their distances (n, n).
        signals: (n_samples, n), real, none of them constant.
        threshold: The largest distance.

    Returns:
        The pairs, as positions within the signals.

    Raises:
        DnnTopologyError: What the metric returned is not a matrix of distances.
    """
    name = getattr(metric, "__qualname__", type(metric).__name__)
    try:
        answer = metric(signals)
    except Exception as error:  # whatever the user's function does
        raise DnnTopologyError(
            f"the metric {name} failed on signals of shape {signals.shape}: {type(error).__name__}: {error}"
        ) from error
    if np.shape(answer) != (signals.shape[1],) * 2:
        raise DnnTopologyError(
            f"the metric must return ({signals.shape[1]}, {signals.shape[1]}) distances for {signals.shape[1]} "
            f"signals, found shape {np.shape(answer)}"
        )
    distances = checked_distances(answer)
    edges = near_block(distances, threshold=threshold, left=0, right=0)
    if len(distances) > 1 and not len(edges.rows):
        _warn_of_nothingnear_block(
            float(np.min(distances, where=~np.eye(len(distances), dtype=bool), initial=np.inf)), threshold
        )
    return edges


def euclidean_pairs(signals: NDArray[np.floating], *, threshold: float, block: int | None = None) -> Edges:
    """Return the pairs with d = |x - y| ≤ threshold, the Euclidean distance of two signals.

    Args:
        signals: (n_samples, n), real.
        threshold: The largest distance, in the signals' unit.
        block: Neurons per block, by default 1,024; it bounds memory and changes no result.

    Returns:
        The pairs, as positions within the signals.

    Example:
        >>> euclidean_pairs(np.array([[0.0, 3.0, 9.0], [0.0, 4.0, 9.0]]), threshold=6).distances.tolist()
        [5.0]
    """
    from scipy.spatial.distance import cdist

    block = block or BLOCK
    rows = np.ascontiguousarray(signals.T, dtype=np.float64)
    starts = range(0, len(rows), block)
    parts, nearest_pair = [], np.inf
    for a in starts:
        for b in starts[a // block :]:
            distances = cdist(rows[a : a + block], rows[b : b + block])
            apart = distances[np.triu_indices(len(distances), k=1)] if a == b else distances
            nearest_pair = min(nearest_pair, float(apart.min(initial=np.inf)))
            parts.append(near_block(distances, threshold=threshold, left=a, right=b))
    if np.isfinite(nearest_pair) and nearest_pair > threshold:
        _warn_of_nothingnear_block(nearest_pair, threshold)
    return Edges(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _warn_of_nothingnear_block(nearest_pair: float, threshold: float) -> None:
    """Say why a graph has no edge, where distances have no bound that would tell which scales make sense."""
    warnings.warn(
        f"no two neurons are within d = 2 · max_epsilon = {threshold:g} by this metric, the nearest are "
        f"{nearest_pair:.4g} apart: there is nothing to see below max_epsilon={nearest_pair / 2:.4g}",
        UserWarning,
        stacklevel=5,
    )


def near_block(distances: NDArray[np.float64], *, threshold: float, left: int, right: int) -> Edges:
    """Return the pairs of one block within the threshold, each once, numbered from the blocks' first columns."""
    kept = distances <= threshold
    if left == right:
        kept = np.triu(kept, k=1)
    i, j = np.nonzero(kept)
    return Edges((i + left).astype(np.int32), (j + right).astype(np.int32), distances[i, j])
