"""From a column of the Morse complex to a cycle in the graph: its edges (H1) or triangles (H2).

No vertex is matched, so an edge of the Morse complex is that edge, and a cycle of edges is one in the graph. A chain of
critical triangles need not be a cycle in the graph: its boundary flows to nothing. So while there is a boundary, its
last edge f is matched, with the triangle of f and its apex; that is added, which replaces f by two edges that come
before it. The result is homologous to what any other way of flowing gives, and comes with the chain.

A reduced column has only the simplices that give birth. Every one of them, say t, is the only one in a cycle: t and
those that were added when t's own boundary was reduced to nothing. So the whole column is the sum of these cycles; in
H1 it is an edge and the path between its ends in the minimum spanning forest.
"""

from __future__ import annotations

import heapq
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.homology.engines.morse.shortest import ShortestLoops

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from dnn_topology.homology.engines.morse.persistent import Reduced


class Lifting:
    """Lifts cycles of one graph.

    Args:
        reduced: The reduced columns of the graph.
    """

    def __init__(self, reduced: Reduced) -> None:
        self.reduced, self.links = reduced, reduced.order.links

    def cycle(self, dim: int, row: int) -> NDArray[np.int64]:
        """Return a cycle of the class of a row: it comes with the class, and dies when that dies.

        Args:
            dim: 1 or 2.
            row: Row of the class in its level.

        Returns:
            (k, dim + 1), int64. Nodes of the graph: the edges or triangles of the cycle, sorted.
        """
        members = self._members(dim, row)
        return self._nodes(
            self._edges(self.reduced.levels[0].births[members]) if dim == 1 else self._triangles(members)
        )

    def shortest_loop(self, row: int, *, of_bar: bool) -> NDArray[np.int64] | None:
        """Return the shortest loop for a row of H1, of its class at birth or of its bar; see `ShortestLoops`."""
        level = self.reduced.levels[0]
        birth, column = int(level.births[row]), np.flatnonzero(level.columns.lows == row)
        if of_bar:
            loop = self._shortest.of_bar(birth, int(level.deaths[column[0]]) if len(column) else None)
        else:
            cycle = [self._ranks[edge] for edge in self._edges(level.births[self._members(1, row)])]
            loop = self._shortest.of_class(birth, cycle)
        return None if loop is None else self._nodes(self.links[loop, :2].tolist())

    def _members(self, dim: int, row: int) -> list[int]:
        """Return the rows whose cycles add up to one of the class of a row."""
        columns = self.reduced.levels[dim - 1].columns
        column = np.flatnonzero(columns.lows == row)
        if not len(column):
            return [row]
        members: list[int] = columns.rows(int(column[0])).tolist()
        return members

    def _nodes(self, simplices: Iterable[Sequence[int]]) -> NDArray[np.int64]:
        """Return simplices of the engine's vertices as nodes of the graph, (k, dim + 1), sorted."""
        nodes = np.sort(self.reduced.order.nodes[np.array([*simplices], np.int64)], axis=1)
        ordered: NDArray[np.int64] = nodes[np.lexsort(nodes.T[::-1])]
        return ordered

    @cached_property
    def _shortest(self) -> ShortestLoops:
        """The search for shortest loops."""
        return ShortestLoops(self.reduced)

    def _edges(self, births: Iterable[int]) -> set[tuple[int, int]]:
        """Return the edges of the cycles that some edges close in the minimum spanning forest, added up."""
        edges: set[tuple[int, int]] = set()
        for birth in births:
            a, b = (int(end) for end in self.links[birth, :2])
            edges ^= {(min(a, b), max(a, b))}
            while a != b:
                if self._forest[a][1] < self._forest[b][1]:
                    a, b = b, a
                above = self._forest[a][0]
                edges ^= {(min(a, above), max(a, above))}
                a = above
        return edges

    @cached_property
    def _forest(self) -> dict[int, tuple[int, int]]:
        """The minimum spanning forest: vertex → the one above it, and its depth."""
        near: dict[int, list[int]] = {}
        for a, b in self.links[self.reduced.joins, :2].tolist():
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
        forest: dict[int, tuple[int, int]] = {}
        for root in near:
            if root in forest:
                continue
            forest[root], waiting = (root, 0), [root]
            while waiting:
                a = waiting.pop()
                for b in near[a]:
                    if b not in forest:
                        forest[b] = (a, forest[a][1] + 1)
                        waiting.append(b)
        return forest

    def _triangles(self, members: Iterable[int]) -> set[tuple[int, int, int]]:
        """Return the triangles of a cycle, of which the critical ones that give birth are given by their rows."""
        chain: set[int] = set()
        born = np.flatnonzero(self.reduced.levels[1].positive)
        for row in members:
            chain ^= set(self.reduced.levels[0].columns.sums(born[row]).tolist())
        triangles: set[tuple[int, int, int]] = set()
        boundary: set[int] = set()
        waiting: list[int] = []  # ranks of edges, negative, so that the last comes first
        critical = self.reduced.critical[0]

        def add(edge: int, v: int) -> None:
            a, b = (int(end) for end in self.links[edge, :2])
            x, y, z = sorted((a, b, v))
            triangles.symmetric_difference_update({(x, y, z)})
            for side in ((x, y), (x, z), (y, z)):
                rank = self._ranks[side]
                boundary.symmetric_difference_update({rank})
                heapq.heappush(waiting, -rank)

        for k in chain:
            add(int(critical[k, 0]), int(critical[k, 1]))
        while boundary:
            last = -heapq.heappop(waiting)
            if last in boundary:
                add(last, int(self.links[last, 2]))
        return triangles

    @cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        """The rank of every edge, by its ends."""
        ends = np.sort(self.links[:, :2], axis=1).tolist()
        return {(a, b): e for e, (a, b) in enumerate(ends)}
