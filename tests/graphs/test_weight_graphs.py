from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import nn

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.weight_graphs import weight_graph
from dnn_topology.homology.neural_persistence import neural_persistence
from dnn_topology.homology.persistence import persistence
from tests.oracles import assert_same_diagram, oracle_persistence


def net(seed: int = 0) -> nn.Module:
    """Four layers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))


INPUTS = [torch.rand(20, 4, generator=torch.Generator().manual_seed(0))]


def test_the_distance_of_two_neurons_is_one_less_their_weight_over_the_largest() -> None:
    model = net()
    graph = weight_graph(csr_array(np.array([[0, 0, 2.0], [0, 0, 0.5], [2, 0.5, 0]])), max_epsilon=0.5)
    assert graph.to_dense()[0, 2] == 0
    assert graph.to_dense()[1, 2] == pytest.approx(0.75)
    assert np.isinf(graph.to_dense()[0, 1])
    measured = dt.measure(model, INPUTS, graph_type="structural", max_epsilon=0.5, max_dim=1).diagrams
    assert measured.n_nodes == 10
    assert measured.provenance["n_edges"] == 5 * 3 + 3 * 2


def test_its_diagrams_are_those_of_the_boundary_matrix() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        upper = np.triu(generator.uniform(size=(7, 7)) * (generator.uniform(size=(7, 7)) < 0.7), 1)
        graph = weight_graph(csr_array(upper + upper.T), max_epsilon=0.4)
        expected = oracle_persistence(graph.to_dense(), max_dim=2, max_epsilon=0.4)
        assert_same_diagram(persistence(graph, max_dim=2), expected)


def test_inputs_and_a_common_factor_of_the_weights_change_nothing() -> None:
    model = net()
    options: dict[str, Any] = {"graph_type": "structural", "max_epsilon": 0.5, "max_dim": 1}
    first = dt.measure(model, INPUTS, **options).diagrams
    assert dt.measure(model, [torch.rand(20, 4) * 9], **options).diagrams == first
    for parameter in model.parameters():
        parameter.data.mul_(4)
    assert dt.measure(model, INPUTS, **options).diagrams == first


def test_neural_persistence_stands_beside_it() -> None:
    model = net()
    measured = dt.measure(model, INPUTS, graph_type="structural", max_dim=1).diagrams
    weights = [model[place].weight.detach().numpy() for place in (0, 2, 4)]  # type: ignore[index]
    assert measured.provenance["neural_persistence"] == pytest.approx(neural_persistence(weights))


def test_weights_that_are_0_join_nothing_and_those_that_are_not_finite_are_refused() -> None:
    assert weight_graph(csr_array((4, 4))).n_edges == 0
    with pytest.raises(DnnTopologyError, match="not finite"):
        weight_graph(csr_array(np.array([[0, np.nan], [np.nan, 0]])))
    with pytest.raises(DnnTopologyError, match="metric does not apply to graph_type 'structural'"):
        dt.measure(net(), INPUTS, graph_type="structural", metric="spearman")
