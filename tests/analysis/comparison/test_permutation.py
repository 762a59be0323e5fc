from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dnn_topology.analysis.comparison.permutation import Partitions, corrected, permutation_test, stretches


def test_the_exact_p_value_is_the_share_of_all_orders_in_which_the_means_differ_as_much() -> None:
    generator = np.random.default_rng(0)
    for sizes in ((2, 3), (3, 3), (2, 5)):
        values = generator.normal(size=sum(sizes))
        seen = abs(values[: sizes[0]].mean() - values[sizes[0] :].mean())
        orders = [np.array(order) for order in permutations(values)]
        share = np.mean([abs(o[: sizes[0]].mean() - o[sizes[0] :].mean()) >= seen - 1e-12 for o in orders])
        test = permutation_test(values[: sizes[0]], values[sizes[0] :], Partitions.of(*sizes))
        assert test.p == pytest.approx(share)
        assert test.observed == pytest.approx(seen)


def test_it_agrees_with_scipy_s_exact_test_of_the_difference_of_means() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=5), generator.normal(loc=0.8, size=4)

    def statistic(a: Any, b: Any) -> Any:
        return abs(a.mean() - b.mean())

    exact: Any = {"n_resamples": np.inf, "alternative": "greater"}
    found = stats.permutation_test((first, second), statistic, **exact)
    assert permutation_test(first, second, Partitions.of(5, 4)).p == pytest.approx(found.pvalue)


@pytest.mark.parametrize(("sizes", "least"), [((2, 2), 1 / 3), ((3, 3), 0.1), ((5, 5), 2 / 252), ((2, 3), 0.1)])
def test_the_least_p_value_is_that_of_groups_apart_as_far_as_can_be(sizes: tuple[int, int], least: float) -> None:
    partitions = Partitions.of(*sizes)
    first, second = np.arange(sizes[0]), 1000 + np.arange(sizes[1])
    assert partitions.exact
    assert partitions.least_p == pytest.approx(least)
    assert permutation_test(first, second, partitions).p == pytest.approx(least)


def test_a_sample_of_partitions_comes_close_to_all_of_them_and_never_gives_0() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=7), generator.normal(loc=1, size=7)
    exact = permutation_test(first, second, Partitions.of(7, 7))
    drawn = Partitions.of(7, 7, resamples=2000)
    assert (exact.statistics.shape, drawn.inside.shape, drawn.exact) == ((3432,), (2001, 14), False)
    assert permutation_test(first, second, drawn).p == pytest.approx(exact.p, abs=0.03)
    assert permutation_test(first, second + 1e6, drawn).p >= 1 / 2001
    assert drawn.inside.sum(axis=1).tolist() == [7] * 2001


def test_of_groups_alike_one_in_twenty_has_a_p_value_of_at_most_a_twentieth() -> None:
    generator = np.random.default_rng(3)
    partitions = Partitions.of(5, 5)
    ps = [
        permutation_test(generator.normal(size=(5, 20)), generator.normal(size=(5, 20)), partitions).p
        for _ in range(400)
    ]
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.08


def test_groups_alike_have_p_1() -> None:
    same = np.random.default_rng(6).normal(size=(3, 50))
    assert permutation_test(same, same, Partitions.of(3, 3)).observed == 0
    assert permutation_test(same, same[::-1], Partitions.of(3, 3)).p == 1
    assert permutation_test([1.0, 1.0], [1.0, 1.0], Partitions.of(2, 2)).p == 1
    assert corrected([permutation_test([1.0, 1.0], [1.0, 1.0], Partitions.of(2, 2))] * 2) == [1, 1]


def test_of_twenty_tests_without_a_difference_one_in_twenty_families_has_a_corrected_p_of_a_twentieth() -> None:
    generator = np.random.default_rng(4)
    partitions = Partitions.of(5, 5)
    uncorrected, families = [], []
    for _ in range(200):
        scale = 10.0 ** generator.integers(-3, 3, size=20)  # summaries have other units
        tests = [
            permutation_test(generator.normal(size=5) * one, generator.normal(size=5) * one, partitions)
            for one in scale
        ]
        uncorrected.append(min(test.p for test in tests) <= 0.05)
        families.append(min(corrected(tests)) <= 0.05)
    assert np.mean(uncorrected) > 0.4
    assert np.mean(families) < 0.09


def test_a_corrected_p_value_is_at_least_its_own_and_that_of_one_test_is_itself() -> None:
    generator = np.random.default_rng(5)
    partitions = Partitions.of(4, 4)
    tests = [permutation_test(generator.normal(size=4), generator.normal(size=4), partitions) for _ in range(6)]
    assert all(after >= test.p for after, test in zip(corrected(tests), tests, strict=True))
    assert corrected(tests[:1]) == [tests[0].p]
    assert corrected([]) == []


def test_stretches_are_the_runs_of_what_holds() -> None:
    scales = np.arange(6) / 10
    assert stretches(np.array([0, 1, 1, 0, 0, 1], bool), scales) == [(0.1, 0.2), (0.5, 0.5)]
    assert stretches(np.zeros(6, bool), scales) == []
