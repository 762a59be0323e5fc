"""Sets of vertices as rows of words: an apex, a lower link, connected pieces.

`adjacent` (n_vertices, n_words), uint64, holds each vertex and its neighbours at the present moment, `sets` (11,
n_words), uint64, the sets that are worked on, by the number of their row. Only the first `n` words, a multiple of
eight, are looked at, block by block; all of a link's vertices lie there.

What takes the time is waiting: for the one row that says which row is asked for next, and after a branch that was not
foreseen. So places in sets are looked for in whole blocks, and several rows are asked for at once.
"""

from __future__ import annotations

import numpy as np

from dnn_topology._compiled import kernel
from dnn_topology.homology.engines.morse.bits import ONE, SIX, ZERO, Whole, Words, bit, highest, lowest, vertex_at
from dnn_topology.homology.engines.morse.blocks import EIGHT, alone, but, filled, get_block, put_block, size

SEVEN = np.uint64(7)  # a word masked by this is its place in its block
NOBODY = np.uint64(1 << 40)  # no vertex


@kernel
def first_of(sets: Words, given: Whole) -> Whole:
    """Return the lowest vertex of a set that is not empty."""
    k, words = ZERO, filled(get_block(sets, given, ZERO))
    while words == ZERO:
        k += EIGHT
        words = filled(get_block(sets, given, k))
    k += lowest(words)
    return vertex_at(k, sets[given, k])


@kernel
def first_near(adjacent: Words, sets: Words, given: Whole, u: Whole, n: Whole) -> Whole:
    """Return the lowest vertex of a set that is u or a neighbour of it, or `NOBODY`."""
    for k in range(ZERO, n, EIGHT):
        words = filled(get_block(sets, given, k) & get_block(adjacent, u, k))
        if words:
            place = k + lowest(words)
            return vertex_at(place, sets[given, place] & adjacent[u, place])
    return NOBODY


@kernel
def find_apex(adjacent: Words, sets: Words, given: Whole, rivals: Whole, n: Whole) -> tuple[Whole, Whole]:
    """Return a vertex of a set that reaches as many others as those tried, and how many it does not reach.

    A vertex w that reaches all others makes the set a cone. The search narrows the rivals: whoever reaches all also
    reaches the vertices that w misses, so of those the last one's neighbours stay. So if there is such a vertex, it is
    found (exact); if not, the best of the few that were tried serves, as any vertex would.

    Args:
        adjacent: Neighbours.
        sets: Sets.
        given: Row of the set, not empty.
        rivals: A row to work in.
        n: Number of words.

    Returns:
        The vertex, and the number of those that it misses.
    """
    w = first_of(sets, given)
    best, apex, among = np.int64(1 << 40), w, given
    top: Whole
    while True:
        n_missed = np.int64(0)
        top, words = ZERO, ZERO
        for k in range(ZERO, n, EIGHT):
            missed = but(get_block(sets, given, k), get_block(adjacent, w, k))
            n_missed += size(missed)
            if filled(missed):
                top, words = k, filled(missed)
        if n_missed < best:
            best, apex = n_missed, w
        if n_missed == 0:
            return apex, best
        top += highest(words)
        u = (top << SIX) + highest(np.uint64(sets[given, top] & ~adjacent[w, top]))
        first, words = ZERO, ZERO
        for k in range(ZERO, n, EIGHT):
            near = get_block(sets, among, k) & get_block(adjacent, u, k)  # w is not near u
            put_block(sets, rivals, k, near)
            if words == ZERO:
                first, words = np.uint64(k), filled(near)
        if words == ZERO:
            return apex, best
        among = rivals
        first += lowest(words)
        w = vertex_at(first, sets[rivals, first])


@kernel
def split(adjacent: Words, sets: Words, given: Whole, reached: Whole, rest: Whole, w: Whole, n: Whole) -> None:
    """Divide a set into w with its neighbours (row `reached`) and the others (row `rest`)."""
    for k in range(ZERO, n, EIGHT):
        everybody, near = get_block(sets, given, k), get_block(adjacent, w, k)
        put_block(sets, reached, k, everybody & near)
        put_block(sets, rest, k, but(everybody, near))


@kernel
def move(sets: Words, reached: Whole, rest: Whole, u: Whole) -> None:
    """Put a vertex of the rest among those reached."""
    k, one = (u >> SIX) & ~SEVEN, alone((u >> SIX) & SEVEN, bit(u))  # a word written alone keeps its block waiting
    put_block(sets, reached, k, get_block(sets, reached, k) | one)
    put_block(sets, rest, k, but(get_block(sets, rest, k), one))


@kernel
def lower_link(adjacent: Words, sets: Words, reached: Whole, lower: Whole, u: Whole, n: Whole) -> None:
    """Put the neighbours of u among those reached into the row `lower`."""
    for k in range(ZERO, n, EIGHT):
        put_block(sets, lower, k, get_block(adjacent, u, k) & get_block(sets, reached, k))


