"""An acyclic matching of the cliques of a set of vertices, the empty one included: an apex, then vertex by vertex.

The set S is the link of an edge e = ab (the common neighbours of a and b that are there when e comes); a clique σ of S
stands for the simplex ab ∪ σ, which comes with e. The matching is built as S grows from nothing:

* X = the *apex* w and its neighbours in S. Every clique σ of X is matched with σ △ {w}: X is a cone.
* Then one vertex u at a time joins X. The new cliques are u ∪ τ, τ a clique of the *lower link* N(u) ∩ X, so they
  are matched as the lower link's cliques are, in the same way one level down. If the lower link is connected,
  {u} is matched with {u, p} for one vertex p of it (the *parent*).
* Where the lower link is empty, {u} alone is left: a further *root*, and the triangle e ∪ {u} is critical. Where it
  has further pieces, a vertex r of each is left, and the tetrahedron e ∪ {u, r} is critical.

A V-path never leads from the cliques of an earlier X to those with a later u (faces only lose vertices, and a match
adds vertices of the own X), and within one step the lower level is acyclic; so the whole is acyclic, and the Morse
complex of the critical simplices has the persistence of the filtration: everything matched comes with the same edge.
Vertices with a non-empty, connected lower link go first, since they leave nothing critical in the lowest dimensions.
"""

from __future__ import annotations

import numpy as np

from dnn_topology._compiled import kernel
from dnn_topology.homology.engines.morse.bits import ONE, ZERO, Int32s, Int64s, Whole, Words, lowest, vertex_at
from dnn_topology.homology.engines.morse.blocks import EIGHT, filled, get_block
from dnn_topology.homology.engines.morse.sets import (
    NOBODY,
    find_apex,
    first_of,
    lower_link,
    move,
    split,
    take_lower_piece,
    take_piece,
)

NONE = np.int32(-1)  # no apex: the link is empty; no parent: a further root
# Where the next row goes in each table; a count may pass the table's end, whose rows then are not written.
RESTS, LOWERS, TRIANGLES, TETRAHEDRA, FOUR_SIMPLICES = range(5)
DEEP = np.uint64(6)  # the first of the five rows of sets that a lower link of its own is worked on in


@kernel
def put(table: Int32s, used: Int64s, which: Whole, a: Whole, b: Whole, c: Whole, d: Whole) -> None:
    """Add the row of a critical simplex to a table (n, 4): its edge and the vertices beside it."""
    i = used[which]
    used[which] += 1
    if i < len(table):
        table[i, 0], table[i, 1], table[i, 2], table[i, 3] = a, b, c, d


@kernel
def put_rest(table: Int32s, used: Int64s, which: Whole, u: Whole, parent: Whole) -> None:
    """Add a vertex that the apex does not reach, and its parent, to a table (n, 2 or 3)."""
    i = used[which]
    used[which] += 1
    if i < len(table):
        table[i, 0], table[i, 1] = u, parent


@kernel
def match_pieces(adjacent: Words, sets: Words, n: Whole, e: Whole, triangles: Int32s, used: Int64s) -> Whole:
    """Match the link of edge e, row 0, as far as H1 asks: each further piece of it leaves a critical triangle.

    Returns:
        The apex: the lowest vertex, all that is asked of it here is to be in the link.
    """
    apex, more = take_piece(adjacent, sets, ZERO, ONE, n)
    while more:
        root, more = take_piece(adjacent, sets, ZERO, ONE, n)
        put(triangles, used, TRIANGLES, e, root, NONE, NONE)
    return apex


