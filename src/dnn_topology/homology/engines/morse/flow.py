"""The flow of simplices downwards, edge by edge: the compiled part of `ways`, which says what it is for."""

from __future__ import annotations

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole, Words
from dnn_topology.homology.engines.morse.compiled import entry, kernel
from dnn_topology.homology.engines.morse.descent import (
    descend_edge,
    descend_tetrahedron,
    descend_triangle,
    four_simplex_faces,
    tetrahedron_faces,
    triangle_faces,
)

MULTIPLIER = 1327217885  # odd, about 2^31 divided by the golden ratio: with 32 bits it makes at most 63
# What a search stands at: the edge, the first simplex of that edge, the next to step down from, and the two numbers.
EDGE, START, DONE, COUNT, ARROWS = range(5)
ROOM = 5  # arrows that a simplex may have


@kernel
def place_of(numbers: Int32s, names: Int64s, start: Whole, code: Whole) -> Whole:
    """Return where the number of a simplex stands in a table of those of one edge, or the empty place for it.

    Args:
        numbers: (2^k,), int32. Numbers; those below `start` are of other edges, so that their place counts as empty.
        names: Edges and codes by number.
        start: The first number of this edge.
        code: What is looked for.
    """
    mask = np.int64(len(numbers) - 1)
    at = (((code & 0xFFFFFFFF) ^ (code >> 32)) * MULTIPLIER >> 15) & mask
    while numbers[at] >= start and names[numbers[at], 1] != code:
        at = (at + 1) & mask
    return at


@kernel
def faces_of(
    steps: Int64s,
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    critical: Int32s,
    c: Whole,
) -> Whole:
    """Return the number of faces of a critical simplex; Numba compiles one of the three, by what is None."""
    if rests is None:
        return triangle_faces(steps, table, ranks, links, critical, c)
    if lowers is None:
        return tetrahedron_faces(steps, table, ranks, links, critical, c)
    return four_simplex_faces(steps, table, ranks, links, critical, c)


@kernel
def descend(
    steps: Int64s,
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    edge: Whole,
    code: Whole,
) -> Whole:
    """Return the number of steps of a simplex; Numba compiles one of the three, by what is None."""
    if rests is None:
        return descend_edge(steps, table, ranks, links, edge)
    if lowers is None:
        return descend_triangle(steps, table, ranks, links, rests, edge, code)
    return descend_tetrahedron(steps, table, ranks, links, rests, lowers, edge, code)


@entry
def place_all(numbers: Int32s, names: Int64s, start: Whole, count: Whole) -> None:
    """Enter the simplices start … count - 1 into a table; see `place_of`."""
    for x in range(start, count):
        numbers[place_of(numbers, names, start, names[x, 1])] = x


@kernel
def vanishing(links: Int32s, edge: Whole, rests: Int32s | None, lowers: Int32s | None) -> Whole:
    """Return the code of what flows nowhere for a reason that needs no look: a triangle matched with its last edge."""
    if rests is None:
        return -1
    if lowers is None:
        return links[edge, 2]
    return -1


@kernel
def point(arrows: Int64s, heads: Int32s, n_arrows: Whole, edge: Whole, code: Whole) -> Whole:
    """Add an arrow to a simplex, and to the list of those to its edge; return how many there are."""
    arrows[n_arrows, 0], arrows[n_arrows, 1] = code, heads[edge]
    heads[edge] = n_arrows
    return n_arrows + 1


@entry
def set_out(
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    critical: Int32s,
    faces: Int64s,
    heads: Int32s,
    arrows: Int64s,
    state: Int64s,
) -> None:
    """Write down the arrows of the faces of critical simplices, and where those of each begin and end; see `Search`."""
    steps, n_arrows = np.empty((5, 2), np.int64), state[ARROWS]
    for c in range(len(critical)):
        faces[c, 0] = n_arrows
        for i in range(faces_of(steps, table, ranks, links, rests, lowers, critical, c)):
            n_arrows = point(arrows, heads, n_arrows, np.uint64(steps[i, 0]), steps[i, 1])
        faces[c, 1] = n_arrows
    state[ARROWS] = n_arrows


@entry
def go_down(  # noqa: C901  # one loop over edges, arrows and simplices that share their counts
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    begin: Whole,
    heads: Int32s,
    arrows: Int64s,
    names: Int64s,
    spans: Int64s,
    numbers: Int32s,
    state: Int64s,
) -> bool:
    """Go from an edge down to the edge `begin`; return True where an array is full, else False; see `Search`.

    No array is replaced within the loop: Numba would count references in every round.
    """
    edge, start, done, count, n_arrows = state[EDGE], state[START], state[DONE], state[COUNT], state[ARROWS]
    steps, is_full = np.empty((5, 2), np.int64), False
    while edge >= begin:
        zero = vanishing(links, edge, rests, lowers)
        arrow = np.int64(heads[np.uint64(edge)])
        while arrow >= 0:
            code, after = arrows[np.uint64(arrow), 0], arrows[np.uint64(arrow), 1]
            number = np.int64(-1)
            if code != zero:
                at = place_of(numbers, names, start, code)
                if numbers[at] < start:
                    if count == len(names) or 2 * (count - start) >= len(numbers):
                        is_full = True
                        break
                    names[count, 0], names[count, 1], numbers[at] = edge, code, count
                    count += 1
                number = np.int64(numbers[at])
            arrows[np.uint64(arrow), 1] = number
            arrow = after
        heads[np.uint64(edge)] = arrow
        while done < count and not is_full:
            if n_arrows + ROOM > len(arrows):
                is_full = True
                break
            spans[done, 0] = n_arrows
            for i in range(descend(steps, table, ranks, links, rests, lowers, edge, names[done, 1])):
                n_arrows = point(arrows, heads, n_arrows, np.uint64(steps[i, 0]), steps[i, 1])
            spans[done, 1] = n_arrows
            done += 1
        if is_full:
            break
        if heads[np.uint64(edge)] < 0:
            edge -= 1
            start = count
    state[EDGE], state[START], state[DONE], state[COUNT], state[ARROWS] = edge, start, done, count, n_arrows
    return is_full
