"""engine="auto": how a graph is computed, decided from its size, its density and a sample of its cliques.

Every step keeps the persistence exactly: duplicates are merged, edges collapsed, nodes renumbered, and one of the
installed permissive engines computes. What was measured, and when which step wins, is in docs/engines.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dnn_topology.homology.engines import AUTO, Engine, get_engine, get_installed
from dnn_topology.homology.engines.census import Census, take_census
from dnn_topology.homology.engines.cost import COSTS, after_collapse, collapse_seconds
from dnn_topology.homology.engines.gudhi import Gudhi, collapsed
from dnn_topology.homology.engines.simplify import merged, relabelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

Order = Literal["ascending", "descending"]
ORDERS: dict[str, Order] = {"gudhi": "ascending", "holos": "ascending", "redzed": "descending"}  # the engines of a plan
SMALL = 5_000  # edges; up to here anything takes milliseconds and looking closer would take longer
SPARSE = 0.03  # share of joined pairs, below which a collapse pays from H2 on, without looking closer
DENSE = 0.03  # share of joined pairs, from which going over all pairs beats lists in H1
MANY = 1_000_000  # edges, from which a census takes no time to speak of
FEW = 20_000  # edges, up to which what a collapse leaves is too little for threads
MOST_DENSE_NODES = 20_000  # a dense matrix of more nodes takes gigabytes
MANY_DUPLICATES = 0.02  # edges of length 0 per node, from which merging saves more than it costs
WORTHWHILE = 0.9  # a collapse must promise to save a tenth


@dataclass(frozen=True)
class Plan:
    """How one graph is computed.

    Attributes:
        engine: Name of the engine.
        version: The version of what it runs.
        threads: How many threads or processes it may use.
        order: By which degree nodes are numbered; None leaves them.
        collapses: How many edge collapses precede; None leaves it to the engine.
        n_merged: Number of duplicates that were left out.
        reasons: Why, in words.
    """

    engine: str
    version: str
    threads: int
    order: Order | None = None
    collapses: int | None = None
    n_merged: int = 0
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine} {self.version}, threads {self.threads}: {'; '.join(self.reasons)}"


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Prepared(NamedTuple):
    """A graph ready to be computed.

    Attributes:
        graph: The graph, its duplicates merged if that was planned.
        plan: How to compute it.
        census: What is known of it, or None where it was too small to look.
    """

    graph: FunctionalGraph
    plan: Plan
    census: Census | None


def prepare(graph: FunctionalGraph, *, max_dim: int, engine: str = AUTO, threads: int | None = None) -> Prepared:
    """Decide how to compute a graph.

    Args:
        graph: The graph.
        max_dim: The highest dimension.
        engine: "auto" to decide, or the name of an engine, which is then used just as it is.
        threads: How many threads there are to use; None for one per core.

    Returns:
        The graph to compute, the plan, and what was counted on the way.

    Raises:
        DnnTopologyError: There is no such engine, or it is not installed.
    """
    threads = threads or cores()
    if engine != AUTO:
        version = str(get_installed(engine).version())
        return Prepared(graph, Plan(engine, version, threads, reasons=("asked for by name",)), None)
    n_zeros = int(np.count_nonzero(graph.distances == 0))
    lean = merged(graph) if max_dim >= 2 and n_zeros >= MANY_DUPLICATES * graph.n_nodes else graph
    census = take_census(lean) if max_dim >= 2 and not _is_cheap(lean) else None
    usable = [name for name in ORDERS if get_engine(name).version()]
    return Prepared(
        lean, make_plan(lean, census, usable, max_dim=max_dim, threads=threads, whole=graph.n_nodes), census
    )


def make_plan(
    graph: FunctionalGraph, census: Census | None, usable: Sequence[str], *, max_dim: int, threads: int, whole: int
) -> Plan:
    """Choose among engines.

    Args:
        graph: The graph, its duplicates merged.
        census: What is known of it; None where it is small or only H0 and H1 are wanted.
        usable: Names of the engines to choose from, "gudhi" among them.
        max_dim: The highest dimension.
        threads: How many threads there are to use.
        whole: Number of nodes before duplicates were merged.

    Returns:
        The plan.
    """
    n_merged = whole - graph.n_nodes
    reasons = [f"{n_merged} duplicate neurons merged"] if n_merged else []
    density = graph.n_edges / max(graph.n_pairs, 1)
    dense = "redzed" in usable and density >= DENSE and graph.n_nodes <= MOST_DENSE_NODES
    collapses = 0
    if census is not None:
        candidates = [name for name in usable if name != "redzed" or dense]
        name, direct = _fastest(candidates, census, max_dim, threads)
        after, collapsed_time = _fastest(candidates, after_collapse(census), max_dim, threads)
        collapsed_time += collapse_seconds(census)
        reasons.append(
            f"about {census.n_triangles:.2g} triangles, {census.dominated:.0%} of the edges dominated: "
            f"{direct:.2g} s as it is, {collapsed_time:.2g} s after an edge collapse"
        )
        if collapsed_time < WORTHWHILE * direct:
            name, collapses = after, 1 if max_dim == 2 else 2
    elif max_dim < 2:
        name = "redzed" if dense and graph.n_edges > SMALL else "gudhi"
        reasons.append(f"{density:.1%} of the pairs joined: {'a dense matrix' if name == 'redzed' else 'lists'} for H1")
    else:
        name = "holos" if "holos" in usable and graph.n_edges > FEW else "gudhi"
        # from H2 on a collapse pays, unless there is next to nothing to collapse
        collapses = 0 if max_dim == 2 and graph.n_edges <= SMALL and density < SPARSE else min(max_dim - 1, 2)
        reasons.append(f"{graph.n_edges} edges, {density:.1%} of the pairs joined, are few")
    order = ORDERS[name] if max_dim >= 2 or name == "gudhi" else None
    if order:
        reasons.append(f"{order} degrees suit {name}")
    return Plan(name, str(get_engine(name).version()), threads, order, collapses, n_merged, tuple(reasons))


def carry_out(plan: Plan, graph: FunctionalGraph, *, max_dim: int) -> list[NDArray[np.float64]]:
    """Compute as planned; see `Engine.compute` for what is returned."""
    engine: Engine = get_engine(plan.engine)
    if plan.collapses is not None:
        if plan.collapses:
            graph = collapsed(graph, times=plan.collapses)
        if isinstance(engine, Gudhi):
            engine = Gudhi(collapses=0)
    if plan.order:
        graph = relabelled(graph, ascending=plan.order == "ascending")
    return engine.compute(graph, max_dim=max_dim, threads=plan.threads)


def _is_cheap(graph: FunctionalGraph) -> bool:
    """Return whether a census would take longer than it can save."""
    sparse = graph.n_edges < min(SPARSE * graph.n_pairs, MANY)
    return sparse or graph.n_edges <= SMALL


def _fastest(names: Sequence[str], census: Census, max_dim: int, threads: int) -> tuple[str, float]:
    """Return the engine that should be fastest, and its time in seconds."""
    times = {name: COSTS[name].seconds(census, max_dim=max_dim, threads=threads) for name in names}
    name = min(times, key=times.__getitem__)
    return name, times[name]
