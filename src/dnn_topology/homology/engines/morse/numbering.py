"""The numbers of vertices: those that are near each other in few words of bits.

Many neighbours first puts the common neighbours of an edge into few words, where most vertices are near each other. In
large graphs where vertices have few neighbours, breadth first does, and links are looked for in `windows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology._compiled import entry
from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

LARGE = 8192  # nodes, from which it pays to leave out those that links are not made of, and to look for windows
OWNED = 1024  # vertices that a window owns at least
SHARE = 8  # it owns at least one of so many that it holds
NARROW = 2  # windows are used where each holds at most one of so many vertices


class Numbering(NamedTuple):
    """The vertices of a graph.

    Attributes:
        numbers: (n_nodes,), int32. Which vertex each node is.
        nodes: (n_nodes,), int64. Which node each vertex is.
        n_vertices: Number of vertices that links are made of, which come first; see `Order`.
        windows: (k, 3), int64; see `Order`.
    """

    numbers: Int32s
    nodes: Int64s
    n_vertices: int
    windows: Int64s


class Neighbours(NamedTuple):
    """The neighbours of each node, one node after the other.

    Attributes:
        begins: (n_nodes + 1,), int64. Where those of each node begin.
        nodes: (2 · n_edges,), int32.
    """

    begins: Int64s
    nodes: Int32s


def number_vertices(graph: FunctionalGraph) -> Numbering:
    """Return the numbers of a graph's nodes."""
    rows, cols = (np.require(ends, np.int32, ["C", "W"]) for ends in (graph.rows, graph.cols))
    degrees = np.zeros(graph.n_nodes, np.int64)
    count_ends(rows, cols, degrees)
    if graph.n_nodes <= LARGE:
        return _numbered(np.lexsort((-degrees, degrees == 0)), int(np.count_nonzero(degrees)), no_windows())
    neighbours = _neighbours(rows, cols, degrees)
    linked = np.zeros(graph.n_nodes, np.bool_)
    mark_triangles(neighbours.begins, neighbours.nodes, np.full(graph.n_nodes, -1, np.int32), linked)
    n_vertices = int(np.count_nonzero(linked))
    narrow = _numbered(_breadth_first(neighbours, linked), n_vertices, no_windows())
    windows = _windows(neighbours, narrow)
    if 0 < NARROW * widest(windows) <= n_vertices:
        return narrow._replace(windows=windows)
    return _numbered(np.lexsort((-degrees, ~linked)), n_vertices, no_windows())


def no_windows() -> Int64s:
    """Return the windows of a graph that has none."""
    return np.empty((0, 3), np.int64)


def widest(windows: Int64s) -> int:
    """Return the most vertices that a window holds."""
    return int(windows[:, 2].max(initial=0))


def n_words(n_vertices: int) -> int:
    """Return how many words a set of vertices takes."""
    return (n_vertices + 63) // 64


def _numbered(nodes: Int64s, n_vertices: int, windows: Int64s) -> Numbering:
    """Return the numbers of nodes in this order."""
    numbers = np.empty(len(nodes), np.int32)
    numbers[nodes] = np.arange(len(nodes), dtype=np.int32)
    return Numbering(numbers, nodes, n_vertices, windows)


def _neighbours(rows: Int32s, cols: Int32s, degrees: Int64s) -> Neighbours:
    """Return the neighbours of all nodes."""
    begins = np.zeros(len(degrees) + 1, np.int64)
    np.cumsum(degrees, out=begins[1:])
    nodes = np.empty(2 * len(rows), np.int32)
    list_neighbours(rows, cols, begins[:-1].copy(), nodes)
    return Neighbours(begins, nodes)


def _breadth_first(neighbours: Neighbours, linked: NDArray[np.bool_]) -> Int64s:
    """Return all nodes, those in triangles breadth first, from one that is far out in its component."""
    n_linked = int(np.count_nonzero(linked))
    seeds = np.concatenate([np.flatnonzero(linked), np.flatnonzero(~linked)])
    for _ in range(2):
        nodes = seeds.copy()
        breadth_first(*neighbours, seeds[:n_linked], linked.copy(), nodes)
        seeds = np.concatenate([nodes[:n_linked][::-1], nodes[n_linked:]])
    return nodes


