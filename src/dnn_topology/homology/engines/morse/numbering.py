"""The numbers of vertices: by descending degree, so that the common neighbours of an edge lie in few words of bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s
from dnn_topology.homology.engines.morse.compiled import entry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

LARGE = 8192  # nodes, from which it pays to leave out those that links are not made of


class Numbering(NamedTuple):
    """The vertices of a graph.

    Attributes:
        numbers: (n_nodes,), int32. Which vertex each node is.
        nodes: (n_nodes,), int64. Which node each vertex is.
        n_vertices: Number of vertices that links are made of, which come first; see `Order`.
    """

    numbers: Int32s
    nodes: Int64s
    n_vertices: int


def number_vertices(graph: FunctionalGraph) -> Numbering:
    """Return the numbers of a graph's nodes."""
    degrees = degrees_of(graph)
    linked = in_triangle(graph, degrees) if graph.n_nodes > LARGE else degrees > 0
    nodes = np.lexsort((-degrees, ~linked))
    numbers = np.empty(graph.n_nodes, np.int32)
    numbers[nodes] = np.arange(graph.n_nodes, dtype=np.int32)
    return Numbering(numbers, nodes, int(np.count_nonzero(linked)))


def degrees_of(graph: FunctionalGraph) -> Int64s:
    """Return the number of neighbours of each node."""
    degrees = np.zeros(graph.n_nodes, np.int64)
    rows, cols = (np.require(ends, np.int32, ["C", "W"]) for ends in (graph.rows, graph.cols))
    count_ends(rows, cols, degrees)
    return degrees


@entry
def count_ends(rows: Int32s, cols: Int32s, degrees: Int64s) -> None:
    """Add to the degrees of vertices, of edges with these ends."""
    for e in range(len(rows)):
        degrees[rows[e]] += 1
        degrees[cols[e]] += 1


def n_words(n_vertices: int) -> int:
    """Return how many words a set of vertices takes."""
    return (n_vertices + 63) // 64


def in_triangle(graph: FunctionalGraph, degrees: Int64s) -> NDArray[np.bool_]:
    """Return of each node whether it is a corner of a triangle: no other takes part in the link of an edge."""
    begins = np.zeros(graph.n_nodes + 1, np.int64)
    np.cumsum(degrees, out=begins[1:])
    is_corner = np.zeros(graph.n_nodes, np.bool_)
    near, neighbours = np.full(graph.n_nodes, -1, np.int32), np.empty(2 * graph.n_edges, np.int32)
    mark_triangles(graph.rows, graph.cols, begins, begins[:-1].copy(), neighbours, near, is_corner)
    return is_corner


@entry
def mark_triangles(
    rows: Int32s,
    cols: Int32s,
    begins: Int64s,
    ends: Int64s,
    neighbours: Int32s,
    near: Int32s,
    is_corner: NDArray[np.bool_],
) -> None:
    """Mark the corners of triangles, looking at a vertex until a triangle is found.

    Args:
        rows: One end of each edge.
        cols: The other.
        begins: Where the neighbours of each vertex begin.
        ends: The same; to work in.
        neighbours: To be filled.
        near: -1 for each vertex; to work in.
        is_corner: False for each vertex; receives the answer.
    """
    for e in range(len(rows)):
        a, b = rows[e], cols[e]
        neighbours[ends[a]], neighbours[ends[b]] = b, a
        ends[a] += 1
        ends[b] += 1
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
