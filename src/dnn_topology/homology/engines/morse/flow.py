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
# What a search stands at: the edge, the first simplex of that edge, the next to step down from, how many there are; how
# many arrows there are, how many chunks of them, which bucket is open, and how many arrows it holds.
EDGE, START, DONE, COUNT, ARROWS, CHUNKS, BUCKET, OPEN = range(8)
ROOM = 5  # arrows that a simplex may have
BITS = 9  # 2^BITS edges have one bucket: few enough that the arrows of a bucket stay near the processor
CHUNK = 64  # arrows


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
def point(
    store: Int64s, chains: Int32s, tails: Int64s, opened: Int64s, heads: Int32s, state: Int64s, edge: Whole, code: Whole
) -> None:
    """Add an arrow to a simplex; see `Search` for what it is written into."""
    arrow, bucket = state[ARROWS], np.int64(edge) >> BITS
    state[ARROWS] = arrow + 1
    if bucket == state[BUCKET]:
        put_open(opened, heads, state, np.int64(edge) & (2**BITS - 1), code, arrow)
        return
    at = tails[bucket, 0]
    if at % CHUNK == 0:  # none yet, or full
        chains[state[CHUNKS]] = at // CHUNK - 1
        at = state[CHUNKS] * CHUNK
        state[CHUNKS] += 1
    store[at, 0], store[at, 1] = code, (arrow << BITS) | (np.int64(edge) & (2**BITS - 1))
    tails[bucket, 0] = at + 1
    tails[bucket, 1] += 1


@kernel
def put_open(opened: Int64s, heads: Int32s, state: Int64s, place: Whole, code: Whole, arrow: Whole) -> None:
    """Put an arrow into the open bucket, at the head of the list of its edge."""
    at = state[OPEN]
    opened[at, 0], opened[at, 1], opened[at, 2] = code, heads[place], arrow
    heads[place] = at
    state[OPEN] = at + 1


@kernel
def open_bucket(
    store: Int64s, chains: Int32s, tails: Int64s, opened: Int64s, heads: Int32s, state: Int64s, bucket: Whole
) -> None:
    """Sort the arrows of a bucket into lists, one per edge."""
    state[BUCKET], state[OPEN] = bucket, 0
    for place in range(len(heads)):
        heads[place] = -1
    end = tails[bucket, 0]
    chunk = (end - 1) // CHUNK
    while chunk >= 0:
        for i in range(chunk * CHUNK, end):
            put_open(opened, heads, state, store[i, 1] & (2**BITS - 1), store[i, 0], store[i, 1] >> BITS)
        chunk = np.int64(chains[chunk])
        end = (chunk + 1) * CHUNK


@entry
def set_out(
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    critical: Int32s,
    faces: Int64s,
    store: Int64s,
    chains: Int32s,
    tails: Int64s,
    opened: Int64s,
    heads: Int32s,
    state: Int64s,
    steps: Int64s,
) -> None:
    """Write down the arrows of the faces of critical simplices, and where those of each begin and end; see `Search`."""
    for c in range(len(critical)):
        faces[c, 0] = state[ARROWS]
        for i in range(faces_of(steps, table, ranks, links, rests, lowers, critical, c)):
            point(store, chains, tails, opened, heads, state, steps[i, 0], steps[i, 1])
        faces[c, 1] = state[ARROWS]


@entry
def go_down(  # noqa: C901  # one loop over edges, arrows and simplices that share their counts
    table: Words,
    ranks: Int32s,
    links: Int32s,
    rests: Int32s | None,
    lowers: Int32s | None,
    begin: Whole,
    store: Int64s,
    chains: Int32s,
    tails: Int64s,
    opened: Int64s,
    heads: Int32s,
    state: Int64s,
    steps: Int64s,
    targets: Int32s,
    names: Int64s,
    spans: Int64s,
    numbers: Int32s,
) -> bool:
    """Go from an edge down to the edge `begin`; return True where an array is full, else False; see `Search`.

    `steps` (5, 2) is to work in.
    """
    edge, start, done, count = state[EDGE], state[START], state[DONE], state[COUNT]
    is_full = False
    while edge >= begin and not is_full:
        if edge >> BITS != state[BUCKET]:
            if tails[edge >> BITS, 1] + ROOM > len(opened):
                is_full = True
                break
            open_bucket(store, chains, tails, opened, heads, state, edge >> BITS)
        zero, place = vanishing(links, edge, rests, lowers), np.uint64(edge & (2**BITS - 1))
        at = np.int64(heads[place])
        while at >= 0:
            code, number = opened[np.uint64(at), 0], np.int64(-1)
            if code != zero:
                where = place_of(numbers, names, start, code)
                if numbers[where] < start:
                    if count == len(names) or 2 * (count - start) >= len(numbers):
                        is_full = True
                        break
                    names[count, 0], names[count, 1], numbers[where] = edge, code, count
                    count += 1
                number = np.int64(numbers[where])
            targets[opened[np.uint64(at), 2]] = number
            at = opened[np.uint64(at), 1]
        heads[place] = at
        while done < count and not is_full:
            room = min(len(targets) - state[ARROWS], len(chains) - state[CHUNKS], len(opened) - state[OPEN])
            if room < ROOM:
                is_full = True
                break
            spans[done, 0] = state[ARROWS]
            for i in range(descend(steps, table, ranks, links, rests, lowers, edge, names[done, 1])):
                point(store, chains, tails, opened, heads, state, steps[i, 0], steps[i, 1])
            spans[done, 1] = state[ARROWS]
            done += 1
        if heads[place] < 0 and not is_full:
            edge -= 1
            start = count
    state[EDGE], state[START], state[DONE], state[COUNT] = edge, start, done, count
    return is_full
