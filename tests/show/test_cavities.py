"""Cavities and participation drawn into the network."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection

import dnn_topology as dt
from dnn_topology.show.network_map import NetworkMap
from tests.homology.engines.families import random_graph

SHAPES = {"conv": (2, 3, 2), "fc": (8,)}
TABLE = pd.DataFrame({"layer": ["conv"] * 12 + ["fc"] * 8, "index": [*range(12), *range(8)]})


def recorded() -> dt.Activations:
    """Signals that go round in a circle: one loop through a convolution of two channels and a layer of units."""
    angles, phases = np.arange(20) * np.pi / 20, np.linspace(0, 2 * np.pi, 60, endpoint=False)
    layers = pd.DataFrame({"layer": [*SHAPES], "shape": [*SHAPES.values()]})
    return dt.Activations(np.cos(phases[:, None] - angles).astype(np.float32), TABLE, layers)


def loop_of(graph: dt.FunctionalGraph) -> dt.Cavity:
    return dt.cavities(graph)[0]


def test_units_of_a_feature_map_lie_in_it_by_row_and_column() -> None:
    network = NetworkMap(TABLE, SHAPES, are_groups=False)
    first, right, below, other = (np.array(network.centre(node)) for node in (0, 1, 2, 6))
    side = network.columns["conv"].side
    np.testing.assert_allclose(right - first, [side, 0], atol=1e-12)
    np.testing.assert_allclose(below - first, [0, -side], atol=1e-12)
    assert np.abs(other - first).max() > 2 * side
    assert network.centre(12)[0] > network.columns["conv"].left + network.columns["conv"].width


@pytest.mark.parametrize("shape", [(7,), (300,), (10, 12, 12), (512, 1, 1), (3, 40), (2, 3, 4, 5)])
def test_a_layer_of_any_shape_fits_its_column_and_no_two_units_meet(shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    network = NetworkMap(pd.DataFrame({"layer": "one", "index": range(n)}), {"one": shape}, are_groups=False)
    centres = np.array([network.centre(node) for node in range(n)])
    column = network.columns["one"]
    assert column.height <= 1 + 1e-9
    assert column.width <= 0.63
    assert len(np.unique(centres.round(9), axis=0)) == n
    assert centres[:, 1].min() >= 0.5 - column.height / 2
    assert centres[:, 1].max() <= 0.5 + column.height / 2


def test_a_loop_is_drawn_through_its_neurons_with_the_edge_of_birth_dashed() -> None:
    graph = dt.functional_graph(recorded())
    loop = loop_of(graph)
    ax = dt.plot_cavity(loop, graph)
    (lines,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    network = NetworkMap(TABLE, SHAPES, are_groups=False)
    expected = np.array([[network.centre(a), network.centre(b)] for a, b in loop.edges.tolist()])
    drawn = np.array([np.asarray(path.vertices) for path in lines.get_paths()])
    np.testing.assert_allclose(drawn, expected)
    styles: Any = lines.get_linestyle()
    dashed = [style[1] is not None for style in styles]
    assert dashed == [edge == list(loop.birth_edge) for edge in loop.edges.tolist()]
    assert {"conv", "fc"} <= {text.get_text() for text in ax.texts}


def test_a_void_is_drawn_as_its_triangles() -> None:
    graph = random_graph("cross-polytope", 3004)
    void = dt.cavities(graph, dim=2, tight=True)[0]
    ax = dt.plot_cavity(void, graph)
    (faces,) = [each for each in ax.collections if isinstance(each, PolyCollection)]
    assert len(faces.get_paths()) == len(void.triangles)


def test_beside_the_network_are_the_inputs_that_excite_each_neuron_most() -> None:
    acts = recorded()
    graph = dt.functional_graph(acts)
    loop = loop_of(graph)
    images = np.zeros((60, 4, 4))
    images[np.arange(60), :, 0] = 1
    images[:, 0, 0] = np.arange(60) / 60  # tells which image is which
    ax = dt.plot_cavity(loop, graph, inputs=images, activations=acts, n_inputs=3)
    drawn = [image.get_array() for image in ax.images]
    assert len(drawn) == 3 * len(loop.neurons)
    strongest = int(acts.values[:, loop.neurons[0].node].argmax())
    first = drawn[0]
    assert first is not None
    assert first[0, 0, 0] == pytest.approx(strongest / 60)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no activations": ({"inputs": np.zeros((60, 4, 4))}, "inputs= need activations="),
    "no images": ({"inputs": np.zeros((60, 4)), "activations": recorded()}, r"must be images .* found shape \(60, 4\)"),
    "other number": ({"inputs": np.zeros((7, 4, 4)), "activations": recorded()}, "7 inputs and activations of 60"),
}


@pytest.mark.parametrize("case", WRONG)
def test_inputs_that_do_not_fit_are_refused(case: str) -> None:
    options, message = WRONG[case]
    graph = dt.functional_graph(recorded())
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.plot_cavity(loop_of(graph), graph, **options)


def test_a_cavity_of_another_graph_is_refused() -> None:
    graph = dt.functional_graph(recorded())
    small = dt.FunctionalGraph.from_distances([[0, 0.1], [0.1, 0]])
    with pytest.raises(dt.DnnTopologyError, match="the graph 2 nodes"):
        dt.plot_cavity(loop_of(graph), small)


def test_participation_colours_every_unit_at_its_place() -> None:
    part = dt.participation(dt.functional_graph(recorded()))
    ax = dt.plot_participation(part)
    painted = np.concatenate([np.ma.filled(np.ma.asarray(image.get_array()), np.nan).ravel() for image in ax.images])
    np.testing.assert_allclose(painted, part.neurons["life_H1"])
    with pytest.raises(dt.DnnTopologyError, match=r"dim must be one of \(1,\), found 2"):
        dt.plot_participation(part, dim=2)


def test_a_neuron_that_is_no_node_stays_empty() -> None:
    acts = recorded()
    acts.values[:, 3] = 1
    ax = dt.plot_participation(dt.participation(dt.functional_graph(acts)))
    first = ax.images[0].get_array()
    assert first is not None
    assert np.ma.getmaskarray(first).ravel().tolist() == [False, False, False, True, False, False]


def test_pictures_of_graphs_from_elsewhere_and_of_groups_are_drawn() -> None:
    from dnn_topology.graphs.groups import group_signals

    elsewhere = random_graph("noise", 3004)
    assert dt.plot_cavity(dt.cavities(elsewhere)[0], elsewhere).get_title().endswith("nodes")
    grouped = dt.functional_graph(group_signals(recorded(), np.arange(20) // 2))
    assert dt.plot_cavity(loop_of(grouped), grouped).get_title().endswith("groups")


def test_the_callers_axes_and_style_are_used_and_left_alone() -> None:
    graph = dt.functional_graph(recorded())
    with plt.style.context("dark_background"):
        figure, ax = plt.subplots()
        assert dt.plot_cavity(loop_of(graph), graph, ax=ax) is ax
        assert {text.get_color() for text in ax.texts} == {"white"}
        assert dt.plot_participation(dt.participation(graph), ax=ax) is ax
        plt.close(figure)
    assert plt.get_fignums() == []
