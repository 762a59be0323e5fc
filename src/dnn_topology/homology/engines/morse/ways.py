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
from dnn_topology.homology.engines.morse.flow import ARROWS, COUNT, EDGE, ROOM, START, go_down, place_all, set_out
from dnn_topology.homology.engines.morse.matching import TRIANGLES
from dnn_topology.homology.engines.morse.order import Order, Ranks
from dnn_topology.homology.engines.morse.sweep import Tables


class Ways(NamedTuple):
    """The simplices on the way, numbered by descending last edge, and where each leads.

    Attributes:
        names: (n, 2), int64. Last edge of each simplex, and the code of the vertices beside it; see `descent`.
        arrows: (n, 2), int64. Where the arrows of each begin and end in `targets`; a critical simplex has none.
        targets: (n_arrows,), int64. The simplex that an arrow leads to, -1 where it vanishes.
        faces: (n_critical, 2), int64. Where the arrows of the faces of each critical simplex begin and end.
    """

    names: Int64s
    arrows: Int64s
    targets: Int64s
    faces: Int64s


class Search:
    """All simplices that the faces of critical simplices of one dimension flow through, stretch by stretch.

    The arrays grow: a kernel that finds one full returns, and goes on when it has been doubled.

    Args:
        order: The edges; their apexes are asked for only when their stretch has its turn.
        ranks: Their ranks.
        dim: 1 less than the dimension of the critical simplices.
    """

    def __init__(self, order: Order, ranks: Ranks, dim: int) -> None:
        self.order, self.ranks, self.dim = order, ranks, dim
        self.heads = np.full(len(order.links), -1, np.int32)  # of a list of the arrows to each edge
        room = 1024 + 2 * len(order.links)  # enough on real graphs; what is not used takes no memory
        self.arrows = np.empty((2 * room, 2), np.int64)  # the code of what it leads to; the next arrow, then the target
        self.names = np.empty((room, 2), np.int64)  # of each simplex: edge and code
        self.spans = np.empty((room, 2), np.int64)  # of the arrows of each simplex
        self.numbers = np.full(1 << 10, -1, np.int32)  # the simplices of the edge at work, by `place_of`
        self.state = np.zeros(5, np.int64)
        self.faces: list[Int64s] = []

    def go_through(self, stretch: tuple[int, int], tables: Tables) -> None:
        """Search the edges of one stretch, which all arrows so far lead to or pass by; the last stretch comes first."""
        critical: Int32s = tables[TRIANGLES + self.dim - 1]
        rests, lowers = tables.rests if self.dim > 1 else None, tables.lowers if self.dim > 2 else None
        gradient = (*self.ranks, self.order.links, rests, lowers)
        faces = np.empty((len(critical), 2), np.int64)
        while self.state[ARROWS] + ROOM * len(critical) > len(self.arrows):
            self.arrows = np.concatenate([self.arrows, self.arrows])
        set_out(*gradient, critical, faces, self.heads, self.arrows, self.state)
        self.faces.append(faces)
        begin, self.state[EDGE] = stretch[0], stretch[1] - 1
        while go_down(*gradient, begin, self.heads, self.arrows, self.names, self.spans, self.numbers, self.state):
            self._double()

    def _double(self) -> None:
        """Double what is full, or nearly so."""
        start, count, n_arrows = self.state[START], self.state[COUNT], self.state[ARROWS]
        if n_arrows + ROOM > len(self.arrows):
            self.arrows = np.concatenate([self.arrows, self.arrows])
        if count == len(self.names):
            self.names = np.concatenate([self.names, self.names])
            self.spans = np.concatenate([self.spans, self.spans])
        if 2 * (count - start) >= len(self.numbers):
            self.numbers = np.full(2 * len(self.numbers), -1, np.int32)
            place_all(self.numbers, self.names, start, count)

    def ways(self) -> Ways:
        """Return what was collected, when every stretch has had its turn."""
        count, n_arrows = self.state[COUNT], self.state[ARROWS]
        faces = np.concatenate([np.empty((0, 2), np.int64), *self.faces[::-1]])
        return Ways(self.names[:count], self.spans[:count], self.arrows[:n_arrows, 1], faces)