def _windows(neighbours: Neighbours, numbering: Numbering) -> Int64s:
    """Return windows that own the vertices and hold their neighbours."""
    numbers, nodes, n_vertices, _ = numbering
    windows = np.empty((n_vertices // OWNED + 1, 3), np.int64)
    holder = np.full(n_vertices, -1, np.int32)
    return windows[: cut_windows(*neighbours, numbers, nodes, OWNED, SHARE, holder, windows)]


@entry
def count_ends(rows: Int32s, cols: Int32s, degrees: Int64s) -> None:
    """Add to the degrees of vertices, of edges with these ends."""
    for e in range(len(rows)):
        degrees[rows[e]] += 1
        degrees[cols[e]] += 1


@entry
def list_neighbours(rows: Int32s, cols: Int32s, ends: Int64s, nodes: Int32s) -> None:
    """Write the neighbours of all nodes; `ends` (n_nodes,) says where those of each begin, and is worked in."""
    for e in range(len(rows)):
        a, b = rows[e], cols[e]
        nodes[ends[a]], nodes[ends[b]] = b, a
        ends[a] += 1
        ends[b] += 1


@entry
def mark_triangles(begins: Int64s, neighbours: Int32s, near: Int32s, is_corner: NDArray[np.bool_]) -> None:
    """Mark the corners of triangles, looking at a vertex until a triangle is found.

    Args:
        begins: Where the neighbours of each node begin.
        neighbours: Those of all nodes.
        near: -1 for each vertex; to work in.
        is_corner: False for each vertex; receives the answer.
    """
    for v in range(len(is_corner)):
        for i in range(begins[v], begins[v + 1]):
            near[neighbours[i]] = v
        for i in range(begins[v], begins[v + 1]):
            u = neighbours[i]
            for k in range(begins[u], begins[u + 1]):
                if is_corner[v]:
                    break
                if near[neighbours[k]] == v:
                    is_corner[v] = is_corner[u] = is_corner[neighbours[k]] = True


@entry
def breadth_first(begins: Int64s, neighbours: Int32s, seeds: Int64s, waiting: NDArray[np.bool_], nodes: Int64s) -> None:
    """Write the nodes that wait in the order in which they are reached, each component from the first of the seeds."""
    done = count = 0
    for k in range(len(seeds)):
        if waiting[seeds[k]]:
            waiting[seeds[k]] = False
            nodes[count] = seeds[k]
            count += 1
        while done < count:
            v = nodes[done]
            done += 1
            for i in range(begins[v], begins[v + 1]):
                u = neighbours[i]
                if waiting[u]:
                    waiting[u] = False
                    nodes[count] = u
                    count += 1


@entry
def cut_windows(
    begins: Int64s,
    neighbours: Int32s,
    numbers: Int32s,
    nodes: Int64s,
    owned: Whole,
    share: Whole,
    holder: Int32s,
    windows: Int64s,
) -> Whole:
    """Write windows that own so many vertices, and such a share of those that they hold; return how many there are.

    `holder` (n_vertices,), -1 for each vertex, is worked in: the last window that holds it.
    """
    n_vertices = len(holder)
    count = first = held = 0
    for v in range(n_vertices):
        held += holder[v] != count
        holder[v] = count
        for i in range(begins[nodes[v]], begins[nodes[v] + 1]):
            u = numbers[neighbours[i]]
            if u < n_vertices and holder[u] != count:
                holder[u] = count
                held += 1
        n_owned = v + 1 - first
        if (n_owned >= owned and share * n_owned >= held) or v + 1 == n_vertices:
            windows[count, 0], windows[count, 1], windows[count, 2] = first, v + 1, held
            count += 1
            first, held = v + 1, 0
    return count
