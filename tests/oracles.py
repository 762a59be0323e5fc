"""Slow and obviously right: what the fast paths are held against."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnn_topology.homology.diagrams import Diagrams


def oracle_persistence(distances: ArrayLike, *, max_dim: int, max_epsilon: float) -> Diagrams:
    """Persistence of the Rips filtration by reducing the full boundary matrix mod 2; for n ≤ 8."""
    matrix = np.asarray(distances, dtype=float)
    n = len(matrix)
    cells: list[tuple[float, int, tuple[int, ...]]] = []
    for dim in range(max_dim + 2):
        for vertices in combinations(range(n), dim + 1):
            diameter = max((matrix[i, j] for i, j in combinations(vertices, 2)), default=0.0)
            if diameter <= 2 * max_epsilon:
                cells.append((diameter, dim, vertices))
    cells.sort()
    place = {vertices: index for index, (_, _, vertices) in enumerate(cells)}
    low_to_column: dict[int, int] = {}
    columns: list[set[int]] = []
    paired: set[int] = set()
    points: list[list[tuple[float, float]]] = [[] for _ in range(max_dim + 1)]
    for column_index, (diameter, dim, vertices) in enumerate(cells):
        column = {place[face] for face in combinations(vertices, dim)} if dim else set()
        while column and max(column) in low_to_column:
            column = column ^ columns[low_to_column[max(column)]]
        columns.append(column)
        if column:
            low = max(column)
            low_to_column[low] = column_index
            paired |= {low, column_index}
            birth = cells[low][0]
            if diameter > birth or dim == 1:
                points[dim - 1].append((birth / 2, diameter / 2))
    for index, (diameter, dim, _) in enumerate(cells):
        if index not in paired and dim <= max_dim:
            points[dim].append((diameter / 2, np.inf))
    return Diagrams([np.array(found).reshape(-1, 2) for found in points], max_epsilon)


def oracle_betti(points: NDArray[np.float64], epsilon: float) -> int:
    """Number of points with birth ≤ ε < death, one by one."""
    return sum(1 for birth, death in points if birth <= epsilon < death)


def oracle_distances(signals: ArrayLike) -> NDArray[np.float64]:
    """1 - |Pearson r| of every two columns, by float64 np.corrcoef."""
    distances = 1 - np.abs(np.corrcoef(np.asarray(signals, dtype=np.float64), rowvar=False))
    np.fill_diagonal(distances, 0.0)
    clipped: NDArray[np.float64] = np.clip(distances, 0.0, 1.0)
    return clipped


def assert_same_diagram(found: Diagrams, expected: Diagrams, *, atol: float = 1e-12) -> None:
    """The one comparison of diagrams: same dimensions, and the same points row by row up to `atol`.

    Rows are sorted as pairs, never births and deaths apart. In dimensions from 1, points no longer than 2·atol may
    exist on one side only: an engine that rounds cannot tell them from points of length zero.
    """
    assert found.max_dim == expected.max_dim
    assert found.max_epsilon == expected.max_epsilon
    for dim, (a, b) in enumerate(zip(found.points, expected.points, strict=True)):
        left, right = (_sorted(points, shortest=2 * atol if dim else -1.0, atol=atol) for points in (a, b))
        assert left.shape == right.shape, f"H{dim}: {len(left)} points, expected {len(right)}"
        np.testing.assert_allclose(left, right, rtol=0, atol=atol, err_msg=f"H{dim}")


def _sorted(points: NDArray[np.float64], *, shortest: float, atol: float) -> NDArray[np.float64]:
    """Points longer than `shortest`, sorted by birth up to a rounding coarser than `atol`, then by death."""
    kept = points[points[:, 1] - points[:, 0] > shortest]
    keys = np.round(kept / (10 * atol))
    return kept[np.lexsort((kept[:, 1], keys[:, 0]))]


def permuted(distances: NDArray[np.float64], order: Sequence[int]) -> NDArray[np.float64]:
    """The same distances under another numbering of the points."""
    return distances[np.ix_(order, order)]
