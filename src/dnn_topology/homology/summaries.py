"""Numbers that stand for a diagram: life, midlife, the peak of the Betti curve and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnn_topology._calls import checked
from dnn_topology.homology.diagrams import diagrams_of
from dnn_topology.homology.filter_keywords import filter_keywords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams


@filter_keywords
@checked
def summarize(diagrams: Diagrams | HasDiagrams) -> pd.DataFrame:
    """Return one row of numbers per dimension.

    The points that are given count: hand over `diagrams.filtered()` for those that the original's pictures and both
    papers count, which live longer than 0.02. Means, sums and the entropy are over finite points.

    Args:
        diagrams: What `persistence` or `read_dipha` returned, filtered or not, or a measurement.

    Returns:
        A table with the columns

        * ``dim``: dimension k;
        * ``count``: number of finite points that count;
        * ``essential``: number of classes alive at max_epsilon, before any filter;
        * ``life``: λ = mean(death - birth), in ε;
        * ``midlife``: μ = mean((birth + death) / 2), in ε;
        * ``betti_max``, ``peak_epsilon``, ``peak_density``: the first maximum of the Betti curve, its ε, and
          the share of pairs joined there (NaN for diagrams without their graph);
        * ``integral``: area under the Betti curve on [0, max_epsilon], in ε;
        * ``total_persistence``: sum(death - birth), in ε;
        * ``entropy``: persistence entropy -Σ p log p with p = (death - birth) / total, in nats.

    Raises:
        DnnTopologyError: These are no diagrams.

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
    source = diagrams_of(diagrams)
    assert source.n_essential is not None
    rows = []
    for dim, n_essential in enumerate(source.n_essential):
        points = source.select(dim)
        finite = points[np.isfinite(points[:, 1])]
        lives = finite[:, 1] - finite[:, 0]
        curve = source.betti_curve(dim)
        peak_epsilon, betti_max = curve.peak()
        known = source.density is not None and betti_max > 0
        rows.append(
            {
                "dim": dim,
                "count": len(finite),
                "essential": n_essential,
                "life": _mean(lives),
                "midlife": _mean(finite.mean(axis=1)),
                "betti_max": betti_max,
                "peak_epsilon": peak_epsilon,
                "peak_density": float(source.density_at(peak_epsilon)) if known else float("nan"),
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
