from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import pairwise_distances

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph
from dnn_topology.graphs.node_sampling import sample_nodes
from tests.oracles import oracle_distances
from tests.strategies import distance_matrices

X = np.random.default_rng(0).normal(size=(200, 20))
X[:, 1] = 2 * X[:, 0] + 1
Z = (X - X.mean(0)) / np.linalg.norm(X - X.mean(0), axis=0)
X32 = X.astype(np.float32)


@pytest.mark.parametrize(
    "distances",
    [
        1 - np.abs(np.corrcoef(X.T)),
        1 - np.abs(np.corrcoef(X32.T, dtype=np.float32)),
        torch.ones(20, 20) - torch.corrcoef(torch.tensor(X32).T).abs(),
        1 - pd.DataFrame(X).corr().abs(),
        1 - np.abs(Z.T @ Z),
        1 - np.abs(1 - pairwise_distances((X - X.mean(0)).T, metric="cosine")),
    ],
    ids=["corrcoef", "float32", "torch", "pandas", "product", "cosine"],
)
def test_a_matrix_of_correlations_as_people_compute_it_gives_the_graph_of_its_signals(distances: Any) -> None:
    found = FunctionalGraph.from_distances(distances, max_epsilon=0.5).to_dense()
    assert np.array_equal(found, found.T)
    np.testing.assert_allclose(found, oracle_distances(X), atol=1e-6)


def test_a_metric_of_ones_own_with_round_off_gives_the_graph_of_its_signals() -> None:
    graph = functional_graph(X, metric=lambda signals: 1 - np.abs(np.corrcoef(signals.T)), max_epsilon=0.5)
    np.testing.assert_allclose(graph.to_dense(), oracle_distances(X), atol=1e-12)


@pytest.mark.parametrize(
    ("off", "message"),
    [
        ({(0, 0): 2e-6}, "0 on the diagonal: found 2e-06 at node 0"),
        ({(0, 1): 0.500002}, r"symmetric: |D - Dᵀ| is 2e-06 at (0, 1)"),
        ({(1, 0): -2e-6, (0, 1): -2e-6}, "not be negative: found -2e-06 at (0, 1)"),
    ],
)
def test_more_than_round_off_is_refused(off: dict[tuple[int, int], float], message: str) -> None:
    matrix = np.array([[0.0, 0.5], [0.5, 0.0]])
    for place, value in off.items():
        matrix[place] = value
    with pytest.raises(DnnTopologyError, match=re.escape(message)):
        FunctionalGraph.from_distances(matrix)


@given(distance_matrices(min_size=2))
def test_a_matrix_without_round_off_is_taken_bit_by_bit(matrix: NDArray[np.float64]) -> None:
    assert np.array_equal(FunctionalGraph.from_distances(matrix, max_epsilon=0.5).to_dense(), matrix)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 3), complex), "must be real numbers, found ndarray of complex128"),
        (np.zeros((3, 3), object), "must be real numbers, found ndarray of object"),
        (csr_array(np.zeros((3, 3))), "must be dense, found a csr_array: pass its `.toarray()`"),
        ([[0, 1], [1]], "must be an array of real numbers"),
        (None, "must be real numbers, found NoneType"),
        ("abc", "must be real numbers, found str"),
    ],
    ids=["complex", "object", "sparse", "ragged", "None", "text"],
)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(values: Any, message: str) -> None:
    for function, name in ((FunctionalGraph.from_distances, "distances"), (functional_graph, "activations")):
        with pytest.raises(DnnTopologyError, match=re.escape(f"`{name}` {message}")) as caught:
            function(values)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
@pytest.mark.parametrize("kind", ["tensor", "gradient", "half", "longdouble", "frame", "rows"])
def test_signals_in_any_form_give_the_graph_of_the_array(metric: str, kind: str) -> None:
    forms: dict[str, Callable[[], Any]] = {
        "tensor": lambda: torch.tensor(X),
        "gradient": lambda: torch.tensor(X, requires_grad=True),
        "half": lambda: torch.tensor(X, dtype=torch.bfloat16),
        "longdouble": lambda: X.astype(np.longdouble),
        "frame": lambda: pd.DataFrame(X),
        "rows": lambda: list(torch.tensor(X)),
    }
    found = functional_graph(forms[kind](), metric=metric, max_epsilon=0.5).to_dense()
    expected = functional_graph(X, metric=metric, max_epsilon=0.5).to_dense()
    np.testing.assert_allclose(found, expected, atol=0.02 if kind == "half" else 0)


