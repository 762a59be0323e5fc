"""Cavities and their cycles: held against linear algebra mod 2 on small graphs."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import dnn_topology as dt
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.loops import loops_of
from dnn_topology.homology.surfaces import tightened
from tests.homology.engines.families import FAMILIES, random_graph
from tests.homology.test_pairs import cofaces, is_boundary

TIGHT: tuple[Any, ...] = (False, True, "bar")


def all_cavities(family: str, dim: int, tight: Any) -> Iterator[tuple[FunctionalGraph, dt.Cavity]]:
    """All cavities of thirty random graphs of a family, of which there are ten."""
    for seed in range(3000, 3030):
        graph = random_graph(family, seed, most=16)
        for cavity in dt.cavities(graph, dim=dim, top=None, tight=tight, threads=1):
            yield graph, cavity


def diameter(graph: FunctionalGraph, cycle: NDArray[np.int64]) -> float:
    dense = graph.to_dense()
    return max(float(dense[a, b]) for row in cycle for a, b in combinations(row, 2))


@pytest.mark.parametrize("tight", TIGHT)
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cycle_is_born_at_birth_closed_and_a_boundary_from_death_on(family: str, dim: int, tight: Any) -> None:
    for graph, cavity in all_cavities(family, dim, tight):
        cycle = cavity.simplices
        assert diameter(graph, cycle) == 2 * cavity.birth
        sides = Counter(side for row in cycle.tolist() for side in combinations(row, dim))
        assert not any(n % 2 for n in sides.values()), "the boundary of the cycle is not zero"
        higher = cofaces(graph, dim + 2)
        assert not is_boundary(cycle, [s for s, d in higher.items() if d < 2 * cavity.death])
        assert cavity.is_essential or is_boundary(cycle, [s for s, d in higher.items() if d <= 2 * cavity.death])


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_tight_cycle_is_in_the_class_at_birth_of_the_one_that_it_was_and_no_longer(family: str, dim: int) -> None:
    given = all_cavities(family, dim, tight=False)
    for (graph, loose), (_, tight) in zip(given, all_cavities(family, dim, tight=True), strict=True):
        both = {*map(tuple, loose.simplices.tolist())} ^ {*map(tuple, tight.simplices.tolist())}
        there = [s for s, d in cofaces(graph, dim + 2).items() if d <= 2 * loose.birth]
        assert is_boundary(np.array(sorted(both)).reshape(-1, dim + 1), there)
        assert len(tight.simplices) <= len(loose.simplices) == tight.n_untightened


def closed_ways(graph: FunctionalGraph, birth: float, first: tuple[int, int], longest: int) -> Iterator[list[int]]:
    """Every way without a repeated node from one end of an edge to the other, of fewer edges than `longest`."""
    dense = graph.to_dense()
    near = [{int(u) for u in np.flatnonzero(row <= 2 * birth)} - {v} for v, row in enumerate(dense)]
    waiting = [[first[0]]]
    while waiting:
        way = waiting.pop()
        if way[-1] == first[1]:
            yield way
        elif len(way) < longest - 1:
            waiting += [[*way, v] for v in near[way[-1]] - {*way} if (way[-1], v) != first]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_shorter_loop_is_in_the_class_of_a_tight_one(family: str) -> None:
    for seed in range(3000, 3010):
        graph = random_graph(family, seed, most=11)
        for cavity in dt.cavities(graph, top=None, tight=True, threads=1):
            there = [s for s, d in cofaces(graph, 3).items() if d <= 2 * cavity.birth]
            cycle = {*map(tuple, cavity.simplices.tolist())}
            for way in closed_ways(graph, cavity.birth, cavity.birth_edge, len(cycle)) if cavity.tight else ():
                loop = {(min(a, b), max(a, b)) for a, b in zip(way, way[1:] + way[:1], strict=True)}
                assert not is_boundary(np.array(sorted(loop ^ cycle)).reshape(-1, 2), there)


@pytest.mark.parametrize("tight", TIGHT)
def test_the_births_and_deaths_are_those_of_the_diagram(tight: Any) -> None:
    for family in FAMILIES:
        graph = random_graph(family, 3001)
        points = dt.persistence(graph, max_dim=2)
        for dim in (1, 2):
            found = dt.cavities(graph, dim=dim, top=None, tight=tight, threads=1)
            births_and_deaths = sorted((one.birth, one.death) for one in found)
            assert births_and_deaths == [(birth, death) for birth, death in points[dim].tolist()]
            assert [(one.birth, one.death) for one in found] == [tuple(points[dim][one.point]) for one in found]


@pytest.mark.parametrize("family", FAMILIES)
def test_another_numbering_of_the_nodes_gives_cycles_of_the_same_cavities(family: str) -> None:
    for seed in range(3010, 3014):
        graph = random_graph(family, seed, most=16)
        order = np.random.default_rng(seed).permutation(graph.n_nodes)
        ends = np.sort(np.stack([order[graph.rows], order[graph.cols]]), axis=0)
        renamed = FunctionalGraph(ends[0], ends[1], graph.distances, graph.n_nodes, graph.max_epsilon)
        back = np.argsort(order)
        here, there = (dt.cavities(each, top=None, threads=1) for each in (graph, renamed))
        assert sorted((one.birth, one.death) for one in here) == sorted((one.birth, one.death) for one in there)
        for one in there:
            cycle = np.sort(back[one.simplices], axis=1)
            higher = cofaces(graph, 3)
            assert diameter(graph, cycle) == 2 * one.birth
            assert not is_boundary(cycle, [s for s, d in higher.items() if d < 2 * one.death])
            assert one.is_essential or is_boundary(cycle, [s for s, d in higher.items() if d <= 2 * one.death])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loops_go_once_along_every_edge_and_begin_with_that_of_birth(family: str) -> None:
    for _, cavity in all_cavities(family, 1, tight=False):
        gone = [tuple(sorted(pair)) for loop in cavity.loops for pair in zip(loop, loop[1:] + loop[:1], strict=True)]
        assert sorted(gone) == [tuple(row) for row in cavity.edges.tolist()]
        assert cavity.loops[0][:2] == cavity.birth_edge
        assert all(len({*loop}) == len(loop) for loop in cavity.loops)
        assert cavity.vertices.tolist() == list(dict.fromkeys(node for loop in cavity.loops for node in loop))


def test_a_figure_of_eight_is_two_loops() -> None:
    assert loops_of([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)], (0, 2)) == ((0, 2, 1), (2, 3, 4))


def octahedron(*, with_cap: bool) -> FunctionalGraph:
    """An octahedron, over one face of which a node stands, nearer than the face's own nodes are to one another."""
    distances = np.full((7, 7), 0.2)
    for corner in range(6):
        distances[corner, (corner + 3) % 6] = np.inf
    distances[6, 3:6] = distances[3:6, 6] = np.inf
    if not with_cap:
        distances[6, :] = distances[:, 6] = np.inf
    np.fill_diagonal(distances, 0)
    return FunctionalGraph.from_distances(distances)


