from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph, varying_neurons
from dnn_topology.recording.activations import Activations
from tests.oracles import oracle_distances
from tests.strategies import distance_matrices, signals


def kept(matrix: NDArray[np.float64], max_epsilon: float) -> NDArray[np.float64]:
    """A dense matrix in which edges that are too long are absent."""
    return np.where(matrix <= 2 * max_epsilon, matrix, np.inf)


@given(signals(), st.floats(0.05, 0.5))
def test_distances_are_those_of_corrcoef(values: NDArray[np.float32], max_epsilon: float) -> None:
    expected = oracle_distances(values)
    found = functional_graph(values, max_epsilon=max_epsilon).to_dense()
    clear = np.abs(expected - 2 * max_epsilon) > 1e-6  # not at the edge of being kept
    np.testing.assert_allclose(found[clear], kept(expected, max_epsilon)[clear], atol=1e-6, rtol=0)


def test_distances_of_a_real_network_are_those_of_corrcoef(real_signals: NDArray[np.float32]) -> None:
    varying = real_signals[:, np.ptp(real_signals, axis=0) > 0]
    expected = oracle_distances(varying)
    graph = functional_graph(real_signals, max_epsilon=0.3)
    assert graph.n_constant == real_signals.shape[1] - varying.shape[1] > 0
    found = graph.distances
    np.testing.assert_allclose(found, expected[graph.rows, graph.cols], atol=1e-6, rtol=0)
    assert graph.n_edges == (expected[np.triu_indices(len(expected), 1)] <= 0.6).sum()


@given(signals(), st.integers(1, 7))
def test_the_block_size_changes_nothing(values: NDArray[np.float32], block: int) -> None:
    whole, blocked = (functional_graph(values, max_epsilon=0.5, block=size).to_dense() for size in (1024, block))
    np.testing.assert_allclose(blocked, whole, atol=1e-12, rtol=0)


