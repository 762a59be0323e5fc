from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence
from tests.oracles import assert_same_diagram, oracle_persistence, permuted
from tests.strategies import distance_matrices, signals


def diagrams_of(matrix: NDArray[np.float64], *, max_epsilon: float = 0.5, max_dim: int = 2) -> Diagrams:
    return persistence(FunctionalGraph.from_distances(matrix, max_epsilon=max_epsilon), max_dim=max_dim)


@settings(max_examples=200)
@given(distance_matrices(), st.sampled_from([0.2, 0.35, 0.5]), st.integers(0, 3))
def test_diagrams_are_those_of_the_boundary_matrix(
    matrix: NDArray[np.float64], max_epsilon: float, max_dim: int
) -> None:
    found = diagrams_of(matrix, max_epsilon=max_epsilon, max_dim=max_dim)
    assert_same_diagram(found, oracle_persistence(matrix, max_dim=max_dim, max_epsilon=max_epsilon))


@given(distance_matrices(max_size=7), st.lists(st.integers(0, 6), min_size=1, max_size=2))
def test_a_duplicated_neuron_adds_one_bar_of_length_zero_and_nothing_else(
    matrix: NDArray[np.float64], copied: list[int]
) -> None:
    nodes = [*range(len(matrix)), *(copy % len(matrix) for copy in copied)]
    doubled = matrix[np.ix_(nodes, nodes)]
    before, after = diagrams_of(matrix), diagrams_of(doubled)
    bars = np.vstack([np.zeros((len(copied), 2)), before[0]])
    expected = Diagrams([bars, before[1], before[2]], before.max_epsilon)
    assert_same_diagram(after, expected)
    assert_same_diagram(after, oracle_persistence(doubled, max_dim=2, max_epsilon=0.5))


