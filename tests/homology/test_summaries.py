from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from tests.homology.test_diagrams import diagrams

INF = float("inf")
Policy = Literal["count", "drop", "clip"]


@given(diagrams(), st.sampled_from(["count", "drop", "clip"]), st.sampled_from([0.0, 0.015]))
def test_every_number_is_what_its_definition_says(found: Diagrams, essential: Policy, least: float) -> None:
    table = summarize(found.filtered(min_persistence=least, essential=essential))
    for row in table.to_dict("records"):
        points = [
            (birth, min(death, 0.3) if essential == "clip" else death)
            for birth, death in found[row["dim"]]
            if essential != "drop" or death < INF
        ]
        lives = [(b, d) for b, d in points if d < INF and d - b > least]
        assert row["count"] == len(lives)
        assert row["essential"] == sum(death == INF for _, death in found[row["dim"]])
        assert row["total_persistence"] == pytest.approx(sum(d - b for b, d in lives))
        if not lives:
            assert math.isnan(row["life"])
            assert math.isnan(row["midlife"])
            assert math.isnan(row["entropy"])
            continue
        assert row["life"] == pytest.approx(sum(d - b for b, d in lives) / len(lives))
        assert row["midlife"] == pytest.approx(sum((d + b) / 2 for b, d in lives) / len(lives))
        shares = [(d - b) / sum(e - c for c, e in lives) for b, d in lives]
        assert row["entropy"] == pytest.approx(-sum(p * math.log(p) for p in shares))


def test_midlife_is_the_papers_and_not_the_originals_slip() -> None:
    row = summarize(Diagrams([np.array([[0.1, 0.2]])], 0.3)).loc[0]
    assert row["midlife"] == pytest.approx(0.15)  # the original's code gives 0.2 + 0.1 / 2 = 0.25


def test_the_entropy_of_one_bar_is_zero_and_of_n_equal_bars_log_n() -> None:
    one, four = (Diagrams([np.tile([0.1, 0.2], (n, 1))], 0.3) for n in (1, 4))
    assert summarize(one).loc[0, "entropy"] == 0
    assert not np.signbit(summarize(one)["entropy"].to_numpy()[0])
    assert summarize(four).loc[0, "entropy"] == pytest.approx(math.log(4))


def test_the_density_at_the_peak_is_known_when_the_graph_was() -> None:
    square = np.array([[0, 0.2, 0.4, 0.2], [0.2, 0, 0.2, 0.4], [0.4, 0.2, 0, 0.2], [0.2, 0.4, 0.2, 0]])
    row = summarize(persistence(FunctionalGraph.from_distances(square), max_dim=1)).loc[1]
    assert (row["peak_epsilon"], row["betti_max"]) == (0.1, 1)
    assert row["peak_density"] == pytest.approx(4 / 6)


def test_the_density_at_the_peak_is_unknown_without_a_graph_or_a_peak() -> None:
    table = summarize(Diagrams([np.array([[0.1, 0.2]]), np.empty((0, 2))], 0.3))
    assert table["peak_density"].isna().all()
    assert np.isnan(table["peak_epsilon"].to_numpy()[1])


def test_what_is_not_defined_is_left_out_of_a_line() -> None:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.homology.tables import epoch_lines, epoch_table

    points: list[Any] = [[(0, 0.1)], [(0.1, float("inf"))]]
    alive = Diagrams(points, max_epsilon=0.3)
    line = epoch_lines(epoch_table({1: alive}), dim=1).splitlines()[1]
    assert line == "  epoch    1: 0 finite and 1 alive at the end, at most 1 at once (ε 0.100)"
