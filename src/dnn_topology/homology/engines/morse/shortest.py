"""The shortest loop of a class: through the edge that gives birth to it, by a search from both ends of that edge."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.homology.engines.morse.annotation import Annotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnn_topology.homology.engines.morse.persistent import Reduced


State = tuple[int, int]  # a vertex, and the bits of the way to it
Steps = dict[State, tuple[State, int] | None]  # state → the one before it and the edge between them
MOST_STEPS = 3_000_000  # of one search, a few seconds


class ShortestLoops:
    """Finds shortest loops in the classes of one graph.

    Args:
        reduced: The reduced columns of the graph, of dimension 1 at least.
    """

    def __init__(self, reduced: Reduced) -> None:
        self._links, self._annotation, self._n_nodes = (
            reduced.order.links,
            Annotation(reduced),
            len(reduced.order.nodes),
        )

    def of_class(self, birth: int, edges: Iterable[int]) -> list[int] | None:
        """Return the shortest loop through an edge that is in the class of a given cycle when that edge comes.

        Args:
            birth: Rank of the edge.
            edges: Ranks of the edges of a cycle through it; none is longer than it.

        Returns:
            The edges of the loop, mod 2, sorted; None where the search had to be given up.
        """
        n_edges = self._annotation.n_edges(birth)
        bits = self._annotation.at(n_edges)
        wanted = bits[birth]
        for edge in edges:
            wanted ^= bits[edge]
        return self._search(birth, n_edges, bits, wanted)

    def of_bar(self, birth: int, death: int | None) -> list[int] | None:
        """Return the shortest loop through an edge and others before it that is a boundary when its class dies.

        Args:
            birth: Rank of the edge, which gives birth to a class.
            death: Rank of the edge at which that class dies; None if it never does, when any loop will do.

        Returns:
            The edges of the loop, mod 2, sorted; None where the search had to be given up.
        """
        bits = [0] * birth if death is None else self._annotation.at(self._annotation.n_edges(death))
        return self._search(birth, birth, bits, 0 if death is None else bits[birth])

    def _search(self, birth: int, n_edges: int, bits: list[int], wanted: int) -> list[int] | None:
        """Return the shortest loop of an edge and a way between its ends along the first edges, with these bits.

        A way is followed as a vertex and the bits of its edges, level by level from both ends, so that where two of
        them meet with the right sum, no shorter one does.
        """
        ends = [int(end) for end in self._links[birth, :2]]
        steps: list[Steps] = [{(end, 0): None} for end in ends]
        fronts = [list(side) for side in steps]
        left = MOST_STEPS
        while fronts[0] and fronts[1]:
            side = int(len(fronts[1]) < len(fronts[0]))
            mine, theirs, front = steps[side], steps[1 - side], []
            for state in fronts[side]:
                vertex, carried = state
                near, ranks = self._near[vertex]
                n_near = bisect_left(ranks, n_edges)
                left -= n_near
                if left < 0:
                    return None
                for place in range(n_near):
                    edge = ranks[place]
                    if edge == birth:
                        continue
                    reached = (near[place], carried ^ bits[edge])
                    if reached in mine:
                        continue
                    mine[reached] = (state, edge)
                    met = (reached[0], reached[1] ^ wanted)
                    if met in theirs:
                        return _added([birth], _way(mine, reached), _way(theirs, met))
                    front.append(reached)
            fronts[side] = front
        return None

    @cached_property
    def _near(self) -> list[tuple[list[int], list[int]]]:
        """Of each vertex its neighbours and the ranks of the edges to them, by these ranks, rising."""
        ends = self._links[:, :2]
        tails, heads = ends.ravel(), ends[:, ::-1].ravel()
        ranks = np.repeat(np.arange(len(ends)), 2)
        order = np.lexsort((ranks, tails))
        begins = np.searchsorted(tails[order], np.arange(self._n_nodes + 1))
        heads, ranks = heads[order], ranks[order]
        parts = zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True)
        return [(heads[begin:end].tolist(), ranks[begin:end].tolist()) for begin, end in parts]


def _way(steps: Steps, state: State) -> list[int]:
    """Return the edges of the way to a state."""
    edges = []
    while (step := steps[state]) is not None:
        state, edge = step
        edges.append(edge)
    return edges


def _added(*ways: list[int]) -> list[int]:
    """Return the edges that are in an odd number of ways' places."""
    total: set[int] = set()
    for way in ways:
        for edge in way:
            total ^= {edge}
    return sorted(total)
