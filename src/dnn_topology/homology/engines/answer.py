"""What is cheap to check of an engine's answer: a wrong one is an error, never a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

EDGES_PER_NODE = 4  # that are looked at first for the components


def check_answer(answer: Sequence[NDArray[np.float64]], graph: FunctionalGraph, *, max_dim: int, engine: str) -> None:
    """Hold an answer against what is known of the graph.

    Args:
        answer: What `Engine.compute` returned.
        graph: The graph that it is of.
        max_dim: The highest dimension.
        engine: Name of the engine, for the message.

    Raises:
        DnnTopologyError: The dimensions are not all there, a component is missing or one too many, or a bar ends before
            it begins, lies outside the filtration or is not a number.
    """
    if len(answer) != max_dim + 1:
        _refuse(engine, f"{len(answer)} dimensions, expected {max_dim + 1}")
    n_components = _n_components(graph)
    n_alive = int(np.count_nonzero(np.isinf(answer[0][:, 1])))
    if n_alive != n_components:
        _refuse(engine, f"{n_alive} components that never die, expected {n_components}")
    if len(answer[0]) > graph.n_nodes:
        _refuse(engine, f"{len(answer[0])} bars in H0, more than the {graph.n_nodes} nodes")
    longest = float(graph.distances.max(initial=0.0))
    for dim, (births, deaths) in enumerate(points.T for points in answer):
        is_right = (births >= 0) & (births <= longest) & (births <= deaths) & ((deaths <= longest) | np.isinf(deaths))
        if not is_right.all():
            k = int(np.argmin(is_right))
            _refuse(engine, f"a bar ({births[k]:g}, {deaths[k]:g}) in H{dim}, edges are up to {longest:g} long")


def _n_components(graph: FunctionalGraph) -> int:
    """Return the number of components of the whole graph.

    Some edges first, a few per node, then of those that lead from one component of these to another, and so on: mostly
    all but a few are looked at once.
    """
    n, rows, cols = graph.n_nodes, graph.rows, graph.cols
    while len(rows):
        some = slice(None, None, 1 + len(rows) // (EDGES_PER_NODE * n))
        few = coo_array((np.ones(len(rows[some]), bool), (rows[some], cols[some])), shape=(n, n))
        n, component = connected_components(few, directed=False)
        rows, cols = component[rows], component[cols]
        is_between = rows != cols
        rows, cols = rows[is_between], cols[is_between]
    return int(n)


def _refuse(engine: str, answer: str) -> NoReturn:
    """Refuse an answer that cannot be right.

    Raises:
        DnnTopologyError: Always.
    """
    raise DnnTopologyError(f"engine {engine!r} returned {answer}: take another engine, and report this graph")
