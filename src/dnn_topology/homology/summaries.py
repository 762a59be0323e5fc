"""Numbers that stand for a diagram: life, midlife, the peak of the Betti curve and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.homology.diagrams import Diagrams, Essential


def summarize(diagrams: Diagrams, *, min_persistence: float = 0.0, essential: Essential = "count") -> pd.DataFrame:
    """Return one row of numbers per dimension.

    Which points count is `Diagrams`' policy. Means, sums and the entropy are over finite points; with
    `essential="clip"` the essential classes are such points.

    Args:
        diagrams: What `persistence` or `read_dipha` returned.
        min_persistence: Only points that live longer than this count, in ε. The original's pictures and both
            papers use 0.02.
        essential: What becomes of classes alive at max_epsilon.

    Returns:
        A table with the columns

        * ``dim``: dimension k;
        * ``count``: number of finite points that count;
        * ``essential``: number of classes alive at max_epsilon, whatever the policy;
        * ``life``: λ = mean(death - birth), in ε;
        * ``midlife``: μ = mean((birth + death) / 2), in ε;
        * ``betti_max``, ``peak_epsilon``, ``peak_density``: the first maximum of the Betti curve, its ε, and
          the share of pairs joined there (NaN for diagrams without their graph);
        * ``integral``: area under the Betti curve on [0, max_epsilon], in ε;
        * ``total_persistence``: sum(death - birth), in ε;
        * ``entropy``: persistence entropy -Σ p log p with p = (death - birth) / total, in nats.

    Raises:
        DnnTopologyError: An option is unknown or `min_persistence` negative.

    Source:
        Life and midlife: Corneanu et al., Computing the testing error without a testing set, CVPR 2020. (The
        original's code averages death + birth / 2, a slip of precedence.) Entropy: Atienza, Gonzalez-Diaz and
        Soriano-Trigueros, On the stability of persistent entropy, Pattern Recognition 2020.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> dgms = Diagrams([[], [(0.1, 0.2), (0.1, 0.3)]], max_epsilon=0.3)
        >>> summarize(dgms).loc[1, ["life", "midlife", "betti_max"]].round(3).to_dict()
        {'life': 0.15, 'midlife': 0.175, 'betti_max': 2.0}
    """
    rows = []
    for dim in range(diagrams.max_dim + 1):
        points = diagrams.select(dim, min_persistence=min_persistence, essential=essential)
        finite = points[np.isfinite(points[:, 1])]
        lives = finite[:, 1] - finite[:, 0]
        curve = diagrams.betti_curve(dim, min_persistence=min_persistence, essential=essential)
        peak_epsilon, betti_max = curve.peak()
        known = diagrams.density is not None and betti_max > 0
        rows.append(
            {
                "dim": dim,
                "count": len(finite),
                "essential": int(np.isinf(diagrams[dim][:, 1]).sum()),
                "life": _mean(lives),
                "midlife": _mean(finite.mean(axis=1)),
                "betti_max": betti_max,
                "peak_epsilon": peak_epsilon,
                "peak_density": float(diagrams.density_at(peak_epsilon)) if known else float("nan"),
                "integral": curve.integral(),
                "total_persistence": float(lives.sum()),
                "entropy": _entropy(lives),
            }
        )
    return pd.DataFrame(rows)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean, or NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def _entropy(lives: NDArray[np.float64]) -> float:
    """Return -Σ p log p of the shares of the total life, or NaN of nothing."""
    if not len(lives):
        return float("nan")
    shares = lives / lives.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0  # + 0.0 turns the -0.0 of a single bar into 0.0
