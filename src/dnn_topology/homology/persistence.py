"""Persistent homology of the Vietoris–Rips filtration of a functional graph: the only door to the engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_max_dim, shown
from dnn_topology._version import __version__
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.engines import AUTO
from dnn_topology.homology.engines.answer import check_answer
from dnn_topology.homology.engines.estimate import check_memory
from dnn_topology.homology.engines.forewarning import forewarn
from dnn_topology.homology.engines.morse import Morse, check_dimension
from dnn_topology.homology.engines.planner import Plan, carry_out, prepare
from dnn_topology.homology.pairs import PersistencePairs
from dnn_topology.progress import showing
from dnn_topology.settings.computing import GIB

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


@overload
def persistence(
    graph: FunctionalGraph,
    *,
    max_dim: int = 2,
    engine: str = AUTO,
    threads: int | None = None,
    memory_limit: float | None = None,
    pairs: Literal[False] = False,
    progress: bool = True,
) -> Diagrams: ...


@overload
def persistence(
    graph: FunctionalGraph,
    *,
    max_dim: int = 2,
    engine: str = AUTO,
    threads: int | None = None,
    memory_limit: float | None = None,
    pairs: Literal[True],
    progress: bool = True,
) -> PersistencePairs: ...


@checked
def persistence(
    graph: FunctionalGraph,
    *,
    max_dim: int = 2,
    engine: str = AUTO,
    threads: int | None = None,
    memory_limit: float | None = None,
    pairs: bool = False,
    progress: bool = True,
) -> Diagrams | PersistencePairs:
    """Compute when every cavity of the growing functional graph is born and when it dies.

    Args:
        graph: The functional graph; its distances are diameters.
        max_dim: The highest Betti number: 2 gives H0, H1 and H2. (DIPHA's `upper_dim` is this plus one.)
        engine: "auto" to take the fastest way for this graph, or the name of an engine (`dnn-topology engines` lists
            them); the diagrams do not depend on it.
        threads: Threads (of DIPHA: processes) to use; None for one per core.
        memory_limit: What it may take, in GiB; None for 80 % of what is free.
        pairs: Whether to say also at which edges classes are born and die, and of which edges or triangles they are
            made; only our own engine, "morse", knows.
        progress: Whether to show, in a terminal or a notebook, how far it is once it has taken two seconds.

    Returns:
        Exact diagrams with coefficients mod 2, births and deaths in ε = d / 2; `provenance["plan"]` says how they
        were computed. With `pairs`, these diagrams within `PersistencePairs`.

    Raises:
        DnnTopologyError: `max_dim` is negative, the engine is unknown, not installed, cannot do this graph or returned
            what cannot be right, the graph has no node, the estimated memory is above the limit, or `pairs` are
            wanted of another engine or above H3.

    Warns:
        LongComputationWarning: It will take more than a minute, with a guess of how long and what would be faster.

    Example:
        Four points on a circle make one loop, born when the sides close and filled by the diagonals:

        >>> from dnn_topology.graphs.graph import FunctionalGraph
        >>> square = [[0, 0.2, 0.4, 0.2], [0.2, 0, 0.2, 0.4], [0.4, 0.2, 0, 0.2], [0.2, 0.4, 0.2, 0]]
        >>> persistence(FunctionalGraph.from_distances(square, max_epsilon=0.3), max_dim=1)[1]
        array([[0.1, 0.2]])
    """
    check_max_dim(max_dim)
    if graph.n_nodes < 1:
        raise DnnTopologyError("the graph has no nodes: there is nothing to compute")
    if memory_limit is not None and memory_limit <= 0:
        raise DnnTopologyError(f"memory_limit must be positive, found {memory_limit}")
    limit = memory_limit and float(memory_limit) * GIB
    with showing(f"persistence of {graph.n_nodes} nodes, {graph.n_edges} edges", enabled=progress):
        if pairs:
            return _paired(graph, max_dim, engine, threads, limit)
        return _plain(graph, max_dim, engine, threads, limit)


def _plain(graph: FunctionalGraph, max_dim: int, engine: str, threads: int | None, limit: float | None) -> Diagrams:
    """Compute diagrams by the fastest way, or by the engine that is asked for."""
    lean, plan, census = prepare(graph, max_dim=max_dim, engine=engine, threads=threads)
    check_memory(lean, plan, max_dim=max_dim, limit=limit, census=census)
    forewarn(lean, plan, max_dim=max_dim, census=census)
    answer = carry_out(plan, lean, max_dim=max_dim)
    check_answer(answer, lean, max_dim=max_dim, engine=plan.engine)
    return _diagrams(answer, graph, plan)


def _paired(
    graph: FunctionalGraph, max_dim: int, engine: str, threads: int | None, limit: float | None
) -> PersistencePairs:
    """Compute diagrams with the edges at which classes are born and die.

    Raises:
        DnnTopologyError: The engine is another than our own, or the dimension above its highest.
    """
    if engine not in {AUTO, "morse"}:
        raise DnnTopologyError(
            f"pairs need engine='morse', found {shown(engine)}: the others do not say which edges they pair"
        )
    check_dimension(max_dim)
    _, plan, _ = prepare(graph, max_dim=max_dim, engine="morse", threads=threads)
    check_memory(graph, plan, max_dim=max_dim, limit=limit, census=None)
    forewarn(graph, plan, max_dim=max_dim)
    reduced, bars = Morse().pairs(graph, max_dim=max_dim, threads=plan.threads)
    answer = [of_dim.points for of_dim in bars]
    check_answer(answer, graph, max_dim=max_dim, engine="morse")
    from dnn_topology.homology.engines.morse.lifting import Lifting

    ends = np.stack([graph.rows, graph.cols], axis=1).astype(np.int64)[reduced.order.edges]
    ends = np.concatenate([ends, [[-1, -1]]])  # of the edge -1
    return PersistencePairs(
        _diagrams(answer, graph, plan),
        tuple(ends[of_dim.births] for of_dim in bars),
        tuple(ends[of_dim.deaths] for of_dim in bars),
        Lifting(reduced),
        tuple(of_dim.rows for of_dim in bars),
    )


def _diagrams(answer: list[NDArray[np.float64]], graph: FunctionalGraph, plan: Plan) -> Diagrams:
    """Return diagrams in ε of an engine's answer."""
    points = [bars / 2 for bars in answer]
    points[0] = _one_bar_per_node(points[0], graph.n_nodes)
    return Diagrams(
        points,
        graph.max_epsilon,
        graph.n_nodes,
        _density_table(graph, points),
        {
            "engine": plan.engine,
            "engine_version": plan.version,
            "plan": str(plan),
            "dnn_topology_version": __version__,
            "n_edges": graph.n_edges,
            "n_constant": graph.n_constant,
        },
    )


def _one_bar_per_node(h0: NDArray[np.float64], n_nodes: int) -> NDArray[np.float64]:
    """Add the bars of length zero, one for every duplicate neuron, that engines leave out of H0."""
    return np.concatenate([np.zeros((n_nodes - len(h0), 2)), h0])


def _density_table(graph: FunctionalGraph, points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return (m, 2) rows (ε, share of pairs joined at ε) at 0, every birth and death, and max_epsilon."""
    scales = np.concatenate([[0.0, graph.max_epsilon], *(p.ravel() for p in points)])
    epsilon = np.unique(scales[np.isfinite(scales)])
    return np.column_stack([epsilon, graph.density(epsilon)])
