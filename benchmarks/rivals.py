"""What is measured: `auto`, our engine on one thread, other engines alone, and tda, which is no engine of ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.engines import ENGINES, get_engine
from dnn_topology.homology.engines.ranks import Ranks
from dnn_topology.homology.persistence import persistence

Rival = Callable[[FunctionalGraph, int], Diagrams]


def rivals() -> dict[str, str]:
    """Return name → version of all that can be measured here, `auto` first."""
    found = {"auto": "", "morse, 1 thread": ""}
    for name in ENGINES:
        installed = get_engine(name).version()
        if installed and name not in {"morse", "dipha"}:
            found[name] = installed
    with suppress(PackageNotFoundError):
        found["tda"] = version("tda")
    return found


def rival(name: str) -> Rival:
    """Return what computes a graph up to a dimension, as its library does by default; tda in its best order."""
    if name == "auto":
        return lambda graph, max_dim: persistence(graph, max_dim=max_dim)
    if name == "morse, 1 thread":
        return lambda graph, max_dim: persistence(graph, max_dim=max_dim, engine="morse", threads=1)
    if name == "tda":
        return _tda
    return lambda graph, max_dim: persistence(graph, max_dim=max_dim, engine=name, threads=1, memory_limit=1000)


def _tda(graph: FunctionalGraph, max_dim: int) -> Diagrams:
    """Compute with tda: dense, float32, so that it is given ranks; nodes by descending mean distance."""
    from tda import persistent_homology

    ranks = Ranks(graph)
    matrix = np.full((graph.n_nodes, graph.n_nodes), len(ranks) + 1.0, np.float32)
    matrix[graph.rows, graph.cols] = matrix[graph.cols, graph.rows] = ranks.values
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix.mean(axis=1), kind="stable")
    matrix = np.ascontiguousarray(matrix[np.ix_(order, order)])
    found = persistent_homology(
        matrix, max_dim=max_dim, threshold=float(len(ranks)), distance_matrix=True, parallel=False
    )
    points: list[NDArray[np.float64]] = [ranks.distances(of_dim) / 2 for of_dim in found]
    points[0] = np.concatenate([np.zeros((graph.n_nodes - len(points[0]), 2)), points[0]])
    return Diagrams(points, graph.max_epsilon)