def test_a_surface_over_a_needless_node_becomes_the_octahedron() -> None:
    faces = [sorted((a, b, c)) for a in (0, 3) for b in (1, 4) for c in (2, 5)]
    capped = [face for face in faces if face != [0, 1, 2]] + [[0, 1, 6], [0, 2, 6], [1, 2, 6]]
    assert tightened(octahedron(with_cap=True), np.array(capped), 0.1).tolist() == sorted(faces)
    (void,) = dt.cavities(octahedron(with_cap=False), dim=2, tight=True)
    assert (void.tight, len(void.triangles), len(void.edges), void.vertices.tolist()) == (True, 8, 12, [*range(6)])


def test_a_bar_may_have_a_shorter_loop_than_its_class_at_birth() -> None:
    graph = random_graph("noise", 3004)
    by_class, by_bar = (dt.cavities(graph, top=None, tight=tight) for tight in (True, "bar"))
    assert sum(len(one.edges) for one in by_bar) < sum(len(one.edges) for one in by_class)


def test_a_search_that_is_given_up_keeps_the_cycle_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph("noise", 3004)
    loose = dt.cavities(graph)
    monkeypatch.setattr("dnn_topology.homology.engines.morse.shortest.MOST_STEPS", 0)
    tight = dt.cavities(graph, tight=True)
    assert [one.tight for one in tight] == [False] * len(loose)
    assert [one.loops for one in tight] == [one.loops for one in loose]


def ring(n: int, *, max_epsilon: float = 0.5) -> FunctionalGraph:
    """Nodes in a circle, of which only neighbours are near: one loop, born at 0.05."""
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return FunctionalGraph.from_distances(np.minimum(apart, n - apart) * 0.1, max_epsilon=max_epsilon)


def test_a_loop_that_is_alive_at_the_end_lives_until_there() -> None:
    (loop,) = dt.cavities(ring(12, max_epsilon=0.15))
    assert loop.is_essential
    assert loop.death_edge is None
    assert loop.life == pytest.approx(0.1)
    assert len(dt.cavities(ring(12, max_epsilon=0.15), essential="drop")) == 0
    assert len(dt.cavities(ring(12, max_epsilon=0.15), min_persistence=0.11)) == 0


