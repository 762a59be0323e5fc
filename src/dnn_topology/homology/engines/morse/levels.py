"""Births and deaths, dimension by dimension: which critical simplices end the classes that others have begun."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology.homology.engines.morse.components import joining_edges
from dnn_topology.homology.engines.morse.pairing import Columns, annotate
from dnn_topology.homology.engines.morse.rows import critical_codes, numbers_met
from dnn_topology.homology.engines.morse.stretches import Stretches
from dnn_topology.homology.engines.morse.tasks import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Level(NamedTuple):
    """The reduced boundaries of the critical simplices of one dimension k + 1.

    Attributes:
        births: (n_rows,), int64. The edges at which classes of dimension k are born, rising: the last edges of the
            critical k-simplices that give birth.
        deaths: (n_columns,), int64. The last edges of the columns, rising.
        positive: (n_critical,), bool. Which critical k-simplices give birth, so have a row.
        columns: The columns; the class of row `lows` dies with a column.
    """

    births: NDArray[np.int64]
    deaths: NDArray[np.int64]
    positive: NDArray[np.bool_]
    columns: Columns


class Levels:
    """The levels of a graph, as far as they are found.

    Args:
        stretches: Where matching and flow are found.
        n_nodes: Number of nodes.
        cycles: Whether cycles are to be lifted from what is found.

    Attributes:
        joins: (n_joining,), int64. The edges at which components die, rising.
        levels: One per dimension from 1.
    """

    def __init__(self, stretches: Stretches, n_nodes: int, *, cycles: bool) -> None:
        self.stretches, self.n_nodes, self.cycles = stretches, n_nodes, cycles
        self.joins, self.levels = np.empty(0, np.int64), list[Level]()
        # of the critical simplices of the dimension that is next: their last edges, which of them end a class, codes
        self._edges, self._negative, self._codes = self.joins, np.empty(0, np.bool_), self.joins

    def tasks(self) -> dict[Hashable, Task]:
        """Return what is to be done: each level when the one below and its flow are done."""
        tasks: dict[Hashable, Task] = {("level", 0): Task(self._join, self.stretches.end_of_matching())}
        for dim in range(1, self.stretches.max_dim + 1):
            needs: set[Hashable] = {("level", dim - 1), self.stretches.end_of_flow(dim)}
            tasks["level", dim] = Task(partial(self._add, dim), frozenset(needs))
        return tasks

    def _join(self) -> None:
        """Find the critical edges that join components."""
        links = self.stretches.order.links
        self._edges = np.flatnonzero(links[:, 2] < 0)
        self._negative = joining_edges(self.n_nodes, links, self._edges)
        self._codes = np.zeros(len(self._edges), np.int64)
        self.joins = self._edges[self._negative]

    def _add(self, dim: int) -> None:
        """Add the level of a dimension."""
        stretches, critical, positive = self.stretches, self.stretches.critical(dim + 1), ~self._negative
        ways = stretches.ways(dim)
        births, deaths = self._edges[positive], critical[:, 0].astype(np.int64)
        numbers = numbers_met(ways, births, self._codes[positive])
        columns = annotate(ways, deaths, numbers, track=self.cycles and dim == 1 < stretches.max_dim)
        self.levels.append(Level(births, deaths, positive, columns))
        self._edges, self._negative = deaths, columns.lows >= 0
        if dim < stretches.max_dim:
            self._codes = critical_codes(critical, dim, stretches.order.n_vertices)
