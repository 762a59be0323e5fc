"""Distance matrices of DIPHA, its input.

* type 7, a distance matrix: int64 n, n·n float64 by row, as diameters;
* type 8, a sparse one: int64 n, n row counts, all column indices, all float64 values; every edge stands in both rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_max_epsilon
from dnn_topology.graphs.checks import ROUND_OFF
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.dipha_format import (
    DISTANCES,
    HEADER,
    MAGIC,
    SPARSE_DISTANCES,
    check_length,
    damage,
    read_content,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_dipha_graph(graph: FunctionalGraph, path: str | Path) -> None:
    """Write a graph as DIPHA's sparse distance matrix (type 8).

    Args:
        graph: The graph.
        path: The file; it is replaced in one step.

    Raises:
        DnnTopologyError: The file cannot be written.
    """
    rows = np.concatenate([graph.rows, graph.cols])
    cols = np.concatenate([graph.cols, graph.rows])
    order = np.lexsort((cols, rows))
    header = np.array([(MAGIC, SPARSE_DISTANCES, graph.n_nodes)], HEADER)
    parts = (
        np.bincount(rows, minlength=graph.n_nodes).astype("<i8"),
        cols[order].astype("<i8"),
        np.tile(graph.distances, 2)[order].astype("<f8"),
    )
    store.write_bytes(Path(path), b"".join([header.tobytes(), *(part.tobytes() for part in parts)]))


def read_dipha_graph(path: str | Path, *, max_epsilon: float = 0.5) -> FunctionalGraph:
    """Read a distance matrix of DIPHA, full (type 7) or sparse (type 8).

    Args:
        path: The file.
        max_epsilon: Edges longer than 2 · max_epsilon are dropped.

    Returns:
        The graph.

    Raises:
        DnnTopologyError: The file is missing, truncated, of another kind, or the matrix is not symmetric.
    """
    path = Path(path)
    check_max_epsilon(max_epsilon, bounded=False)
    content, kind, n = read_content(path, {DISTANCES, SPARSE_DISTANCES}, "a distance matrix (type 7 or 8)")
    if kind == DISTANCES:
        check_length(path, content, n, 8 * n * n, "nodes")
        matrix = np.frombuffer(content, "<f8", offset=HEADER.itemsize).reshape(n, n)
    else:
        rows, cols, distances = _sparse_edges(path, content, n)
    try:
        if kind == DISTANCES:
            return FunctionalGraph.from_distances(matrix, max_epsilon=max_epsilon)
        kept = distances <= 2 * max_epsilon
        return FunctionalGraph(rows[kept], cols[kept], distances[kept], n_nodes=n, max_epsilon=max_epsilon)
    except DnnTopologyError as error:
        raise DnnTopologyError(damage(path, str(error))) from error


def _sparse_edges(
    path: Path, content: bytes, n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return every edge of a sparse matrix once, i < j, and its length.

    Raises:
        DnnTopologyError: The file is not as long as its numbers say, a column is no node, or an edge does not stand in
            both rows.
    """
    room = len(content) - HEADER.itemsize
    counts = np.frombuffer(content, "<i8", offset=HEADER.itemsize, count=max(0, min(n, room // 8)))
    if (counts < 0).any() or (counts > room).any():
        raise DnnTopologyError(
            damage(path, "the number of entries of a row is negative, or more than the file has room for")
        )
    n_entries = int(counts.sum())
    check_length(path, content, n, 8 * n + 16 * n_entries, "nodes")
    cols = np.frombuffer(content, "<i8", offset=HEADER.itemsize + 8 * n, count=n_entries)
    values = np.frombuffer(content, "<f8", offset=HEADER.itemsize + 8 * (n + n_entries))
    rows = np.repeat(np.arange(n), counts)
    if ((cols < 0) | (cols >= n)).any():
        raise DnnTopologyError(damage(path, f"a column is no node from 0 to {n - 1}"))
    if not (values >= -ROUND_OFF).all():
        raise DnnTopologyError(damage(path, "a distance is negative or NaN"))
    if (values[rows == cols] > ROUND_OFF).any():
        raise DnnTopologyError(damage(path, "a node is not at distance 0 from itself"))
    above, below = ((np.flatnonzero(side)) for side in (rows < cols, rows > cols))
    above = above[np.lexsort((cols[above], rows[above]))]
    below = below[np.lexsort((rows[below], cols[below]))]
    if len(above) != len(below) or (rows[above] != cols[below]).any() or (cols[above] != rows[below]).any():
        raise DnnTopologyError(damage(path, "an edge does not stand in the rows of both its nodes"))
    with np.errstate(invalid="ignore"):  # inf - inf, two absent edges, counts as equal
        apart = np.nan_to_num(np.abs(values[above] - values[below]), nan=0.0, posinf=np.inf)
    if (apart > ROUND_OFF).any():
        raise DnnTopologyError(damage(path, "an edge has another length in the row of its other node"))
    ends = rows[above].astype(np.int32), cols[above].astype(np.int32)
    return *ends, np.clip(np.minimum(values[above], values[below]), 0, None)