def test_a_smaller_scale_is_that_of_the_graph_cut_there() -> None:
    assert dt.cavities(ring(12), max_epsilon=0.15)[0].is_essential
    assert not dt.cavities(ring(12))[0].is_essential
    with pytest.raises(dt.DnnTopologyError, match=r"0\.6"):
        dt.cavities(ring(12), max_epsilon=0.6)


def test_the_longest_lived_come_first_and_keep_their_numbers_however_many_are_asked_for() -> None:
    graph = random_graph("noise", 3004)
    everything, three = dt.cavities(graph, top=None), dt.cavities(graph, top=3)
    lives = [one.life for one in everything]
    assert lives == sorted(lives, reverse=True)
    assert [one.number for one in everything] == [*range(len(everything))]
    assert three.to_frame().equals(everything.to_frame()[:3])
    assert (len(three), three.n_cavities) == (3, len(everything))
    assert [one.number for one in everything[1:3]] == [1, 2]


def test_a_void_is_told_by_its_neurons() -> None:
    octahedron = np.full((6, 6), 0.2) - 0.2 * np.eye(6)
    for one in (0, 2, 4):
        octahedron[one, one + 1] = octahedron[one + 1, one] = 0.5
    (void,) = dt.cavities(dt.FunctionalGraph.from_distances(octahedron, max_epsilon=0.3), dim=2)
    assert sorted(void.words().split(", ")) == sorted(map(str, void.neurons))
    assert len(void.neurons) == 6


def test_a_cavity_that_is_not_there_is_refused_by_its_number() -> None:
    found = dt.cavities(random_graph("noise", 3004), top=3)
    with pytest.raises(dt.DnnTopologyError, match=r"no cavity 3 of H1 \(there are: 0 to 2; \d+ live .* raise top=\)"):
        found[3]
    with pytest.raises(dt.DnnTopologyError, match="there are: none"):
        dt.cavities(FunctionalGraph.from_distances([[0, 0.1], [0.1, 0]]))[0]


@pytest.mark.parametrize("dim", [0, 3])
def test_a_dimension_without_cycles_is_refused(dim: int) -> None:
    with pytest.raises(dt.DnnTopologyError, match=f"dim must be 1 .* found {dim}"):
        dt.cavities(ring(6), dim=dim)


def on_a_circle(n: int, table: pd.DataFrame) -> dt.Activations:
    """Signals that go round in a circle, so that their graph has one long loop."""
    angles = np.arange(n) * np.pi / n
    phases = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    values = np.cos(phases[:, None] - angles).astype(np.float32)
    layers = pd.DataFrame({"layer": ["conv", "fc"], "shape": [(2, 3, 2), (8,)]})
    return dt.Activations(values, table, layers)


CONV_AND_FC = pd.DataFrame({"layer": ["conv"] * 12 + ["fc"] * 8, "index": [*range(12), *range(8)]})


def test_neurons_have_their_layer_and_their_place_in_the_feature_map() -> None:
    (loop,) = dt.cavities(dt.functional_graph(on_a_circle(20, CONV_AND_FC)))
    table = loop.to_frame().sort_values("node")
    assert table["layer"].tolist() == CONV_AND_FC["layer"].tolist()
    assert table["index"].tolist() == CONV_AND_FC["index"].tolist()
    (seventh,) = [neuron for neuron in loop.neurons if neuron.node == 7]
    assert (seventh.channel, seventh.position) == (1, (0, 1))
    assert table["position"][12:].isna().all()
    assert loop.layers == {"conv": 12, "fc": 8}
    assert loop.where == "across"
    assert "conv[1, 0, 1]" in loop.words()


def test_a_graph_that_leaves_out_constant_neurons_still_names_the_others_rightly() -> None:
    acts = on_a_circle(20, CONV_AND_FC)
    acts.values[:, [0, 12]] = 1
    (loop,) = dt.cavities(dt.functional_graph(acts))
    named = {(neuron.layer, neuron.index) for neuron in loop.neurons}
    assert named == {("conv", k) for k in range(1, 12)} | {("fc", k) for k in range(1, 8)}


def test_nodes_that_are_groups_are_named_as_such() -> None:
    from dnn_topology.graphs.groups import group_signals

    grouped = group_signals(on_a_circle(20, CONV_AND_FC), np.array([0, 0, *range(1, 11), 11, 11, *range(12, 18)]))
    found = dt.cavities(dt.functional_graph(grouped))
    assert found.nodes_are == "groups"
    assert "groups" in found.to_frame()
    first = next(neuron for neuron in found[0].neurons if neuron.index == 0)
    assert (first.size, first.position, str(first)) == (2, None, "group 0 (conv, 2 neurons)")


