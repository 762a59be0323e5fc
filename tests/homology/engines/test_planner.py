from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.engines.census import Census, take_census
from dnn_topology.homology.engines.cost import COSTS
from dnn_topology.homology.engines.estimate import check_memory, estimate
from dnn_topology.homology.engines.morse import Morse
from dnn_topology.homology.engines.planner import Plan, prepare
from dnn_topology.homology.engines.simplify import merged
from dnn_topology.homology.persistence import persistence
from tests.strategies import distance_matrices


def complete(n: int) -> FunctionalGraph:
    """All edges, of different lengths."""
    upper = np.triu(np.random.default_rng(0).uniform(0.1, 0.5, (n, n)), 1)
    return FunctionalGraph.from_distances(upper + upper.T)


@given(distance_matrices(max_size=7), st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_merging_takes_out_exactly_the_duplicates(matrix: NDArray[np.float64], copied: list[int]) -> None:
    nodes = [*range(len(matrix)), *(copy % len(matrix) for copy in copied)]
    graph = FunctionalGraph.from_distances(matrix[np.ix_(nodes, nodes)])
    lean = merged(graph)
    assert lean.n_nodes == len(matrix)
    np.testing.assert_array_equal(lean.to_dense(), FunctionalGraph.from_distances(matrix).to_dense())


@pytest.mark.parametrize("second", [0.21, np.inf])
def test_nodes_at_distance_0_with_other_neighbours_are_not_merged(second: float) -> None:
    graph = FunctionalGraph.from_distances(np.array([[0, 0, 0.2], [0, 0, second], [0.2, second, 0]]))
    assert merged(graph) is graph


def test_a_chain_of_zeros_that_is_no_class_of_duplicates_is_not_merged() -> None:
    graph = FunctionalGraph.from_distances(np.array([[0, 0, 0.1], [0, 0, 0], [0.1, 0, 0]]))
    assert merged(graph) is graph


def test_the_census_of_a_complete_graph_is_exact() -> None:
    n = 40
    census = take_census(complete(n))
    assert [census.n_simplices(dim) for dim in range(4)] == pytest.approx([40, 780, 9880, 91390])
    assert census.n_simplices(4) == pytest.approx(658008, rel=0.05)


def test_the_census_of_a_real_graph_is_near_the_count(real_graph: FunctionalGraph) -> None:
    adjacent = np.isfinite(real_graph.to_dense()) & ~np.eye(real_graph.n_nodes, dtype=bool)
    triangles = np.trace(np.linalg.matrix_power(adjacent.astype(float), 3)) / 6
    assert take_census(real_graph).n_triangles == pytest.approx(triangles, rel=0.35)


def test_a_graph_too_large_to_look_at_whole_is_represented_by_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnn_topology.homology.engines.census.MOST_NODES", 50)
    census = take_census(complete(100))
    assert census.n_nodes == 100
    assert census.n_triangles == pytest.approx(161700, rel=0.1)


def test_our_own_engine_is_taken_where_it_is_compiled(real_graph: FunctionalGraph) -> None:
    Morse().compile(2)
    prepared = prepare(real_graph, max_dim=2, threads=1)
    found = persistence(real_graph, max_dim=2, threads=1)
    assert found.provenance["plan"] == str(prepared.plan) == f"morse {Morse().version()}, threads 1: compiled"
    assert prepared.census is None


def test_above_its_highest_dimension_gudhi_is_taken(real_graph: FunctionalGraph) -> None:
    assert prepare(real_graph, max_dim=4).plan.engine == "gudhi"


@pytest.mark.parametrize(("seconds", "engine"), [(0.0, "morse"), (1e9, "gudhi")])
def test_it_is_compiled_only_where_that_takes_less_than_it_saves(
    seconds: float, engine: str, real_graph: FunctionalGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Morse, "is_compiled", lambda *_: False)
    monkeypatch.setattr("dnn_topology.homology.engines.planner.COMPILING", (seconds,) * 4)
    monkeypatch.setattr("dnn_topology.homology.engines.planner._missed", [0.0])
    plan = prepare(real_graph, max_dim=2, threads=1).plan
    assert plan.engine == engine
    assert plan.compiling == (seconds if engine == "morse" else 0.0)
    assert "compiles for" in str(plan)


def test_what_many_graphs_miss_is_added_up(real_graph: FunctionalGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Morse, "is_compiled", lambda *_: False)
    monkeypatch.setattr("dnn_topology.homology.engines.planner._missed", [0.0])
    first = prepare(real_graph, max_dim=2).plan
    monkeypatch.setattr("dnn_topology.homology.engines.planner.COMPILING", (2.5 * first.missed,) * 4)
    found = [persistence(real_graph, max_dim=2).provenance["engine"] for _ in range(4)]
    assert found == ["gudhi", "gudhi", "morse", "morse"]


def test_a_graph_of_few_edges_is_not_worth_compiling_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Morse, "is_compiled", lambda *_: False)
    assert prepare(complete(20), max_dim=2).plan.engine == "gudhi"


def test_the_estimate_grows_with_the_dimension_and_the_scale(real_graph: FunctionalGraph) -> None:
    plan = Plan("gudhi", "", 1)
    costs = [estimate(real_graph, plan, max_dim=dim) for dim in (1, 2, 3)]
    assert costs[0].memory < costs[1].memory < costs[2].memory
    assert costs[0].seconds < costs[1].seconds < costs[2].seconds
    nearer = real_graph.distances <= 0.4
    short = replace(
        real_graph,
        rows=real_graph.rows[nearer],
        cols=real_graph.cols[nearer],
        distances=real_graph.distances[nearer],
    )
    assert estimate(short, plan, max_dim=2).memory < costs[1].memory


@pytest.mark.parametrize(
    ("census", "max_dim", "peak"),
    [
        (Census(1809, 262_470, 1.34e7, 3.77e8), 2, 49),
        (Census(1809, 262_470, 1.34e7, 3.77e8), 3, 309),
        (Census(2000, 186_846, 8.2e6, 2.3e8), 3, 90),
        (Census(5000, 293_707, 1.04e7, 2.55e8), 3, 48),
        (Census(5000, 1_170_273, 1.14e8, 7.42e9), 2, 153),
        (Census(5000, 1_170_273, 1.14e8, 7.42e9), 3, 765),
        (Census(36_874, 321_666, 9.75e5, 1.12e6, 18_928), 2, 116),
        (Census(150_000, 710_628, 1.92e6, 0.0, 143_277, 2265), 2, 152),
    ],
)
def test_the_memory_of_our_own_engine_is_estimated_within_a_factor_of_two_of_what_was_measured(
    census: Census, max_dim: int, peak: float
) -> None:
    ratio = COSTS["morse"].memory(census, max_dim=max_dim, threads=1) / 2**20 / peak
    assert 0.5 < ratio < 2


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    graph = complete(300)
    with pytest.raises(DnnTopologyError) as caught:
        persistence(graph, max_dim=3, memory_limit=0.01, engine="gudhi")
    message = str(caught.value)
    assert "\n" not in message
    for word in ("300 neurons", "44850 edges", "GiB", "the limit is 10 MiB", "max_epsilon 0.", "max_dim", "neurons"):
        assert word in message


def test_what_fits_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dnn_topology.homology.engines.estimate.take_census", lambda *_, **__: pytest.fail("took a census")
    )
    check_memory(complete(20), Plan("gudhi", "", 1), max_dim=2, limit=1e6, census=None)
