"""Boundaries in the Morse complex, first half: the simplices that the faces of critical ones flow through.

A simplex flows to simplices that come no later, and the matching is acyclic; so every simplex on the way is looked at
once, however many critical ones lead to it. What comes of it, `pairing` says.

The simplices on the way are collected last edge by last edge, downwards: all that flows to simplices of an edge is
known when its turn comes, so that it is enough to tell simplices of one edge apart. An *arrow* leads to a simplex from
a critical one, one dimension higher, or from one on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s
from dnn_topology.homology.engines.morse.flow import (
    ARROWS,
    BITS,
    BUCKET,
    CHUNK,
    CHUNKS,
    COUNT,
    EDGE,
    ROOM,
    START,
    Arrows,
    Gradient,
    Simplices,
    go_down,
    place_all,
    set_out,
)
from dnn_topology.homology.engines.morse.matching import TRIANGLES
from dnn_topology.homology.engines.morse.memory import block_of
from dnn_topology.homology.engines.morse.order import Order
from dnn_topology.homology.engines.morse.ranks import Ranks
from dnn_topology.homology.engines.morse.sweep import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many there is room for at first: simplices, and places for the tetrahedra of an edge. Of edges few are on the way,
# of triangles about two per edge; what is not used takes no memory.
ROOM_AT_FIRST, PLACES_AT_FIRST = 1 << 10, 1 << 10
PER_EDGE = {1: 0.25, 2: 2, 3: 2}  # simplices beside those, by dimension
Number = TypeVar("Number", np.int32, np.int64)


class Ways(NamedTuple):
    """The simplices on the way, numbered by descending last edge, and the arrows that lead to each.

    Attributes:
        edges: (n,), int32. Last edge of each simplex.
        codes: (n,), int64. The code of the vertices beside it; see `descent`.
        heads: (n,), int32. An arrow that leads to each.
        sources: (n_arrows,), int32. Where an arrow comes from: a simplex on the way, or if it is negative the critical
            one of that number counted from the last, -1.
        nexts: (n_arrows,), int32. The next arrow that leads to the same simplex, or -1.
    """

    edges: Int32s
    codes: Int64s
    heads: Int32s
    sources: Int32s
    nexts: Int32s


class Search:
    """All simplices that the faces of critical simplices of one dimension flow through, stretch by stretch.

    Arrows are needed again when the edge that they lead to has its turn. They lead far and wide, so they are stored in
    buckets, one per 2^BITS edges, in chunks, one after the other; a bucket is opened, and its arrows sorted into a list
    per edge, when the first of its edges has its turn. Then its chunks serve again: new memory costs more than use.

    The arrays grow: a kernel that finds one full returns, and goes on when it has been doubled.

    Args:
        order: The edges; their apexes are asked for only when their stretch has its turn.
        ranks: Their ranks.
        dim: 1 less than the dimension of the critical simplices.
    """

    def __init__(self, order: Order, ranks: Ranks, dim: int) -> None:
        self.order, self.ranks, self.dim = order, ranks, dim
        n_edges = len(order.links)
        room, n_buckets = ROOM_AT_FIRST + int(PER_EDGE[dim] * n_edges), (n_edges >> BITS) + 1
        n_stored = 2 * room + CHUNK * (n_buckets + 1)
        store, edges, codes, heads, sources, nexts = block_of(
            *((2 * n_stored, np.int64), (room, np.int32), (room, np.int64), (room, np.int32)),
            *((2 * room, np.int32), (2 * room, np.int32)),
        )
        self.state = np.zeros(9, np.int64)
        self.state[BUCKET], self.state[CHUNKS], self.n_critical = -1, 1, 0
        self.arrows = Arrows(
            store.reshape(n_stored, 2),
            np.empty(n_stored // CHUNK, np.int32),
            np.zeros(n_buckets, np.int64),
            np.zeros(1 << BITS, np.int32),
            self.state,
            np.empty((ROOM, 2), np.int64),
        )
        numbers = np.full(PLACES_AT_FIRST if dim > 2 else max(order.n_vertices, 1), -1, np.int32)
        self.simplices = Simplices(edges, codes, heads, sources, nexts, numbers)

    def go_through(self, stretch: tuple[int, int], tables: Tables) -> None:
        """Search the edges of one stretch, which all arrows so far lead to or pass by; the last stretch comes first."""
        critical: Int32s = tables[TRIANGLES + self.dim - 1]
        rests, lowers = tables.rests if self.dim > 1 else None, tables.lowers if self.dim > 2 else None
        gradient = Gradient(*self.ranks, self.order.links, rests, lowers)
        self._make_room_for_arrows(ROOM * len(critical))
        self.n_critical += len(critical)
        set_out(gradient, critical, -self.n_critical, self.arrows)
        begin, self.state[EDGE] = stretch[0], stretch[1] - 1
        while go_down(gradient, begin, self.arrows, self.simplices):
            self._make_room_for_arrows(ROOM)
            self._make_room_for_simplices(lowers)

    def _make_room_for_arrows(self, n_arrows: int) -> None:
        """Make room for so many more arrows that wait."""
        arrows = self.arrows
        n_chunks = int(self.state[CHUNKS]) + max(ROOM, n_arrows // CHUNK + len(arrows.tails))
        chains = _longer(arrows.chains, n_chunks)
        self.arrows = arrows._replace(chains=chains, store=_longer(arrows.store, CHUNK * len(chains)))

    def _make_room_for_simplices(self, lowers: Int32s | None) -> None:
        """Make room for one simplex more, in all and of the edge at work, and for one arrow to it."""
        start, count, n_arrows = (int(self.state[k]) for k in (START, COUNT, ARROWS))
        edges, codes, heads, sources, nexts, numbers = self.simplices
        self.simplices = Simplices(
            *(_longer(edges, count + 1), _longer(codes, count + 1), _longer(heads, count + 1)),
            *(_longer(sources, n_arrows + 1), _longer(nexts, n_arrows + 1)),
            numbers,
        )
        if lowers is not None and 2 * (count - start) >= len(numbers):
            self.simplices = self.simplices._replace(numbers=np.full(2 * len(numbers), -1, np.int32))
            place_all(self.simplices, start, count, lowers)

    def ways(self) -> Ways:
        """Return what was collected, when every stretch has had its turn."""
        edges, codes, heads, sources, nexts, _ = self.simplices
        count, n_arrows = self.state[COUNT], self.state[ARROWS]
        return Ways(edges[:count], codes[:count], heads[:count], sources[:n_arrows], nexts[:n_arrows])


def _longer(array: NDArray[Number], n: int) -> NDArray[Number]:
    """Return an array of at least n rows: the same, or one of twice its length, or longer, that begins with it."""
    if n <= len(array):
        return array
    longer = np.empty((max(n, 2 * len(array)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
