"""The rank of the edge between any two vertices: what the flow asks for at every step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnn_topology._compiled import entry, kernel
from dnn_topology.homology.engines.morse.bits import ONE, SIX, ZERO, Int32s, Whole, Words, bit, popcount
from dnn_topology.homology.engines.morse.memory import block_of
from dnn_topology.homology.engines.morse.numbering import n_words
from dnn_topology.homology.engines.morse.order import Order

NEVER = np.int64(2**31 - 1)  # the rank of an edge that never comes
PER_EDGE = 32  # pairs of vertices, up to which there is a matrix of ranks: looking into it takes a quarter of the time


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


def rank_table(order: Order) -> Ranks:
    """Return the ranks of all edges between vertices that links are made of."""
    n_vertices, per_vertex = order.n_vertices, n_words(n_words(order.n_vertices))
    if n_vertices**2 <= PER_EDGE * len(order.links):
        (ranks,) = block_of((n_vertices * (n_vertices + 1) // 2, np.int32))
        ranks.fill(NEVER)
        fill_matrix(n_vertices, ranks, order.links)
        return Ranks(np.array([[n_vertices, 0]], np.uint64), ranks)
    n_head, n_most = 1 + n_vertices * per_vertex, 2 * len(order.links)
    (flat,) = block_of((2 * (n_head + n_most), np.uint64))
    table = flat.reshape(-1, 2)
    head = table[:n_head]
    head.fill(0)
    head[0] = n_vertices, per_vertex
    table = table[: n_head + list_words(head, order.links)]
    table[n_head:].fill(0)
    ranks = np.empty(2 * len(order.links), np.int32)
    fill_ranks(table, n_head, ranks, order.links)
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
