"""Boundaries in the Morse complex, first half: the simplices that the faces of critical ones flow through.

A simplex flows to simplices that come no later, and the matching is acyclic; so what arrives at critical simplices
is found once for every simplex on the way (`arrivals`), and a boundary is the sum, mod 2, of what arrives from its
faces.

The simplices on the way are collected last edge by last edge, downwards: all that flows to simplices of an edge is
known when its turn comes, so that it is enough to tell simplices of one edge apart. An *arrow* leads to a simplex from
a critical one, one dimension higher, or from one on the way.
"""

from __future__ import annotations

from typing import NamedTuple

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
    OPEN,
    ROOM,
    START,
    go_down,
    place_all,
    set_out,
)
from dnn_topology.homology.engines.morse.matching import TRIANGLES
from dnn_topology.homology.engines.morse.order import Order, Ranks
from dnn_topology.homology.engines.morse.sweep import Tables


class Ways(NamedTuple):
    """The simplices on the way, numbered by descending last edge, and where each leads.

    Attributes:
        names: (n, 2), int64. Last edge of each simplex, and the code of the vertices beside it; see `descent`.
        arrows: (n, 2), int64. Where the arrows of each begin and end in `targets`; a critical simplex has none.
        targets: (n_arrows,), int32. The simplex that an arrow leads to, -1 where it vanishes.
        faces: (n_critical, 2), int64. Where the arrows of the faces of each critical simplex begin and end.
    """

    names: Int64s
    arrows: Int64s
    targets: Int32s
    faces: Int64s


class Search:
    """All simplices that the faces of critical simplices of one dimension flow through, stretch by stretch.

    Arrows are needed again when the edge that they lead to has its turn. They lead far and wide, so they are stored in
    buckets, one per 2^BITS edges, in chunks, one after the other; a bucket is opened, and its arrows sorted into a list
    per edge, when the first of its edges has its turn.

    The arrays grow: a kernel that finds one full returns, and goes on when it has been doubled.

    Args:
        order: The edges; their apexes are asked for only when their stretch has its turn.
        ranks: Their ranks.
        dim: 1 less than the dimension of the critical simplices.
    """

    def __init__(self, order: Order, ranks: Ranks, dim: int) -> None:
        self.order, self.ranks, self.dim = order, ranks, dim
        room = 1024 + 2 * len(order.links)  # enough on real graphs; what is not used takes no memory
        n_buckets = (len(order.links) >> BITS) + 1
        self.targets = np.empty(2 * room, np.int32)  # of each arrow
        self.tails = np.zeros((n_buckets, 2), np.int64)  # of each bucket: where its next arrow goes, how many it has
        self.store = np.empty(
            (2 * room + CHUNK * n_buckets, 2), np.int64
        )  # code; number of the arrow, place of the edge
        self.chains = np.empty(len(self.store) // CHUNK, np.int32)  # of each chunk: the one before
        self.opened = np.empty((1 << 14, 3), np.int64)  # code, next of the same edge, number of the arrow
        self.heads = np.full(1 << BITS, -1, np.int32)  # of the lists of the edges of the open bucket
        self.names = np.empty((room, 2), np.int64)  # of each simplex: edge and code
        self.spans = np.empty((room, 2), np.int64)  # of the arrows of each simplex
        self.numbers = np.full(1 << 10, -1, np.int32)  # the simplices of the edge at work, by `place_of`
        self.state = np.zeros(8, np.int64)
        self.state[BUCKET] = -1
        self.faces: list[Int64s] = []

    def go_through(self, stretch: tuple[int, int], tables: Tables) -> None:
        """Search the edges of one stretch, which all arrows so far lead to or pass by; the last stretch comes first."""
        critical: Int32s = tables[TRIANGLES + self.dim - 1]
        rests, lowers = tables.rests if self.dim > 1 else None, tables.lowers if self.dim > 2 else None
        gradient = (*self.ranks, self.order.links, rests, lowers)
        faces = np.empty((len(critical), 2), np.int64)
        while self._is_full(ROOM * len(critical), len(self.tails)):
            self._double(ROOM * len(critical), len(self.tails))
        everything = (*gradient, critical, faces, *self._arrows())
        set_out(*everything)
        self.faces.append(faces)
        begin, self.state[EDGE] = stretch[0], stretch[1] - 1
        is_full = True
        while is_full:
            known = (self.targets, self.names, self.spans, self.numbers)
            rest = (*gradient, begin, *self._arrows(), *known)
            is_full = go_down(*rest)
            if is_full:
                self._double(ROOM, ROOM)

    def _arrows(self) -> tuple[Int64s, Int32s, Int64s, Int64s, Int32s, Int64s, Int64s]:
        """Return what arrows are written into, and room for the steps of one simplex."""
        return self.store, self.chains, self.tails, self.opened, self.heads, self.state, np.empty((ROOM, 2), np.int64)

    def _is_full(self, n_arrows: int, n_chunks: int) -> bool:
        """Return whether so many more arrows, in so many more chunks beside those that they fill, have no room."""
        targets, chunks, opened = len(self.targets), len(self.chains), len(self.opened)
        return bool(
            self.state[ARROWS] + n_arrows > targets
            or self.state[CHUNKS] + n_chunks + n_arrows // CHUNK > chunks
            or self.state[OPEN] + n_arrows > opened
        )

    def _double(self, n_arrows: int, n_chunks: int) -> None:
        """Double what is full, or nearly so."""
        start, count = self.state[START], self.state[COUNT]
        if self.state[ARROWS] + n_arrows > len(self.targets):
            self.targets = np.concatenate([self.targets, self.targets])
        if self.state[CHUNKS] + n_chunks + n_arrows // CHUNK > len(self.chains):
            self.store = np.concatenate([self.store[: CHUNK * len(self.chains)]] * 2)
            self.chains = np.concatenate([self.chains, self.chains])
        most = max(self.state[OPEN] + n_arrows, self.tails[self.state[EDGE] >> BITS, 1] + ROOM)
        if most > len(self.opened):
            self.opened = np.concatenate([self.opened, self.opened])
        if count == len(self.names):
            self.names = np.concatenate([self.names, self.names])
            self.spans = np.concatenate([self.spans, self.spans])
        if 2 * (count - start) >= len(self.numbers):
            self.numbers = np.full(2 * len(self.numbers), -1, np.int32)
            place_all(self.numbers, self.names, start, count)

    def ways(self) -> Ways:
        """Return what was collected, when every stretch has had its turn."""
        count = self.state[COUNT]
        faces = np.concatenate([np.empty((0, 2), np.int64), *self.faces[::-1]])
        return Ways(self.names[:count], self.spans[:count], self.targets[: self.state[ARROWS]], faces)
