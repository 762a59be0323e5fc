"""The matching of a large graph that is narrow, window by window.

The common neighbours of two vertices lie near both. Where vertices are numbered so that neighbours have near numbers,
a *window* of them holds all links of the edges whose lower ends it owns; so each window is a small graph of its own,
with rows of few words. The edges of its other vertices are only neighbours there.
"""

from __future__ import annotations

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole
from dnn_topology.homology.engines.morse.compiled import entry, kernel
from dnn_topology.homology.engines.morse.matching import NONE, TRIANGLES
from dnn_topology.homology.engines.morse.numbering import widest
from dnn_topology.homology.engines.morse.order import Order
from dnn_topology.homology.engines.morse.sweep import BESIDE, Room, Tables


class Windows:
    """The windows of a graph, and what matching left in them, in parts for several threads.

    Args:
        order: The edges; their apexes are filled in.
        max_dim: 1, 2 or 3, the highest dimension whose homology is asked for.
        n_parts: Number of parts.
    """

    def __init__(self, order: Order, *, max_dim: int, n_parts: int) -> None:
        self.order, self.max_dim, self.n_parts = order, max_dim, n_parts
        self.begins: Int64s  # where in `edges` those of each window begin
        self.edges = np.empty(len(order.links), np.int32)
        self.tables: dict[int, Tables] = {}
        self.matched: dict[int, Int32s] = {}

    def sort(self) -> None:
        """Put the edges into the windows that own them, in each in their order."""
        n_windows, n_vertices = len(self.order.windows), self.order.n_vertices
        owned = self.order.windows[:, 1] - self.order.windows[:, 0]
        owners = np.full(len(self.order.nodes), n_windows, np.int32)  # nobody's are in no triangle
        owners[:n_vertices] = np.repeat(np.arange(n_windows, dtype=np.int32), owned)
        ends = np.zeros(n_windows + 2, np.int64)
        count_owned(self.order.links, owners, ends[1:])
        np.cumsum(ends, out=ends)
        self.begins = ends[:-1].copy()
        put_by_owner(self.order.links, owners, ends, self.edges)

    def match(self, part: int) -> None:
        """Match the links of the edges that the windows of one part own."""
        cuts = np.searchsorted(self.begins, np.linspace(0, self.begins[-1], self.n_parts + 1))
        windows, begins = range(cuts[part], cuts[part + 1]), self.begins
        n_edges = int(begins[windows.stop] - begins[windows.start])
        width = widest(self.order.windows)
        room = Room(self.order.links, width, max_dim=self.max_dim, n_edges=n_edges)
        for k in windows:
            self._match_window(k, room)
        self.tables[part] = Tables(*(table[:n] for table, n in zip(room.tables, room.used, strict=True)))
        self.matched[part] = self.edges[begins[windows.start] : begins[windows.stop]]

    def gather(self) -> Tables:
        """Return the tables of all windows as if links had been matched in the order of the edges."""
        n_rests = n_lowers = 0
        for part in range(self.n_parts):
            rests, lowers, *_ = self.tables[part]
            self.order.links[self.matched[part], 3] += n_rests
            rests[:, 2] += n_lowers
            n_rests, n_lowers = n_rests + len(rests), n_lowers + len(lowers)
        tables = [np.concatenate(parts) for parts in zip(*(self.tables[k] for k in range(self.n_parts)), strict=True)]
        for k in range(TRIANGLES, len(tables)):
            tables[k] = tables[k][np.argsort(tables[k][:, 0], kind="stable")]
        return Tables(*tables)

    def _match_window(self, k: int, room: Room) -> None:
        """Match the links of the edges that a window owns, as a graph of its own, and write down what was found."""
        window, links, before = self.order.windows[k], self.order.links, room.used.copy()
        low = int(window[2])
        others = np.searchsorted(self.order.windows[:, 1], [low, window[3] - 1], side="right")
        edges = np.sort(self.edges[self.begins[others[0]] : self.begins[others[1] + 1]])
        here = np.empty((len(edges), 4), np.int32)
        here = here[: take_window(links, window, edges, here)]
        room.begin(here)
        room.sweep(len(here))
        put_back(links, low, edges, here)
        for which, (table, begin, end) in enumerate(zip(room.tables, before, room.used, strict=True)):
            rows = table[begin:end]
            vertices = rows[:, :2] if which < TRIANGLES else rows[:, 1:]
            vertices += np.where(vertices >= 0, low, 0).astype(np.int32)
            if which >= TRIANGLES:
                rows[:, 0] = edges[rows[:, 0]]


@kernel
def owner(links: Int32s, owners: Int32s, nobody: Whole, e: Whole) -> Whole:
    """Return the window that owns an edge: that of its lower end, where both ends are in windows."""
    a, b = links[e, 0], links[e, 1]
    if owners[max(a, b)] == nobody:
        return nobody
    return np.int64(owners[min(a, b)])


@entry
def count_owned(links: Int32s, owners: Int32s, counts: Int64s) -> None:
    """Count the edges of each window, and those that none has; `owners` (n_nodes,) has the window of each vertex."""
    for e in range(len(links)):
        counts[owner(links, owners, np.int64(len(counts) - 1), e)] += 1


@entry
def put_by_owner(links: Int32s, owners: Int32s, begins: Int64s, edges: Int32s) -> None:
    """Write edges window by window; `begins` says where those of each begin, and is worked in."""
    for e in range(len(links)):
        k = owner(links, owners, np.int64(len(begins) - 2), e)
        edges[begins[k]] = e
        begins[k] += 1


@entry
def take_window(links: Int32s, window: Int64s, edges: Int32s, here: Int32s) -> Whole:
    """Write those of some edges that lie in a window as edges of its own, and where they come from over the others.

    Args:
        links: All edges.
        window: What it owns and holds; see `Order.windows`.
        edges: Some edges, rising; afterwards the first of them are those that lie in the window.
        here: Receives their ends, counted from the first vertex of the window, and `BESIDE` where it does not own them.

    Returns:
        How many there are.
    """
    first, last, low, high = window[0], window[1], window[2], window[3]
    n = 0
    for e in edges:
        lower, upper = min(links[e, 0], links[e, 1]), max(links[e, 0], links[e, 1])
        if lower >= low and upper < high:
            edges[n] = e
            here[n, 0], here[n, 1] = links[e, 0] - low, links[e, 1] - low
            here[n, 2], here[n, 3] = NONE if first <= lower < last else BESIDE, -1
            n += 1
    return n


@entry
def put_back(links: Int32s, low: Whole, edges: Int32s, here: Int32s) -> None:
    """Write apexes, and where rows begin, of the edges that a window owns."""
    for i in range(len(here)):
        if here[i, 2] != BESIDE:
            links[edges[i], 2] = here[i, 2] + low if here[i, 2] >= 0 else here[i, 2]
            links[edges[i], 3] = here[i, 3]
