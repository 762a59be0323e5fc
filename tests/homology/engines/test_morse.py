"""Our own engine: its bars against GUDHI's, its matching against the definition, compiled code against plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.engines import get_engine
from dnn_topology.homology.engines.gudhi import Gudhi
from dnn_topology.homology.engines.morse import flow, numbering, order, pairing, stretches, sweep, ways
from dnn_topology.homology.engines.morse.order import Order, sort
from dnn_topology.homology.engines.morse.persistent import reduce_graph
from dnn_topology.homology.engines.morse.ranks import rank_table
from dnn_topology.homology.engines.morse.rows import critical_codes, numbers_met
from dnn_topology.homology.engines.morse.sweep import Room, Tables, match_links
from dnn_topology.homology.engines.morse.ways import Search, Ways
from tests.homology.engines.families import FAMILIES, random_graph

PER_FAMILY = 55
Simplex = frozenset[int]


def sorted_bars(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bars of positive length, rows sorted."""
    points = points[points[:, 1] > points[:, 0]]
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("family", FAMILIES)
def test_random_graphs_have_the_bars_that_gudhi_finds(family: str) -> None:
    for seed in range(PER_FAMILY):
        graph = random_graph(family, seed)
        max_dim = 3 if graph.n_edges <= 500 else seed % 3
        found = get_engine("morse").compute(graph, max_dim=max_dim, threads=1 + seed % 2)
        expected = Gudhi(collapses=0).compute(graph, max_dim=max_dim, threads=1)
        assert len(found[0]) == graph.n_nodes
        for dim in range(max_dim + 1):
            np.testing.assert_array_equal(
                sorted_bars(found[dim]), sorted_bars(expected[dim]), err_msg=f"seed {seed}, H{dim}"
            )