def test_a_group_of_one_neuron_is_not_taken_for_the_neuron_of_its_number() -> None:
    from dnn_topology.graphs.groups import group_signals

    acts = on_a_circle(20, CONV_AND_FC)
    alone = group_signals(acts, np.arange(20))  # the group of fc's first neuron has the number 12
    (loop,) = dt.cavities(dt.functional_graph(alone))
    assert {str(neuron) for neuron in loop.neurons} >= {"group 3 (conv, 1 neuron)", "group 12 (fc, 1 neuron)"}
    for neurons in (loop.neurons, loop.to_frame(), alone.neurons):
        with pytest.raises(dt.DnnTopologyError, match="must be single ones, found"), dt.ablate(net(), neurons):
            pass
    images = np.zeros((len(acts.values), 4, 4))
    with pytest.raises(dt.DnnTopologyError, match="is no neuron of activations"):
        dt.plot_cavity(loop, dt.functional_graph(alone), inputs=images, activations=acts)


def test_nodes_that_are_centroids_are_named_as_such_and_a_sample_as_neurons() -> None:
    acts = on_a_circle(20, CONV_AND_FC)
    centroids = dt.cavities(dt.functional_graph(dt.sample_nodes(acts, 12, method="kmeans")))
    assert centroids.nodes_are == "centroids"
    assert sum(neuron.size for neuron in centroids[0].neurons) > len(centroids[0].neurons)
    assert dt.cavities(dt.functional_graph(dt.sample_nodes(acts, 18))).nodes_are == "neurons"


def test_nodes_of_a_graph_from_elsewhere_have_no_layer() -> None:
    found = dt.cavities(ring(6))
    around = found[0].words().split(" – ")
    assert (found.nodes_are, found[0].where) == ("nodes", "?")
    assert {*around} == {f"node {k}" for k in range(6)}
    assert (around[0], len(around)) == (around[-1], 7)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10), nn.ReLU(), nn.Linear(10, 3))


def batches() -> list[torch.Tensor]:
    return list(torch.split(torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 20))


def test_a_measurement_gives_the_cavities_of_its_graph() -> None:
    model, inputs = net(), batches()
    measured = dt.measure(model, inputs, max_dim=1, max_epsilon=0.4, min_persistence=0.01)
    found = measured.cavities(top=None)
    graph = dt.functional_graph(dt.record(model, inputs), max_epsilon=0.4)
    assert found.to_frame().equals(dt.cavities(graph, top=None, min_persistence=0.01).to_frame())
    assert sorted((one.birth, one.death) for one in found) == [tuple(row) for row in measured.diagrams[1].tolist()]


def test_a_measurement_has_no_cavities_of_a_dimension_that_was_not_computed() -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"dim=2 was not measured.*max_dim=2"):
        dt.measure(net(), batches(), max_dim=1).cavities(dim=2)


def test_a_measurement_of_a_model_that_has_changed_has_no_cavities() -> None:
    model = net()
    measured = dt.measure(model, batches(), max_dim=1, max_epsilon=0.4)
    with torch.no_grad():
        next(model.parameters()).add_(torch.randn(2, 1, 3, 3))
    with pytest.raises(dt.DnnTopologyError, match="have changed since"):
        measured.cavities()


def test_a_measurement_of_a_generator_says_that_it_is_gone() -> None:
    with pytest.raises(dt.DnnTopologyError, match="only once"):
        dt.measure(net(), iter(batches()), max_dim=1).cavities()


def test_a_measurement_that_was_sent_elsewhere_leaves_the_model_behind() -> None:
    sent = pickle.loads(pickle.dumps(dt.measure(net(), batches(), max_dim=1)))  # noqa: S301  # our own
    with pytest.raises(dt.DnnTopologyError, match="does not know its model"):
        sent.cavities()


def test_a_measurement_of_parts_gives_the_cavities_of_each_by_name() -> None:
    pytest.importorskip("pymetis")
    measured = dt.measure(net(), batches(), max_dim=1, graph_type="partitioned", split=2, max_epsilon=0.4)
    for name, diagrams in measured.graphs.items():
        found = measured.cavities(graph=name, top=None)
        assert sorted((one.birth, one.death) for one in found) == [tuple(row) for row in diagrams[1].tolist()]
    with pytest.raises(dt.DnnTopologyError, match="unknown graph ''"):
        measured.cavities()
