"""The flow of simplices downwards, edge by edge: the compiled part of `ways`, which says what it is for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnn_topology._compiled import entry, kernel
from dnn_topology.homology.engines.morse.bits import ZERO, Int32s, Int64s, Whole, Words, prefetch
from dnn_topology.homology.engines.morse.descent import (
    descend_edge,
    descend_tetrahedron,
    descend_triangle,
    four_simplex_faces,
    tetrahedron_faces,
    triangle_faces,
)
from dnn_topology.homology.engines.morse.ranks import in_matrix

MULTIPLIER = 1327217885  # odd, about 2^31 divided by the golden ratio: with 32 bits it makes at most 63
# What a search stands at: the edge, the first simplex of that edge, the next to step down from, how many there are; how
# many arrows have arrived; the next chunk that was never used; which bucket is open; the last chunk that is free again,
# 0 for none, and how many are.
EDGE, START, DONE, COUNT, ARROWS, CHUNKS, BUCKET, FREE, N_FREE = range(9)
ROOM = 5  # arrows that a simplex may have
BITS = 9  # 2^BITS edges have one bucket: few enough that the arrows of a bucket stay near the processor
PLACE = 2**BITS - 1  # an edge masked by this is its place in its bucket
CHUNK = 64  # arrows
LOW = 2**32 - 1  # the mask of the half of a number that says which arrow follows, or which place is led to


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
        store: (n_chunks * CHUNK, 2), int64. The code of what an arrow leads to; where it comes from, in the upper 32
            bits, and in the lower the place of the edge, or once the bucket is open the next arrow to that edge.
        chains: (n_chunks,), int32. The chunk before each in its bucket, or among the free; 0, which is none, for none.
        tails: (n_buckets,), int64. Where the next arrow of each bucket goes.
        heads: (2^BITS,), int32. The first arrow to each edge of the open bucket, 0 for none.
        state: (9,), int64. See `EDGE`.
        steps: (ROOM, 2), int64. To work in.
    """

    store: Int64s
    chains: Int32s
    tails: Int64s
    heads: Int32s
    state: Int64s
    steps: Int64s


class Simplices(NamedTuple):
    """The simplices on the way, numbered as they are met, and the arrows to them, numbered as they arrive.

    Attributes:
        edges: (k,), int32. Their last edges.
        codes: (k,), int64. Their codes; see `descent`.
        heads: (k,), int32. The last arrow to each; see `Ways`.
        sources: (k,), int32. Where each arrow comes from; see `Ways`.
        nexts: (k,), int32. The arrow that arrived at the same simplex before.
        numbers: (k,), int32. The simplices of the edge at work, by `place_of`.
    """

    edges: Int32s
    codes: Int64s
    heads: Int32s
    sources: Int32s
    nexts: Int32s
    numbers: Int32s


@kernel
def place_of(simplices: Simplices, start: Whole, code: Whole, lowers: Int32s | None) -> Whole:
    """Return where the number of a simplex stands in `numbers`, or the empty place for it.

    Args:
        simplices: What was met.
        start: The first number of this edge; those below are of other edges, so that their place counts as empty.
        code: What is looked for: of edges and triangles it is the place, those of tetrahedra are hashed.
        lowers: None for edges and triangles.
    """
    if lowers is None:
        return code
    numbers, codes = simplices.numbers, simplices.codes
    mask = np.int64(len(numbers) - 1)
    at = (((code & LOW) ^ (code >> 32)) * MULTIPLIER >> 15) & mask
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
def place_all(simplices: Simplices, start: Whole, count: Whole, lowers: Int32s) -> None:
    """Enter the tetrahedra start … count - 1 into `numbers`; see `place_of`."""
    for x in range(start, count):
        simplices.numbers[place_of(simplices, start, simplices.codes[x], lowers)] = x


@kernel
def vanishing(links: Int32s, edge: Whole, rests: Int32s | None, lowers: Int32s | None) -> Whole:
    """Return the code of what flows nowhere for a reason that needs no look: a triangle matched with its last edge."""
    if rests is None:
        return -1
    if lowers is None:
        return links[edge, 2]
    return -1


@kernel
def is_crowded(simplices: Simplices, start: Whole, count: Whole, lowers: Int32s | None) -> bool:
    """Return whether there is no room for one simplex more."""
    if count == len(simplices.edges):
        return True
    if lowers is None:
        return False
    return bool(2 * (count - start) >= len(simplices.numbers))


@kernel
def foresee(gradient: Gradient, rests: Int32s | None, lowers: Int32s | None, edge: Whole, code: Whole) -> None:
    """Have the ranks brought near that `descend` will ask for: they lie far apart in a matrix."""
    if lowers is None and rests is not None and gradient.table[0, 1] == ZERO:
        ranks, links = gradient.ranks, gradient.links
        a, b = links[edge, 0], links[edge, 1]
        w = max(links[edge, 2], np.int32(0))  # another thread may be looking for it yet
        prefetch(ranks, in_matrix(w, code))
        prefetch(ranks, in_matrix(a, code))
        prefetch(ranks, in_matrix(b, code))
        prefetch(ranks, in_matrix(a, w))
        prefetch(ranks, in_matrix(b, w))
        prefetch(rests, 3 * np.int64(links[edge, 3]))


