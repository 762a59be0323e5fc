"""Edges of birth and death, and cycles: held against linear algebra mod 2 on small graphs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.pairs import PersistencePairs
from dnn_topology.homology.persistence import persistence
from tests.homology.engines.families import FAMILIES, random_graph

Simplex = tuple[int, ...]


def cofaces(graph: FunctionalGraph, size: int) -> dict[Simplex, float]:
    """Every simplex of so many nodes, and its diameter."""
    dense = graph.to_dense()
    near = [{int(v) for v in np.flatnonzero(row < np.inf)} for row in dense]
    found: list[Simplex] = [(v,) for v in range(graph.n_nodes)]
    for _ in range(size - 1):
        found = [(*s, v) for s in found for v in set.intersection(*(near[x] for x in s)) if v > s[-1]]
    return {s: max(dense[a, b] for a, b in combinations(s, 2)) for s in found}


def is_boundary(cycle: NDArray[np.int64], simplices: list[Simplex]) -> bool:
    """Whether a cycle is a sum mod 2 of boundaries of simplices one dimension higher."""
    owners: dict[Simplex, set[Simplex]] = {}

    def reduced(column: set[Simplex]) -> set[Simplex]:
        while column and max(column) in owners:
            column = column ^ owners[max(column)]
        return column

    for simplex in simplices:
        if column := reduced(set(combinations(simplex, len(simplex) - 1))):
            owners[max(column)] = column
    return not reduced({tuple(row) for row in cycle.tolist()})


def paired(family: str, seed: int) -> tuple[FunctionalGraph, PersistencePairs]:
    graph = random_graph(family, seed, most=16)
    return graph, persistence(graph, max_dim=2, pairs=True, threads=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cycle_is_there_at_birth_and_a_boundary_from_its_death_on(family: str) -> None:
    for seed in range(2000, 2012):
        graph, pairs = paired(family, seed)
        dense = graph.to_dense()
        for dim in (1, 2):
            higher = cofaces(graph, dim + 2)
            for point, (birth, death) in enumerate(pairs.diagrams[dim]):
                cycle = pairs.cycle(dim, point)
                assert max(dense[a, b] for row in cycle for a, b in combinations(row, 2)) == 2 * birth
                sides = Counter(side for row in cycle.tolist() for side in combinations(row, dim))
                assert not any(n % 2 for n in sides.values()), "the boundary of the cycle is not zero"
                assert len({*map(tuple, cycle.tolist())}) == len(cycle)
                before = [s for s, diameter in higher.items() if diameter < 2 * death]
                assert not is_boundary(cycle, before)
                assert np.isinf(death) or is_boundary(cycle, [s for s, d in higher.items() if d <= 2 * death])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_edges_of_birth_and_death_have_the_lengths_of_the_bars(family: str) -> None:
    for seed in range(2000, 2020):
        graph = random_graph(family, seed)
        pairs = persistence(graph, max_dim=3 if graph.n_edges < 300 else 2, pairs=True)
        assert pairs.diagrams == persistence(graph, max_dim=pairs.diagrams.max_dim)
        dense = graph.to_dense()
        for dim, points in enumerate(pairs.diagrams.points):
            assert (pairs.births[dim] >= 0).all() == (dim > 0)
            dies = np.isfinite(points[:, 1])
            np.testing.assert_array_equal(dense[tuple(pairs.deaths[dim][dies].T)], 2 * points[dies, 1])
            assert (pairs.deaths[dim][~dies] == -1).all()
            if dim:
                np.testing.assert_array_equal(dense[tuple(pairs.births[dim].T)], 2 * points[:, 0])


def test_the_cycles_of_an_octahedron_with_one_diagonal_are_its_faces() -> None:
    distances = np.full((6, 6), 0.2)
    for corner in range(6):
        distances[corner, (corner + 3) % 6] = 0.5
        distances[corner, corner] = 0
    pairs = persistence(FunctionalGraph.from_distances(distances), max_dim=2, pairs=True)
    faces = [[a, b, c] for a in (0, 3) for b in (1, 4) for c in (2, 5)]
    assert pairs.cycle(2, 0).tolist() == sorted(sorted(face) for face in faces)


@pytest.mark.parametrize("dim", [0, 3])
def test_a_cycle_of_another_dimension_is_refused(dim: int) -> None:
    _, pairs = paired("cloud", 2001)
    with pytest.raises(DnnTopologyError, match=f"dim must be 1 or 2 and at most max_dim 2, found {dim}"):
        pairs.cycle(dim, 0)


def test_a_cycle_of_a_point_that_there_is_not_is_refused() -> None:
    _, pairs = paired("cloud", 2001)
    n = len(pairs.diagrams[1])
    with pytest.raises(DnnTopologyError, match=f"0 to {n - 1}, found {n}"):
        pairs.cycle(1, n)


def test_pairs_of_another_engine_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="pairs need engine='morse', found 'gudhi'"):
        persistence(random_graph("cloud", 1), engine="gudhi", pairs=True)
    with pytest.raises(DnnTopologyError, match="up to max_dim 3, found 4"):
        persistence(random_graph("cloud", 1), max_dim=4, pairs=True)
