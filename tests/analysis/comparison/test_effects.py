from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dnn_topology.analysis.comparison.effects import effect, mean_interval
from dnn_topology.analysis.comparison.report import between, decimals, plus_minus


def test_the_interval_of_the_difference_is_welch_s() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=6), generator.normal(1, 3, size=9)
    known = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.9)
    found = effect(first, second, confidence=0.9)
    assert (found.lower, found.upper) == pytest.approx((known.low, known.high))


def test_the_interval_of_the_effect_holds_the_true_one_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    true, inside = 0.8, 0
    small = 1 - 3 / (4 * 10 - 1)
    for _ in range(1000):
        found = effect(generator.normal(true, size=6), generator.normal(size=6))
        inside += found.size_lower / small <= true <= found.size_upper / small
    assert inside / 1000 == pytest.approx(0.95, abs=0.025)


def test_an_effect_changes_its_sign_with_the_groups_and_nothing_with_the_unit() -> None:
    first, second = [1.0, 2.0, 4.0], [2.0, 5.0, 7.0]
    found, turned = effect(first, second), effect(second, first)
    scaled = effect(np.array(first) * 1e-4, np.array(second) * 1e-4)
    assert (turned.size, turned.size_lower) == pytest.approx((-found.size, -found.size_upper))
    assert scaled[3:] == pytest.approx(found[3:])
    assert scaled.difference == pytest.approx(found.difference * 1e-4)


def test_groups_without_spread_have_a_difference_and_no_effect() -> None:
    found = effect([0.1 + 0.2, 0.3], [0.5, 0.5])
    assert found.difference == pytest.approx(-0.2)
    assert all(math.isnan(value) for value in found[1:])


def test_the_interval_of_a_mean_is_student_s() -> None:
    values = np.array([1.0, 4.0, 6.0, 9.0])
    known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((known.low, known.high))
    assert all(math.isnan(end) for end in mean_interval([1.0]))


def test_numbers_are_rounded_to_two_digits_of_their_uncertainty() -> None:
    assert plus_minus(123.456, 120, 126) == "123.5 ± 3.0"
    assert plus_minus(1234.5, 1134.5, 1334.5) == "1230 ± 100"
    assert between(0.5, 0.4912, 0.5088) == "0.5000 [0.4912, 0.5088]"
    assert (decimals(0.00099), decimals(0.1), decimals(math.nan)) == (5, 2, 4)
