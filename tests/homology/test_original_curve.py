from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import POINT, read_dipha
from dnn_topology.homology.original_curve import original_curve
from tests.homology.test_diagrams import diagrams

EPOCHS = (1, 5, 10, 20, 30, 40, 50)


def slow_curve(rows: list[tuple[float, float]]) -> tuple[list[float], list[int]]:
    """The original's counting, step by step: every birth and every death overwrites the count from its place on."""
    rounded = [(float(f"{birth:.4f}"), float(f"{death:.4f}")) for birth, death in rows]
    kept = [(birth, death) for birth, death in rounded if death - birth > 0.02]
    scales = sorted([birth for birth, _ in kept] + [death for _, death in kept])
    born, died = [0] * len(scales), [0] * len(scales)
    for number, (birth, death) in enumerate(kept, start=1):
        for counts, value in ((born, birth), (died, death)):
            first = scales.index(value)
            counts[first:] = [number] * (len(scales) - first)
    return scales, [b - d for b, d in zip(born, died, strict=True)]


@given(diagrams())
def test_the_curve_is_the_originals_counting_step_by_step(found: Diagrams) -> None:
    for dim, points in enumerate(found):
        finite = [(birth, death) for birth, death in points.tolist() if death < np.inf]
        epsilon, curve = original_curve(found, dim, smooth=False)
        assert (epsilon.tolist(), curve.tolist()) == slow_curve(finite)


@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_order_of_the_originals_own_files_gives_the_same_curve(epoch: int, golden: Path) -> None:
    path = golden / f"adj_epc{epoch}_trl0_0.3.bin.out"
    records = np.frombuffer(path.read_bytes()[24:], POINT)
    for dim in (0, 1, 2):
        rows = [(float(one["birth"]), float(one["death"])) for one in records if one["dim"] == dim]
        epsilon, curve = original_curve(read_dipha(path), dim, smooth=False)
        assert (epsilon.tolist(), curve.tolist()) == slow_curve(rows)


@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_true_maximum_of_loops_is_above_the_originals_as_was_measured(epoch: int, golden: Path) -> None:
    found = read_dipha(golden / f"adj_epc{epoch}_trl0_0.3.bin.out")
    true = found.filtered(essential="drop").betti_curve(1).beta.max()
    assert 1.08 <= true / original_curve(found, 1, smooth=False)[1].max() <= 1.70


def test_its_smoothing_is_a_moving_average_over_a_tenth_in_whole_numbers_that_falls_at_both_ends(golden: Path) -> None:
    found = read_dipha(golden / "adj_epc50_trl0_0.3.bin.out")
    plain: NDArray[np.int64] = original_curve(found, 1, smooth=False)[1]
    smooth = original_curve(found, 1)[1]
    size = len(plain) // 10
    padded = np.concatenate([np.zeros(size // 2), plain, np.zeros(size)])
    means = [padded[place : place + size].mean() for place in range(len(plain))]
    assert np.abs(smooth - np.trunc(means)).max() <= 1  # a mean that is a whole number may be rounded down
    assert smooth[-1] < plain.max() / 2


def test_no_point_is_no_curve_and_few_points_are_not_smoothed() -> None:
    assert [each.tolist() for each in original_curve(Diagrams([np.empty((0, 2))], 0.3), 0)] == [[], []]
    assert original_curve(Diagrams([np.array([[0.0, 0.1]])], 0.3), 0)[1].tolist() == [1, 0]


def test_filtered_diagrams_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="unfiltered"):
        original_curve(Diagrams([np.empty((0, 2))], 0.3).filtered(), 0)
