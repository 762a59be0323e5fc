"""A link of few words among many as a small graph of its own: for graphs so large that most words of a link are empty.

The words that are not empty are numbered from 0, and with them the vertices: v = 64 · words[i] + bit becomes 64 · i +
bit. The order of vertices stays, so that the matching is the same as on the whole.
"""

from __future__ import annotations

import numpy as np

from dnn_topology.homology.engines.morse.bits import LAST, ONE, SIX, ZERO, Int32s, Whole, Words, vertex_at
from dnn_topology.homology.engines.morse.compiled import kernel

MOST = 128  # words that a small graph may have
WORTHWHILE = np.uint64(4)  # times as many words as are not empty, from which a copy of those saves time


@kernel
def gather(adjacent: Words, sets: Words, near: Words, words: Words, n: Whole) -> Whole:
    """Copy the link, row 0 of `sets`, and the neighbours of its vertices, if its words are few among `n`.

    Args:
        adjacent: Neighbours.
        sets: Sets; row 0 is shortened in place.
        near: (64 · MOST, MOST). Receives the neighbours in the new numbers, for the vertices of the link.
        words: (MOST,). Receives which words are not empty.
        n: Number of words.

    Returns:
        The number of words that are not empty, or 0 where nothing was done.
    """
    n_words = ZERO
    for k in range(n):
        if sets[0, k]:
            n_words += ONE
    if WORTHWHILE * n_words > n or n_words > len(words):
        return ZERO
    n_words = ZERO
    for k in range(n):
        word = sets[0, k]
        if word:
            words[n_words], sets[0, n_words] = k, word
            n_words += ONE
    for i in range(n_words):
        word = sets[0, i]
        while word:
            u = vertex_at(np.uint64(i), word)
            word &= word - ONE
            v = whole(words, u)
            for q in range(n_words):
                near[u, q] = adjacent[v, words[q]]
    return n_words


@kernel
def whole(words: Words, u: Whole) -> Whole:
    """Return the vertex of the whole graph that a vertex of the small one is."""
    u = np.uint64(u)
    return (words[u >> SIX] << SIX) + (u & LAST)


@kernel
def translate(table: Int32s, words: Words, begin: Whole, end: Whole, first: Whole, last: Whole) -> None:
    """Turn the vertices in some rows and columns (first … last - 1) of a table into those of the whole graph."""
    for i in range(begin, min(end, len(table))):
        for k in range(first, last):
            if table[i, k] >= 0:
                table[i, k] = whole(words, table[i, k])


def workplace(n_words: int) -> tuple[Words, Words]:
    """Return arrays for `near` and `words`, empty for a graph that is too small for it."""
    most = min(MOST, n_words // int(WORTHWHILE))
    return np.zeros((64 * most, most), np.uint64), np.zeros(most, np.uint64)
