from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dnn_topology import Activations, DnnTopologyError, functional_graph
from dnn_topology.graphs.groups import chunk_groups, correlation_groups, group_signals, metis_groups


def activations(values: NDArray[np.float32], layers: dict[str, int]) -> Activations:
    """Signals with a table of layers of the given widths."""
    names = [name for name, width in layers.items() for _ in range(width)]
    index = [place for width in layers.values() for place in range(width)]
    table = pd.DataFrame({"layer": pd.Categorical(names, categories=list(layers)), "index": index})
    return Activations(values, table)


@pytest.fixture
def two_layers() -> Activations:
    """Ten neurons in layer a, three in layer b."""
    return activations(np.random.default_rng(0).normal(size=(50, 13)).astype(np.float32), {"a": 10, "b": 3})


def two_blocks(n_each: int = 6) -> Activations:
    """Neurons that follow the one or the other of two independent signals, in turns."""
    rng = np.random.default_rng(0)
    sources = rng.normal(size=(200, 2))
    values = sources[:, np.arange(2 * n_each) % 2] + 0.1 * rng.normal(size=(200, 2 * n_each))
    return activations(values.astype(np.float32), {"a": 2 * n_each})


def test_chunks_follow_the_layers_and_are_as_equal_as_can_be(two_layers: Activations) -> None:
    assert chunk_groups(two_layers, size=4).tolist() == [0] * 5 + [1] * 5 + [2] * 3


def test_a_chunk_of_one_neuron_is_the_neuron(two_layers: Activations) -> None:
    grouped = group_signals(two_layers, chunk_groups(two_layers, size=1))
    np.testing.assert_array_equal(grouped.values, two_layers.values)


def test_a_group_signal_is_the_mean_of_its_members(two_layers: Activations) -> None:
    groups = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, -1, 5, 5, 0])
    found = group_signals(two_layers, groups)
    expected = np.column_stack([two_layers.values[:, groups == number].mean(axis=1) for number in (0, 1, 2, 5)])
    np.testing.assert_allclose(found.values, expected, rtol=1e-6, atol=1e-7)


def test_the_table_says_what_each_group_stands_for(two_layers: Activations) -> None:
    groups = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, -1, 5, 5, 0])
    table = group_signals(two_layers, groups).neurons
    assert table["layer"].tolist() == ["a+b", "a", "a", "b"]
    assert table["index"].tolist() == [0, 1, 2, 5]
    assert table["size"].tolist() == [3, 3, 4, 2]


def test_group_signals_make_a_functional_graph_that_keeps_their_table(two_layers: Activations) -> None:
    graph = functional_graph(group_signals(two_layers, chunk_groups(two_layers, size=5)), max_epsilon=0.5)
    assert graph.neurons is not None
    assert graph.neurons["layer"].tolist() == ["a", "a", "b"]


def test_metis_finds_two_groups_that_follow_two_signals() -> None:
    groups = correlation_groups(two_blocks(), n_groups=2)
    assert len(set(groups[0::2])) == len(set(groups[1::2])) == 1
    assert groups[0] != groups[1]


def test_the_threshold_decides_what_metis_sees() -> None:
    acts = two_blocks()
    r = np.abs(np.corrcoef(acts.values.astype(float), rowvar=False))
    joined = csr_array(np.triu(r > 0.5, 1) + np.triu(r > 0.5, 1).T)
    np.testing.assert_array_equal(
        correlation_groups(acts, n_groups=3, threshold=0.5, seed=3), metis_groups(joined * 1.0, n_groups=3, seed=3)
    )


def test_metis_keeps_the_heavy_edges() -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(20)
    weights = np.full((20, 20), 0.01)
    weights[:10, :10] = weights[10:, 10:] = 1.0
    groups = metis_groups(csr_array(weights[np.ix_(order, order)]), n_groups=2)
    assert len(set(groups[order < 10])) == len(set(groups[order >= 10])) == 1


def test_the_same_seed_gives_the_same_parts() -> None:
    graph = csr_array(np.triu(np.random.default_rng(0).random((60, 60)) < 0.1, 1) * 1.0)
    graph = csr_array(graph + graph.T)
    first = metis_groups(graph, n_groups=4, seed=7)
    np.testing.assert_array_equal(first, metis_groups(graph, n_groups=4, seed=7))
    assert first.max() < 4
    assert any((first != metis_groups(graph, n_groups=4, seed=other)).any() for other in range(5))


def test_metis_serves_neurons_that_join_nothing() -> None:
    groups = metis_groups(csr_array((8, 8)), n_groups=2)
    assert groups.shape == (8,)
    assert set(groups) <= {0, 1}


def test_no_correlation_is_above_one() -> None:
    assert correlation_groups(two_blocks(), n_groups=2, threshold=1.0).shape == (12,)


def test_more_groups_than_neurons_are_refused(two_layers: Activations) -> None:
    with pytest.raises(DnnTopologyError, match="13 neurons cannot be split into 14 groups"):
        correlation_groups(two_layers, n_groups=14)


def test_a_grouping_of_other_neurons_is_refused(two_layers: Activations) -> None:
    with pytest.raises(DnnTopologyError, match=r"must have shape \(13,\), found \(3,\)"):
        group_signals(two_layers, np.zeros(3, dtype=np.intp))


def test_without_pymetis_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymetis", None)
    with pytest.raises(DnnTopologyError, match=r"pip install '?pymetis"):
        metis_groups(csr_array((4, 4)), n_groups=2)