@given(signals(), st.integers(0, 2**32 - 1))
def test_a_positive_affine_change_of_neurons_changes_nothing(values: NDArray[np.float32], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale, shift = rng.uniform(0.1, 10, values.shape[1]), rng.normal(size=values.shape[1])
    before = functional_graph(values.astype(np.float64), max_epsilon=0.5)
    after = functional_graph(values * scale + shift, max_epsilon=0.5)
    np.testing.assert_allclose(after.to_dense(), before.to_dense(), atol=1e-9, rtol=0)


@given(signals(), st.integers(0, 2**32 - 1))
def test_the_graph_follows_a_permutation_of_the_neurons(values: NDArray[np.float32], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(values.shape[1])
    before = functional_graph(values, max_epsilon=0.4).to_dense()
    after = functional_graph(values[:, order], max_epsilon=0.4).to_dense()
    np.testing.assert_allclose(after, before[np.ix_(order, order)], atol=1e-12, rtol=0)


@given(signals(), st.integers(0, 2**32 - 1))
def test_duplicated_neurons_lie_at_distance_zero_and_agree_on_all_others(
    values: NDArray[np.float32], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    copied = rng.integers(0, values.shape[1], size=3)
    both = np.hstack([values, values[:, copied] * np.array([2.0, -0.5, 1.0], np.float32)])  # exact in float32
    matrix = functional_graph(both, max_epsilon=0.4, block=5).to_dense()
    for copy, original in enumerate(copied, start=values.shape[1]):
        assert matrix[copy, original] == 0
        np.testing.assert_array_equal(matrix[copy], matrix[original])


def test_tiny_and_huge_signals_have_correlations_too() -> None:
    signal = np.random.default_rng(0).normal(size=(50, 1))
    both = np.hstack([signal * 1e-30, signal * 1e30]).astype(np.float32)
    assert functional_graph(both, max_epsilon=0.1).distances == pytest.approx([0.0], abs=1e-9)


def test_constant_neurons_are_dropped_and_counted_by_default() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    values[:, 1] = 7
    neurons = pd.DataFrame({"layer": ["a", "a", "b"], "index": [0, 1, 0]})
    graph = functional_graph(Activations(values, neurons), max_epsilon=0.5)
    assert (graph.n_nodes, graph.n_constant) == (2, 1)
    assert graph.neurons is not None
    assert graph.neurons["layer"].tolist() == ["a", "b"]


def test_isolated_constant_neurons_stay_as_nodes_without_edges() -> None:
    values = np.random.default_rng(0).normal(size=(20, 1)).astype(np.float32)
    values = np.hstack([values, np.ones((20, 1), np.float32), -values])
    graph = functional_graph(values, max_epsilon=0.5, constant="isolate")
    assert (graph.n_nodes, graph.n_constant) == (3, 1)
    assert list(zip(graph.rows, graph.cols, graph.distances, strict=True)) == [(0, 2, 0.0)]


def test_an_edge_of_exactly_twice_max_epsilon_is_kept() -> None:
    graph = FunctionalGraph.from_distances([[0, 0.6], [0.6, 0]], max_epsilon=0.3)
    assert graph.n_edges == 1


@given(distance_matrices(min_size=2), st.floats(0.05, 0.5))
def test_density_counts_the_pairs_within_reach(matrix: NDArray[np.float64], epsilon: float) -> None:
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    graph = FunctionalGraph.from_distances(matrix, max_epsilon=0.5)
    assert graph.density(epsilon) == pytest.approx((pairs / 2 <= epsilon).mean())
    assert graph.density(np.array([0.0, 0.5])).tolist() == [0.0, 1.0]  # type: ignore[union-attr]


def test_a_dense_matrix_survives_the_way_into_a_graph_and_back() -> None:
    matrix = np.array([[0, 0.2, np.inf], [0.2, 0, 0.4], [np.inf, 0.4, 0]])
    np.testing.assert_array_equal(FunctionalGraph.from_distances(matrix, max_epsilon=0.3).to_dense(), matrix)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((2, 3)), r"square matrix, found shape \(2, 3\)"),
        ([[0, 0.1], [0.4, 0]], r"symmetric: \|D - Dᵀ\| is 0.3 at \(0, 1\)"),
        ([[0, -0.1], [-0.1, 0]], r"not be negative: found -0.1 at \(0, 1\)"),
        ([[0, np.nan], [np.nan, 0]], r"NaN: found nan at \(0, 1\)"),
        ([[0, 0.1], [0.1, 1]], "0 on the diagonal: found 1.0 at node 1"),
        ([[0, np.inf], [0.1, 0]], r"symmetric: \|D - Dᵀ\| is inf at \(0, 1\)"),
    ],
)
def test_a_matrix_that_is_no_distance_is_refused_by_name(matrix: object, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        FunctionalGraph.from_distances(matrix)  # type: ignore[arg-type]


@pytest.mark.parametrize("max_epsilon", [0, -0.1, 0.51, float("nan"), float("inf")])
def test_max_epsilon_outside_its_range_is_refused(max_epsilon: float) -> None:
    with pytest.raises(DnnTopologyError, match=r"max_epsilon must lie in \(0, 0.5\]"):
        functional_graph(np.eye(3), max_epsilon=max_epsilon)


def test_one_sample_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="at least 2 samples, found 1"):
        functional_graph(np.ones((1, 5)))


def test_only_constant_neurons_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="all 5 neurons are constant over 4 samples"):
        functional_graph(np.ones((4, 5)))


def test_nan_and_infinite_activations_are_counted_by_layer() -> None:
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    values[0, 0] = np.inf
    values[1:3, 2] = np.nan
    neurons = pd.DataFrame({"layer": ["conv", "conv", "fc"], "index": [0, 1, 0]})
    with pytest.raises(DnnTopologyError, match=r"3 of 12 activations .* layer 'conv' \(1\), layer 'fc' \(2\)"):
        functional_graph(Activations(values, neurons))


def test_large_but_finite_activations_are_accepted() -> None:
    values = np.array([[3e38, 1], [-3e38, 2], [1e38, 3]], np.float32)
    assert functional_graph(values, max_epsilon=0.5).n_nodes == 2


def test_a_vector_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match=r"\(n_samples, n_neurons\), found shape \(5,\)"):
        functional_graph(np.ones(5))


@pytest.mark.parametrize("level", [1e-30, 0.3, -5.0, 1e20])
def test_a_neuron_that_varies_by_roundings_alone_is_constant(level: float) -> None:
    rounded = np.full(50, level, dtype=np.float32)
    rounded[7] = np.nextafter(rounded[7], np.float32(np.inf))
    values = np.column_stack([rounded, np.linspace(0, 1, 50, dtype=np.float32)])
    assert varying_neurons(values).tolist() == [1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_a_neuron_that_varies_by_more_than_roundings_is_not_constant(dtype: type) -> None:
    assert varying_neurons((1000 + np.arange(50)[:, None]).astype(dtype)).tolist() == [0]


def test_a_small_change_of_a_large_number_counts_in_double_precision() -> None:
    assert varying_neurons(1e6 + 1e-3 * np.arange(50.0)[:, None]).tolist() == [0]
