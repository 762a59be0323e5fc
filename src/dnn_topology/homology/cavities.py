"""From a graph to its cavities, each with a cycle of neurons around it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dnn_topology._calls import checked, unchecked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, check_whole
from dnn_topology.graphs.checks import check_scales
from dnn_topology.graphs.nodes import neurons_of, nodes_are
from dnn_topology.homology.cavity import Cavities, Cavity
from dnn_topology.homology.loops import loops_of
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.surfaces import FEWEST, tightened

Tight = bool | Literal["bar"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.pairs import PersistencePairs


@checked
def cavities(
    graph: FunctionalGraph,
    *,
    dim: int = 1,
    top: int | None = 20,
    min_persistence: float = 0.0,
    max_epsilon: float | None = None,
    essential: Literal["count", "drop"] = "count",
    tight: Tight = False,
    threads: int | None = None,
    memory_limit: float | None = None,
) -> Cavities:
    """Trace the cavities of a graph to their neurons, the longest-lived first.

    Each cavity comes with an exact representative: a cycle mod 2 that is born at `birth` and becomes a boundary at
    `death`, lifted from the column of the boundary matrix that our own engine reduced. One that is alive at the end
    has a cycle that is alive there.

    Args:
        graph: The functional graph. Its nodes may be groups of neurons or centroids, and are named as such.
        dim: Dimension of the cavities: 1 for loops, 2 for voids.
        top: How many of the longest-lived; None for all.
        min_persistence: Only cavities that live longer than this, in ε.
        max_epsilon: Look no further than this scale; None for that of the graph.
        essential: Cavities alive at the end: "count" those that have lived long enough until there, or "drop" them.
        tight: Whether to shorten each cycle. True: without leaving its class at birth; of H1 to the shortest closed way
            through the edge of birth. "bar": of H1 to the shortest such way that is born at `birth` and becomes a
            boundary at `death`, whatever class at birth it has; it is often much shorter, as older cavities that die
            before need not be gone around. Either keeps the cycle where the search is given up, or where it consists
            of several loops that are shorter in all. Of H2 both replace nodes one at a time as long as that saves
            triangles. `Cavity.tight` says what is known of the result.
        threads: Threads to use; None for one per core.
        memory_limit: What it may take, in GiB; None for 80 % of what is free.

    Returns:
        The cavities, sorted by life, then birth.

    Raises:
        DnnTopologyError: `dim` is neither 1 nor 2, an argument is out of range, or as for `persistence`.

    Source:
        Representatives from reduced columns: Edelsbrunner and Harer, Computational topology, 2010, chapter VII.

    Example:
        Six neurons in a ring, of which only neighbours are strongly correlated:

        >>> from dnn_topology import FunctionalGraph
        >>> apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
        >>> ring = np.minimum(apart, 6 - apart) * 0.2
        >>> ring_cavities = cavities(FunctionalGraph.from_distances(ring, max_epsilon=0.3))
        >>> sorted(ring_cavities[0].loops[0]), round(ring_cavities[0].birth, 3), round(ring_cavities[0].death, 3)
        ([0, 1, 2, 3, 4, 5], 0.1, 0.2)
        >>> ring_cavities.to_frame()[["cavity", "nodes", "where"]].values.tolist()
        [[0, 6, '?']]
    """
    if dim not in {1, 2}:
        raise DnnTopologyError(
            f"dim must be 1 (loops) or 2 (voids), found {dim}: cycles of other dimensions are not traced"
        )
    if top is not None:
        check_whole("top", top, 1)
    check_at_least("min_persistence", min_persistence, 0)
    check_choice("essential", essential, ("count", "drop"))
    graph = graph if max_epsilon is None else _up_to(graph, max_epsilon)
    pairs = persistence(graph, max_dim=dim, threads=threads, memory_limit=memory_limit, pairs=True)
    counted = _longest(pairs.diagrams[dim], graph.max_epsilon, min_persistence, drop=essential == "drop")
    traced = [_traced(graph, pairs, dim, int(point), number, tight=tight) for number, point in enumerate(counted[:top])]
    return Cavities(tuple(traced), dim, graph.max_epsilon, len(counted), nodes_are(graph))


def _up_to(graph: FunctionalGraph, max_epsilon: float) -> FunctionalGraph:
    """Return the graph that ends at a smaller scale.

    Raises:
        DnnTopologyError: The graph has no edges there.
    """
    check_scales(max_epsilon, graph.max_epsilon)
    near = graph.distances <= 2 * max_epsilon
    return replace(
        graph,
        rows=graph.rows[near],
        cols=graph.cols[near],
        distances=graph.distances[near],
        max_epsilon=float(max_epsilon),
    )


def _longest(points: NDArray[np.float64], end: float, least: float, *, drop: bool) -> NDArray[np.intp]:
    """Return the points that live longer than `least`, the longest-lived first."""
    births, deaths = points.T
    lives = np.minimum(deaths, end) - births
    counts = (lives > least) | ((least == 0) & np.isinf(deaths))  # one born at the very end is there
    if drop:
        counts &= np.isfinite(deaths)
    chosen = np.flatnonzero(counts)
    order: NDArray[np.intp] = chosen[np.lexsort((chosen, births[chosen], -lives[chosen]))]
    return order


def _traced(
    graph: FunctionalGraph, pairs: PersistencePairs, dim: int, point: int, number: int, *, tight: Tight
) -> Cavity:
    """Return the cavity of a point."""
    birth, death = pairs.diagrams[dim][point].tolist()
    cycle = given = pairs.cycle(dim, point)
    is_tight = None
    if tight:
        cycle, is_tight = _shortened(graph, pairs, dim, point, of_bar=tight == "bar")
    first = _edge(pairs.births[dim][point])
    loops = loops_of(cycle.tolist(), first) if dim == 1 else ()
    nodes = dict.fromkeys(node for loop in loops for node in loop) if dim == 1 else np.unique(cycle).tolist()
    last = None if np.isinf(death) else _edge(pairs.deaths[dim][point])
    return unchecked(
        Cavity,
        number=number,
        dim=dim,
        birth=birth,
        death=death,
        max_epsilon=graph.max_epsilon,
        point=point,
        neurons=neurons_of(graph, nodes),
        loops=loops,
        simplices=cycle,
        birth_edge=first,
        death_edge=last,
        tight=is_tight,
        n_untightened=len(given),
    )


def _shortened(
    graph: FunctionalGraph, pairs: PersistencePairs, dim: int, point: int, *, of_bar: bool
) -> tuple[NDArray[np.int64], bool]:
    """Return a cycle with at most as many simplices, and whether fewer are impossible."""
    cycle = pairs.cycle(dim, point)
    if dim == 2:
        cycle = tightened(graph, cycle, float(pairs.diagrams[2][point, 0]))
        return cycle, len(cycle) == FEWEST
    loop = pairs.shortest_loop(point, of_bar=of_bar)
    if loop is None or len(loop) > len(cycle):
        return cycle, False
    return loop, True


def _edge(ends: NDArray[np.int64]) -> tuple[int, int]:
    """Return an edge with its nodes rising."""
    low, high = sorted(ends.tolist())
    return low, high
