"""The flow of simplices downwards, edge by edge: the compiled part of `ways`, which says what it is for."""

from __future__ import annotations

from typing import NamedTuple

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
PLACE = 2**BITS - 1  # an edge masked by this is its place in its bucket
CHUNK = 64  # arrows


class Gradient(NamedTuple):
    """The matching: where every simplex flows to; see `descent`.

    Attributes:
        table: (k, 2), uint64. Where in `ranks` the rank of any edge is; see `Ranks`.
        ranks: (2 · n_edges,), int32.
        links: (n_edges, 4), int32. Ends, apex, and where the rows in `rests` begin, of each edge; see `Order`.
        rests: (n, 3), int32. Vertices that apexes do not reach, and their parents; None for edges, which need none.
        lowers: (k, 2), int32. The same of lower links; None for edges and triangles.
    """

    table: Words
    ranks: Int32s
    links: Int32s
    rests: Int32s | None
    lowers: Int32s | None


class Arrows(NamedTuple):
    """Arrows that wait for the turn of the edge that they lead to: in buckets of 2^BITS edges, these in chunks.

    Attributes:
        store: (n_chunks * CHUNK, 2), int64. The code of what an arrow leads to; its number and the edge's place.
        chains: (n_chunks,), int32. The chunk before each in its bucket.
        tails: (n_buckets, 2), int64. Of each bucket: where its next arrow goes, and how many it has.
        opened: (k, 3), int64. The arrows of the open bucket: code, the next one of the same edge, number of the arrow.
        heads: (2^BITS,), int32. The first in `opened` of each edge of the open bucket, -1 for none.
        state: (8,), int64. See `EDGE`.
        steps: (ROOM, 2), int64. To work in.
    """

    store: Int64s
    chains: Int32s
    tails: Int64s
    opened: Int64s
    heads: Int32s
    state: Int64s
    steps: Int64s


class Simplices(NamedTuple):
    """The simplices on the way, numbered as they are met.

    Attributes:
        edges: (k,), int32. Their last edges.
        codes: (k,), int64. Their codes; see `descent`.
        spans: (k, 2), int32. Where their arrows begin and end in `targets`.
        targets: (k,), int32. The simplex that each arrow leads to, or -1.
        numbers: (2^k,), int32. The simplices of the edge at work, by `place_of`.
    """

    edges: Int32s
    codes: Int64s
    spans: Int32s
    targets: Int32s
    numbers: Int32s


@kernel
def place_of(simplices: Simplices, start: Whole, code: Whole) -> Whole:
    """Return where the number of a simplex stands in `numbers`, or the empty place for it.

    Args:
        simplices: What was met.
        start: The first number of this edge; those below are of other edges, so that their place counts as empty.
        code: What is looked for.
    """
    numbers, codes = simplices.numbers, simplices.codes
    mask = np.int64(len(numbers) - 1)
    at = (((code & 0xFFFFFFFF) ^ (code >> 32)) * MULTIPLIER >> 15) & mask
    while numbers[at] >= start and codes[numbers[at]] != code:
        at = (at + 1) & mask
    return at


@kernel
def faces_of(
    gradient: Gradient, rests: Int32s | None, lowers: Int32s | None, steps: Int64s, critical: Int32s, c: Whole
) -> Whole:
    """Return the number of faces of a critical simplex; Numba compiles one of the three, by what is None."""
    table, ranks, links = gradient.table, gradient.ranks, gradient.links
    if rests is None:
        return triangle_faces(steps, table, ranks, links, critical, c)
    if lowers is None:
        return tetrahedron_faces(steps, table, ranks, links, critical, c)
    return four_simplex_faces(steps, table, ranks, links, critical, c)


@kernel
def descend(
    gradient: Gradient, rests: Int32s | None, lowers: Int32s | None, steps: Int64s, edge: Whole, code: Whole
) -> Whole:
    """Return the number of steps of a simplex; Numba compiles one of the three, by what is None."""
    table, ranks, links = gradient.table, gradient.ranks, gradient.links
    if rests is None:
        return descend_edge(steps, table, ranks, links, edge)
    if lowers is None:
        return descend_triangle(steps, table, ranks, links, rests, edge, code)
    return descend_tetrahedron(steps, table, ranks, links, rests, lowers, edge, code)


@entry
def place_all(simplices: Simplices, start: Whole, count: Whole) -> None:
    """Enter the simplices start … count - 1 into `numbers`; see `place_of`."""
    for x in range(start, count):
        simplices.numbers[place_of(simplices, start, simplices.codes[x])] = x


@kernel
def vanishing(links: Int32s, edge: Whole, rests: Int32s | None, lowers: Int32s | None) -> Whole:
    """Return the code of what flows nowhere for a reason that needs no look: a triangle matched with its last edge."""
    if rests is None:
        return -1
    if lowers is None:
        return links[edge, 2]
    return -1


