"""All edges in their order, each with the matching of its link: which simplices are critical, and where others lead.

Edges can be gone through in stretches that know nothing of each other, in threads of their own: each sets out with the
neighbours that its first edge finds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnn_topology._compiled import entry, kernel
from dnn_topology.homology.engines.morse.bits import ONE, SIX, ZERO, Int32s, Int64s, Whole, Words, bit
from dnn_topology.homology.engines.morse.blocks import EIGHT, filled, get_block, put_block
from dnn_topology.homology.engines.morse.matching import (
    FOUR_SIMPLICES,
    LOWERS,
    RESTS,
    TETRAHEDRA,
    TRIANGLES,
    match_lower_links,
    match_pieces,
    match_vertices,
)
from dnn_topology.homology.engines.morse.memory import block_of
from dnn_topology.homology.engines.morse.numbering import n_words


class Tables(NamedTuple):
    """What matching links leaves besides the apexes, which go into `Order.links`.

    Attributes:
        rests: (n, 3), int32, from H2 on. Vertices that an apex does not reach, in the order in which they join, their
            parents (-1 for a further root), and for H3 where the rows of their lower link begin in `lowers`. Where the
            rows of an edge begin is the fourth column of `Order.links`.
        lowers: (k, 2), int32, for H3. The same of lower links: vertices and parents.
        triangles: (k, 4), int32. Critical simplices: the last edge, the vertices beside it in the order in which they
            joined, then -1; sorted by edge.
        tetrahedra: The same of dimension 3, from H2 on.
        four_simplices: The same of dimension 4, for H3.
    """

    rests: Int32s
    lowers: Int32s
    triangles: Int32s
    tetrahedra: Int32s
    four_simplices: Int32s


BESIDE = np.int32(-2)  # instead of an apex: an edge that is matched elsewhere, and a neighbour of others here
ASKED = {1: {TRIANGLES}, 2: {RESTS, TRIANGLES, TETRAHEDRA}, 3: {RESTS, LOWERS, TRIANGLES, TETRAHEDRA, FOUR_SIMPLICES}}
WIDTHS = (3, 2, 4, 4, 4)
MANY_WORDS = 1 << 23  # of 8 bytes
ROWS_AT_FIRST = 16  # of a table, per edge: more than real graphs have; what is not used takes no memory


def rows_of_bits(n_rows: int, n_words: int) -> Words:
    """Return rows of no bits that begin where a line of the processor's cache does."""
    if n_rows * n_words > MANY_WORDS:  # most of which are never used, and then take no memory
        flat = np.zeros(n_rows * n_words + 8, np.uint64)
        begin = -flat.ctypes.data // 8 % 8
        flat = flat[begin : begin + n_rows * n_words]
    else:
        (flat,) = block_of((n_rows * n_words, np.uint64))
        flat.fill(0)
    return flat.reshape(n_rows, n_words)


