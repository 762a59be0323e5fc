"""What measuring would take, from the same arguments, without persistence."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dnn_topology._checks import DnnTopologyError
from dnn_topology.estimating import estimate
from dnn_topology.pipeline import measure
from tests.test_pipeline import batches, model

SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_epsilon": 0.4, "metric": "spearman"},
    {"graph_type": "grouped", "split": 5},
    {"graph_type": "partitioned", "split": 2},
    {"graph_type": "per-sample", "n_samples": 2},
    {"sample_nodes": 10, "bootstrap": 2},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_estimate_is_of_the_graphs_that_are_measured(settings: dict[str, Any]) -> None:
    needed = estimate(model(), batches(), max_dim=1, **settings)
    measured = measure(model(), batches(), max_dim=1, **settings)
    sizes = {name: (one.n_nodes, one.provenance["n_edges"]) for name, one in measured.graphs.items()}
    assert {name: (one.n_nodes, one.n_edges) for name, one in needed.graphs.items()} == sizes
    assert needed.n_nodes == sum(one.n_nodes or 0 for one in measured.graphs.values())
    assert needed.n_edges == sum(int(one.provenance["n_edges"]) for one in measured.graphs.values())


def test_higher_dimensions_take_more() -> None:
    low, high = (estimate(model(), batches(), max_dim=dim, max_epsilon=0.5, engine="gudhi") for dim in (1, 3))
    assert 0 < low.memory < high.memory
    assert 0 < low.seconds < high.seconds


def test_an_estimate_computes_no_persistence(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("dnn_topology.homology.engines.gudhi.Gudhi.compute", computed)
    assert estimate(model(), batches(), engine="gudhi").plans[""].engine == "gudhi"
    with pytest.raises(AssertionError):
        measure(model(), batches(), engine="gudhi")


def test_the_model_is_left_as_it_was() -> None:
    net = model()
    before = {name: one.clone() for name, one in net.state_dict().items()}
    estimate(net, batches())
    assert net.training
    assert all(torch.equal(before[name], one) for name, one in net.state_dict().items())


def test_a_wrong_argument_is_refused_as_by_measure() -> None:
    with pytest.raises(DnnTopologyError, match="max_epsilon must lie"):
        estimate(model(), batches(), max_epsilon=3)
    with pytest.raises(TypeError, match="no option 'colour'"):
        estimate(model(), batches(), colour="red")


def test_an_estimate_shows_its_figures_and_no_arrays() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU())
    guess = estimate(network, [torch.randn(100, 4, generator=torch.Generator().manual_seed(0))], max_dim=1)
    assert repr(guess).startswith(f"MeasureEstimate({guess.n_nodes} nodes, {guess.n_edges} edges: about ")
    assert len(repr(guess)) < 120
