"""From the graph to its bars: order, matching, flow, reduction, dimension by dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dnn_topology._compiled import is_ready
from dnn_topology.homology.engines.morse.components import joining, joining_edges
from dnn_topology.homology.engines.morse.flow import go_down, set_out
from dnn_topology.homology.engines.morse.levels import Level, Levels
from dnn_topology.homology.engines.morse.numbering import count_ends
from dnn_topology.homology.engines.morse.order import Order, arrange, select, settle, sort
from dnn_topology.homology.engines.morse.pairing import go_up
from dnn_topology.homology.engines.morse.ranks import fill_matrix
from dnn_topology.homology.engines.morse.rows import find_numbers
from dnn_topology.homology.engines.morse.stretches import Stretches
from dnn_topology.homology.engines.morse.sweep import sweep_lower_links, sweep_pieces, sweep_vertices, toggle
from dnn_topology.homology.engines.morse.tasks import carry_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


# What a dimension from 1 needs compiled: its sweep; what leads from dimension to dimension, and how many of whose
# arguments are None there; and the rest.
SWEEPS: dict[int, Any] = {1: sweep_pieces, 2: sweep_vertices, 3: sweep_lower_links}
NONES = {1: 2, 2: 1, 3: 0}
OF_ORDER = (count_ends, select, settle, arrange, joining)
OTHERS = (*OF_ORDER, fill_matrix, toggle, go_up, find_numbers)


def is_compiled(max_dim: int) -> bool:
    """Return whether the machine code for a dimension, 0 to 3, is in this process or on disk."""
    if max_dim == 0:
        return all(is_ready(entry) for entry in OF_ORDER)
    flows = [(entry, NONES[dim]) for dim in range(1, max_dim + 1) for entry in (set_out, go_down)]
    return all(is_ready(*each) for each in [(SWEEPS[max_dim], 0), *flows, *((entry, 0) for entry in OTHERS)])


class Reduced(NamedTuple):
    """All that was found out of a graph.

    Attributes:
        order: Its edges.
        critical: (k, 4), int32, per dimension from 2. Critical simplices; see `Tables.triangles`.
        joins: (n_joining,), int64. The edges at which components die, rising.
        levels: One per dimension from 1.
    """

    order: Order
    critical: list[NDArray[np.int32]]
    joins: NDArray[np.int64]
    levels: list[Level]


def reduce_graph(graph: FunctionalGraph, *, max_dim: int, threads: int, cycles: bool = False) -> Reduced:
    """Compute all that the bars and their cycles can be read off.

    Args:
        graph: The graph.
        max_dim: 0 to 3, the highest dimension.
        threads: How many threads may be used.
        cycles: Whether cycles are to be lifted from what is found.

    Returns:
        Order, matching and reduced columns.
    """
    order = sort(graph, threads=threads)
    if max_dim == 0:
        edges = np.arange(graph.n_edges)
        return Reduced(order, [], edges[joining_edges(graph.n_nodes, order.links, edges)], [])
    stretches = Stretches(order, max_dim=max_dim, threads=threads)
    found = Levels(stretches, graph.n_nodes, cycles=cycles)
    carry_out(found.tasks() | stretches.tasks(), stretches.n_threads)
    critical = [stretches.critical(dim) for dim in range(2, max_dim + 2)]
    return Reduced(order, critical, found.joins, found.levels)


class Bars(NamedTuple):
    """The bars of one dimension.

    Attributes:
        points: (k, 2), float64. Birth and death in the lengths of edges; inf for a class that never dies.
        births: (k,), int64. The edge, by rank, that gives birth; -1 in H0, where vertices do.
        deaths: (k,), int64. The edge, by rank, at which a class dies, or -1.
        rows: (k,), int64. The row of the class in its level, -1 in H0.
    """

    points: NDArray[np.float64]
    births: NDArray[np.int64]
    deaths: NDArray[np.int64]
    rows: NDArray[np.int64]


def paired_bars(reduced: Reduced, n_nodes: int) -> list[Bars]:
    """Return the bars of each dimension, sorted by birth, then death; those of length zero only in H0."""

    def ends(births: NDArray[np.float64], deaths: NDArray[np.int64]) -> NDArray[np.float64]:
        dies = deaths >= 0
        points = np.column_stack([births, np.full(len(births), np.inf)])
        points[dies, 1] = reduced.order.lengths[deaths[dies]]
        return points

    deaths = np.concatenate([reduced.joins, np.full(n_nodes - len(reduced.joins), -1)])
    diagrams = [Bars(ends(np.zeros(n_nodes), deaths), np.full(n_nodes, -1), deaths, np.full(n_nodes, -1))]
    for level in reduced.levels:
        dies = level.columns.lows >= 0
        deaths = np.full(len(level.births), -1)
        deaths[level.columns.lows[dies]] = level.deaths[dies]
        points = ends(reduced.order.lengths[level.births], deaths)
        rows = np.flatnonzero(points[:, 1] > points[:, 0])
        rows = rows[np.lexsort((points[rows, 1], points[rows, 0]))]
        diagrams.append(Bars(points[rows], level.births[rows], deaths[rows], rows))
    return diagrams
