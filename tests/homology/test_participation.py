"""Who takes part in cavities, and within and across which layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dnn_topology as dt
from tests.homology.engines.families import random_graph


def two_rings() -> dt.FunctionalGraph:
    """A ring of six neurons within a layer, and a larger one of two layers, born at the same time; one neuron alone."""
    distances = np.full((15, 15), np.inf)
    for first, n in ((0, 6), (6, 8)):
        apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        distances[first : first + n, first : first + n] = np.minimum(apart, n - apart) * 0.2
    np.fill_diagonal(distances, 0)
    graph = dt.FunctionalGraph.from_distances(distances, max_epsilon=0.3)
    table = pd.DataFrame({"layer": ["a"] * 9 + ["b"] * 6, "index": [*range(9), *range(6)]})
    return dt.FunctionalGraph(graph.rows, graph.cols, graph.distances, 15, 0.3, neurons=table)


def test_each_neuron_has_the_number_and_the_life_of_its_cavities() -> None:
    found = dt.participation(two_rings())
    lives = [one.life for one in dt.cavities(two_rings())]
    assert found.neurons["cavities_H1"].tolist() == [1] * 14 + [0]
    np.testing.assert_allclose(found.neurons["life_H1"], [min(lives)] * 6 + [max(lives)] * 8 + [0])
    assert found.neurons["layer"].tolist() == ["a"] * 9 + ["b"] * 6


def test_cavities_within_a_layer_are_told_from_those_across() -> None:
    found = dt.participation(two_rings())
    assert found.layers[["dim", "layers", "where", "cavities"]].to_numpy().tolist() == [
        [1, "a + b", "across", 1],
        [1, "a", "within", 1],
    ]
    assert found.share_within(1) == pytest.approx(found.layers["share_of_life"][1])
    assert found.layers["share_of_life"].sum() == pytest.approx(1)


@pytest.mark.parametrize("tight", [False, True, "bar"])
def test_the_counts_are_those_of_all_cycles_in_every_dimension(tight: bool | str) -> None:
    graph = random_graph("noise", 3004)
    found = dt.participation(graph, dims=(1, 2), tight=tight)  # type: ignore[arg-type]
    for dim in (1, 2):
        several = dt.cavities(graph, dim=dim, top=None, tight=tight)  # type: ignore[arg-type]
        assert found.neurons[f"cavities_H{dim}"].sum() == sum(len(one.neurons) for one in several)
        of_dim = found.layers[found.layers["dim"] == dim]
        assert of_dim["life"].sum() == pytest.approx(sum(one.life for one in several))


def test_the_highest_take_part_most_and_equal_ones_come_in_order() -> None:
    found = dt.participation(two_rings())
    assert [neuron.node for neuron in found.highest(9)] == [*range(6, 14), 0]
    assert [neuron.node for neuron in found.highest(3, by="cavities")] == [0, 1, 2]
    with pytest.raises(dt.DnnTopologyError, match=r"dim must be one of \(1,\), found 2"):
        found.highest(1, dim=2)
    with pytest.raises(dt.DnnTopologyError, match=r"n must be at most 15.*found 16"):
        found.highest(16)


def test_a_graph_without_cavities_has_empty_tables() -> None:
    found = dt.participation(dt.FunctionalGraph.from_distances([[0, 0.1], [0.1, 0]]))
    assert found.neurons["cavities_H1"].tolist() == [0, 0]
    assert len(found.layers) == 0
    assert np.isnan(found.share_within())
