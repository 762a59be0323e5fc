"""What a computation should take, guessed before it starts, and what to change where that is too much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import psutil

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.engines.census import Census, take_census
from dnn_topology.homology.engines.cost import COSTS
from dnn_topology.settings.computing import FREE_SHARE, GIB

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.engines.planner import Plan


@dataclass(frozen=True)
class Estimate:
    """What one computation should take: a guess from a sample, to tell a second from an hour.

    Attributes:
        n_nodes: Number of nodes.
        n_edges: Number of edges.
        simplices: Number of simplices per dimension, from nodes up to those that close the highest cavities.
        memory: Bytes at the peak, beyond what is in use now.
        seconds: Time.
    """

    n_nodes: int
    n_edges: int
    simplices: tuple[float, ...]
    memory: float
    seconds: float


def estimate(graph: FunctionalGraph, plan: Plan, *, max_dim: int, census: Census | None = None) -> Estimate:
    """Say what carrying out a plan will take.

    Args:
        graph: The graph that the plan is for.
        plan: How it will be computed.
        max_dim: The highest dimension.
        census: What is known of the graph; taken here if None.

    Returns:
        The estimate.
    """
    census = _counted(census or take_census(graph), graph, plan)
    return Estimate(
        graph.n_nodes,
        graph.n_edges,
        tuple(census.n_simplices(dim) for dim in range(max_dim + 2)),
        _memory(census, plan, max_dim),
        _seconds(census, plan, max_dim),
    )


def check_memory(
    graph: FunctionalGraph, plan: Plan, *, max_dim: int, limit: float | None, census: Census | None
) -> None:
    """Refuse a computation that will not fit.

    Args:
        graph: The graph.
        plan: How it would be computed.
        max_dim: The highest dimension.
        limit: Bytes; None for 80 % of what is free.
        census: What is known of the graph; taken only where a bound from the number of edges is above the limit.

    Raises:
        DnnTopologyError: The estimate is above the limit. The message says what would fit.
    """
    if _name(plan) == "dipha":
        return  # its processes may be on other machines, whose memory is not ours to judge
    limit = FREE_SHARE * psutil.virtual_memory().available if limit is None else limit
    if _memory(_counted(census or bound(graph, max_dim), graph, plan), plan, max_dim) <= limit:
        return
    census = _counted(census or take_census(graph), graph, plan)
    needed = _memory(census, plan, max_dim)
    if needed <= limit:
        return
    raise DnnTopologyError(
        f"persistence up to H{max_dim} of {graph.n_nodes} neurons and {graph.n_edges} edges (about "
        f"{census.n_simplices(max(max_dim, 2)):.2g} simplices of dimension {max(max_dim, 2)}) would take about "
        f"{amount(needed)} and {duration(_seconds(census, plan, max_dim))}; the limit is {amount(limit)}: "
        f"{_remedies(graph, census, plan, max_dim, limit)}"
    )


def _remedies(graph: FunctionalGraph, census: Census, plan: Plan, max_dim: int, limit: float) -> str:
    """Return what would fit: one change at a time."""
    options = []
    scales = np.linspace(0, graph.max_epsilon, 21)[1:-1]
    fits = [scale for scale in scales if _memory(take_census(graph, max_epsilon=float(scale)), plan, max_dim) <= limit]
    if fits:
        options.append(f"max_epsilon {_floored(max(fits)):g}")
    dims = [dim for dim in range(max_dim) if _memory(census, plan, dim) <= limit]
    if dims:
        options.append(f"max_dim {max(dims)}")
    shares = [share for share in np.linspace(0, 1, 51)[1:-1] if _memory(census.scaled(share), plan, max_dim) <= limit]
    if shares:
        options.append(f"{int(max(shares) * graph.n_nodes)} neurons")
    fitting = f"what would fit is {' or '.join(options)}; else " if options else ""
    return f"{fitting}raise the memory limit, or take the dipha engine on several machines"


def _memory(census: Census, plan: Plan, max_dim: int) -> float:
    """Return the bytes that a plan takes."""
    return COSTS.get(_name(plan), COSTS["gudhi"]).memory(census, max_dim=max_dim, threads=plan.threads)


def _seconds(census: Census, plan: Plan, max_dim: int) -> float:
    """Return the time that a plan takes."""
    return plan.compiling + COSTS.get(_name(plan), COSTS["gudhi"]).seconds(
        census, max_dim=max_dim, threads=plan.threads
    )


def _counted(census: Census, graph: FunctionalGraph, plan: Plan) -> Census:
    """Return a census that knows among how many nodes links lie, where the engine's memory depends on that."""
    if plan.engine != "morse" or census.n_linked is not None:
        return census
    from dnn_topology.homology.engines.morse.numbering import LARGE, number_vertices, widest  # which loads Numba

    if graph.n_nodes <= LARGE:
        return census
    numbering = number_vertices(graph)
    return replace(census, n_linked=numbering.n_vertices, n_held=widest(numbering.windows) or numbering.n_vertices)


def _name(plan: Plan) -> str:
    """Return the engine of a plan without the path that it may carry."""
    return plan.engine.partition(":")[0]


def bound(graph: FunctionalGraph, max_dim: int) -> Census:
    """Return the most cliques that so many edges can make (Kruskal and Katona), without looking at the graph."""
    size = min((1 + np.sqrt(1 + 8 * graph.n_edges)) / 2, graph.n_nodes) if max_dim >= 2 else 0.0
    triangles, tetrahedra = size**3 / 6, size**4 / 24
    return Census(graph.n_nodes, graph.n_edges, triangles, tetrahedra)


def _floored(epsilon: float) -> float:
    """Return a scale rounded down to two digits, or as it is where that would be 0."""
    return np.floor(epsilon * 100) / 100 or epsilon


def amount(n_bytes: float) -> str:
    """Return bytes as text.

    Example:
        >>> amount(3 * 2**30)
        '3.0 GiB'
    """
    return f"{n_bytes / GIB:.1f} GiB" if n_bytes >= GIB else f"{n_bytes / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """Return a time as text.

    Example:
        >>> duration(90)
        '1.5 min'
    """
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1g} s" if seconds < 10 else f"{seconds:.0f} s"