def test_sampling_an_array_is_refused_in_one_line() -> None:
    with pytest.raises(DnnTopologyError, match="must be what `record` returns, found ndarray"):
        sample_nodes(X, 3)  # type: ignore[arg-type]


GOOD: dict[str, Any] = {"rows": [0, 1], "cols": [1, 2], "distances": [0.1, 0.6], "n_nodes": 3, "max_epsilon": 0.3}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": [1, 1], "cols": [0, 2]}, "i < j: edge 0 is (1, 0)"),
        ({"cols": [0, 2]}, "i < j: edge 0 is (0, 0)"),
        ({"rows": [-1, 1]}, "from 0 on: edge 0 is (-1, 1)"),
        ({"cols": [1, 3]}, "below n_nodes=3: edge 1 is (1, 3)"),
        ({"rows": [0, 0], "cols": [1, 1]}, "(0, 1) is there 2 times"),
        ({"distances": [0.1, 0.61]}, "at most 2 · max_epsilon = 0.6 long: edge 1 is (1, 2) of length 0.61"),
        ({"distances": [0.1, np.nan]}, "length of at least 0: edge 1"),
        ({"distances": [-0.1, 0.1]}, "length of at least 0: edge 0"),
        ({"distances": [0.1]}, "must be (n_edges,) each"),
        ({"rows": [0.5, 1.0]}, "`rows` must be whole numbers, the places of nodes, found float64"),
        ({"n_nodes": 2.5}, "n_nodes must be a whole number of at least 0, found 2.5"),
        ({"max_epsilon": float("inf")}, "max_epsilon must be a positive finite number"),
        ({"neurons": pd.DataFrame({"layer": ["a"]})}, "`neurons` must have n_nodes=3 rows, found 1"),
    ],
)
def test_a_graph_made_by_hand_is_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=re.escape(message)):
        FunctionalGraph(**{**GOOD, **wrong})


def test_a_graph_made_by_hand_has_the_types_of_one_that_was_computed() -> None:
    graph = FunctionalGraph(**GOOD)
    assert [graph.rows.dtype, graph.cols.dtype, graph.distances.dtype] == [np.int32, np.int32, np.float64]
    assert repr(graph) == "FunctionalGraph(3 nodes, 2 edges up to d = 0.6, max_epsilon=0.3)"


@pytest.mark.parametrize("epsilon", [-0.1, 0.31, float("nan"), [0.0, 0.5]])
def test_the_density_beyond_the_end_is_not_answered(epsilon: Any) -> None:
    with pytest.raises(DnnTopologyError, match=r"epsilon must lie in \[0, 0.3\]"):
        FunctionalGraph(**GOOD).density(epsilon)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_round_off_of_numbers_of_16_bits_is_larger(dtype: torch.dtype) -> None:
    off = torch.tensor([[0.0, 0.5], [0.5, 0.0]]).to(dtype)
    off[0, 1] += torch.finfo(dtype).eps
    off[1, 1] = torch.finfo(dtype).eps
    graph = FunctionalGraph.from_distances(off)
    assert graph.distances.tolist() == [0.5]
    with pytest.raises(DnnTopologyError, match="must be symmetric"):
        FunctionalGraph.from_distances(off.double())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.empty(3, 3, device="meta"),
    ],
)
def test_a_tensor_without_plain_numbers_is_refused_by_what_it_is(tensor: torch.Tensor) -> None:
    with pytest.raises(DnnTopologyError, match="`distances` must be a dense tensor of plain numbers, found"):
        FunctionalGraph.from_distances(tensor)


@pytest.mark.parametrize("length", [10**10, 10**60])
def test_a_sequence_that_no_memory_holds_is_refused(length: int) -> None:
    with pytest.raises(DnnTopologyError, match=r"`activations` must have at most .* items, found range"):
        functional_graph(range(length))