@pytest.mark.parametrize("seed", range(3))
def test_links_of_several_blocks_of_words_have_the_bars_that_gudhi_finds(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(1200, 3))
    matrix = np.linalg.norm(points[:, None] - points[None], axis=2)
    graph = FunctionalGraph.from_distances(np.where(matrix <= 0.5, matrix, np.inf))
    assert sort(graph).n_vertices > 1024
    found = get_engine("morse").compute(graph, max_dim=2, threads=1)
    expected = Gudhi(collapses=0).compute(graph, max_dim=2, threads=1)
    for dim in range(3):
        np.testing.assert_array_equal(sorted_bars(found[dim]), sorted_bars(expected[dim]), err_msg=f"H{dim}")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_links_in_windows_have_the_bars_of_those_in_the_whole_graph(
    family: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_windows = 0
    for seed in range(2000, 2016):
        graph = random_graph(family, seed)
        max_dim = 3 if graph.n_edges <= 500 else 1 + seed % 2
        expected = get_engine("morse").compute(graph, max_dim=max_dim, threads=1)
        with monkeypatch.context() as patch:
            for name, value in {"LARGE": 0, "OWNED": 1 + seed % 5, "SHARE": 1000, "NARROW": 1}.items():
                patch.setattr(numbering, name, value)
            for module in (order, stretches):
                patch.setattr(module, "FEW", 1)
            patch.setattr(sweep, "ROWS_AT_FIRST", seed % 2)
            n_windows += len(sort(graph).windows)
            found = get_engine("morse").compute(graph, max_dim=max_dim, threads=threads)
        for dim in range(max_dim + 1):
            np.testing.assert_array_equal(found[dim], expected[dim], err_msg=f"seed {seed}, H{dim}")
    assert n_windows > 16


def test_a_large_graph_of_few_neighbours_has_the_bars_that_gudhi_finds() -> None:
    points = np.random.default_rng(0).random((9000, 2))
    points[::3] = points[1::3] + 0.001  # clusters of pairs, and many vertices that are in no triangle
    pairs = cKDTree(points).query_pairs(0.014, output_type="ndarray").astype(np.int32)
    distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    graph = FunctionalGraph(pairs.min(axis=1), pairs.max(axis=1), distances, len(points), 0.007)
    assert len(sort(graph).windows) > 4
    found = get_engine("morse").compute(graph, max_dim=2, threads=1)
    expected = Gudhi(collapses=0).compute(graph, max_dim=2, threads=1)
    for dim in range(3):
        np.testing.assert_array_equal(sorted_bars(found[dim]), sorted_bars(expected[dim]), err_msg=f"H{dim}")


# ------ the matching, by its definition


def simplices(order: Order, top: int) -> dict[Simplex, int]:
    """Every simplex of dimension 1 to `top`, and the rank of its last edge."""
    edges = {frozenset(map(int, ends)): e for e, ends in enumerate(order.links[:, :2])}
    everything = dict(edges)
    level = list(edges)
    for _ in range(2, top + 1):
        level = list(
            {s | {v} for s in level for v in range(order.n_vertices) if all(frozenset({v, x}) in edges for x in s)}
        )
        everything |= {s: max(edges[frozenset(pair)] for pair in combinations(s, 2)) for s in level}
    return everything


def partners(order: Order, tables: Tables, everything: dict[Simplex, int], top: int) -> dict[Simplex, Simplex]:
    """What each simplex of dimension 1 to `top` that is matched upwards is matched with, read off the tables."""
    links = order.links
    edges = {s: e for s, e in everything.items() if len(s) == 2}
    up: dict[Simplex, Simplex] = {}
    for simplex, e in everything.items():
        a, b, w = map(int, links[e, :3])
        ends = links[e + 1, 3] if e + 1 < len(links) else len(tables.rests)
        rests = {int(row[0]): row.tolist() for row in tables.rests[links[e, 3] : ends]} if top > 1 else {}
        beside = simplex - {a, b}
        outside = [u for u in rests if u in beside]
        if w < 0 or len(simplex) > top + 1:
            continue
        partner: int | None
        if not outside:
            partner = w
        else:
            u = outside[-1]
            _, parent, begin = rests[u]
            (x,) = (beside - {u}) or (None,)
            if x is None or x == parent or edges.get(frozenset({x, parent}), e) < e:
                partner = parent
            else:
                lowers = tables.lowers[begin:].tolist()
                partner = next(p for v, p in lowers if v == x)
        if partner >= 0 and partner not in simplex:
            up[simplex] = simplex | {partner}
    return up


def assert_is_matching(order: Order, tables: Tables, top: int) -> None:
    """Hold the tables against the definition of an acyclic matching of simplices that come with one edge."""
    everything = simplices(order, top + 1)
    up = partners(order, tables, everything, top)
    for simplex, partner in up.items():
        assert everything.get(partner) == everything[simplex], f"{simplex} and {partner} do not come together"
    assert len({*up.values()}) == len(up), "a simplex is matched twice"
    assert not {*up} & {*up.values()}, "a simplex is matched with a face and with a coface"
    left = {s for s in everything if len(s) <= top + 1 and s not in up and s not in {*up.values()}}
    critical = {frozenset(row[:2].tolist()) for row in order.links if row[2] < 0}
    for k, table in enumerate(tables[2 : 1 + top]):
        critical |= {frozenset([*order.links[row[0], :2].tolist(), *row[1 : 2 + k].tolist()]) for row in table}
    assert left == critical, "what is left unmatched is not what is said to be critical"
    flow = {s: [f for v in t if (f := t - {v}) in up and f != s] for s, t in up.items()}
    tuple(TopologicalSorter(flow).static_order())


def matched(graph: FunctionalGraph, max_dim: int) -> tuple[Order, Tables]:
    """The edges of a graph, and the matching of all their links."""
    order = sort(graph)
    room = Room(order.links, order.n_vertices, max_dim=max_dim, n_edges=graph.n_edges)
    return order, match_links(room, (0, graph.n_edges))


def small_graphs(n: int, *, most: int = 14) -> Iterator[FunctionalGraph]:
    """Graphs of all families that are small enough to list their simplices."""
    for family in FAMILIES:
        for seed in range(n):
            yield random_graph(family, 1000 + seed, most=most)


@pytest.mark.parametrize("max_dim", [1, 2, 3])
def test_the_links_are_matched_as_an_acyclic_matching_is_defined(max_dim: int) -> None:
    for graph in small_graphs(6):
        assert_is_matching(*matched(graph, max_dim), max_dim)


def test_a_parent_out_of_another_piece_is_seen_to_be_wrong() -> None:
    caught = 0
    for graph in small_graphs(3):
        order, tables = matched(graph, 2)
        for row in np.flatnonzero(tables.rests[:, 1] >= 0)[:3]:
            e = int(np.searchsorted(order.links[:, 3], row, side="right")) - 1
            right = tables.rests[row, 1]
            tables.rests[row, 1] = tables.rests[row, 0] if order.links[e, 2] == right else -1
            with pytest.raises((AssertionError, CycleError)):
                assert_is_matching(order, tables, 2)
            tables.rests[row, 1] = right
            caught += 1
    assert caught > 10


def test_the_critical_simplices_of_each_edge_have_the_euler_characteristic_of_what_comes_with_it() -> None:
    rng = np.random.default_rng(0)
    n_simplices = 0
    for _ in range(20):
        upper = np.triu(np.where(rng.random((18, 18)) < 0.42, rng.random((18, 18)) / 2 + 0.01, np.inf), 1)
        rows, cols = np.nonzero(np.isfinite(upper) & (upper > 0))
        graph = FunctionalGraph(rows.astype(np.int32), cols.astype(np.int32), upper[rows, cols], 18, 0.5)
        order, tables = matched(graph, 3)
        everything = simplices(order, 5)
        if any(len(s) == 6 for s in everything):  # the matching says nothing of simplices of dimension 5
            continue
        expected, found = np.zeros(graph.n_edges, int), -(order.links[:, 2] < 0).astype(int)
        for simplex, e in everything.items():
            expected[e] += (-1) ** (len(simplex) - 1)
        for dim, table in enumerate(tables[2:], start=2):
            np.add.at(found, table[:, 0], (-1) ** dim)
        np.testing.assert_array_equal(found, expected)
        n_simplices += len(everything)
    assert n_simplices > 500


def boundary_matrix(flow: Ways, numbers: NDArray[np.int64], n_columns: int) -> NDArray[np.int64]:
    """The boundary matrix mod 2, by going all ways to their ends: critical simplices, the rows, have these numbers."""
    targets: dict[int, list[int]] = {}
    for target, head in enumerate(flow.heads.tolist()):
        arrow = head
        while arrow >= 0:
            targets.setdefault(int(flow.sources[arrow]), []).append(target)
            arrow = int(flow.nexts[arrow])
    assert sum(map(len, targets.values())) == len(flow.sources)
    sums = {number: {row} for row, number in enumerate(numbers.tolist()) if number >= 0}

    def total(source: int) -> set[int]:
        members: set[int] = set()
        for target in targets.get(source, []):
            if target not in sums:
                sums[target] = total(target)
            members ^= sums[target]
        return members

    matrix = np.zeros((len(numbers), n_columns), int)
    for c in range(n_columns):
        matrix[sorted(total(c - n_columns)), c] = 1
    return matrix


def boundaries(order: Order, tables: Tables, max_dim: int) -> list[NDArray[np.int64]]:
    """The boundary matrices mod 2 of the Morse complex, from that of the critical edges on."""
    edges = np.flatnonzero(order.links[:, 2] < 0)
    first = np.zeros((order.n_vertices, len(edges)), int)
    first[order.links[edges, 0], np.arange(len(edges))] = first[order.links[edges, 1], np.arange(len(edges))] = 1
    matrices, codes = [first], np.zeros(len(edges), np.int64)
    for dim in range(1, max_dim + 1):
        search = Search(order, rank_table(order), dim)
        search.go_through((0, len(order.links)), tables)
        flow, critical = search.ways(), tables[1 + dim]
        matrices.append(boundary_matrix(flow, numbers_met(flow, edges, codes), len(critical)))
        edges, codes = critical[:, 0].astype(np.int64), critical_codes(critical, dim, order.n_vertices)
    return matrices


def test_the_boundary_of_a_boundary_is_zero() -> None:
    n_entries = 0
    for graph in small_graphs(4, most=30):
        matrices = boundaries(*matched(graph, 3), 3)
        for lower, upper in pairwise(matrices):
            assert not (lower @ upper % 2).any()
            n_entries += int(upper.sum())
    assert n_entries > 1000


def test_there_are_at_least_as_many_critical_simplices_as_ends_of_bars() -> None:
    for graph in small_graphs(3, most=30):
        found = reduce_graph(graph, max_dim=3, threads=1)
        order = found.order
        critical = [int((order.links[:, 2] < 0).sum()), *(len(table) for table in found.critical)]
        dead = [len(found.joins), *((level.columns.lows >= 0).sum() for level in found.levels)]
        born = [len(level.births) for level in found.levels]
        assert [a + b for a, b in zip(dead, born, strict=False)] == critical[: len(born)]


def test_arrays_that_grow_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = 0
    for seed in range(12):
        graph = random_graph("noise", seed, most=40)
        expected = reduce_graph(graph, max_dim=3, threads=1, cycles=True)
        with monkeypatch.context() as patch:
            patch.setattr(ways, "ROOM_AT_FIRST", 8)
            patch.setattr(ways, "PER_EDGE", {1: 0, 2: 0, 3: 0})
            patch.setattr(ways, "PLACES_AT_FIRST", 2)
            patch.setattr(sweep, "ROWS_AT_FIRST", 0)
            patch.setattr(pairing, "LISTS", 1)
            again = reduce_graph(graph, max_dim=3, threads=1, cycles=True)
        for one, other in zip(expected.levels, again.levels, strict=True):
            np.testing.assert_array_equal(one.columns.lows, other.columns.lows)
            for column in range(len(one.deaths)):
                np.testing.assert_array_equal(one.columns.rows(column), other.columns.rows(column))
                np.testing.assert_array_equal(one.columns.sums(column), other.columns.sums(column))
                grown += 1
    assert grown > 1000


def test_memory_of_arrows_that_have_arrived_is_used_again() -> None:
    upper = np.triu(np.random.default_rng(0).uniform(0.1, 0.9, (140, 140)), 1)
    order, tables = matched(FunctionalGraph.from_distances(upper + upper.T, max_epsilon=0.3), 2)
    search = Search(order, rank_table(order), 2)
    search.go_through((0, len(order.links)), tables)
    assert search.state[flow.CHUNKS] * flow.CHUNK < 0.8 * len(search.ways().sources)


# ------ compiled code


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 adds whole numbers of two kinds to a float"
)
def test_plain_python_finds_what_compiled_code_finds(tmp_path: Path) -> None:
    program = (
        "import sys, warnings, numpy as np; warnings.simplefilter('error')\n"
        "from tests.homology.engines.families import FAMILIES, random_graph\n"
        "from dnn_topology.homology.engines.morse.persistent import reduce_graph\n"
        "arrays = {}\n"
        "for family in FAMILIES:\n"
        "    for seed in range(4):\n"
        "        graph = random_graph(family, seed, most=20)\n"
        "        found = reduce_graph(graph, max_dim=seed, threads=1 + seed % 2, cycles=True)\n"
        "        columns = [array for level in found.levels for array in level.columns[:3]]\n"
        "        for k, array in enumerate([found.order.links, found.joins, *found.critical, *columns]):\n"
        "            arrays[f'{family} {seed} {k}'] = array\n"
        "np.savez(sys.argv[1], **arrays)\n"
    )
    here = Path(__file__).parents[3]
    for mode in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": mode, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", program, str(tmp_path / f"{mode}.npz")]
        subprocess.run(command, check=True, cwd=here, env=environment)
    with np.load(tmp_path / "0.npz") as compiled_arrays, np.load(tmp_path / "1.npz") as plain:
        assert len(plain.files) > 100
        for name in plain.files:
            np.testing.assert_array_equal(compiled_arrays[name], plain[name], err_msg=name)


