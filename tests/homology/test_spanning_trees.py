from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.spanning_trees import tree_edges, tree_weights
from dnn_topology.recording.weights import weight_matrix


def slow_tree(strengths: NDArray[np.float64], signal: NDArray[np.float64]) -> list[float]:
    """Kruskal's algorithm as in the textbook: edges from the heaviest down, joined if they close no cycle."""
    n_out, n_in = strengths.shape
    edges = [(strengths[j, i] * abs(signal[i]), i, n_in + j) for i in range(n_in) for j in range(n_out)]
    parent = list(range(n_in + n_out))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    found = []
    for weight, a, b in sorted(edges, reverse=True):
        if root(a) != root(b):
            parent[root(a)] = root(b)
            found.append(weight)
    return sorted(found, reverse=True)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1), st.booleans())
def test_dense_and_sparse_trees_are_kruskals(n_out: int, n_in: int, seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    strengths = rng.integers(0, 3, (n_out, n_in)).astype(float) if tied else rng.random((n_out, n_in))
    inputs = rng.integers(-1, 2, (3, n_in)).astype(float) if tied else rng.normal(size=(3, n_in))
    expected = np.array([slow_tree(strengths, row) for row in inputs])
    assert tree_weights(strengths, inputs) == pytest.approx(expected, abs=1e-12)
    assert tree_weights(csr_array(strengths), inputs) == pytest.approx(expected, abs=1e-12)


def test_large_layers_have_the_same_tree_dense_and_sparse() -> None:
    rng = np.random.default_rng(0)
    strengths = np.abs(rng.normal(size=(60, 150)))
    inputs = np.maximum(rng.normal(size=(4, 150)), 0)  # as after a ReLU
    assert tree_weights(strengths, inputs) == pytest.approx(tree_weights(csr_array(strengths), inputs), abs=1e-12)


def test_an_input_scaled_by_a_number_has_its_tree_scaled() -> None:
    rng = np.random.default_rng(1)
    strengths, inputs = rng.random((5, 6)), rng.normal(size=(2, 6))
    assert tree_weights(strengths, -3 * inputs) == pytest.approx(3 * tree_weights(strengths, inputs))


def test_the_order_of_units_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    strengths, inputs = rng.random((5, 6)), rng.normal(size=(2, 6))
    rows, cols = rng.permutation(5), rng.permutation(6)
    moved = tree_weights(strengths[rows][:, cols], inputs[:, cols])
    assert moved == pytest.approx(tree_weights(strengths, inputs))


def test_an_input_of_zeros_has_a_tree_of_zeros() -> None:
    assert not tree_weights(np.ones((3, 4)), np.zeros((1, 4))).any()
    assert not tree_weights(csr_array(np.ones((3, 4))), np.zeros((1, 4))).any()


def test_a_convolution_has_a_node_per_unit() -> None:
    layer = torch.nn.Conv2d(1, 2, 3)
    strengths = abs(weight_matrix(layer, (1, 5, 5)))
    assert tree_weights(strengths, np.ones((1, 25))).shape == (1, 25 + 2 * 9 - 1)


def test_what_does_not_fit_is_one_line() -> None:
    with pytest.raises(DnnTopologyError, match="do not match"):
        tree_weights(np.ones((3, 4)), np.ones((1, 3)))
    with pytest.raises(DnnTopologyError, match="NaN"):
        tree_weights(np.ones((3, 4)), np.full((1, 4), np.nan))


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_the_edges_of_a_tree_are_a_tree_and_have_its_weights(kind: Any) -> None:
    rng = np.random.default_rng(0)
    strengths, inputs = rng.uniform(0.1, 1, size=(7, 12)), rng.normal(size=(5, 12))
    inputs[0, :4] = 0  # nodes without an edge
    edges = tree_edges(kind(strengths), inputs)
    for signal, expected, (outputs, sources) in zip(inputs, tree_weights(strengths, inputs), edges, strict=True):
        weights = np.sort(strengths[outputs, sources] * np.abs(signal[sources]))[::-1]
        assert weights == pytest.approx(expected[expected > 0])
        graph = coo_array((np.ones(len(outputs)), (outputs, 7 + sources)), shape=(19, 19))
        assert connected_components(graph, directed=False)[0] == 19 - len(outputs)


def test_without_activations_a_tree_has_no_edges() -> None:
    [(outputs, sources)] = tree_edges(np.ones((3, 4)), np.zeros((1, 4)))
    assert len(outputs) == len(sources) == 0
