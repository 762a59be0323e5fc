"""Sets of vertices as rows of words: an apex, a lower link, connected pieces.

`adjacent` (n_vertices, n_words), uint64, holds the neighbours of each vertex at the present moment, `sets` (11,
n_words), uint64, the sets that are worked on, by the number of their row. Only the first `n` words, a multiple of four,
are looked at; all of a link's vertices lie there.
"""

from __future__ import annotations

import numpy as np

from dnn_topology.homology.engines.morse.bits import ONE, SIX, ZERO, Whole, Words, bit, highest, popcount, vertex_at
from dnn_topology.homology.engines.morse.compiled import kernel


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
    best, apex, first = np.int64(1 << 40), w, w >> SIX
    is_whole = True
    while True:
        missed = np.int64(-1)  # w is no neighbour of itself
        for k in range(n):
            missed += popcount(sets[given, k] & ~adjacent[w, k])
        if missed < best:
            best, apex = missed, w
        if missed == 0:
            return apex, best
        u = _last_missed(adjacent, sets, given, w, n)
        if is_whole:
            for k in range(n):
                sets[rivals, k] = sets[given, k] & adjacent[u, k]
            sets[rivals, u >> SIX] |= bit(u)
            is_whole = False
        else:
            stays = sets[rivals, u >> SIX] & bit(u)
            for k in range(first, n):
                sets[rivals, k] &= adjacent[u, k]
            sets[rivals, u >> SIX] |= stays
        sets[rivals, w >> SIX] &= ~bit(w)
        while first < n and sets[rivals, first] == ZERO:
            first += ONE
        if first == n:
            return apex, best
        w = vertex_at(first, sets[rivals, first])


@kernel
def _last_missed(adjacent: Words, sets: Words, given: Whole, w: Whole, n: Whole) -> Whole:
    """Return the highest vertex of a set that is neither w nor its neighbour; there is one."""
    k = n - ONE
    while True:
        missed = sets[given, k] & ~adjacent[w, k]
        if k == w >> SIX:
            missed &= ~bit(w)
        if missed:
            return (k << SIX) + highest(missed)
        k -= ONE


@kernel
def split(adjacent: Words, sets: Words, given: Whole, reached: Whole, rest: Whole, w: Whole, n: Whole) -> None:
    """Divide a set into w with its neighbours (row `reached`) and the others (row `rest`)."""
    for k in range(n):
        near = sets[given, k] & adjacent[w, k]
        if k == w >> SIX:
            near |= bit(w)
        sets[reached, k] = near
        sets[rest, k] = sets[given, k] & ~near


@kernel
def move(sets: Words, reached: Whole, rest: Whole, u: Whole) -> None:
    """Put a vertex of the rest among those reached."""
    sets[reached, u >> SIX] |= bit(u)
    sets[rest, u >> SIX] &= ~bit(u)


@kernel
def first_of(sets: Words, given: Whole) -> Whole:
    """Return the lowest vertex of a set that is not empty."""
    k = ZERO
    while sets[given, k] == ZERO:
        k += ONE
    return vertex_at(k, sets[given, k])


@kernel
def lower_link(adjacent: Words, sets: Words, reached: Whole, lower: Whole, u: Whole, n: Whole) -> bool:
    """Put the neighbours of u among those reached into the row `lower`; return whether there are any."""
    some = ZERO
    for k in range(n):
        near = adjacent[u, k] & sets[reached, k]
        sets[lower, k] = near
        some |= near
    return bool(some != ZERO)


@kernel
def take_piece(adjacent: Words, sets: Words, given: Whole, piece: Whole, n: Whole) -> tuple[Whole, bool]:
    """Take the connected piece of its lowest vertex out of a set.

    Whoever is left is reached through a *hub*: of the highest vertex that is left, the lowest neighbour in the piece,
    which takes all of its own neighbours along; two or three hubs reach all, mostly. Where the highest has no neighbour
    in the piece, each of the others is asked.

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
    sets[given, v >> SIX] &= ~bit(v)
    left = ZERO
    for k in range(n):
        word, near = sets[given, k], adjacent[v, k]
        sets[piece, k] = word & near
        sets[given, k] = word & ~near
        left |= word & ~near
    top = n - ONE
    while left:
        while sets[given, top] == ZERO:
            top -= ONE
        u, at, common = (top << SIX) + highest(sets[given, top]), ZERO, ZERO
        while at < n and common == ZERO:
            common = sets[piece, at] & adjacent[u, at]
            at += ONE
        if common == ZERO:
            return v, _ask_all(adjacent, sets, given, piece, n)
        hub = vertex_at(at - ONE, common)
        left = ZERO
        for k in range((top + np.uint64(4)) & ~np.uint64(3)):
            word, near = sets[given, k], adjacent[hub, k]
            sets[piece, k] |= word & near
            sets[given, k] = word & ~near
            left |= word & ~near
    return v, False


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
                if _meets(adjacent, sets, piece, u, n):
                    sets[piece, k] |= bit(u)
                    sets[given, k] &= ~bit(u)
                    progress = True
            left |= sets[given, k]
    return bool(left != ZERO)


@kernel
def _meets(adjacent: Words, sets: Words, given: Whole, u: Whole, n: Whole) -> bool:
    """Return whether a vertex has a neighbour in a set."""
    for k in range(n):  # noqa: SIM110  # Numba compiles no generator
        if adjacent[u, k] & sets[given, k]:
            return True
    return False
