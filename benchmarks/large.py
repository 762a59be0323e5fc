"""Graphs of the sizes of large networks: units of a random network, and very many nodes with few edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from stored import graph_file

from dnn_topology.graphs.graph import FunctionalGraph

GRAPHS = ("25098 units, d≤0.4", "36874 units, d≤0.4", "150000 nodes, 300000 edges", "150000 points in clusters")


def large_graph(folder: Path, name: str) -> Path:
    """Return the file of a graph, made if it is missing."""
    n = int(name.split()[0])
    if "clusters" in name:
        return _clusters(folder / f"clusters-{n}.npz", n)
    if "edges" not in name:
        path = folder / f"large-{n}-d0.4.npz"
        return path if path.exists() else graph_file(folder, _activations(n), f"large-{n}", 0.2)
    path = folder / f"few-edges-{n}.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        pairs = rng.integers(0, n, (600_000, 2))
        pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
        pairs = pairs[rng.permutation(len(pairs))[:300_000]].astype(np.int32)
        graph = FunctionalGraph(pairs[:, 0], pairs[:, 1], rng.uniform(0.05, 0.6, len(pairs)), n, 0.3)
        edges = {"rows": graph.rows, "cols": graph.cols, "distances": graph.distances}
        np.savez(path, n_nodes=n, max_epsilon=0.3, **edges)  # type: ignore[arg-type]
    return path


def _clusters(path: Path, n: int, *, size: int = 50, radius: float = 0.004) -> Path:
    """Return the file of points in the plane, in clusters of about so many, joined up to a distance."""
    if not path.exists():
        rng = np.random.default_rng(0)
        points = rng.random((n // size, 2))[rng.integers(0, n // size, n)] + 0.01 * rng.normal(size=(n, 2))
        pairs = np.sort(cKDTree(points).query_pairs(radius, output_type="ndarray"), axis=1).astype(np.int32)
        distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        edges = {"rows": pairs[:, 0], "cols": pairs[:, 1], "distances": distances}
        np.savez(path, n_nodes=n, max_epsilon=radius / 2, **edges)  # type: ignore[arg-type]
    return path


def _activations(n: int) -> NDArray[np.float32]:
    """Return (500, n) activations of six layers of a random network on inputs of twelve dimensions."""
    rng = np.random.default_rng(0)
    layer = rng.normal(size=(500, 12)).astype(np.float32)
    layers = []
    for _ in range(6):
        weights = rng.normal(size=(layer.shape[1], n // 5)).astype(np.float32)
        layer = np.maximum(layer @ weights * np.sqrt(2 / layer.shape[1]), 0).astype(np.float32)
        layers.append(layer)
    values = np.hstack(layers)
    values = values[:, values.max(axis=0) > values.min(axis=0)]
    return values[:, :n]
