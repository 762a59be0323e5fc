"""To which class of loops a loop belongs, at any scale: every edge carries bits, and a loop's bits add up to its class.

An edge that gives birth to a class has a bit of its own; one of the minimum spanning forest has none; any other is
matched with the triangle of its apex, whose other two sides come before it, and carries the sum of theirs. When a class
dies, its bit becomes the sum of those that its reduced column holds. So loops that a boundary tells apart carry the
same bits, and others do not: this is a basis of the first cohomology, written on the edges.

Source: Busaryev, Cabello, Chen, Dey and Wang, Annotating simplices with a homology basis and its applications, SWAT
2012; here the annotation is read off the matching.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.homology.engines.morse.persistent import Reduced


class Annotation:
    """The classes of loops of one graph, as bits on its edges, which are named by their ranks.

    Args:
        reduced: The reduced columns of the graph, of dimension 1 at least.
    """

    def __init__(self, reduced: Reduced) -> None:
        self._links, self._lengths, self._level = reduced.order.links, reduced.order.lengths, reduced.levels[0]

    def n_edges(self, edge: int) -> int:
        """Return how many edges are as short as one: those of its length included."""
        return int(np.searchsorted(self._lengths, self._lengths[edge], side="right"))

    def at(self, n_edges: int) -> list[int]:
        """Return the bits of the first edges, a bit for each class that is alive when they are there.

        Args:
            n_edges: How many edges are there, all of one length or none.

        Returns:
            The bits of each, as a whole number; those of a loop's edges, added up mod 2, are 0 if and only if it is
            the boundary of triangles of these edges.
        """
        bits = [0] * n_edges
        for row, birth in zip(self._classes(n_edges), self._level.births.tolist(), strict=False):
            bits[birth] = row
        matched, one, other = self._sides
        n_matched = int(np.searchsorted(matched, n_edges))
        for edge, a, b in zip(
            matched[:n_matched].tolist(), one[:n_matched].tolist(), other[:n_matched].tolist(), strict=True
        ):
            bits[edge] = bits[a] ^ bits[b]
        return bits

    def _classes(self, n_edges: int) -> list[int]:
        """Return the bits of the classes that are born by then, row by row."""
        columns, n_born = self._level.columns, int(np.searchsorted(self._level.births, n_edges))
        ended = np.flatnonzero((columns.lows >= 0) & (self._level.deaths < n_edges))
        column_of = dict(zip(columns.lows[ended].tolist(), ended.tolist(), strict=True))
        classes: list[int] = []
        n_alive = 0
        for row in range(n_born):
            if row not in column_of:
                classes.append(1 << n_alive)
                n_alive += 1
                continue
            total = 0
            for other in columns.rows(column_of[row]).tolist():
                if other != row:
                    total ^= classes[other]
            classes.append(total)
        return classes

    @cached_property
    def _sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The matched edges, rising, and of each the ranks of the other two sides of its triangle."""
        ends = np.sort(self._links[:, :2].astype(np.int64), axis=1)
        n = int(ends.max(initial=0)) + 1
        codes = ends[:, 0] * n + ends[:, 1]
        by_code = np.argsort(codes)
        matched = np.flatnonzero(self._links[:, 2] >= 0)
        apex = self._links[matched, 2].astype(np.int64)

        def ranks(end: NDArray[np.int64]) -> NDArray[np.int64]:
            wanted = np.minimum(end, apex) * n + np.maximum(end, apex)
            ranks: NDArray[np.int64] = by_code[np.searchsorted(codes, wanted, sorter=by_code)]
            return ranks

        return matched, ranks(ends[matched, 0]), ranks(ends[matched, 1])
