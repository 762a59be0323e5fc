from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.tree_free import heaviest_edges
from dnn_topology.homology.spanning_trees import tree_weights


def layer(seed: int, *, n_out: int = 5, n_in: int = 7, n_samples: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Strengths, a third of them 0, and inputs of both signs."""
    rng = np.random.default_rng(seed)
    return rng.random((n_out, n_in)) * (rng.random((n_out, n_in)) > 0.3), rng.normal(size=(n_samples, n_in))


@pytest.mark.parametrize("seed", range(5))
def test_a_units_heaviest_edge_is_the_largest_of_all_of_its_edges(seed: int) -> None:
    strengths, inputs = layer(seed)
    for row, signal in zip(heaviest_edges(strengths, inputs), inputs, strict=True):
        edges = np.array([[strengths[j, i] * abs(signal[i]) for i in range(7)] for j in range(5)])
        assert row == pytest.approx([*edges.max(axis=1), *edges.max(axis=0)])


@pytest.mark.parametrize("seed", range(5))
def test_a_sparse_layer_has_the_heaviest_edges_of_the_dense_one_rows_without_edges_included(seed: int) -> None:
    strengths, inputs = layer(seed)
    strengths[[0, 3]] = 0
    assert heaviest_edges(csr_array(strengths), inputs) == pytest.approx(heaviest_edges(strengths, inputs))


@pytest.mark.parametrize("seed", range(5))
def test_every_heaviest_edge_is_part_of_the_maximum_spanning_tree(seed: int) -> None:
    strengths, inputs = layer(seed)
    for heaviest, tree in zip(heaviest_edges(strengths, inputs), tree_weights(strengths, inputs), strict=True):
        assert all(np.isclose(tree, weight).any() for weight in heaviest)


def test_strengths_of_another_layer_are_refused_in_one_line() -> None:
    with pytest.raises(DnnTopologyError, match=r"do not match: shapes \(2, 3\), \(1, 4\)"):
        heaviest_edges(np.ones((2, 3)), np.ones((1, 4)))
