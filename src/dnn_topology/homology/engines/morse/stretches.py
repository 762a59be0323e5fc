"""Matching and flow over stretches of edges, from the last to the first, as tasks for several threads.

A sweep can begin anywhere, so threads match the links of stretches of their own. The flow leads downwards only: it goes
through a stretch as soon as that is matched and those after it are done, in each dimension for itself.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from itertools import pairwise

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s
from dnn_topology.homology.engines.morse.matching import TRIANGLES
from dnn_topology.homology.engines.morse.order import FEW, Order
from dnn_topology.homology.engines.morse.ranks import rank_table
from dnn_topology.homology.engines.morse.sweep import Room, Tables, match_links
from dnn_topology.homology.engines.morse.tasks import Task
from dnn_topology.homology.engines.morse.ways import Search, Ways
from dnn_topology.homology.engines.morse.windows import Windows

PER_THREAD = 10  # stretches: enough of them that no thread waits long for another
WORK = 1.7  # stretches are of equal length in the rank to this power; see `_cut`


class Stretches:
    """The stretches of a graph, and what was found in them so far.

    Args:
        order: The edges; their apexes are filled in.
        max_dim: 1, 2 or 3, the highest dimension whose homology is asked for.
        threads: How many threads there are.
    """

    def __init__(self, order: Order, *, max_dim: int, threads: int) -> None:
        self.order, self.max_dim, self.threads = order, max_dim, threads
        self.stretches = _cut(len(order.links), 1 if len(order.windows) else threads)
        self.n_threads = threads if len(order.links) >= FEW else 1  # that there is work for
        self.windows = Windows(order, max_dim=max_dim, n_parts=self.n_threads) if len(order.windows) else None
        self._tables: dict[int, Tables] = {}
        self._searches: dict[int, Search] = {}
        self._rooms: list[Room] = []

    def tasks(self) -> dict[Hashable, Task]:
        """Return what is to be done, the most urgent first: ("flow", dim, k) of the last k is the end of a dimension.

        The flow of the highest dimension takes longest, and one thread at a time: with several threads it goes first
        wherever it can. That of the others goes last, when links are matched and another thread is still busy with it.
        One thread leaves the highest dimension for the end, which takes less memory.
        """
        flows: list[dict[Hashable, Task]] = [
            {("flow", dim, k): self._flow(dim, k) for k in range(len(self.stretches))}
            for dim in range(1, self.max_dim + 1)
        ]
        tasks = flows.pop() if self.n_threads > 1 else {}
        tasks |= self._matching()
        for of_dim in flows if self.n_threads == 1 else flows[::-1]:
            tasks |= of_dim
        return tasks

    def end_of_flow(self, dim: int) -> Hashable:
        """Return the name of the task with which the flow of a dimension ends."""
        return "flow", dim, len(self.stretches) - 1

    def end_of_matching(self) -> frozenset[Hashable]:
        """Return the names of the tasks with which all links are matched."""
        return frozenset(("match", k) for k in range(len(self.stretches)))

    def critical(self, dim: int) -> Int32s:
        """Return the critical simplices of a dimension from 2, sorted by edge; see `Tables.triangles`."""
        return np.concatenate([tables[TRIANGLES + dim - 2] for _, tables in sorted(self._tables.items(), reverse=True)])

    def ways(self, dim: int) -> Ways:
        """Return the ways from the critical simplices of dimension dim + 1, once; each dimension after those below."""
        ways = self._searches.pop(dim).ways()
        if dim == self.max_dim:
            self._rooms.clear()
        return ways

    def _matching(self) -> dict[Hashable, Task]:
        """Return the tasks of matching and of laying out ranks: stretch by stretch, or window by window."""
        if not self.windows:
            tasks: dict[Hashable, Task] = {"ranks": Task(self._begin, frozenset([("match", 0)]))}
            return tasks | {("match", k): Task(partial(self._match, k)) for k in range(len(self.stretches))}
        windows, sorting = self.windows, frozenset(["windows"])

        def gather() -> None:
            self._tables[0] = windows.gather()

        parts: dict[Hashable, Task] = {
            ("part", k): Task(partial(windows.match, k), sorting) for k in range(windows.n_parts)
        }
        tasks = {"windows": Task(windows.list_edges), **parts, "ranks": Task(self._begin)}
        return tasks | {("match", 0): Task(gather, frozenset(parts))}

    def _begin(self) -> None:
        ranks = rank_table(self.order)
        self._searches.update({dim: Search(self.order, ranks, dim) for dim in range(1, self.max_dim + 1)})

    def _match(self, k: int) -> None:
        try:
            room = self._rooms.pop()  # one that no other thread is in
        except IndexError:
            n_edges = len(self.order.links) // self.threads
            room = Room(self.order.links, self.order.n_vertices, max_dim=self.max_dim, n_edges=n_edges)
        self._tables[k] = match_links(room, self.stretches[k])
        self._rooms.append(room)

    def _go_through(self, dim: int, k: int) -> None:
        self._searches[dim].go_through(self.stretches[k], self._tables[k])

    def _flow(self, dim: int, k: int) -> Task:
        needs: set[Hashable] = {("match", k), ("flow", dim, k - 1) if k else "ranks"}
        return Task(partial(self._go_through, dim, k), frozenset(needs))


def _cut(n_edges: int, threads: int) -> list[tuple[int, int]]:
    """Return stretches, the first edge of each and the first that is left out; those of the last edges come first.

    The work on all links up to one grows like its rank to the power 2.5, on real graphs; but most simplices on the way
    are those of the first edges, so that stretches are shorter there than such work alone would make them.
    """
    n_parts = 1 if threads == 1 or n_edges < FEW else PER_THREAD * threads
    cuts = (n_edges * np.linspace(0, 1, n_parts + 1) ** (1 / WORK)).astype(int).tolist()
    return [*pairwise(cuts)][::-1]
