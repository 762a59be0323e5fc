"""How large a difference of two groups is, with an interval: in its own unit, and in standard deviations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

SAME = 1e-12  # spread, as a share of the values, below which they are one and the same


class Effect(NamedTuple):
    """The difference of two means, with intervals; NaN where a group has no spread.

    Attributes:
        difference: Mean of the first less mean of the second, in their unit.
        lower: Of Welch's interval for it.
        upper: Likewise.
        size: Hedges' g: the difference in pooled standard deviations, corrected for small samples.
        size_lower: Of its interval.
        size_upper: Likewise.
    """

    difference: float
    lower: float
    upper: float
    size: float
    size_lower: float
    size_upper: float


def effect(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> Effect:
    """Return how large the difference of two groups of numbers is.

    The intervals take the numbers for normally distributed. That of the difference is Welch's, which lets the spreads
    differ. Hedges' g is d · (1 - 3 / (4 (n₁ + n₂ - 2) - 1)) with d = difference / pooled standard deviation; its
    interval holds every g whose noncentral t distribution would give what was seen.

    Args:
        first: (n_first,), at least 2.
        second: (n_second,), at least 2.
        confidence: Of the intervals.

    Source:
        Hedges and Olkin, Statistical methods for meta-analysis, Academic Press 1985; Cumming and Finch, A primer on the
        understanding, use, and calculation of confidence intervals that are based on central and noncentral
        distributions, Educational and Psychological Measurement 2001.

    Example:
        >>> effect([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])._asdict()["size"]  # d = 1, corrected by 1 - 3/15
        0.8
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n_a, n_b = len(a), len(b)
    difference = float(a.mean() - b.mean())
    spread_a, spread_b = _variance(a), _variance(b)
    if not spread_a + spread_b > 0:
        return Effect(difference, *[float("nan")] * 5)
    tail = (1 - confidence) / 2
    own_a, own_b = spread_a / n_a, spread_b / n_b
    freedom = (own_a + own_b) ** 2 / (own_a**2 / (n_a - 1) + own_b**2 / (n_b - 1))
    half = float(stats.t.ppf(1 - tail, freedom)) * np.sqrt(own_a + own_b)
    pooled_freedom = n_a + n_b - 2
    pooled = np.sqrt(((n_a - 1) * spread_a + (n_b - 1) * spread_b) / pooled_freedom)
    root = np.sqrt(n_a * n_b / (n_a + n_b))
    small = 1 - 3 / (4 * pooled_freedom - 1)
    seen = difference / pooled * root
    ends = (float(special.nctdtrinc(pooled_freedom, share, seen)) / root * small for share in (1 - tail, tail))
    return Effect(difference, difference - half, difference + half, float(difference / pooled * small), *ends)


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's interval for the mean of numbers (n,); (NaN, NaN) of a single one."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return float("nan"), float("nan")
    half = float(stats.t.ppf(0.5 + confidence / 2, len(array) - 1)) * float(np.sqrt(array.var(ddof=1) / len(array)))
    return float(array.mean()) - half, float(array.mean()) + half


def _variance(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the variance with n - 1; 0 where numbers differ by round-off alone."""
    spread = float(values.var(ddof=1))
    return spread if np.sqrt(spread) > SAME * float(np.abs(values).max(initial=0.0)) else 0.0
