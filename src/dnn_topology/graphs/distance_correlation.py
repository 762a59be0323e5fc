"""Distance correlation, which sees relations that are not linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.graphs.correlation import Edges
from dnn_topology.graphs.pairs import near_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # neurons per block
CELLS = 2**23  # float64 numbers held at a time for each of two blocks: 64 MiB
# Nearer than this, float64 cannot tell a distance correlation from 1: it sums a million products.
ROUND_OFF = 1e-13


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
    parts = []
    for a in starts:
        left = _Centred(signals[:, a : a + block])
        for b in starts:
            if b < a:
                continue
            right = left if a == b else _Centred(signals[:, b : b + block])
            parts.append(near_block(_distance_correlations(left, right), threshold=threshold, left=a, right=b))
    return Edges(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


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