@given(distance_matrices(max_size=12, ties=False), st.randoms(use_true_random=False))
def test_relabelling_the_vertices_changes_nothing(matrix: NDArray[np.float64], random: object) -> None:
    order = list(range(len(matrix)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert diagrams_of(permuted(matrix, order)) == diagrams_of(matrix)


@given(distance_matrices(max_size=10), st.sampled_from([0.25, 0.5]))
def test_scaling_the_distances_scales_the_diagrams(matrix: NDArray[np.float64], factor: float) -> None:
    scaled = diagrams_of(factor * matrix, max_epsilon=0.5 * factor)
    whole = diagrams_of(matrix)
    assert_same_diagram(scaled, Diagrams([factor * points for points in whole.points], 0.5 * factor))


@given(distance_matrices(min_size=2, max_size=20))
def test_finite_deaths_in_h0_are_the_weights_of_the_minimum_spanning_tree(matrix: NDArray[np.float64]) -> None:
    tree = minimum_spanning_tree(csr_array(matrix)).data
    deaths = diagrams_of(matrix, max_dim=0)[0][:, 1]
    np.testing.assert_allclose(np.sort(deaths[np.isfinite(deaths)]), np.sort(tree) / 2, atol=1e-12)


@given(distance_matrices(min_size=3, max_size=10), st.integers(0, 2**32 - 1), st.floats(0.001, 0.05))
def test_a_small_change_of_the_distances_is_a_small_change_of_the_diagrams(
    matrix: NDArray[np.float64], seed: int, size: float
) -> None:
    from gudhi import bottleneck_distance

    noise = np.triu(np.random.default_rng(seed).uniform(-size, size, matrix.shape), 1)
    moved = np.clip(matrix + noise + noise.T, 0, 1)
    np.fill_diagonal(moved, 0)
    bound = np.abs(moved - matrix).max() / 2
    for before, after in zip(diagrams_of(matrix).points, diagrams_of(moved).points, strict=True):
        assert bottleneck_distance(before, after) <= bound + 1e-9


@given(signals(max_neurons=8))
def test_signals_and_the_oracle_agree_from_end_to_end(values: NDArray[np.float32]) -> None:
    graph = functional_graph(values, max_epsilon=0.5)
    expected = oracle_persistence(graph.to_dense(), max_dim=2, max_epsilon=0.5)
    assert_same_diagram(persistence(graph), expected)


def test_gudhi_agrees_with_ripser_on_a_real_correlation_graph(real_graph: FunctionalGraph) -> None:
    from ripser import ripser

    dense = real_graph.to_dense()
    # Dense input: ripser.py's sparse input takes a stored 0, a pair of duplicate neurons, for a missing edge.
    dense[np.isinf(dense)] = 2.0
    peer = [np.array(points) / 2 for points in ripser(dense, distance_matrix=True, maxdim=2, thresh=0.6)["dgms"]]
    ours = persistence(real_graph)
    zeros = np.zeros((real_graph.n_nodes - len(peer[0]), 2))
    assert_same_diagram(ours, Diagrams([np.vstack([zeros, peer[0]]), *peer[1:]], 0.3), atol=1e-6)
    assert len(ours[1]) > 100
    assert len(ours[2]) > 10


@given(distance_matrices(min_size=8, max_size=25, ties=False))
@settings(max_examples=20)
def test_gudhi_agrees_with_ripser_on_random_distances(matrix: NDArray[np.float64]) -> None:
    from ripser import ripser

    peer = [np.array(points) / 2 for points in ripser(matrix, distance_matrix=True, maxdim=2, thresh=1.0)["dgms"]]
    assert_same_diagram(diagrams_of(matrix), Diagrams(peer, 0.5), atol=1e-6)


@pytest.mark.parametrize("max_dim", [0, 1, 3])
def test_a_single_neuron_is_one_component_that_never_dies(max_dim: int) -> None:
    found = diagrams_of(np.zeros((1, 1)), max_dim=max_dim)
    assert found[0].tolist() == [[0.0, np.inf]]
    assert found.max_dim == max_dim
    assert all(not len(points) for points in found.points[1:])


def test_neurons_without_edges_are_components_that_never_die() -> None:
    matrix = np.full((5, 5), np.inf)
    np.fill_diagonal(matrix, 0)
    assert diagrams_of(matrix)[0].tolist() == [[0.0, np.inf]] * 5


def test_a_complete_graph_of_one_length_has_no_cavity() -> None:
    matrix = 0.4 * (1 - np.eye(7))
    found = diagrams_of(matrix, max_dim=3)
    assert len(found[0]) == 7
    assert all(not len(points) for points in found.points[1:])


def test_the_sphere_of_an_octahedron_is_found_in_dimension_two() -> None:
    matrix = np.full((6, 6), 0.2)
    for corner in range(6):
        matrix[corner, (corner + 3) % 6] = 0.5
        matrix[corner, corner] = 0
    assert diagrams_of(matrix)[2].tolist() == [[0.1, 0.25]]


def test_provenance_says_what_computed_the_diagrams(real_graph: FunctionalGraph) -> None:
    about = persistence(real_graph, max_dim=0).provenance
    assert about["n_edges"] == real_graph.n_edges
    assert about["n_constant"] == real_graph.n_constant


def test_density_is_known_at_every_birth_and_death(real_graph: FunctionalGraph) -> None:
    found = persistence(real_graph, max_dim=1)
    scales = np.concatenate([points[np.isfinite(points)] for points in found.points])
    np.testing.assert_array_equal(found.density_at(scales), real_graph.density(scales))


@pytest.mark.parametrize("max_dim", [-1, 1.5])
def test_a_negative_or_broken_max_dim_is_refused(max_dim: float) -> None:
    with pytest.raises(DnnTopologyError, match="max_dim must be a whole number"):
        diagrams_of(np.zeros((2, 2)), max_dim=max_dim)  # type: ignore[arg-type]


def test_an_unknown_engine_is_refused_with_the_nearest_name() -> None:
    graph = FunctionalGraph.from_distances(np.zeros((2, 2)))
    with pytest.raises(DnnTopologyError, match="unknown engine 'gudi': did you mean gudhi"):
        persistence(graph, engine="gudi")


def test_a_graph_without_nodes_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="no nodes"):
        persistence(FunctionalGraph.from_distances(np.zeros((0, 0))))
