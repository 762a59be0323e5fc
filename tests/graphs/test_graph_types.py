from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dnn_topology import Activations, DnnTopologyError, FunctionalGraph, functional_graph
from dnn_topology.graphs.graph_types import divided_groups, graph_names, graphs_of_recording, selected_groups
from dnn_topology.settings import MeasureSettings


@pytest.fixture
def recording(real_signals: NDArray[np.float32]) -> Activations:
    """The last two layers of a real network: 110 neurons, some of them dead."""
    layers = np.repeat(["fc2", "fc3"], [100, 10])
    neurons = pd.DataFrame({"layer": pd.Categorical(layers), "index": [*range(100), *range(10)]})
    return Activations(real_signals[:, 300:], neurons)


def no_weights() -> csr_array[Any, Any]:
    """Fails a test that should not need the structural graph."""
    raise AssertionError("the structural graph was asked for")


def made(settings: MeasureSettings, recording: Activations, **options: Any) -> dict[str, FunctionalGraph]:
    """The graphs of a recording by name."""
    changed = {name: options.pop(name) for name in ("constant",) if name in options}
    settings = replace(settings, max_epsilon=0.4, **changed)
    return dict(graphs_of_recording(settings, recording, **{"groups": None, "strengths": no_weights, **options}))


def test_functional_is_the_functional_graph(recording: Activations) -> None:
    found = made(MeasureSettings(), recording)
    np.testing.assert_array_equal(found[""].to_dense(), functional_graph(recording, max_epsilon=0.4).to_dense())


def test_grouped_has_one_node_per_living_group(recording: Activations) -> None:
    graph = made(MeasureSettings(graph_type="grouped", partition="chunks", split=25), recording)[""]
    assert graph.n_nodes + graph.n_constant == 100 // 25 + 1


def test_the_parts_of_a_partition_hold_the_edges_that_stay_within_them(recording: Activations) -> None:
    settings = MeasureSettings(graph_type="partitioned", partition="metis", split=4)
    groups = divided_groups(settings, recording, no_weights)
    whole = functional_graph(recording, max_epsilon=0.4, constant="isolate")
    within = (groups[whole.rows] == groups[whole.cols]).sum()
    parts = made(settings, recording, groups=groups)
    assert list(parts) == graph_names(settings, groups) == ["part0", "part1", "part2", "part3"]
    assert sum(graph.n_edges for graph in parts.values()) == within
    assert sum(graph.n_nodes + graph.n_constant for graph in parts.values()) == 110


def test_subsplit_makes_groups_the_nodes_of_a_part(recording: Activations) -> None:
    settings = MeasureSettings(graph_type="partitioned", partition="chunks", split=50, subsplit=8)
    parts = made(settings, recording, groups=divided_groups(settings, recording, no_weights), constant="isolate")
    assert [graph.n_nodes for graph in parts.values()] == [8, 8, 8]


def test_a_part_that_has_died_gives_a_graph_without_nodes(recording: Activations) -> None:
    dead = np.flatnonzero(np.ptp(recording.values, axis=0) == 0)
    assert len(dead) > 1
    groups = np.zeros(110, dtype=np.intp)
    groups[dead] = 1
    graph = made(MeasureSettings(graph_type="partitioned", partition="metis", split=2), recording, groups=groups)[
        "part1"
    ]
    assert (graph.n_nodes, graph.n_edges, graph.n_constant) == (0, 0, len(dead))


def test_structure_metis_parts_the_graph_of_the_weights(recording: Activations) -> None:
    weights = np.zeros((110, 110))
    even = np.arange(110) % 2 == 0
    weights[np.ix_(even, even)] = weights[np.ix_(~even, ~even)] = 1
    groups = divided_groups(
        MeasureSettings(graph_type="partitioned", partition="structure-metis", split=2),
        recording,
        lambda: csr_array(weights),
    )
    assert len(set(groups[even])) == len(set(groups[~even])) == 1


def test_every_sample_has_its_graph_of_the_chosen_neurons(recording: Activations) -> None:
    settings = MeasureSettings(graph_type="per-sample", n_samples=3, select_nodes=True)
    correct = np.random.default_rng(0).random(len(recording.values)) < 0.7
    groups = selected_groups(recording, correct)
    assert graph_names(settings, groups) == ["sample0", "sample1", "sample2"]
    found = made(settings, recording, groups=groups)
    assert {graph.n_nodes for graph in found.values()} == {(groups == 0).sum()} == {11}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graph_type": "functional", "split": 3}, "split does not apply to graph_type 'functional'"),
        ({"graph_type": "per-sample", "metric": "spearman"}, "metric does not apply"),
        ({"graph_type": "grouped"}, "needs split=, the neurons per chunk"),
        ({"graph_type": "partitioned", "partition": "metis"}, "needs split=, the number of METIS parts"),
        ({"graph_type": "partitioned", "partition": "channels"}, "takes no split"),
        ({"graph_type": "grouped", "partition": "channels", "split": 2}, "takes no split"),
        ({"graph_type": "grupped"}, "did you mean grouped"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        MeasureSettings(**options)
