"""Functional graphs in files; apart from `graphs.py`, so that what only reads them starts without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnn_topology.graphs.graph import FunctionalGraph, functional_graph


def graph_file(folder: Path, values: NDArray[np.float32], name: str, max_epsilon: float) -> Path:
    """Return the file of a functional graph, made if it is missing."""
    path = folder / f"{name}-d{2 * max_epsilon:g}.npz"
    if not path.exists():
        graph = functional_graph(values, max_epsilon=max_epsilon)
        edges = {"rows": graph.rows, "cols": graph.cols, "distances": graph.distances}
        np.savez(path, n_nodes=graph.n_nodes, max_epsilon=max_epsilon, **edges)  # type: ignore[arg-type]
    return path


def load_graph(path: Path) -> FunctionalGraph:
    """Read what `graph_file` wrote."""
    held = np.load(path)
    return FunctionalGraph(
        held["rows"], held["cols"], held["distances"], int(held["n_nodes"]), float(held["max_epsilon"])
    )
