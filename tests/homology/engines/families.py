"""Random graphs of ten families: the kinds of trouble that distances can make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnn_topology.graphs.graph import FunctionalGraph

INF = np.inf


def _distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances of points (n, d)."""
    lengths: NDArray[np.float64] = np.linalg.norm(points[:, None] - points[None], axis=2)
    return lengths


def _cloud(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return _distances(rng.normal(size=(n, int(rng.integers(1, 6)))))


def _noise(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.random((n, n))


def _ties(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.integers(0, int(rng.integers(2, 12)), (n, n)).astype(float)


def _duplicates(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return _distances(rng.normal(size=(n, 3))[rng.integers(0, max(1, n // 2), n)])


def _sphere(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    points = rng.normal(size=(n, 4))
    return _distances(points / np.linalg.norm(points, axis=1, keepdims=True))


def _holes(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.where(rng.random((n, n)) < rng.random(), INF, rng.random((n, n)))


def _cross_polytope(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    distances = rng.choice([1.0, 2.0, 3.0], size=(n, n))
    for k in range(0, n - 1, 2):
        distances[k, k + 1] = INF
    return distances


def _correlations(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    signals = rng.normal(size=(int(rng.integers(3, 12)), n)) + 0.3 * rng.normal(size=(1, n))
    distances = 1 - np.abs(np.atleast_2d(np.corrcoef(signals, rowvar=False)))
    return np.clip(np.round(distances, int(rng.integers(1, 6))), 0, None)


def _two_parts(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    distances = _distances(rng.random((n, 2)))
    distances[: n // 2, n // 2 :] = INF
    return distances


def _torus(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    one, other = rng.random((2, n)) * 2 * np.pi
    return _distances(np.column_stack([np.cos(one), np.sin(one), np.cos(other), np.sin(other)]))


FAMILIES = {
    "cloud": _cloud,
    "noise": _noise,
    "ties": _ties,
    "duplicates": _duplicates,
    "sphere": _sphere,
    "holes": _holes,
    "cross-polytope": _cross_polytope,
    "correlations": _correlations,
    "two parts": _two_parts,
    "torus": _torus,
}


def random_graph(family: str, seed: int, *, most: int = 36) -> FunctionalGraph:
    """A graph of up to `most` nodes and of any density, edges in any order; one in twenty has no edge."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, most + 1))
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    distances = FAMILIES[family](rng, n)
    lengths = distances[upper & np.isfinite(distances)]
    share = -1.0 if rng.random() < 0.05 or not len(lengths) else rng.uniform(0.3, 1.0)
    longest = np.quantile(lengths, share) if share > 0 else -1.0
    rows, cols = np.nonzero(upper & (distances <= longest))
    order = rng.permutation(len(rows))
    rows, cols = rows[order], cols[order]
    scale = max(longest, 1.0)
    return FunctionalGraph(rows.astype(np.int32), cols.astype(np.int32), distances[rows, cols] / scale, n, 0.5)
