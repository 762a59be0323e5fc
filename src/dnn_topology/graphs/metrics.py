"""How far two signals are apart, besides Pearson's correlation: by ranks, by distance correlation, by a user's own.

Spearman's correlation is Pearson's of the ranks, so it only needs `ranks`. The others return the near pairs
themselves.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.graphs.checks import checked_distances
from dnn_topology.graphs.correlation import Edges

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Metric = str | Callable[[NDArray[np.floating]], ArrayLike]

CORRELATIONS = ("pearson", "spearman", "distance-correlation")  # distances made of them are at most 1
METRICS = (*CORRELATIONS, "euclidean")
BLOCK = 1024  # neurons per block of distance correlations
CELLS = 2**23  # float64 numbers held at a time for each of two blocks: 64 MiB
# Nearer than this, float64 cannot tell a distance correlation from 1: it sums a million products.
ROUND_OFF = 1e-13


def resolve_metric(metric: Metric) -> Metric:
    """Return a metric as `functional_graph` uses it: one of `METRICS`, or a function.

    Args:
        metric: A name of `METRICS`, a function, or "package.module:function", which is imported; modules in the
            current folder are found too.

    Returns:
        The name or the function.

    Raises:
        DnnTopologyError: The name is unknown, or the function cannot be imported.

    Example:
        >>> resolve_metric("numpy:corrcoef").__name__
        'corrcoef'
    """
    if callable(metric) or metric in METRICS:
        return metric
    if not isinstance(metric, str):
        raise DnnTopologyError(
            f"metric must be one of {', '.join(METRICS)}, a function or package.module:function, found {metric!r}"
        )
    module, colon, name = metric.partition(":")
    if not colon:
        raise DnnTopologyError(f"unknown metric {metric!r}: {nearest(metric, METRICS)}, or package.module:function")
    if "" not in sys.path:
        sys.path.append("")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever the user's module does when it is imported
        raise DnnTopologyError(
            f"metric {metric!r} cannot be imported ({error}): check its name and PYTHONPATH"
        ) from error
    if not callable(found):
        raise DnnTopologyError(f"metric {metric!r} is a {type(found).__name__}, expected a function of (n_samples, n)")
    own: Metric = found
    return own


def is_bounded(metric: Metric) -> bool:
    """Return whether a metric's distances are at most 1, and its scales so at most 0.5."""
    return metric in CORRELATIONS


def ranks(signals: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return each signal's ranks from 1, ties sharing their mean, so that Pearson's r of them is Spearman's ρ.

    Args:
        signals: (n_samples, n_neurons), real.

    Returns:
        The same shape; float32 holds these half-integers exactly up to 8 million samples.
    """
    from scipy.stats import rankdata

    ranked: NDArray[np.float32] = rankdata(signals, axis=0).astype(np.float32)
    return ranked


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
    edges = _near(distances, threshold=threshold, left=0, right=0)
    if len(distances) > 1 and not len(edges.rows):
        _warn_of_nothing_near(
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
            parts.append(_near(distances, threshold=threshold, left=a, right=b))
    if np.isfinite(nearest_pair) and nearest_pair > threshold:
        _warn_of_nothing_near(nearest_pair, threshold)
    return Edges(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _warn_of_nothing_near(nearest_pair: float, threshold: float) -> None:
    """Say why a graph has no edge, where distances have no bound that would tell which scales make sense."""
    warnings.warn(
        f"no two neurons are within d = 2 · max_epsilon = {threshold:g} by this metric, the nearest are "
        f"{nearest_pair:.4g} apart: there is nothing to see below max_epsilon={nearest_pair / 2:.4g}",
        UserWarning,
        stacklevel=5,
    )


def distance_correlation_pairs(signals: NDArray[np.floating], *, threshold: float, block: int | None = None) -> Edges:
    """Return the pairs with d = 1 - dCor ≤ threshold, exactly.

    With A_kl = |x_k - x_l| less its row means and column means plus its mean, and B the same for y,
    dCor² = Σ A_kl B_kl / √(Σ A_kl² Σ B_kl²): 0 only for independent signals, 1 only for a linear relation.
    Time grows with n² · n_samples² / 2 products; memory is bounded by the pairs and a few blocks.

    Args:
        signals: (n_samples, n), real, none of them constant.
        threshold: The largest distance, in [0, 1].
        block: Neurons per block, by default 1,024; it bounds memory and changes no result beyond round-off.

    Returns:
        The pairs, as positions within the signals.

    Source:
        Székely, Rizzo and Bakirov, Measuring and testing dependence by correlation of distances, Annals of
        Statistics 2007, definitions 3 and 4 (the statistic V_n, not the bias-corrected one).
    """
    block = block or BLOCK
    starts = range(0, signals.shape[1], block)
    found = []
    for a in starts:
        left = _Centred(signals[:, a : a + block])
        for b in starts:
            if b < a:
                continue
            right = left if a == b else _Centred(signals[:, b : b + block])
            found.append(_near(_distance_correlations(left, right), threshold=threshold, left=a, right=b))
    return Edges(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


class _Centred:
    """The doubly centred matrices of sample distances of some signals, a few rows of each at a time.

    Args:
        signals: (n_samples, n), real.
    """

    def __init__(self, signals: NDArray[np.floating]) -> None:
        scaled = signals.astype(np.float64)
        # dCor does not depend on the scale; a power of two keeps squares of tiny and huge signals representable.
        self.signals = np.ldexp(scaled, -np.frexp(np.ptp(scaled, axis=0))[1])
        self.row_means = np.array([np.abs(row - self.signals).mean(axis=0) for row in self.signals])
        self.means = self.row_means.mean(axis=0)
        self.norms = np.sqrt(sum(np.square(self.rows(k, k + 1)).sum(axis=0) for k in range(len(self.signals))))

    def rows(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return rows start to stop of each matrix as (·, n) columns, from column `start` on.

        The matrices are symmetric: what lies right of column `stop` stands for its mirror image too, and is weighted
        so that sums of products count it twice.
        """
        x = self.signals
        part = np.abs(x[start:stop, None] - x[None, start:])
        part -= self.row_means[start:stop, None]
        part -= self.row_means[None, start:]
        part += self.means
        part[:, stop - start :] *= np.sqrt(2)
        columns: NDArray[np.float64] = part.reshape(-1, x.shape[1])
        return columns


def _distance_correlations(left: _Centred, right: _Centred) -> NDArray[np.float64]:
    """Return 1 - dCor of every signal in one block with every signal in another."""
    n_samples, n = left.signals.shape
    step = max(1, CELLS // (n_samples * max(n, right.signals.shape[1])))
    products = np.zeros((n, right.signals.shape[1]))
    for start in range(0, n_samples, step):
        rows = left.rows(start, min(start + step, n_samples))
        products += rows.T @ (rows if left is right else right.rows(start, min(start + step, n_samples)))
    squared = products / left.norms[:, None] / right.norms
    distances: NDArray[np.float64] = 1 - np.sqrt(np.clip(squared, 0, 1))
    distances[distances < ROUND_OFF] = 0.0
    return distances


def _near(distances: NDArray[np.float64], *, threshold: float, left: int, right: int) -> Edges:
    """Return the pairs of one block within the threshold, each once, numbered from the blocks' first columns."""
    kept = distances <= threshold
    if left == right:
        kept = np.triu(kept, k=1)
    i, j = np.nonzero(kept)
    return Edges((i + left).astype(np.int32), (j + right).astype(np.int32), distances[i, j])