class Room:
    """What one thread works in: the neighbours at some edge, each vertex one of its own, sets, and tables.

    The tables serve stretch after stretch, as memory that was never used costs time at first.

    Args:
        links: The edges; see `Order`.
        n_vertices: Number of vertices that links are made of.
        max_dim: 1, 2 or 3, the highest dimension whose homology is asked for: how deep links are matched.
        n_edges: How many edges will be matched here, about.
    """

    def __init__(self, links: Int32s, n_vertices: int, *, max_dim: int, n_edges: int) -> None:
        words = -(-n_words(n_vertices) // 8) * 8
        self.max_dim, self.links, self.edge = max_dim, links, 0
        self.adjacent = rows_of_bits(n_vertices, words)
        self._add_everybody()
        self.sets = rows_of_bits(11, words)
        length, asked = 2 * n_vertices + ROWS_AT_FIRST * n_edges, ASKED[max_dim]
        self.tables = Tables(
            *(
                block_of(((length if k in asked else 1) * width, np.int32))[0].reshape(-1, width)
                for k, width in enumerate(WIDTHS)
            )
        )
        self.used = np.zeros(len(WIDTHS), np.int64)

    def begin(self, links: Int32s) -> None:
        """Begin with other edges, and no neighbours."""
        self.links, self.edge = links, 0
        self.adjacent.fill(0)
        self._add_everybody()

    def go_to(self, edge: int) -> None:
        """Make the neighbours those that an edge finds, from those that another has left."""
        toggle(self.adjacent, self.links, min(edge, self.edge), max(edge, self.edge))
        self.edge = edge

    def sweep(self, end: int) -> None:
        """Go on until an edge, with longer tables where one is full."""
        while self._sweep_until(end) < end:
            self.tables = Tables(
                *(np.concatenate([table, table]) if len(table) > 1 else table for table in self.tables)
            )

    def _add_everybody(self) -> None:
        """Make each vertex a neighbour of its own."""
        everybody = np.arange(len(self.adjacent))
        self.adjacent[everybody, everybody // 64] = ONE << (everybody % 64).astype(np.uint64)

    def _sweep_until(self, end: int) -> int:
        """Go on until an edge, or until a table is full; return where that is."""
        rests, lowers, triangles, tetrahedra, four_simplices = self.tables
        work = (self.adjacent, self.sets, self.links, self.edge, end, self.used)
        before = np.zeros_like(self.used)
        if self.max_dim == 1:
            self.edge = sweep_pieces(*work, triangles)
        elif self.max_dim == 2:
            self.edge = sweep_vertices(*work, before, rests, triangles, tetrahedra)
        else:
            self.edge = sweep_lower_links(*work, before, rests, lowers, triangles, tetrahedra, four_simplices)
        return self.edge


def match_links(room: Room, stretch: tuple[int, int]) -> Tables:
    """Match the links of the edges of one stretch; apexes and where rows begin are written into `Order.links`.

    Args:
        room: To work in.
        stretch: The first edge, and the first that is left out.

    Returns:
        The critical simplices of the stretch, and all rows beside apexes so far.
    """
    before = np.where(np.arange(len(WIDTHS)) < TRIANGLES, 0, room.used)
    room.go_to(stretch[0])
    room.sweep(stretch[1])
    return Tables(*(table[first:last] for table, first, last in zip(room.tables, before, room.used, strict=True)))


@kernel
def link(adjacent: Words, sets: Words, a: Whole, b: Whole) -> Whole:
    """Put the common neighbours of a and b into row 0; return up to which word, a multiple of eight, there are any."""
    end = ZERO
    for k in range(ZERO, np.uint64(adjacent.shape[1]), EIGHT):
        common = get_block(adjacent, a, k) & get_block(adjacent, b, k)
        put_block(sets, ZERO, k, common)
        if filled(common):
            end = k + EIGHT
    return end


@kernel
def join(adjacent: Words, a: Whole, b: Whole) -> None:
    """Make a and b neighbours."""
    adjacent[a, b >> SIX] |= bit(b)
    adjacent[b, a >> SIX] |= bit(a)


@kernel
def copy(source: Int64s, target: Int64s) -> None:
    """Copy what is used, or was."""
    for k in range(len(source)):
        target[k] = source[k]


@entry
def toggle(adjacent: Words, links: Int32s, begin: Whole, end: Whole) -> None:
    """Make the ends of some edges neighbours where they are not, and take them apart where they are."""
    for e in range(begin, end):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        if a < len(adjacent) and b < len(adjacent):
            adjacent[a, b >> SIX] ^= bit(b)
            adjacent[b, a >> SIX] ^= bit(a)


@entry
def sweep_pieces(
    adjacent: Words,
    sets: Words,
    links: Int32s,
    begin: Whole,
    end: Whole,
    used: Int64s,
    triangles: Int32s,
) -> Whole:
    """Match the links of some edges for H1: see `match_pieces`.

    Args:
        adjacent: The neighbours that edge `begin` finds; afterwards those that the next edge finds.
        sets: Rows to work in.
        links: Where the apexes are written to.
        begin: The first edge.
        end: The first edge that is left out.
        used: How far the tables are filled.
        triangles: The table; the others that `sweep_vertices` and `sweep_lower_links` fill are in `Tables`.

    Returns:
        `end`, or an edge before it for whose rows a table has no room: it is to be done again with larger ones.
    """
    for e in range(begin, end):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        if a >= len(adjacent) or b >= len(adjacent):
            continue  # in no triangle: its link stays empty, and it is in no other
        n = link(adjacent, sets, a, b) if links[e, 2] != BESIDE else ZERO
        if n:
            before = used[TRIANGLES]
            links[e, 2] = match_pieces(adjacent, sets, n, e, triangles, used)
            if used[TRIANGLES] > len(triangles):
                used[TRIANGLES] = before
                return e
        join(adjacent, a, b)
    return end


@entry
def sweep_vertices(
    adjacent: Words,
    sets: Words,
    links: Int32s,
    begin: Whole,
    end: Whole,
    used: Int64s,
    before: Int64s,
    rests: Int32s,
    triangles: Int32s,
    tetrahedra: Int32s,
) -> Whole:
    """Match the links of some edges for H2: see `match_vertices` and, for arguments and answer, `sweep_pieces`."""
    for e in range(begin, end):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        links[e, 3] = used[RESTS]
        if a >= len(adjacent) or b >= len(adjacent):
            continue
        n = link(adjacent, sets, a, b) if links[e, 2] != BESIDE else ZERO
        if n:
            copy(used, before)
            links[e, 2] = match_vertices(adjacent, sets, ZERO, n, e, np.int64(-1), rests, triangles, tetrahedra, used)
            if used[RESTS] > len(rests) or used[TRIANGLES] > len(triangles) or used[TETRAHEDRA] > len(tetrahedra):
                copy(before, used)
                return e
        join(adjacent, a, b)
    return end


@entry
def sweep_lower_links(
    adjacent: Words,
    sets: Words,
    links: Int32s,
    begin: Whole,
    end: Whole,
    used: Int64s,
    before: Int64s,
    rests: Int32s,
    lowers: Int32s,
    triangles: Int32s,
    tetrahedra: Int32s,
    four_simplices: Int32s,
) -> Whole:
    """Match the links of some edges for H3: see `match_lower_links` and, for arguments and answer, `sweep_pieces`."""
    for e in range(begin, end):
        a, b = np.uint64(links[e, 0]), np.uint64(links[e, 1])
        links[e, 3] = used[RESTS]
        if a >= len(adjacent) or b >= len(adjacent):
            continue
        n = link(adjacent, sets, a, b) if links[e, 2] != BESIDE else ZERO
        if n:
            copy(used, before)
            links[e, 2] = match_lower_links(
                adjacent, sets, n, e, rests, lowers, triangles, tetrahedra, four_simplices, used
            )
            is_full = used[RESTS] > len(rests) or used[LOWERS] > len(lowers) or used[TRIANGLES] > len(triangles)
            if is_full or used[TETRAHEDRA] > len(tetrahedra) or used[FOUR_SIMPLICES] > len(four_simplices):
                copy(before, used)
                return e
        join(adjacent, a, b)
    return end
