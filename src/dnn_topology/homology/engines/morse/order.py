"""The order in which the graph grows: edges sorted by length, vertices numbered by descending degree.

Simplices come in the order of their longest edge (among edges of one length: the last in the order). So an *edge* is
named by its rank, and a simplex by its last edge and the vertices beside it. Ties may be broken in any way and vertices
numbered in any way: bars of positive length do not depend on it. Many neighbours first puts the common neighbours of
an edge into few words, so that the sets are short.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology._compiled import entry
from dnn_topology.homology.engines.morse.bits import ONE, Int32s, Int64s, Whole, Words
from dnn_topology.homology.engines.morse.numbering import Numbering, number_vertices
from dnn_topology.homology.engines.morse.tasks import Task, carry_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

HALF, LOW = np.uint64(32), np.uint64(2**32 - 1)
MOVES = 4  # per edge, from which sorting all distances once more takes no longer
FEW = 100_000  # edges, up to which one thread is as fast as several
N_SAMPLED = 1024  # distances by which the ranges of several threads are cut


class Order(NamedTuple):
    """The edges in the order in which they come.

    Attributes:
        links: (n_edges, 4), int32. What is asked of an edge together lies together: its two ends, in the numbers of
            this engine; then, from `match_links`, the apex of its link (-1 where that is empty and the edge critical)
            and where its rows in `Gradient.rests` begin.
        lengths: (n_edges,), float64, rising.
        edges: (n_edges,), int64. Where each edge is in the graph.
        n_vertices: Number of vertices that links are made of: of a large graph those in triangles, else those that
            have an edge. They are numbered before the others.
        nodes: (n_nodes,), int64. The node of the graph that each vertex is.
        windows: (k, 3), int64. Of a large graph where vertices have few neighbours: each window owns the vertices from
            the first number to below the second, and holds these and their neighbours; the third is how many those
            are. Else no rows.
    """

    links: Int32s
    lengths: NDArray[np.float64]
    edges: Int64s
    n_vertices: int
    nodes: Int64s
    windows: Int64s


def sort(graph: FunctionalGraph, *, threads: int = 1) -> Order:
    """Return the order of a graph's edges; those of one length come in the order of the graph.

    Args:
        graph: The graph.
        threads: How many threads may be used: each then sorts a range of distances.
    """
    sorting = Sorting(graph, threads)
    carry_out(sorting.tasks(), len(sorting.ranges))
    return sorting.order()


class Sorting:
    """The arrays of an `Order`, filled range by range of distances.

    A distance rounded to 32 bits and its place are sorted as one number, the *key*, which is fast; then come the few
    distances that are equal when rounded.

    Args:
        graph: The graph.
        threads: How many ranges there are to be, unless the edges are few.
    """

    def __init__(self, graph: FunctionalGraph, threads: int) -> None:
        self.graph = graph
        self.distances = np.require(graph.distances, np.float64, ["C", "W"])  # what compiled code knows
        self.rows, self.cols = (np.require(ends, np.int32, ["C", "W"]) for ends in (graph.rows, graph.cols))
        with np.errstate(over="ignore"):
            rounded = np.add(self.distances, 0.0, dtype=np.float32, casting="same_kind")
        self.rounded = rounded.view(np.uint32)  # in the same order, as there is no -0.0
        step = max(graph.n_edges // N_SAMPLED, 1)
        n_ranges = threads if graph.n_edges >= FEW else 1
        cuts = np.quantile(self.rounded[::step], np.arange(1, n_ranges) / n_ranges).astype(int).tolist()
        self.ranges = [*pairwise([0, *cuts, 1 << 32])]
        self.links = np.empty((graph.n_edges, 4), np.int32)
        self.lengths, self.edges = np.empty(graph.n_edges), np.empty(graph.n_edges, np.int64)
        self.keys: dict[int, Words] = {}
        self.numbering: Numbering

    def tasks(self) -> dict[Hashable, Task]:
        """Return what is to be done, range by range."""
        parts = range(len(self.ranges))
        tasks: dict[Hashable, Task] = {("keys", k): Task(partial(self._sort, k)) for k in parts}
        tasks["numbers"] = Task(self._number)
        needs = frozenset(tasks)
        return tasks | {("edges", k): Task(partial(self._arrange, k), needs) for k in parts}

    def order(self) -> Order:
        """Return the order, when all is done."""
        _, nodes, n_vertices, windows = self.numbering
        return Order(self.links, self.lengths, self.edges, n_vertices, nodes, windows)

    def _sort(self, k: int) -> None:
        """Sort the keys of a range."""
        keys = np.empty(self.graph.n_edges, np.uint64)
        keys = keys[: select(self.rounded, *self.ranges[k], keys)]
        keys.sort()
        if not settle(keys, self.distances, MOVES * len(keys)):
            places = np.sort(keys & LOW)
            keys = places[np.argsort(self.distances[places], kind="stable")]
        self.keys[k] = keys

    def _number(self) -> None:
        self.numbering = number_vertices(self.graph)

    def _arrange(self, k: int) -> None:
        """Fill the part of the arrays that a range has."""
        begin = sum(len(self.keys[j]) for j in range(k))
        part = slice(begin, begin + len(self.keys[k]))
        arrays = (self.edges[part], self.lengths[part], self.links[part])
        arrange(self.keys[k], self.distances, self.rows, self.cols, self.numbering.numbers, *arrays)


@entry
def select(rounded: NDArray[np.uint32], low: Whole, high: Whole, keys: Words) -> Whole:
    """Write the keys of the distances from `low` to below `high`, rounded; return how many there are."""
    n = np.uint64(0)
    for i in range(len(rounded)):
        if low <= np.int64(rounded[i]) < high:
            keys[n] = (np.uint64(rounded[i]) << HALF) | np.uint64(i)
            n += ONE
    return np.int64(n)


@entry
def settle(keys: Words, distances: NDArray[np.float64], n_moves: Whole) -> bool:
    """Sort by distance, then place, what is equal when rounded; return False where that takes more moves than given."""
    for i in range(1, len(keys)):
        k, key = np.uint64(i), keys[i]
        if keys[k - ONE] >> HALF != key >> HALF:
            continue
        distance = distances[key & LOW]
        while k and keys[k - ONE] >> HALF == key >> HALF and distances[keys[k - ONE] & LOW] > distance:
            keys[k] = keys[k - ONE]
            k -= ONE
            n_moves -= 1
        keys[k] = key
        if n_moves < 0:
            return False
    return True


@entry
def arrange(
    keys: Words,
    distances: NDArray[np.float64],
    rows: Int32s,
    cols: Int32s,
    number: Int32s,
    edges: Int64s,
    lengths: NDArray[np.float64],
    links: Int32s,
) -> None:
    """Fill the arrays of an `Order`, whose edges lie in the graph where the lower halves of the keys say."""
    for e in range(len(keys)):
        place = keys[e] & LOW
        edges[e], lengths[e] = place, distances[place]
        links[e, 0], links[e, 1], links[e, 2], links[e, 3] = number[rows[place]], number[cols[place]], -1, -1