@kernel
def match_vertices(  # noqa: C901  # one loop until nothing is left; three ways to go on
    adjacent: Words,
    sets: Words,
    base: Whole,
    n: Whole,
    e: Whole,
    outer: Whole,
    rests: Int32s,
    roots: Int32s,
    pieces: Int32s,
    used: Int64s,
) -> Whole:
    """Match the cliques of a set down to the pieces of its vertices' lower links.

    Args:
        adjacent: Neighbours.
        sets: Sets.
        base: Row of the set, not empty; the four rows after it are worked in.
        n: Number of words.
        e: The edge whose link it is a part of.
        outer: -1: the set is the link of e; else the set is the lower link of this vertex in it.
        rests: Receives the vertices that the apex does not reach, in the order in which they join, and their parents.
        roots: Receives critical simplices: the edge, the outer vertex, a further root.
        pieces: Receives critical simplices: the edge, the outer vertex, a vertex, a further piece of its lower link.
        used: How far the tables are filled.

    Returns:
        The apex.
    """
    reached, rest, lower, piece = base + ONE, base + np.uint64(2), base + np.uint64(3), base + np.uint64(4)
    apex, left = find_apex(adjacent, sets, base, piece, n)
    if left == 0:
        return apex
    is_link = outer < 0
    split(adjacent, sets, base, reached, rest, apex, n)
    while left:
        progress, some, several = False, False, ZERO
        for begin in range(ZERO, n, EIGHT):
            words = filled(get_block(sets, rest, begin))
            while words:
                k = begin + lowest(words)
                words &= words - ONE
                word = sets[rest, k]
                while word:
                    u = vertex_at(k, word)
                    word &= word - ONE
                    parent, more = take_lower_piece(adjacent, sets, reached, u, lower, piece, n)
                    if more:
                        some, several = True, u
                    elif parent != NOBODY:
                        move(sets, reached, rest, u)
                        put_rest(rests, used, RESTS if is_link else LOWERS, u, parent)
                        left -= 1
                        progress = True
        if progress or left == 0:
            continue
        if some:
            u = several
            parent, more = take_lower_piece(adjacent, sets, reached, u, lower, piece, n)
            put_rest(rests, used, RESTS if is_link else LOWERS, u, parent)
            while more:
                other, more = take_piece(adjacent, sets, lower, piece, n)
                if is_link:
                    put(pieces, used, TETRAHEDRA, e, u, other, NONE)
                else:
                    put(pieces, used, FOUR_SIMPLICES, e, outer, u, other)
        else:
            u = first_of(sets, rest)
            put_rest(rests, used, RESTS if is_link else LOWERS, u, NONE)
            if is_link:
                put(roots, used, TRIANGLES, e, u, NONE, NONE)
            else:
                put(roots, used, TETRAHEDRA, e, outer, u, NONE)
        move(sets, reached, rest, u)
        left -= 1
    return apex


@kernel
def match_lower_links(
    adjacent: Words,
    sets: Words,
    n: Whole,
    e: Whole,
    rests: Int32s,
    lowers: Int32s,
    triangles: Int32s,
    tetrahedra: Int32s,
    four_simplices: Int32s,
    used: Int64s,
) -> Whole:
    """Match the link of edge e, row 0, one level deeper than `match_vertices`: lower links are matched in their turn.

    The parent of a vertex is the apex of its lower link, whose own rows stand in `lowers`; the third column of `rests`
    says from where.

    Returns:
        The apex.
    """
    reached, rest, lower, piece = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    apex, left = find_apex(adjacent, sets, ZERO, piece, n)
    if left == 0:
        return apex
    split(adjacent, sets, ZERO, reached, rest, apex, n)
    while left:
        progress, some, several = False, False, ZERO
        for k in range(n):
            word = sets[rest, k]
            while word:
                u = vertex_at(np.uint64(k), word)
                word &= word - ONE
                parent, more = take_lower_piece(adjacent, sets, reached, u, lower, piece, n)
                if more:
                    some, several = True, u
                elif parent != NOBODY:
                    lower_link(adjacent, sets, reached, DEEP, u, n)
                    move(sets, reached, rest, u)
                    _join(adjacent, sets, n, e, u, rests, lowers, tetrahedra, four_simplices, used)
                    left -= 1
                    progress = True
        if progress or left == 0:
            continue
        if some:
            u = several
            lower_link(adjacent, sets, reached, DEEP, u, n)
            _join(adjacent, sets, n, e, u, rests, lowers, tetrahedra, four_simplices, used)
        else:
            u = first_of(sets, rest)
            put_rest(rests, used, RESTS, u, NONE)
            put(triangles, used, TRIANGLES, e, u, NONE, NONE)
        move(sets, reached, rest, u)
        left -= 1
    return apex


@kernel
def _join(
    adjacent: Words,
    sets: Words,
    n: Whole,
    e: Whole,
    u: Whole,
    rests: Int32s,
    lowers: Int32s,
    tetrahedra: Int32s,
    four_simplices: Int32s,
    used: Int64s,
) -> None:
    """Match the lower link of u, row `DEEP`, and write u down with its apex."""
    begin = used[LOWERS]
    parent = match_vertices(adjacent, sets, DEEP, n, e, np.int64(u), lowers, tetrahedra, four_simplices, used)
    i = used[RESTS]
    put_rest(rests, used, RESTS, u, parent)
    if i < len(rests):
        rests[i, 2] = begin
