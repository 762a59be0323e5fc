"""The order in which the graph grows: edges sorted by length, vertices numbered by descending degree.

Simplices come in the order of their longest edge (among edges of one length: the last in the order). So an *edge* is
named by its rank, and a simplex by its last edge and the vertices beside it. Ties may be broken in any way and vertices
numbered in any way: bars of positive length do not depend on it. Many neighbours first puts the common neighbours of
an edge into few words, so that the sets are short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology.homology.engines.morse.bits import ONE, SIX, ZERO, Int32s, Int64s, Whole, Words, bit, popcount
from dnn_topology.homology.engines.morse.compiled import entry, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

NEVER = np.int64(2**31 - 1)  # the rank of an edge that never comes


class Order(NamedTuple):
    """The edges in the order in which they come.

    Attributes:
        links: (n_edges, 4), int32. What is asked of an edge together lies together: its two ends, in the numbers of
            this engine; then, from `match_links`, the apex of its link (-1 where that is empty and the edge critical)
            and where its rows in `Gradient.rests` begin.
        lengths: (n_edges,), float64, rising.
        edges: (n_edges,), int64. Where each edge is in the graph.
        n_vertices: Number of vertices that have an edge; they are numbered before those that have none.
        nodes: (n_nodes,), int64. The node of the graph that each vertex is.
    """

    links: Int32s
    lengths: NDArray[np.float64]
    edges: Int64s
    n_vertices: int
    nodes: Int64s


class Ranks(NamedTuple):
    """The rank of the edge between any two vertices, without a matrix of ranks.

    Row a of `table` holds the neighbours of a as a set of bits, and with each of its words where in `ranks` the ranks
    of these neighbours begin: the rank of ab is there, at the number of neighbours below b in the same word.

    Attributes:
        table: (n_vertices, n_words, 2), uint64. Neighbours, and where their ranks begin.
        ranks: (2 · n_edges,), int32.
    """

    table: Words
    ranks: Int32s


def sort(graph: FunctionalGraph) -> Order:
    """Return the order of a graph's edges; those of one length come in the order of the graph."""
    edges, lengths = _stable_order(graph.distances)
    degrees = np.bincount(graph.rows, minlength=graph.n_nodes) + np.bincount(graph.cols, minlength=graph.n_nodes)
    nodes = np.argsort(-degrees, kind="stable")
    number = np.empty(graph.n_nodes, np.int32)
    number[nodes] = np.arange(graph.n_nodes, dtype=np.int32)
    links = np.full((graph.n_edges, 4), -1, np.int32)
    links[:, 0], links[:, 1] = number[graph.rows[edges]], number[graph.cols[edges]]
    return Order(links, lengths, edges, int(np.count_nonzero(degrees)), nodes)


def _stable_order(distances: NDArray[np.float64]) -> tuple[Int64s, NDArray[np.float64]]:
    """Return the stable order of distances, and these in it: sorted fast, then the ties, which are few, once more."""
    edges = np.argsort(distances)
    rising = distances[edges]
    is_tied = np.diff(rising) == 0
    if is_tied.any():
        runs = np.cumsum(np.concatenate([[True], ~is_tied]))
        tied = np.flatnonzero(np.append(is_tied, False) | np.concatenate([[False], is_tied]))
        edges[tied] = edges[tied][np.lexsort((edges[tied], runs[tied]))]
    return edges, rising


def n_words(n_vertices: int) -> int:
    """Return how many words a set of vertices takes."""
    return (n_vertices + 63) // 64


def rank_table(order: Order) -> Ranks:
    """Return the ranks of all edges."""
    table = np.zeros((order.n_vertices, n_words(order.n_vertices), 2), np.uint64)
    ranks = np.empty(2 * len(order.links), np.int32)
    fill_ranks(table, ranks, order.links)
    return Ranks(table, ranks)


@entry
def fill_ranks(table: Words, ranks: Int32s, links: Int32s) -> None:
    """Fill a table of zeros, and the ranks: see `Ranks` for both, `Order` for the links."""
    for e in range(len(links)):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        table[a, b >> SIX, 0] |= bit(b)
        table[b, a >> SIX, 0] |= bit(a)
    begin = ZERO
    for v in range(table.shape[0]):
        for k in range(table.shape[1]):
            table[v, k, 1] = begin
            begin += np.uint64(popcount(table[v, k, 0]))
    for e in range(len(links)):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        ranks[place(table, a, b)] = e
        ranks[place(table, b, a)] = e


@kernel
def place(table: Words, a: Whole, b: Whole) -> Whole:
    """Return where the rank of the edge between two neighbours is."""
    below = table[a, b >> SIX, 0] & (bit(b) - ONE)
    return table[a, b >> SIX, 1] + np.uint64(popcount(below))


@kernel
def rank(table: Words, ranks: Int32s, a: Whole, b: Whole) -> Whole:
    """Return the rank of the edge between two vertices, or `NEVER`."""
    a, b = np.uint64(a), np.uint64(b)
    if table[a, b >> SIX, 0] & bit(b) == ZERO:
        return NEVER
    return np.int64(ranks[place(table, a, b)])
