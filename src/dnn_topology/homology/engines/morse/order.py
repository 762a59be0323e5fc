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
LARGE = 8192  # nodes, from which it pays to leave out those that links are not made of
HALF, LOW = np.uint64(32), np.uint64(2**32 - 1)
MOVES = 4  # per edge, from which sorting all distances once more takes no longer
PER_EDGE = 32  # pairs of vertices, up to which there is a matrix of ranks: looking into it takes a quarter of the time


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
    """

    links: Int32s
    lengths: NDArray[np.float64]
    edges: Int64s
    n_vertices: int
    nodes: Int64s


class Ranks(NamedTuple):
    """The rank of the edge between any two vertices: half a matrix, where that takes no more than 64 bytes per edge.

    Else a row of the matrix is cut into words of 64 vertices, and those of its words that hold a neighbour are listed.
    Row 0 of `table` has the number of vertices and of rows per vertex; then come the rows of each vertex a, one for
    every 64 words: a set of bits, which of these words are listed, and where in `table` the first of them is; then the
    listed words: which of the 64 vertices are neighbours, and where in `ranks` their ranks begin. So the place of a
    neighbour is where its word's begin, and as many on as there are neighbours below it in the word.

    Attributes:
        table: (k, 2), uint64; 16 · (n_vertices² / 4096 + at most 2 · n_edges) bytes. Beside a matrix only row 0, with
            no rows per vertex.
        ranks: (2 · n_edges,), int32; or the lower half of the matrix with its diagonal, row by row, `NEVER` where there
            is no edge.
    """

    table: Words
    ranks: Int32s


def sort(graph: FunctionalGraph) -> Order:
    """Return the order of a graph's edges; those of one length come in the order of the graph."""
    degrees = np.bincount(graph.rows, minlength=graph.n_nodes) + np.bincount(graph.cols, minlength=graph.n_nodes)
    linked = in_triangle(graph, degrees) if graph.n_nodes > LARGE else degrees > 0
    nodes = np.lexsort((-degrees, ~linked))
    number = np.empty(graph.n_nodes, np.int32)
    number[nodes] = np.arange(graph.n_nodes, dtype=np.int32)
    order = Order(
        np.empty((graph.n_edges, 4), np.int32),
        np.empty(graph.n_edges),
        np.empty(graph.n_edges, np.int64),
        int(np.count_nonzero(linked)),
        nodes,
    )
    distances = np.require(graph.distances, np.float64, ["C", "W"])  # of other arrays compiled code knows nothing
    rows, cols = np.require(graph.rows, np.int32, ["C", "W"]), np.require(graph.cols, np.int32, ["C", "W"])
    keys = _sorted_keys(distances)
    arrange(keys, distances, rows, cols, number, order.edges, order.lengths, order.links)
    return order


def _sorted_keys(distances: NDArray[np.float64]) -> Words:
    """Return the stable order of distances: the lower halves of numbers are places.

    A distance rounded to 32 bits and its place are sorted as one number, which is fast; then come the few that are
    equal when rounded, which keeps the order.
    """
    with np.errstate(over="ignore"):
        rounded = np.add(distances, 0.0, dtype=np.float32, casting="same_kind")  # no -0.0, whose bits are high
    keys = np.arange(len(distances), dtype=np.uint64)
    keys |= rounded.view(np.uint32).astype(np.uint64) << HALF
    keys.sort()
    if settle(keys, distances, MOVES * len(keys)):
        return keys
    return np.argsort(distances, kind="stable").astype(np.uint64)


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


