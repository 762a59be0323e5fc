"""Fewer triangles for the same cavity: a closed surface whose nodes are replaced by others, one at a time.

The triangles at a node v make a cone over a loop L. Where another node w is joined to v and to all of L, the cone from
w over L differs from that from v by the boundary of the tetrahedra on v, w and the edges of L; so one can stand in the
place of the other, and where w is on L, or some of its triangles are in the surface already, there are fewer of them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

Triangle = tuple[int, int, int]
FEWEST = 8  # the triangles of an octahedron: no surface of fewer bounds a cavity in a complex of all cliques


def tightened(graph: FunctionalGraph, triangles: NDArray[np.int64], epsilon: float) -> NDArray[np.int64]:
    """Return a surface of at most as many triangles that differs from one by a boundary of tetrahedra.

    Args:
        graph: The graph.
        triangles: (m, 3), int64. A closed surface: every edge is in an even number of the triangles.
        epsilon: The scale at which all that is used is there, a radius.

    Returns:
        (k, 3), int64, k ≤ m, each row and the rows rising. No replacement of a single node makes it smaller.

    Example:
        >>> from dnn_topology import FunctionalGraph
        >>> graph = FunctionalGraph.from_distances(1.0 - np.eye(4), max_epsilon=0.5)
        >>> tightened(graph, np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]), 0.5).tolist()
        []
    """
    there = graph.distances <= 2 * epsilon
    rows, cols = graph.rows[there], graph.cols[there]

    @cache
    def near(node: int) -> frozenset[int]:
        return frozenset([*cols[rows == node].tolist(), *rows[cols == node].tolist()])

    surface = {(a, b, c) for a, b, c in triangles.tolist()}
    waiting = sorted({node for triangle in surface for node in triangle})
    while waiting:
        node = waiting.pop(0)
        smaller = _without(surface, node, near)
        if smaller is not None:
            surface = smaller
            waiting = sorted({node for triangle in surface for node in triangle})
    return np.array(sorted(surface), np.int64).reshape(-1, 3)


def _without(surface: set[Triangle], node: int, near: Callable[[int], frozenset[int]]) -> set[Triangle] | None:
    """Return the smallest surface in which another node takes the place of one, or None if none is smaller."""
    star = {triangle for triangle in surface if node in triangle}
    link = [tuple(other for other in triangle if other != node) for triangle in star]
    around = {other for edge in link for other in edge}
    best = None
    for other in sorted(near(node).intersection(*({*near(each), each} for each in around))):
        cone = {_sorted(other, *edge) for edge in link if other not in edge}
        rival = surface ^ star ^ cone
        if len(rival) < len(surface if best is None else best):
            best = rival
    return best


def _sorted(a: int, b: int, c: int) -> Triangle:
    """Return a triangle with its nodes rising."""
    low, middle, high = sorted((a, b, c))
    return low, middle, high
