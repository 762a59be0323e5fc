"""Permutation tests of the difference of two groups' means, exact where few partitions exist, sampled otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnn_topology._checks import check_draws

CHUNK = 4_000_000  # numbers at a time
SAME = 1e-12  # share of the largest number below which a difference is round-off
ROUND_OFF = 1e-9  # share by which a statistic may fall short of the observed one and still count as equal


@dataclass(frozen=True, eq=False)
class Partitions:
    """The ways to part n trials into two groups of given sizes, the true one first.

    Attributes:
        inside: (n_partitions, n), bool: which trials form the first group.
        exact: Whether these are all ways, or a sample of them.
        least_p: The smallest p-value that can come out, whatever the data. With groups of equal size a partition and
            its mirror image differ by as much, so of 2 against 2 (6 ways) nothing can be below 1/3.
    """

    inside: NDArray[np.bool_]
    exact: bool
    least_p: float

    @classmethod
    def of(cls, n_first: int, n_second: int, *, resamples: int = 9999, seed: int = 0) -> Partitions:
        """Return all partitions where there are at most `resamples` + 1, or the true one and a sample of that size.

        Args:
            n_first: Trials of the first group.
            n_second: Trials of the second group.
            resamples: How many partitions are drawn where there are more.
            seed: Of the draw.

        Example:
            >>> Partitions.of(2, 2).inside.sum(axis=0).tolist(), round(Partitions.of(2, 2).least_p, 3)
            ([3, 3, 3, 3], 0.333)
        """
        n = n_first + n_second
        ways = math.comb(n, n_first)
        check_draws("resamples", min(ways, resamples), n)
        mirrored = 2 if n_first == n_second else 1
        if ways <= resamples + 1:
            inside = np.zeros((ways, n), bool)
            for row, part in enumerate(combinations(range(n), n_first)):
                inside[row, list(part)] = True
            return cls(inside, True, mirrored / ways)
        true = np.arange(n) < n_first
        drawn = np.random.default_rng(seed).permuted(np.tile(true, (resamples, 1)), axis=1)
        return cls(np.vstack([true, drawn]), False, max(1 / (resamples + 1), mirrored / ways))

    def largest_differences(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return, for every partition, the largest |difference of the two groups' means|.

        Args:
            values: (n, m), float64: of every trial m numbers, such as a curve at m scales.

        Returns:
            (n_partitions,), float64.
        """
        counts = self.inside.sum(axis=1, keepdims=True)
        weights = np.where(self.inside, 1 / counts, -1 / (len(values) - counts))
        rows = max(1, CHUNK // values.shape[1])
        parts = [weights[start : start + rows] @ values for start in range(0, len(weights), rows)]
        largest = np.concatenate([np.abs(part).max(axis=1) for part in parts])
        return np.where(largest > SAME * np.abs(values).max(), largest, 0.0)


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """What a permutation test says.

    Attributes:
        observed: The statistic of the true groups.
        p: The share of partitions whose statistic is at least as large, the true one among them.
        threshold: What the statistic of 95 % of the partitions does not exceed.
        statistics: (n_partitions,): of every partition.
    """

    observed: float
    p: float
    threshold: float
    statistics: NDArray[np.float64]


def permutation_test(first: ArrayLike, second: ArrayLike, partitions: Partitions) -> PermutationTest:
    """Test whether the means of two groups differ anywhere, by the largest |difference|.

    Args:
        first: (n_first, m), or (n_first,): numbers of the trials of the first group.
        second: (n_second, m), or (n_second,).
        partitions: Of n_first + n_second trials.

    Returns:
        The test. Being the largest over all m, its p-value needs no correction for their number.

    Source:
        Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and Molecular
        Biology 2010: the true partition counts as one of those that are drawn.

    Example:
        >>> permutation_test([1.0, 2.0, 3.0], [7.0, 8.0, 9.0], Partitions.of(3, 3)).p  # 2 of 20
        0.1
    """
    values = np.concatenate([_columns(first), _columns(second)])
    statistics = partitions.largest_differences(values)
    return _test(statistics)


def corrected(tests: Sequence[PermutationTest]) -> list[float]:
    """Return the p-values of several tests of the same trials, corrected for their number by the largest statistic.

    Every statistic is divided by its mean over the partitions, which is the same whichever trials are in which group,
    so that unlike ones can be compared; a corrected p-value is the share of partitions whose largest ratio over all
    tests is at least the observed ratio of this one. Under the hypothesis that no test has a difference, any of them
    comes out below α with a probability of at most α; correlations among tests are kept, which Holm's correction,
    valid too, pays for. With few partitions Holm's could never come out below the number of tests times the least p.

    Args:
        tests: Of the same partitions.

    Returns:
        One p-value a test, at least its own.

    Source:
        Westfall and Young, Resampling-based multiple testing, Wiley 1993: the single-step maxT procedure.
    """
    if not tests:
        return []
    means = [float(test.statistics.mean()) for test in tests]
    ratios = np.array(
        [test.statistics / mean if mean > 0 else test.statistics for test, mean in zip(tests, means, strict=True)]
    )
    largest = ratios.max(axis=0)
    return [float(np.mean(largest >= ratio[0] * (1 - ROUND_OFF))) for ratio in ratios]


def _test(statistics: NDArray[np.float64]) -> PermutationTest:
    """Return the test of statistics, the first being that of the true groups."""
    observed = float(statistics[0])
    p = float(np.mean(statistics >= observed * (1 - ROUND_OFF)))
    return PermutationTest(observed, p, float(np.quantile(statistics, 0.95)), statistics)


def _columns(values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers of trials as (n, m)."""
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def stretches(beyond: NDArray[np.bool_], scales: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the stretches of scales (m,) on which something (m,) holds, as (from, to).

    Example:
        >>> stretches(np.array([True, True, False, True]), np.array([0.0, 0.1, 0.2, 0.3]))
        [(0.0, 0.1), (0.3, 0.3)]
    """
    places = np.flatnonzero(beyond)
    if not len(places):
        return []
    parts = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return [(float(scales[part[0]]), float(scales[part[-1]])) for part in parts]
