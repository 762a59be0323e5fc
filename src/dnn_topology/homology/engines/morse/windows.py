"""The matching of a large graph where vertices have few neighbours, window by window.

The link of an edge lies among the neighbours of one of its ends. A *window* owns some vertices and holds all of their
neighbours, so that it holds the links of all edges whose lower ends it owns: a small graph of its own, with rows of few
words. The edges of the other vertices that it holds are only neighbours there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnn_topology._compiled import entry
from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole
from dnn_topology.homology.engines.morse.matching import NONE, TRIANGLES
from dnn_topology.homology.engines.morse.numbering import widest
from dnn_topology.homology.engines.morse.order import Order
from dnn_topology.homology.engines.morse.sweep import BESIDE, Room, Tables


class Around(NamedTuple):
    """The edges around each vertex that links are made of.

    Attributes:
        begins: (n_vertices + 1,), int64. Where those of each vertex begin.
        edges: (2 · n_edges,), int32. Edges, rising at each vertex.
        vertices: (2 · n_edges,), int32. Their other ends.
    """

    begins: Int64s
    edges: Int32s
    vertices: Int32s


class Windows:
    """The windows of a graph, and what matching left in them, in parts for several threads.

    Args:
        order: The edges; their apexes are filled in.
        max_dim: 1, 2 or 3, the highest dimension whose homology is asked for.
        n_parts: Number of parts.
    """

    def __init__(self, order: Order, *, max_dim: int, n_parts: int) -> None:
        self.order, self.max_dim, self.n_parts = order, max_dim, n_parts
        self.around: Around
        self.tables: dict[int, Tables] = {}

    def list_edges(self) -> None:
        """List the edges around each vertex."""
        links, n = self.order.links, self.order.n_vertices
        begins = np.zeros(n + 2, np.int64)
        count_around(links, begins[2:])
        np.cumsum(begins, out=begins)
        edges, vertices = np.empty(begins[-1], np.int32), np.empty(begins[-1], np.int32)
        list_around(links, begins[1:], edges, vertices)
        self.around = Around(begins[:-1], edges, vertices)

    def match(self, part: int) -> None:
        """Match the links of the edges that the windows of one part own."""
        n_edges = len(self.order.links) // self.n_parts
        room = Room(self.order.links, widest(self.order.windows), max_dim=self.max_dim, n_edges=n_edges)
        numbers = np.full(self.order.n_vertices, -1, np.int32)
        for window in self.order.windows[self._part(part)]:
            self._match_window(window, room, numbers)
        self.tables[part] = Tables(*(table[:n] for table, n in zip(room.tables, room.used, strict=True)))

    def gather(self) -> Tables:
        """Return the tables of all windows as if links had been matched in the order of the edges."""
        n_rests = n_lowers = 0
        for part in range(self.n_parts):
            rests, lowers, *_ = self.tables[part]
            windows = self.order.windows[self._part(part)]
            if n_rests and len(windows):
                shift_rests(self.order.links, windows[0, 0], windows[-1, 1], n_rests)
            rests[:, 2] += n_lowers
            n_rests, n_lowers = n_rests + len(rests), n_lowers + len(lowers)
        tables = [np.concatenate(parts) for parts in zip(*(self.tables[k] for k in range(self.n_parts)), strict=True)]
        for k in range(TRIANGLES, len(tables)):
            tables[k] = tables[k][np.argsort(tables[k][:, 0], kind="stable")]
        return Tables(*tables)

    def _part(self, part: int) -> slice:
        """Return which windows are a part: about as many edges in each."""
        cuts = np.linspace(0, self.around.begins[-1], self.n_parts + 1)
        begin, end = np.searchsorted(self.around.begins[self.order.windows[:, 1]], cuts[part : part + 2])
        return slice(begin, len(self.order.windows) if part == self.n_parts - 1 else end)

    def _match_window(self, window: Int64s, room: Room, numbers: Int32s) -> None:
        """Match the links of the edges that a window owns, as a graph of its own, and write down what was found."""
        links, before = self.order.links, room.used.copy()
        held = np.empty(window[2], np.int32)
        list_held(self.around.begins, self.around.vertices, window, numbers, held)
        held.sort()
        edges = np.empty(count_held(self.around.begins, held), np.int32)
        edges = edges[: list_inside(*self.around, numbers, held, edges)]
        edges.sort()
        here = np.empty((len(edges), 4), np.int32)
        take_edges(links, window, numbers, edges, here)
        room.begin(here)
        room.sweep(len(here))
        put_back(links, numbers, held, edges, here)
        for which, (table, begin, end) in enumerate(zip(room.tables, before, room.used, strict=True)):
            rows = table[begin:end]
            vertices = rows[:, :2] if which < TRIANGLES else rows[:, 1:]
            vertices[...] = np.where(vertices >= 0, held[vertices], vertices)
            if which >= TRIANGLES:
                rows[:, 0] = edges[rows[:, 0]]


@entry
def count_around(links: Int32s, counts: Int64s) -> None:
    """Count the edges around each vertex, of those between vertices that links are made of."""
    n = len(counts)
    for e in range(len(links)):
        if links[e, 0] < n and links[e, 1] < n:
            counts[links[e, 0]] += 1
            counts[links[e, 1]] += 1


@entry
def list_around(links: Int32s, begins: Int64s, edges: Int32s, vertices: Int32s) -> None:
    """Write edges and other ends; `begins` says where those of each vertex begin, and is moved to where they end."""
    n = len(begins) - 1
    for e in range(len(links)):
        a, b = links[e, 0], links[e, 1]
        if a < n and b < n:
            edges[begins[a]], vertices[begins[a]] = e, b
            edges[begins[b]], vertices[begins[b]] = e, a
            begins[a] += 1
            begins[b] += 1


@entry
def list_held(begins: Int64s, vertices: Int32s, window: Int64s, numbers: Int32s, held: Int32s) -> None:
    """Write the vertices that a window holds; `numbers` (n_vertices,), -1 elsewhere, is 0 for them afterwards."""
    n = 0
    for v in range(window[0], window[1]):
        if numbers[v] < 0:
            numbers[v], held[n] = 0, v
            n += 1
        for i in range(begins[v], begins[v + 1]):
            u = vertices[i]
            if numbers[u] < 0:
                numbers[u], held[n] = 0, u
                n += 1


@entry
def count_held(begins: Int64s, held: Int32s) -> Whole:
    """Return how many edges lie around the vertices of a window, those inside twice."""
    n = np.int64(0)
    for v in held:
        n += begins[v + 1] - begins[v]
    return n


@entry
def list_inside(
    begins: Int64s, around: Int32s, vertices: Int32s, numbers: Int32s, held: Int32s, edges: Int32s
) -> Whole:
    """Number the vertices that a window holds, and write the edges between them; return how many there are."""
    for k in range(len(held)):
        numbers[held[k]] = k
    n = 0
    for v in held:
        for i in range(begins[v], begins[v + 1]):
            if vertices[i] > v and numbers[vertices[i]] >= 0:
                edges[n] = around[i]
                n += 1
    return n


@entry
def take_edges(links: Int32s, window: Int64s, numbers: Int32s, edges: Int32s, here: Int32s) -> None:
    """Write the edges of a window with their ends as they are numbered there, `BESIDE` where it does not own them."""
    for i in range(len(edges)):
        a, b = links[edges[i], 0], links[edges[i], 1]
        here[i, 0], here[i, 1] = numbers[a], numbers[b]
        here[i, 2], here[i, 3] = NONE if window[0] <= min(a, b) < window[1] else BESIDE, -1


@entry
def put_back(links: Int32s, numbers: Int32s, held: Int32s, edges: Int32s, here: Int32s) -> None:
    """Write apexes, and where rows begin, of the edges that a window owns; forget the numbers of its vertices."""
    for i in range(len(here)):
        if here[i, 2] != BESIDE:
            links[edges[i], 2] = held[here[i, 2]] if here[i, 2] >= 0 else here[i, 2]
            links[edges[i], 3] = here[i, 3]
    for v in held:
        numbers[v] = -1


@entry
def shift_rests(links: Int32s, first: Whole, last: Whole, n_rests: Whole) -> None:
    """Add to where the rows begin of the edges whose lower ends are from one vertex to below another."""
    for e in range(len(links)):
        if links[e, 3] >= 0 and first <= min(links[e, 0], links[e, 1]) < last:
            links[e, 3] += n_rests