@kernel
def take_piece(adjacent: Words, sets: Words, given: Whole, piece: Whole, n: Whole) -> tuple[Whole, bool]:
    """Take the connected piece of its lowest vertex out of a set.

    Args:
        adjacent: Neighbours.
        sets: Sets.
        given: Row of the set, not empty; afterwards what is not connected with its lowest vertex.
        piece: A row to work in.
        n: Number of words.

    Returns:
        The lowest vertex, and whether anything is left.
    """
    v = first_of(sets, given)
    for k in range(ZERO, n, EIGHT):
        put_block(sets, piece, k, get_block(sets, given, k) & get_block(adjacent, v, k))
    return v, _spread(adjacent, sets, given, piece, v, n)


@kernel
def take_lower_piece(
    adjacent: Words, sets: Words, reached: Whole, u: Whole, lower: Whole, piece: Whole, n: Whole
) -> tuple[Whole, bool]:
    """Put the neighbours of u among those reached into the row `lower`, and do as `take_piece`; `NOBODY` if none."""
    v = first_near(adjacent, sets, reached, u, n)
    if v == NOBODY:
        return v, False
    for k in range(ZERO, n, EIGHT):
        near = get_block(sets, reached, k) & get_block(adjacent, u, k)
        put_block(sets, lower, k, near)
        put_block(sets, piece, k, near & get_block(adjacent, v, k))
    return v, _spread(adjacent, sets, lower, piece, v, n)


@kernel
def _spread(adjacent: Words, sets: Words, given: Whole, piece: Whole, v: Whole, n: Whole) -> bool:
    """Move a vertex with its neighbours, which are in the piece, and theirs out of a set; see `_grow` for the answer.

    The neighbours of four neighbours come at once: mostly that is all.
    """
    k = v >> SIX
    begin, word = k & ~SEVEN, sets[piece, k]
    others = word & (word - ONE)  # without v, the lowest
    one = vertex_at(k, others if others else word)
    words = filled(get_block(sets, piece, begin))
    others = words & (words - ONE)
    two, words = _next_hub(sets, piece, begin, others if others else words)
    three, words = _next_hub(sets, piece, begin, words)
    four, words = _next_hub(sets, piece, begin, words)
    top: Whole = ZERO
    left = ZERO
    for k in range(ZERO, n, EIGHT):
        near = get_block(adjacent, v, k) | get_block(adjacent, one, k) | get_block(adjacent, two, k)
        near = near | get_block(adjacent, three, k) | get_block(adjacent, four, k)
        everybody = get_block(sets, given, k)
        put_block(sets, piece, k, everybody & near)
        put_block(sets, given, k, but(everybody, near))
        if filled(but(everybody, near)):
            top, left = k, filled(but(everybody, near))
    return _grow(adjacent, sets, given, piece, n, top, left)


@kernel
def _next_hub(sets: Words, piece: Whole, begin: Whole, words: Whole) -> tuple[Whole, Whole]:
    """Return the lowest vertex of the lowest of some words of a block, and the other words, if there are any."""
    k = begin + lowest(words)
    others = words & (words - ONE)
    return vertex_at(k, sets[piece, k]), others if others else words


@kernel
def _grow(adjacent: Words, sets: Words, given: Whole, piece: Whole, n: Whole, top: Whole, words: Whole) -> bool:
    """Move whoever is connected with a piece out of a set into it; return whether anybody is left.

    Whoever is left is reached through a *hub*: of the highest vertex that is left, the lowest neighbour in the piece,
    which takes all of its own neighbours along; two or three hubs reach all, mostly. Where the highest has no neighbour
    in the piece, each of the others is asked.

    Args:
        adjacent: Neighbours.
        sets: Sets.
        given: Row of the set.
        piece: Row of the piece.
        n: Number of words.
        top: Where the last block of the set begins that is not empty.
        words: Which of its words are not empty; none where the set is.
    """
    while words:
        k = top + highest(words)
        hub = first_near(adjacent, sets, piece, (k << SIX) + highest(sets[given, k]), n)
        if hub == NOBODY:
            return _ask_all(adjacent, sets, given, piece, n)
        end, words = top + EIGHT, ZERO
        for k in range(ZERO, end, EIGHT):
            everybody, near = get_block(sets, given, k), get_block(adjacent, hub, k)
            put_block(sets, piece, k, get_block(sets, piece, k) | (everybody & near))
            put_block(sets, given, k, but(everybody, near))
            if filled(but(everybody, near)):
                top, words = k, filled(but(everybody, near))
    return False


@kernel
def _ask_all(adjacent: Words, sets: Words, given: Whole, piece: Whole, n: Whole) -> bool:
    """Move whoever has a neighbour in a piece out of a set into the piece; return whether anybody is left."""
    progress, left = True, ONE
    while left and progress:
        progress, left = False, ZERO
        for k in range(n):
            word = sets[given, k]
            while word:
                u = vertex_at(np.uint64(k), word)
                word &= word - ONE
                if first_near(adjacent, sets, piece, u, n) != NOBODY:
                    sets[piece, k] |= bit(u)
                    sets[given, k] &= ~bit(u)
                    progress = True
            left |= sets[given, k]
    return bool(left != ZERO)
