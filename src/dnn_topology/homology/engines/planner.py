"""engine="auto": our own engine, or GUDHI where that cannot or is not worth compiling.

Every step keeps the persistence exactly. What was measured is in docs/engines.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology.homology.engines import AUTO, get_engine, get_installed
from dnn_topology.homology.engines.census import Census, take_census
from dnn_topology.homology.engines.cost import COSTS
from dnn_topology.homology.engines.morse import COMPILING, HIGHEST, Morse
from dnn_topology.homology.engines.simplify import merged
from dnn_topology.settings.computing import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

MANY_DUPLICATES = 0.3  # edges of length 0 per node, from which merging saves more than it costs
FEW = 2_000  # edges, up to which GUDHI takes no time worth estimating
_missed = [0.0]  # seconds that this process has lost by not compiling our own engine


@dataclass(frozen=True)
class Plan:
    """How one graph is computed.

    Attributes:
        engine: Name of the engine.
        version: The version of what it runs.
        threads: How many threads or processes it may use.
        n_merged: Number of duplicates that were left out.
        compiling: Seconds that compiling the engine takes before, 0 where that is done.
        missed: Seconds that are lost because our own engine is not compiled.
        reasons: Why, in words.
    """

    engine: str
    version: str
    threads: int
    n_merged: int = 0
    compiling: float = 0.0
    missed: float = 0.0
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine} {self.version}, threads {self.threads}: {'; '.join(self.reasons)}"


class Prepared(NamedTuple):
    """A graph ready to be computed.

    Attributes:
        graph: The graph, its duplicates merged if that was planned.
        plan: How to compute it.
        census: What is known of it, or None where there was no need to look.
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
    n_merged = graph.n_nodes - lean.n_nodes
    plan, census = _choice(lean, max_dim, threads)
    if n_merged:
        plan = replace(plan, n_merged=n_merged, reasons=(f"{n_merged} duplicate neurons merged", *plan.reasons))
    return Prepared(lean, plan, census)


def carry_out(plan: Plan, graph: FunctionalGraph, *, max_dim: int) -> list[NDArray[np.float64]]:
    """Compute as planned; see `Engine.compute` for what is returned."""
    _missed[0] += plan.missed
    return get_engine(plan.engine).compute(graph, max_dim=max_dim, threads=plan.threads)


def _choice(graph: FunctionalGraph, max_dim: int, threads: int) -> tuple[Plan, Census | None]:
    """Return a plan, and what is known of the graph where there was need to look."""

    def plan(engine: str, reason: str, *, compiling: float = 0.0, missed: float = 0.0) -> Plan:
        version = str(get_engine(engine).version())
        return Plan(engine, version, threads, compiling=compiling, missed=missed, reasons=(reason,))

    if max_dim > HIGHEST:
        return plan("gudhi", f"H{max_dim} is above H{HIGHEST}"), None
    if Morse().version() is None:
        return plan("gudhi", "numba is not installed"), None
    if Morse().is_compiled(max_dim):
        return plan("morse", "compiled"), None
    if graph.n_edges <= FEW:
        return plan("gudhi", f"{graph.n_edges} edges are few, and 'morse' is not compiled yet"), None
    census, compiling = take_census(graph), COMPILING[max_dim]
    ours, other = (COSTS[name].seconds(census, max_dim=max_dim, threads=threads) for name in ("morse", "gudhi"))
    reason = f"about {other:.2g} s, {ours:.2g} s with 'morse', which compiles for {compiling:.0f} s, once"
    if ours + compiling < other + _missed[0]:  # many small graphs make a large one
        return plan("morse", reason, compiling=compiling), census
    return plan("gudhi", reason, missed=max(other - ours, 0.0)), census
