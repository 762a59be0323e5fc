from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from dnn_topology import DnnTopologyError, FunctionalGraph
from dnn_topology.graphs.sample_graphs import discriminative_neurons, sample_graph

answers = npst.arrays(np.float64, st.integers(2, 12), elements=st.integers(-4, 8).map(lambda k: k / 4))


def oracle(values: NDArray[np.float64], max_epsilon: float) -> FunctionalGraph:
    """The dense matrix of differences, scaled to [0, 1] and turned round."""
    differences = np.abs(values[:, None] - values)
    distances = 1 - differences / differences.max()
    np.fill_diagonal(distances, 0)
    return FunctionalGraph.from_distances(distances, max_epsilon=max_epsilon)


@given(values=answers, max_epsilon=st.sampled_from([0.1, 0.25, 0.3, 0.5]))
def test_the_graph_is_that_of_the_dense_matrix(values: NDArray[np.float64], max_epsilon: float) -> None:
    if np.ptp(values) == 0:
        return
    found, expected = sample_graph(values, max_epsilon=max_epsilon), oracle(values, max_epsilon)
    np.testing.assert_allclose(found.to_dense(), expected.to_dense(), atol=1e-15)
    assert (found.rows < found.cols).all()


@given(values=answers)
def test_shifting_and_scaling_all_activations_changes_nothing(values: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(sample_graph(values).to_dense(), sample_graph(4 * values + 2).to_dense(), atol=1e-12)


def test_the_neurons_that_differ_most_are_the_nearest() -> None:
    graph = sample_graph([0.0, 1.0, 0.1], max_epsilon=0.3)
    assert list(zip(graph.rows.tolist(), graph.cols.tolist(), strict=True)) == [(0, 1), (1, 2)]
    np.testing.assert_allclose(graph.distances, [0.0, 0.1])


def test_equal_activations_join_nothing() -> None:
    graph = sample_graph(np.full(5, 2.0))
    assert (graph.n_nodes, graph.n_edges) == (5, 0)


def test_activations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="1 of 3 activations are NaN or infinite"):
        sample_graph([0.0, np.nan, 1.0])


def test_lda_selects_the_neurons_that_carry_the_label() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(300) < 0.3
    values = rng.normal(size=(300, 40))
    values[:, [7, 11, 30, 31]] += 3 * labels[:, None]
    assert discriminative_neurons(values, labels, share=0.1).tolist() == [7, 11, 30, 31]


def test_selection_needs_right_and_wrong_predictions() -> None:
    with pytest.raises(DnnTopologyError, match="there must be both, found 1 kind among 4 inputs"):
        discriminative_neurons(np.eye(4), np.ones(4, dtype=bool))
