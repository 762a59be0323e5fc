from __future__ import annotations

import importlib.util
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence

INF = float("inf")
needs_pot = pytest.mark.skipif(importlib.util.find_spec("ot") is None, reason="POT is not installed")
both = pytest.mark.parametrize("metric", ["bottleneck", pytest.param("wasserstein", marks=needs_pot)])


def loops(points: Any, end: float = 0.3) -> Diagrams:
    """Diagrams of loops alone."""
    return Diagrams([np.empty((0, 2)), np.reshape(points, (-1, 2))], end)


def random_loops(seed: int, n: int = 4) -> Any:
    """Random points (birth, death)."""
    births = np.random.default_rng(seed).uniform(0, 0.2, n)
    return np.column_stack([births, births + np.random.default_rng(seed + 1).uniform(0.01, 0.1, n)])


def oracle(a: Any, b: Any, metric: str, order: float = 1.0) -> float:
    """The least cost over all matchings, every point with one of the other or with its nearest on the diagonal."""
    n, m = len(a), len(b)
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = np.abs(a[:, None] - b[None]).max(axis=2)
    cost[:n, m:] = ((a[:, 1] - a[:, 0]) / 2)[:, None]
    cost[n:, :m] = ((b[:, 1] - b[:, 0]) / 2)[None]
    costs = [cost[range(n + m), list(order_)] for order_ in permutations(range(n + m))]
    return float(min(c.max() if metric == "bottleneck" else (c**order).sum() ** (1 / order) for c in costs))


@both
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_cost_of_the_best_matching_of_all(metric: Any, seed: int) -> None:
    a, b = random_loops(seed), random_loops(seed + 10, 3)
    assert dt.distance(loops(a), loops(b), metric=metric) == pytest.approx(oracle(a, b, metric))


@needs_pot
def test_the_order_of_the_wasserstein_distance_is_that_of_its_costs() -> None:
    a, b = random_loops(0), random_loops(10, 3)
    found = dt.distance(loops(a), loops(b), metric="wasserstein", order=2)
    assert found == pytest.approx(oracle(a, b, "wasserstein", 2))


@both
def test_a_permuted_diagram_is_at_distance_0_and_a_moved_one_as_far_as_it_was_moved(metric: Any) -> None:
    points = np.array([[0.05, 0.2], [0.1, 0.25], [0.02, 0.12]])
    assert dt.distance(loops(points), loops(points[::-1]), metric=metric) == 0
    times = 1 if metric == "bottleneck" else 3
    assert dt.distance(loops(points), loops(points + 0.01), metric=metric) == pytest.approx(0.01 * times)


@both
def test_the_distance_scales_with_the_diagrams_and_is_symmetric(metric: Any) -> None:
    a, b = random_loops(3), random_loops(4)
    once = dt.distance(loops(a), loops(b), metric=metric)
    assert dt.distance(loops(3 * a, 0.9), loops(3 * b, 0.9), metric=metric) == pytest.approx(3 * once)
    assert dt.distance(loops(b), loops(a), metric=metric) == pytest.approx(once)


@both
def test_a_cavity_alive_at_the_end_dies_there_or_is_left_out(metric: Any) -> None:
    alive, none = loops([[0.1, INF]]), loops([])
    assert dt.distance(alive, none, metric=metric) == pytest.approx(0.1)
    assert dt.distance(alive, none, metric=metric, essential="drop") == 0
    assert dt.distance(alive, loops([[0.1, 0.3]]), metric=metric) == 0
    assert dt.distance(loops([[0.3, INF]]), none, metric=metric) == 0


def test_no_change_of_distances_moves_a_diagram_by_more_than_half_of_it(real_graph: FunctionalGraph) -> None:
    nodes = np.arange(60)
    dense = real_graph.to_dense()[np.ix_(nodes, nodes)]
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, dense.shape)
    noisy = dense + np.triu(noise, 1) + np.triu(noise, 1).T
    graphs = [FunctionalGraph.from_distances(np.abs(one), max_epsilon=0.3) for one in (dense, noisy)]
    first, second = (persistence(graph, max_dim=1) for graph in graphs)
    assert dt.distance(first, second, dim=0) <= 0.005 + 1e-9


def test_the_distances_of_epochs_are_those_of_every_two() -> None:
    epochs = {epoch: loops(random_loops(epoch)) for epoch in (0, 2, 5)}
    table: Any = dt.distances(epochs)
    assert (list(table), list(table.index)) == ([0, 2, 5], [0, 2, 5])
    assert table.loc[2, 5] == table.loc[5, 2] == dt.distance(epochs[2], epochs[5])
    assert np.diag(table).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (loops([], 0.2), "b ends at max_epsilon=0.2 and a at 0.3"),
        (Diagrams([np.empty((0, 2))], 0.3), "b has dimensions up to 0 and a up to 1"),
        (loops([]).filtered(), "b went through the filter min_persistence=0.02"),
    ],
)
def test_diagrams_of_another_kind_are_refused_in_one_line(other: Diagrams, words: str) -> None:
    with pytest.raises(DnnTopologyError, match=words) as error:
        dt.distance(loops([]), other)
    assert "\n" not in str(error.value)
    with pytest.raises(DnnTopologyError, match=r"7 .* 3"):
        dt.distances({3: loops([]), 7: other})


def test_wrong_options_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="dimension 4 was not computed"):
        dt.distance(loops([]), loops([]), dim=4)
    with pytest.raises(DnnTopologyError, match="metric"):
        dt.distance(loops([]), loops([]), metric="euclidean")  # type: ignore[arg-type]
    with pytest.raises(DnnTopologyError, match="order must be at least 1"):
        dt.distance(loops([]), loops([]), metric="wasserstein", order=0.5)
    with pytest.raises(DnnTopologyError, match="diagrams is empty"):
        dt.distances({})


def test_without_pot_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ot" else known(name, *more))
    with pytest.raises(DnnTopologyError, match=r"pip install '?POT"):
        dt.distance(loops([]), loops([]), metric="wasserstein")