def test_another_process_takes_the_machine_code_from_disk() -> None:
    get_engine("morse").compute(random_graph("cloud", 0), max_dim=3, threads=1)
    program = (
        "from dnn_topology.homology.engines.morse import Morse\n"
        "from dnn_topology.homology.engines.morse.sweep import sweep_lower_links\n"
        "from tests.homology.engines.families import random_graph\n"
        "assert Morse().is_compiled(3)\n"
        "Morse().compute(random_graph('cloud', 0), max_dim=3, threads=1)\n"
        "assert not sweep_lower_links.stats.cache_misses\n"
        "assert sweep_lower_links.stats.cache_hits\n"
    )
    here = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=here, env=environment)


def test_two_processes_that_compile_at_once_both_find_the_bars(tmp_path: Path) -> None:
    program = (
        "from dnn_topology.homology.engines.morse import Morse\n"
        "from dnn_topology.homology.engines.morse.components import joining\n"
        "from tests.homology.engines.families import random_graph\n"
        "bars = Morse().compute(random_graph('cloud', 0), max_dim=0, threads=1)\n"
        "print(len(joining.stats.cache_hits), bars[0].tolist())\n"
    )
    here = Path(__file__).parents[3]
    python_path = os.pathsep.join(sys.path)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": python_path}
    command = [sys.executable, "-c", program]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=here, env=environment, stdout=subprocess.PIPE, text=True)

    outputs = [process.communicate()[0] for process in [start(), start()]]
    later = start().communicate()[0]
    assert later.startswith("1 [")
    assert {output[2:] for output in outputs} == {later[2:]}


def test_a_dimension_that_it_cannot_do_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="up to max_dim 3, found 4: take engine='auto'"):
        get_engine("morse").compute(random_graph("cloud", 0), max_dim=4, threads=1)
