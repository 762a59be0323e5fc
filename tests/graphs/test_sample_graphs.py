from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from dnn_topology import DnnTopologyError, FunctionalGraph
from dnn_topology.graphs.sample_graphs import discriminative_neurons, sample_graph
from dnn_topology.homology.persistence import persistence
from dnn_topology.settings import SampleScale

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


def test_layers_are_put_on_one_scale_each_unless_told_otherwise() -> None:
    neurons = pd.DataFrame({"layer": ["hidden"] * 3 + ["log"] * 2 + ["dead"] * 2})
    values = np.array([0.0, 1.0, 3.0, -30.0, -10.0, 5.0, 5.0])
    scaled = [0.0, 1 / 3, 1.0, 0.0, 1.0, 0.0, 0.0]
    found = sample_graph(values, max_epsilon=0.5, neurons=neurons)
    np.testing.assert_allclose(found.to_dense(), sample_graph(scaled, max_epsilon=0.5).to_dense())
    plain = sample_graph(values, max_epsilon=0.5, neurons=neurons, normalise="none")
    np.testing.assert_array_equal(plain.to_dense(), sample_graph(values, max_epsilon=0.5).to_dense())
    assert found.neurons is neurons


@given(values=npst.arrays(np.float64, 8, elements=st.integers(-4, 8).map(lambda k: k / 4)), scale=st.floats(0.1, 50))
def test_the_unit_of_a_layer_changes_nothing(values: NDArray[np.float64], scale: float) -> None:
    neurons = pd.DataFrame({"layer": ["a"] * 5 + ["b"] * 3})
    other = np.where(neurons["layer"] == "b", scale * values - 7, values)
    found, expected = (sample_graph(each, max_epsilon=0.5, neurons=neurons).to_dense() for each in (other, values))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_log_probabilities_no_longer_give_every_input_the_same_complete_bipartite_graph() -> None:
    rng = np.random.default_rng(0)
    hidden = np.maximum(0, rng.normal(size=(4, 60)))
    log = np.log(rng.dirichlet(np.full(10, 0.01), size=4) + 1e-13)
    neurons = pd.DataFrame({"layer": ["hidden"] * 60 + ["log"] * 10})

    def loops(sample: int, how: SampleScale) -> int:
        values = np.concatenate([hidden[sample], np.sort(log[sample]) - 40])
        diagrams = persistence(sample_graph(values, neurons=neurons, normalise=how), max_dim=1)
        return diagrams.betti_curve(1).peak()[1]

    assert {loops(sample, "none") for sample in range(4)} == {9 * 59}
    found = [loops(sample, "layer") for sample in range(4)]
    assert max(found) < 9 * 59
    assert len(set(found)) > 1


def test_an_unknown_way_to_normalise_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="unknown normalise 'layers': did you mean layer"):
        sample_graph([0.0, 1.0], normalise="layers")  # type: ignore[arg-type]