@kernel
def take_chunk(arrows: Arrows) -> Whole:
    """Return a chunk that is free: the last that became so, which is near the processor still."""
    state = arrows.state
    chunk = state[FREE]
    if chunk:
        state[FREE] = arrows.chains[chunk]
        state[N_FREE] -= 1
        return chunk
    chunk = state[CHUNKS]
    state[CHUNKS] += 1
    return chunk


@kernel
def free_chunks(arrows: Arrows, bucket: Whole) -> None:
    """Free the chunks of a bucket whose arrows have all arrived."""
    state, chains = arrows.state, arrows.chains
    chunk = np.int64((arrows.tails[bucket] - 1) // CHUNK)
    while chunk > 0:
        before = np.int64(chains[chunk])
        chains[chunk] = state[FREE]
        state[FREE] = chunk
        state[N_FREE] += 1
        chunk = before


@kernel
def point(arrows: Arrows, source: Whole, edge: Whole, code: Whole) -> None:
    """Add an arrow to a simplex."""
    state, tails, heads = arrows.state, arrows.tails, arrows.heads
    bucket, place = np.int64(edge) >> BITS, np.int64(edge) & PLACE
    at = tails[bucket]
    if at % CHUNK == 0:  # none yet, or full
        chunk = take_chunk(arrows)
        arrows.chains[chunk] = max(at // CHUNK - 1, 0)
        at = chunk * CHUNK
    tails[bucket] = at + 1
    low = place
    if bucket == state[BUCKET]:
        low = np.int64(heads[place])
        heads[place] = at
    arrows.store[at, 0], arrows.store[at, 1] = code, (np.int64(source) << 32) | low


@kernel
def open_bucket(gradient: Gradient, rests: Int32s | None, lowers: Int32s | None, arrows: Arrows, bucket: Whole) -> None:
    """Sort the arrows of a bucket into lists, one per edge."""
    store, heads = arrows.store, arrows.heads
    if arrows.state[BUCKET] >= 0:
        free_chunks(arrows, np.int64(arrows.state[BUCKET]))
    arrows.state[BUCKET] = bucket
    for each in range(len(heads)):
        heads[each] = 0
    first = bucket << BITS
    for each in range(len(heads) >> 2):
        prefetch(gradient.links, 16 * each + 4 * first)
    end = np.int64(arrows.tails[bucket])
    chunk = np.int64((end - 1) // CHUNK)
    while chunk > 0:
        ahead = (np.int64(arrows.chains[chunk]) - chunk) * CHUNK
        for at in range(chunk * CHUNK, end):
            prefetch(store, 2 * (at + ahead))
            place = store[at, 1] & LOW
            store[at, 1] += np.int64(heads[place]) - place
            heads[place] = at
            foresee(gradient, rests, lowers, (bucket << BITS) | place, store[at, 0])
        chunk = np.int64(arrows.chains[chunk])
        end = (chunk + 1) * CHUNK


@entry
def set_out(gradient: Gradient, critical: Int32s, first: Whole, arrows: Arrows) -> None:
    """Write down the arrows of the faces of critical simplices, which are numbered as sources from `first` on."""
    rests, lowers, steps = gradient.rests, gradient.lowers, arrows.steps
    for c in range(len(critical)):
        for i in range(faces_of(gradient, rests, lowers, steps, critical, c)):
            point(arrows, first + c, steps[i, 0], steps[i, 1])


@entry
def go_down(  # noqa: C901  # one loop over edges, arrows and simplices that share their counts
    gradient: Gradient, begin: Whole, arrows: Arrows, simplices: Simplices
) -> bool:
    """Go from an edge down to the edge `begin`; return True where an array is full, else False; see `Search`."""
    rests, lowers, store, steps, state = gradient.rests, gradient.lowers, arrows.store, arrows.steps, arrows.state
    numbers, heads = simplices.numbers, simplices.heads
    edge, start, done, count, arrow = state[EDGE], state[START], state[DONE], state[COUNT], state[ARROWS]
    is_full = False
    while edge >= begin and not is_full:
        if edge >> BITS != state[BUCKET]:
            open_bucket(gradient, rests, lowers, arrows, edge >> BITS)
        zero, place = vanishing(gradient.links, edge, rests, lowers), np.uint64(edge & PLACE)
        at = np.int64(arrows.heads[place])
        while at:
            code = store[np.uint64(at), 0]
            if code != zero:
                where = place_of(simplices, start, code, lowers)
                is_new = numbers[where] < start
                if arrow == len(simplices.sources) or (is_new and is_crowded(simplices, start, count, lowers)):
                    is_full = True
                    break
                if is_new:
                    simplices.edges[count], simplices.codes[count], heads[count], numbers[where] = edge, code, -1, count
                    count += 1
                number = np.uint64(numbers[where])
                simplices.sources[arrow], simplices.nexts[arrow] = store[np.uint64(at), 1] >> 32, heads[number]
                heads[number] = arrow
                arrow += 1
            at = store[np.uint64(at), 1] & LOW
        arrows.heads[place] = at
        while done < count and not is_full:
            if len(arrows.chains) - state[CHUNKS] + state[N_FREE] < ROOM:
                is_full = True
                break
            for i in range(descend(gradient, rests, lowers, steps, edge, simplices.codes[done])):
                point(arrows, done, steps[i, 0], steps[i, 1])
            done += 1
        if arrows.heads[place] == 0 and not is_full:
            edge -= 1
            start = count
    state[EDGE], state[START], state[DONE], state[COUNT], state[ARROWS] = edge, start, done, count, arrow
    return is_full