@kernel
def point(arrows: Arrows, edge: Whole, code: Whole) -> None:
    """Add an arrow to a simplex."""
    state, tails, store = arrows.state, arrows.tails, arrows.store
    arrow, bucket, place = state[ARROWS], np.int64(edge) >> BITS, np.int64(edge) & PLACE
    state[ARROWS] = arrow + 1
    if bucket == state[BUCKET]:
        put_open(arrows, place, code, arrow)
        return
    at = tails[bucket, 0]
    if at % CHUNK == 0:  # none yet, or full
        arrows.chains[state[CHUNKS]] = at // CHUNK - 1
        at = state[CHUNKS] * CHUNK
        state[CHUNKS] += 1
    store[at, 0], store[at, 1] = code, (arrow << BITS) | place
    tails[bucket, 0] = at + 1
    tails[bucket, 1] += 1


@kernel
def put_open(arrows: Arrows, place: Whole, code: Whole, arrow: Whole) -> None:
    """Put an arrow into the open bucket, at the head of the list of its edge."""
    opened, at = arrows.opened, arrows.state[OPEN]
    opened[at, 0], opened[at, 1], opened[at, 2] = code, arrows.heads[place], arrow
    arrows.heads[place] = at
    arrows.state[OPEN] = at + 1


@kernel
def open_bucket(arrows: Arrows, bucket: Whole) -> None:
    """Sort the arrows of a bucket into lists, one per edge."""
    arrows.state[BUCKET], arrows.state[OPEN] = bucket, 0
    for place in range(len(arrows.heads)):
        arrows.heads[place] = -1
    end = arrows.tails[bucket, 0]
    chunk = (end - 1) // CHUNK
    while chunk >= 0:
        for i in range(chunk * CHUNK, end):
            put_open(arrows, arrows.store[i, 1] & PLACE, arrows.store[i, 0], arrows.store[i, 1] >> BITS)
        chunk = np.int64(arrows.chains[chunk])
        end = (chunk + 1) * CHUNK


@entry
def set_out(gradient: Gradient, critical: Int32s, faces: Int32s, arrows: Arrows) -> None:
    """Write down the arrows of the faces of critical simplices, and where those of each begin and end."""
    rests, lowers, steps = gradient.rests, gradient.lowers, arrows.steps
    for c in range(len(critical)):
        faces[c, 0] = arrows.state[ARROWS]
        for i in range(faces_of(gradient, rests, lowers, steps, critical, c)):
            point(arrows, steps[i, 0], steps[i, 1])
        faces[c, 1] = arrows.state[ARROWS]


@entry
def go_down(  # noqa: C901  # one loop over edges, arrows and simplices that share their counts
    gradient: Gradient, begin: Whole, arrows: Arrows, simplices: Simplices
) -> bool:
    """Go from an edge down to the edge `begin`; return True where an array is full, else False; see `Search`."""
    rests, lowers, opened, steps, state = gradient.rests, gradient.lowers, arrows.opened, arrows.steps, arrows.state
    numbers, spans = simplices.numbers, simplices.spans
    edge, start, done, count = state[EDGE], state[START], state[DONE], state[COUNT]
    is_full = False
    while edge >= begin and not is_full:
        if edge >> BITS != state[BUCKET]:
            if arrows.tails[edge >> BITS, 1] + ROOM > len(opened):
                is_full = True
                break
            open_bucket(arrows, edge >> BITS)
        zero, place = vanishing(gradient.links, edge, rests, lowers), np.uint64(edge & PLACE)
        at = np.int64(arrows.heads[place])
        while at >= 0:
            code, number = opened[np.uint64(at), 0], np.int64(-1)
            if code != zero:
                where = place_of(simplices, start, code)
                if numbers[where] < start:
                    if count == len(spans) or 2 * (count - start) >= len(numbers):
                        is_full = True
                        break
                    simplices.edges[count], simplices.codes[count], numbers[where] = edge, code, count
                    count += 1
                number = np.int64(numbers[where])
            simplices.targets[opened[np.uint64(at), 2]] = number
            at = opened[np.uint64(at), 1]
        arrows.heads[place] = at
        while done < count and not is_full:
            room = min(len(simplices.targets) - state[ARROWS], len(opened) - state[OPEN])
            if min(room, len(arrows.chains) - state[CHUNKS]) < ROOM:
                is_full = True
                break
            spans[done, 0] = state[ARROWS]
            for i in range(descend(gradient, rests, lowers, steps, edge, simplices.codes[done])):
                point(arrows, steps[i, 0], steps[i, 1])
            spans[done, 1] = state[ARROWS]
            done += 1
        if arrows.heads[place] < 0 and not is_full:
            edge -= 1
            start = count
    state[EDGE], state[START], state[DONE], state[COUNT] = edge, start, done, count
    return is_full