def rank_table(order: Order) -> Ranks:
    """Return the ranks of all edges between vertices that links are made of."""
    n_vertices, per_vertex = order.n_vertices, n_words(n_words(order.n_vertices))
    if n_vertices**2 <= PER_EDGE * len(order.links):
        ranks = np.full(n_vertices * (n_vertices + 1) // 2, NEVER, np.int32)
        fill_matrix(n_vertices, ranks, order.links)
        return Ranks(np.array([[n_vertices, 0]], np.uint64), ranks)
    head = np.zeros((1 + n_vertices * per_vertex, 2), np.uint64)
    head[0] = n_vertices, per_vertex
    n_listed = list_words(head, order.links)
    table = np.concatenate([head, np.zeros((n_listed, 2), np.uint64)])
    ranks = np.empty(2 * len(order.links), np.int32)
    fill_ranks(table, len(head), ranks, order.links)
    return Ranks(table, ranks)


@kernel
def in_matrix(a: Whole, b: Whole) -> Whole:
    """Return where the rank of the edge between two vertices is in half a matrix."""
    high, low = max(np.uint64(a), np.uint64(b)), min(np.uint64(a), np.uint64(b))
    return (high * (high + ONE) >> ONE) + low


@entry
def fill_matrix(n: Whole, ranks: Int32s, links: Int32s) -> None:
    """Fill half the matrix of ranks of the edges between the first n vertices."""
    for e in range(len(links)):
        if links[e, 0] < n and links[e, 1] < n:
            ranks[in_matrix(links[e, 0], links[e, 1])] = e


@kernel
def row_of(table: Words, a: Whole, b: Whole) -> Whole:
    """Return the row of a table that says whether the word of b is listed for a."""
    return ONE + np.uint64(a) * table[0, 1] + (np.uint64(b) >> np.uint64(12))


@kernel
def word_of(table: Words, a: Whole, b: Whole) -> Whole:
    """Return the row of a table that is the word of b for a, or 0 where that is not listed."""
    row = row_of(table, a, b)
    word = bit(np.uint64(b) >> SIX)
    if table[row, 0] & word == ZERO:
        return ZERO
    return table[row, 1] + np.uint64(popcount(table[row, 0] & (word - ONE)))


@entry
def list_words(head: Words, links: Int32s) -> Whole:
    """Fill the rows of all vertices; return how many words are listed."""
    for e in range(len(links)):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        if a < head[0, 0] and b < head[0, 0]:
            head[row_of(head, a, b), 0] |= bit(b >> SIX)
            head[row_of(head, b, a), 0] |= bit(a >> SIX)
    at = np.uint64(len(head))
    for row in range(1, len(head)):
        head[row, 1] = at
        at += np.uint64(popcount(head[row, 0]))
    return np.int64(at) - len(head)


@entry
def fill_ranks(table: Words, begin: Whole, ranks: Int32s, links: Int32s) -> None:
    """Fill the listed words, which begin at a row, and the ranks."""
    for e in range(len(links)):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        if a < table[0, 0] and b < table[0, 0]:
            table[word_of(table, a, b), 0] |= bit(b)
            table[word_of(table, b, a), 0] |= bit(a)
    at = ZERO
    for row in range(begin, len(table)):
        table[row, 1] = at
        at += np.uint64(popcount(table[row, 0]))
    for e in range(len(links)):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        if a < table[0, 0] and b < table[0, 0]:
            ranks[place(table, word_of(table, a, b), b)] = e
            ranks[place(table, word_of(table, b, a), a)] = e


@kernel
def place(table: Words, row: Whole, b: Whole) -> Whole:
    """Return where the rank of a neighbour b is, whose word is a row."""
    return table[row, 1] + np.uint64(popcount(table[row, 0] & (bit(b) - ONE)))


@kernel
def rank(table: Words, ranks: Int32s, a: Whole, b: Whole) -> Whole:
    """Return the rank of the edge between two vertices, or `NEVER`."""
    b = np.uint64(b)
    if table[0, 1] == ZERO:
        return np.int64(ranks[in_matrix(a, b)])
    row = word_of(table, a, b)
    if row == ZERO or table[row, 0] & bit(b) == ZERO:
        return NEVER
    return np.int64(ranks[place(table, row, b)])
