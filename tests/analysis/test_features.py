from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.feature_sets import TOPOLOGICAL
from dnn_topology.analysis.features import EARLY, TRAINING, gap_features, with_early
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha


def diagrams_of(*points: list[tuple[float, float]], end: float = 0.4, n_nodes: int | None = None) -> Diagrams:
    """Diagrams with these points, per dimension."""
    return Diagrams([np.array(one).reshape(-1, 2) for one in points], end, n_nodes)


def test_life_and_midlife_are_those_of_the_golden_files(golden: Path) -> None:
    found = gap_features(read_dipha(golden / "adj_epc50_trl0_0.3.bin.out"))
    assert (round(found["life"], 4), round(found["midlife"], 4)) == (0.0383, 0.1777)
    assert math.isnan(found["h1_points_per_node"])  # such a file does not say how many nodes there are


def test_means_and_deviations_are_over_points_that_die_and_live_long_enough() -> None:
    diagrams = diagrams_of(
        [(0, 0.1), (0, 0.3), (0, np.inf)], [(0.1, 0.2), (0.2, 0.4), (0.1, 0.11), (0.1, np.inf)], n_nodes=4
    )
    found = gap_features(diagrams)
    assert found["h0_death_mean"] == pytest.approx(0.2)
    assert found["h0_death_std"] == pytest.approx(0.1)
    assert (found["h1_birth_mean"], found["h1_birth_std"]) == pytest.approx((0.15, 0.05))
    assert (found["h1_death_mean"], found["h1_death_std"]) == pytest.approx((0.3, 0.1))
    assert (found["h1_points_per_node"], found["h1_essential_per_node"]) == (0.5, 0.25)
    clipped = gap_features(diagrams, essential="clip")
    assert clipped["h1_death_mean"] == pytest.approx((0.2 + 0.4 + 0.4) / 3)


def test_nothing_has_no_mean_and_every_set_names_features() -> None:
    found = gap_features(diagrams_of([(0, np.inf)], [], n_nodes=1))
    assert math.isnan(found["life"])
    assert math.isnan(found["h0_death_std"])
    assert found["h1_points_per_node"] == 0
    for columns in TOPOLOGICAL.values():
        assert {name.removesuffix("^2").removeprefix(EARLY) for name in columns} - {*TRAINING} <= found.keys()


def test_early_features_are_those_of_the_first_epoch_after_the_untrained_one() -> None:
    rows = pd.DataFrame({"cell": list("aaabb"), "epoch": [0, 5, 60, 60, 10], "h1_birth_mean": [1.0, 2, 3, 4, 5]})
    found = with_early(rows)
    assert found["early_h1_birth_mean"].tolist() == [2, 2, 2, 5, 5]
    assert found["early_epoch"].tolist() == [5, 5, 5, 10, 10]
    assert with_early(rows.iloc[:1])["early_h1_birth_mean"].tolist() == [1]


def test_features_grow_with_the_scale() -> None:
    points = [[(0.0, 0.1), (0.0, 0.2)], [(0.1, 0.2), (0.11, 0.19)]]
    once = gap_features(diagrams_of(*points, end=0.2), min_persistence=0.01)
    twice = gap_features(diagrams_of(*([(2 * b, 2 * d) for b, d in one] for one in points)))
    for name in TOPOLOGICAL["asd"]:
        assert twice[name] == pytest.approx(2 * once[name])


def test_h0_alone_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="need H1, and there is H0 alone: compute with max_dim=1"):
        gap_features(diagrams_of([(0, 0.1)]))
