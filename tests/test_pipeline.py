from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from dnn_topology.nets.train import TrainingState, save_weights
from dnn_topology.pipeline import measure, track
from dnn_topology.recording.activations import record
from dnn_topology.settings import MeasureSettings


def model(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))


def batches() -> list[torch.Tensor]:
    return list(torch.randn(3, 20, 6, generator=torch.Generator().manual_seed(0)))


def test_measuring_is_the_four_steps_one_after_the_other() -> None:
    found = measure(model(), batches(), max_dim=1, max_epsilon=0.4, min_persistence=0.01, essential="clip")
    graph = functional_graph(record(model(), batches()), max_epsilon=0.4)
    diagrams = persistence(graph, max_dim=1)
    assert found.diagrams == diagrams.filtered(min_persistence=0.01, essential="clip")
    pd.testing.assert_frame_equal(found.summary, summarize(diagrams.filtered(min_persistence=0.01, essential="clip")))


def test_measuring_with_another_metric_is_that_metrics_graph() -> None:
    found = measure(model(), batches(), max_dim=0, max_epsilon=0.4, metric="spearman")
    graph = functional_graph(record(model(), batches()), max_epsilon=0.4, metric="spearman")
    assert found.diagrams == persistence(graph, max_dim=0) != measure(model(), batches(), max_dim=0).diagrams


def test_a_measured_sample_is_that_of_its_seed_and_each_further_draw_of_the_next() -> None:
    found = measure(model(), batches(), seed=3, max_dim=1, sample_nodes=20, sample_method="importance", bootstrap=3)
    everything = record(model(), batches())
    for place, diagrams in enumerate(found.draws):
        nodes = sample_nodes(everything, 20, method="importance", seed=3 + place)
        assert diagrams == persistence(functional_graph(nodes), max_dim=1)
    assert len(found.draws) == 3
    assert found.diagrams == found.draws[0]
    pd.testing.assert_frame_equal(found.summary, summarize(found.diagrams))


def test_without_a_sample_there_are_no_draws() -> None:
    assert measure(model(), batches(), max_dim=0).draws == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bootstrap": 5}, "say of how many with sample_nodes"),
        ({"sample_nodes": 5, "bootstrap": 0}, "bootstrap must be at least 1"),
        ({"sample_nodes": 0}, "sample_nodes must be at least 1"),
        ({"sample_nodes": 5, "constant": "isolate"}, "leave out one of the two"),
    ],
)
def test_options_of_a_sample_that_do_not_fit_are_refused_before_anything_is_recorded(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        measure(model(), [], **options)


def test_tracking_measures_each_state_and_puts_the_own_weights_back(tmp_path: Path) -> None:
    one, two = model(1), model(2)
    save_weights(tmp_path / "epoch2.pt", TrainingState(2, two.state_dict(), {}, {}, ()))
    own = model(0)
    found = track(own, batches(), {1: one.state_dict(), 2: tmp_path / "epoch2.pt"}, max_dim=1)
    assert list(found) == [1, 2]
    assert found[1].diagrams == measure(one, batches(), max_dim=1).diagrams
    assert found[2].diagrams == measure(two, batches(), max_dim=1).diagrams
    assert torch.equal(own.state_dict()["0.weight"], model(0).state_dict()["0.weight"])


def test_a_failure_while_tracking_puts_the_own_weights_back(tmp_path: Path) -> None:
    own = model(0)
    with pytest.raises(DnnTopologyError, match="cannot read"):
        track(own, batches(), {1: model(1).state_dict(), 2: tmp_path / "none.pt"}, max_dim=0)
    assert torch.equal(own.state_dict()["0.weight"], model(0).state_dict()["0.weight"])


def each_door() -> list[Callable[..., Any]]:
    """Every function that takes the options of `measure`."""
    return [
        measure,
        dt.estimate,
        lambda net, inputs, **options: track(net, inputs, {0: net.state_dict()}, **options),
        lambda _net, inputs, **options: dt.TopologyMonitor(inputs, **options),
        lambda _net, inputs, **options: dt.TopologicalEarlyStopping(inputs, quantity="life", **options),
    ]


@pytest.mark.parametrize("door", each_door())
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_samples": 30, "n_inputs": 20}, "max_samples and n_inputs are two names of one number, found 30 and 20"),
        ({"max_samples": 1000, "n_inputs": 20}, "found 1000 and 20: give one of them"),
        ({"settings": MeasureSettings(max_dim=1), "max_dim": 1}, "max_dim is given beside settings"),
        ({"settings": MeasureSettings(max_dim=1), "max_samples": 1000}, r"replace\(settings, n_inputs=…\)"),
    ],
)
def test_what_is_said_twice_is_refused_at_every_door(
    door: Callable[..., Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DnnTopologyError, match=said):
        door(model(), batches(), **options)


def test_a_monitor_draws_as_many_inputs_as_its_settings_say() -> None:
    many = [torch.randn(1100, 6, generator=torch.Generator().manual_seed(0))]
    monitor = dt.TopologyMonitor(many, settings=MeasureSettings(max_dim=0, n_inputs=1100))
    monitor(model(), 0)
    assert monitor.measurements[0].diagrams == measure(model(), many, max_dim=0, n_inputs=1100).diagrams
    assert monitor.measurements[0].diagrams != measure(model(), many, max_dim=0).diagrams
