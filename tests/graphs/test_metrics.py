from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dnn_topology import DnnTopologyError, FunctionalGraph, functional_graph
from dnn_topology.graphs.distance_correlation import distance_correlation_pairs
from dnn_topology.graphs.metrics import resolve_metric
from dnn_topology.homology.persistence import persistence
from tests.strategies import signals

if TYPE_CHECKING:
    from dnn_topology.graphs.metrics import Metric


def slow_distance_correlation(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """dCor of two signals, straight from its definition."""

    def doubly_centred(values: NDArray[np.floating]) -> NDArray[np.float64]:
        column = values.astype(float)
        matrix: NDArray[np.float64] = np.abs(column[:, None] - column[None, :])
        centred: NDArray[np.float64] = matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()
        return centred

    a, b = doubly_centred(x), doubly_centred(y)
    return float(np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean())))


def slow_matrix(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 - dCor of every two columns."""
    n = values.shape[1]
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = 1 - slow_distance_correlation(values[:, i], values[:, j])
    return matrix


def chebyshev(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """A user's own metric."""
    differences: NDArray[np.float64] = np.abs(values[:, :, None] - values[:, None, :]).max(axis=0).astype(float)
    return differences


@given(values=signals(max_neurons=6))
@settings(max_examples=25)
def test_distance_correlation_is_its_definition(values: NDArray[np.float32]) -> None:
    graph = functional_graph(values, metric="distance-correlation", max_epsilon=0.5)
    np.testing.assert_allclose(graph.to_dense(), slow_matrix(values), atol=1e-12)


def test_blocks_and_chunks_of_samples_change_no_distance_correlation(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(40, 11))
    rows, cols, distances = distance_correlation_pairs(values, threshold=1.0)
    monkeypatch.setattr("dnn_topology.graphs.distance_correlation.CELLS", 3 * 40 * 4)
    found = distance_correlation_pairs(values, threshold=1.0, block=4)
    order = np.lexsort((found[1], found[0]))
    np.testing.assert_array_equal(found[0][order], rows)
    np.testing.assert_array_equal(found[1][order], cols)
    np.testing.assert_allclose(found[2][order], distances, atol=1e-13)


def test_distance_correlation_sees_what_is_not_linear() -> None:
    x = np.linspace(-1, 1, 101)
    both = np.column_stack([x, x**2])
    assert functional_graph(both, max_epsilon=0.4).n_edges == 0
    assert functional_graph(both, max_epsilon=0.4, metric="distance-correlation").n_edges == 1


def test_a_linear_relation_has_distance_correlation_one(real_signals: NDArray[np.float32]) -> None:
    signal = real_signals[:, real_signals.std(axis=0).argmax()].astype(float)
    graph = functional_graph(np.column_stack([signal, 3 - 2 * signal]), metric="distance-correlation")
    assert graph.distances.tolist() == [0.0]


def test_spearman_is_scipy_on_real_signals_with_many_ties(real_signals: NDArray[np.float32]) -> None:
    living = real_signals[:, real_signals.std(axis=0) > 0][:, ::9]
    expected = FunctionalGraph.from_distances(_distances(np.asarray(spearmanr(living).statistic)), max_epsilon=0.5)
    found = functional_graph(living, metric="spearman", max_epsilon=0.5)
    np.testing.assert_allclose(found.to_dense(), expected.to_dense(), atol=1e-7)


def test_spearman_does_not_see_a_rising_change_of_a_signal() -> None:
    values = np.random.default_rng(0).normal(size=(60, 5))
    np.testing.assert_array_equal(
        functional_graph(values, metric="spearman").to_dense(),
        functional_graph(np.exp(values), metric="spearman").to_dense(),
    )


def test_a_users_function_gives_the_distances() -> None:
    values = np.random.default_rng(0).random((20, 6))
    found = functional_graph(values, metric=chebyshev, max_epsilon=0.4)
    expected = FunctionalGraph.from_distances(chebyshev(values), max_epsilon=0.4)
    np.testing.assert_array_equal(found.to_dense(), expected.to_dense())


def test_a_users_function_is_found_by_name() -> None:
    assert resolve_metric(f"{chebyshev.__module__}:chebyshev") is not None


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("spearmann", "did you mean spearman"),
        ("no_such_module:f", "cannot be imported"),
        ("math:no_such_name", "cannot be imported"),
        ("math:pi", "is a float, expected a function"),
    ],
)
def test_a_metric_that_is_none_is_refused(metric: str, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        resolve_metric(metric)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((2, 2)), r"found shape \(2, 2\)"),
        (np.arange(9.0).reshape(3, 3), "must be symmetric"),
        (np.ones((3, 3)), "must be 0 on the diagonal"),
    ],
)
def test_a_users_function_must_return_distances(answer: NDArray[np.float64], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        functional_graph(np.random.default_rng(0).random((9, 3)), metric=lambda values: answer)  # noqa: ARG005


def test_constant_neurons_are_kept_from_every_metric() -> None:
    values = np.random.default_rng(0).random((20, 4))
    values[:, 1] = 7
    for metric in ("spearman", "distance-correlation", chebyshev):
        graph = functional_graph(values, metric=metric, max_epsilon=0.5)
        isolated = functional_graph(values, metric=metric, max_epsilon=0.5, constant="isolate")
        assert (graph.n_nodes, graph.n_constant, isolated.n_nodes) == (3, 1, 4)
        assert 1 not in {*isolated.rows.tolist(), *isolated.cols.tolist()}


def _distances(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances of a matrix of correlations."""
    distances: NDArray[np.float64] = np.clip(1 - np.abs(correlations), 0, 1)
    np.fill_diagonal(distances, 0)
    return distances


def test_euclidean_distances_are_their_definition_in_any_block() -> None:
    values = np.random.default_rng(0).normal(size=(40, 11))
    expected = np.linalg.norm(values[:, :, None] - values[:, None, :], axis=0)
    for block in (None, 4):
        graph = functional_graph(values, metric="euclidean", max_epsilon=4.5, block=block)
        np.testing.assert_allclose(graph.to_dense(), np.where(expected <= 9, expected, np.inf), atol=1e-12)


def test_a_metric_without_a_bound_has_scales_without_a_bound() -> None:
    square = 100 * np.array([[0.0, 1, 1, 0], [3, 3, 4, 4]])
    own = lambda signals: np.linalg.norm(signals[:, :, None] - signals[:, None, :], axis=0)  # noqa: E731
    for metric in ("euclidean", own):
        graph = functional_graph(square, metric=metric, max_epsilon=80)
        np.testing.assert_allclose(persistence(graph, max_dim=1)[1], [[50, 50 * np.sqrt(2)]])


@pytest.mark.parametrize("metric", ["euclidean", chebyshev])
def test_a_graph_without_an_edge_says_how_far_the_nearest_are(metric: Metric) -> None:
    with pytest.warns(UserWarning, match="the nearest are 5 apart: there is nothing to see below max_epsilon=2.5"):
        functional_graph(np.array([[0.0, 5, 11], [1, 1, 0]]), metric=metric)


@pytest.mark.parametrize("max_epsilon", [0, -1, float("inf"), float("nan"), None, "0.3"])
def test_a_scale_that_is_no_positive_number_is_refused_by_every_metric(max_epsilon: float) -> None:
    for metric in ("pearson", "euclidean", chebyshev):
        with pytest.raises(DnnTopologyError, match="max_epsilon must"):
            functional_graph(np.eye(3), metric=metric, max_epsilon=max_epsilon)


@pytest.mark.parametrize("metric", [None, 3, ["pearson"]])
def test_a_metric_of_another_type_is_refused_by_name(metric: object) -> None:
    with pytest.raises(DnnTopologyError, match=r"metric must be one of pearson, .* or package.module:function, found"):
        functional_graph(np.eye(3), metric=metric)  # type: ignore[arg-type]


def test_a_metric_that_fails_is_named_with_its_reason_once() -> None:
    def failing(signals: NDArray[np.floating]) -> NDArray[np.floating]:
        raise KeyError(f"nothing here, in {len(signals)} samples")

    with pytest.raises(DnnTopologyError, match=r"failing failed on signals of shape .*KeyError") as caught:
        functional_graph(np.random.default_rng(0).random((9, 3)), metric=failing)
    assert str(caught.value).count("nothing here") == 1
    assert "max_epsilon" not in str(caught.value)
