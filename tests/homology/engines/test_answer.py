"""Answers that cannot be right are errors; and what an engine cannot number, it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.engines import get_engine
from dnn_topology.homology.engines.answer import check_answer
from dnn_topology.homology.persistence import persistence

INF = np.inf
PATH = FunctionalGraph.from_distances([[0, 0.2, INF, INF], [0.2, 0, 0.4, INF], [INF, 0.4, 0, INF], [INF, INF, INF, 0]])
RIGHT = [(0, 0.2), (0, 0.4), (0, INF), (0, INF)]


def test_a_right_answer_passes() -> None:
    check_answer([np.array(RIGHT), np.empty((0, 2))], PATH, max_dim=1, engine="one")


@pytest.mark.parametrize(
    ("h0", "h1", "message"),
    [
        (RIGHT, None, "1 dimensions, expected 2"),
        (RIGHT[:-1], [], "1 components that never die, expected 2"),
        ([*RIGHT, (0, 0), (0, 0)], [], "6 bars in H0, more than the 4 nodes"),
        (RIGHT, [(0.3, 0.2)], r"a bar \(0.3, 0.2\) in H1"),
        (RIGHT, [(0.3, 0.5)], "edges are up to 0.4 long"),
        (RIGHT, [(-0.1, 0.2)], "a bar"),
        (RIGHT, [(0.2, np.nan)], "a bar"),
    ],
)
def test_a_wrong_answer_is_an_error(
    h0: list[tuple[float, float]], h1: list[tuple[float, float]] | None, message: str
) -> None:
    answer = [np.array(h0), *([] if h1 is None else [np.array(h1, float).reshape(-1, 2)])]
    with pytest.raises(DnnTopologyError, match=message) as caught:
        check_answer(answer, PATH, max_dim=1, engine="one")
    assert "\n" not in str(caught.value)


def test_a_wrong_answer_does_not_become_a_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [np.array(RIGHT[1:]), np.empty((0, 2))]
    wrong[0][-1, 1] = 0.1
    monkeypatch.setattr("dnn_topology.homology.persistence.carry_out", lambda *_, **__: wrong)
    with pytest.raises(DnnTopologyError, match="take another engine"):
        persistence(PATH, max_dim=1)


@pytest.mark.parametrize(
    ("engine", "n_nodes", "max_dim"),
    [("holos", 20_000, 3), ("holos", 150_000, 2), ("ripser", 2_000, 4), ("ripser", 100_000, 2)],
)
def test_more_simplices_than_an_engine_can_number_are_refused_in_a_line(
    engine: str, n_nodes: int, max_dim: int
) -> None:
    if get_engine(engine).version() is None:
        pytest.skip(f"{engine} is not installed")
    rows, cols = np.triu_indices(2 * max_dim + 2, 1)
    lengths = np.where((rows % 2 == 0) & (cols == rows + 1), 0.4, 0.2)
    start = n_nodes - 2 * max_dim - 2
    graph = FunctionalGraph((rows + start).astype(np.int32), (cols + start).astype(np.int32), lengths, n_nodes, 0.3)
    with pytest.raises(DnnTopologyError, match=f"engine {engine!r} numbers simplices in"):
        persistence(graph, max_dim=max_dim, engine=engine, memory_limit=1000)
    assert persistence(graph, max_dim=max_dim, threads=1)[max_dim].tolist() == [[0.1, 0.2]]


def test_the_components_of_random_graphs_are_those_of_union_by_hand() -> None:
    rng = np.random.default_rng(0)
    for n_edges in range(60):
        n = int(rng.integers(2, 60))
        ends = np.unique(np.sort(rng.integers(0, n, (n_edges, 2)), axis=1), axis=0).astype(np.int32)
        ends = rng.permutation(ends[ends[:, 0] != ends[:, 1]])
        graph = FunctionalGraph(ends[:, 0], ends[:, 1], np.full(len(ends), 0.1), n, 0.5)
        label = np.arange(n)
        for a, b in ends:
            label[label == label[a]] = label[b]
        h0 = np.zeros((n, 2))
        h0[: len(np.unique(label)), 1] = INF
        check_answer([h0], graph, max_dim=0, engine="one")
