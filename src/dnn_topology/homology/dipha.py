"""DIPHA's files: diagrams, the format of the original pipeline's results, and distance matrices, its input.

All numbers are little-endian: int64 magic, int64 type, then

* type 2, a diagram: int64 number of points, per point an interleaved record (int64 dimension, float64 birth, float64
  death) in ε. An essential class of dimension k has dimension -k - 1 and, as its
  death, the largest value of the filtration;
* type 7, a distance matrix: int64 n, n·n float64 by row, as diameters;
* type 8, a sparse one: int64 n, n row counts, all column indices, all float64 values; every edge stands in both rows.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams

MAGIC = 8067171840
DIAGRAM, DISTANCES, SPARSE_DISTANCES = 2, 7, 8
HEADER = np.dtype([("magic", "<i8"), ("type", "<i8"), ("size", "<i8")])
POINT = np.dtype([("dim", "<i8"), ("birth", "<f8"), ("death", "<f8")])


def file_name(epoch: int, *, trial: int, max_epsilon: float, part: str = "") -> str:
    """Return the original's name for the diagrams of one epoch, or of one part of it such as "part3" or "sample3".

    Example:
        >>> file_name(5, trial=0, max_epsilon=0.3), file_name(5, trial=0, max_epsilon=0.3, part="part1")
        ('adj_epc5_trl0_0.3.bin.out', 'adj_epc5_trl0_part1_0.3.bin.out')
    """
    return f"adj_epc{epoch}_trl{trial}{'_' if part else ''}{part}_{max_epsilon:g}.bin.out"


def read_dipha(path: str | Path, *, max_epsilon: float | None = None) -> Diagrams:
    """Read a diagram file of DIPHA, such as the original pipeline leaves.

    Args:
        path: The file.
        max_epsilon: Where the filtration ended. The file does not say; by default it is taken from the
            original's file name (`adj_epc<EPOCH>_trl<TRIAL>_<MAX_EPSILON>.bin.out`), else it is the largest value.

    Returns:
        The diagrams, from dimension 0 to the highest that occurs. The number of nodes and the density are unknown.

    Raises:
        DnnTopologyError: The file is missing, truncated, damaged or of another kind.
    """
    path = Path(path)
    content, kind, size = _read(path)
    if kind != DIAGRAM:
        raise DnnTopologyError(f"{path} is a DIPHA file of type {kind}, not a diagram (type 2)")
    _check_length(path, content, size, POINT.itemsize * size, "points")
    records = np.frombuffer(content, POINT, offset=HEADER.itemsize)
    essential = records["dim"] < 0
    dims = np.where(essential, -records["dim"] - 1, records["dim"])
    deaths = np.where(essential, np.inf, records["death"])
    if not np.isfinite(records["birth"]).all() or not (deaths >= records["birth"]).all() or dims.max(initial=0) > 64:
        raise DnnTopologyError(f"{path} is damaged: a birth is not finite, comes after its death, or so")
    if max_epsilon is None:
        max_epsilon = _max_epsilon(path, records)
    points = np.column_stack([records["birth"], deaths])
    return Diagrams(
        [points[dims == dim] for dim in range(int(dims.max(initial=0)) + 1)],
        max_epsilon,
        provenance={"engine": "dipha", "file": path.name},
    )


def write_dipha(diagrams: Diagrams, path: str | Path) -> None:
    """Write diagrams as DIPHA does: essential classes first, the highest dimension first, then by dimension.

    Args:
        diagrams: The diagrams.
        path: The file; it is replaced in one step.

    Raises:
        DnnTopologyError: The file cannot be written.
    """
    parts = []
    for dim, points in enumerate(diagrams.points):
        births, deaths = points.T
        essential = np.isinf(deaths)
        records = np.empty(len(points), POINT)
        records["dim"] = np.where(essential, -dim - 1, dim)
        records["birth"] = births
        records["death"] = np.where(essential, diagrams.max_epsilon, deaths)
        parts.append(records)
    records = np.concatenate(parts)
    records = records[np.argsort(records["dim"], kind="stable")]
    header = np.array([(MAGIC, DIAGRAM, len(records))], HEADER)
    store.write_bytes(Path(path), header.tobytes() + records.tobytes())


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
    content, kind, n = _read(path)
    if kind == DISTANCES:
        _check_length(path, content, n, 8 * n * n, "nodes")
        matrix = np.frombuffer(content, "<f8", offset=HEADER.itemsize).reshape(n, n)
        return FunctionalGraph.from_distances(matrix, max_epsilon=max_epsilon)
    if kind != SPARSE_DISTANCES:
        raise DnnTopologyError(f"{path} is a DIPHA file of type {kind}, not a distance matrix (type 7 or 8)")
    counts = np.frombuffer(content, "<i8", offset=HEADER.itemsize, count=min(n, (len(content) - HEADER.itemsize) // 8))
    n_entries = int(counts.sum())
    _check_length(path, content, n, 8 * n + 16 * n_entries, "nodes")
    columns = np.frombuffer(content, "<i8", offset=HEADER.itemsize + 8 * n, count=n_entries)
    values = np.frombuffer(content, "<f8", offset=HEADER.itemsize + 8 * (n + n_entries))
    matrix = np.full((n, n), np.inf)
    np.fill_diagonal(matrix, 0.0)
    matrix[np.repeat(np.arange(n), counts), columns] = values
    return FunctionalGraph.from_distances(matrix, max_epsilon=max_epsilon)


def _read(path: Path) -> tuple[bytes, int, int]:
    """Return a DIPHA file's content, its type and the size that its header names.

    Raises:
        DnnTopologyError: The file is missing, or does not start with DIPHA's header.
    """
    with store.readable_errors("read", path):
        content = path.read_bytes()
    if len(content) < HEADER.itemsize:
        raise DnnTopologyError(f"{path} is truncated: {len(content)} bytes, a DIPHA header alone is {HEADER.itemsize}")
    header = np.frombuffer(content, HEADER, count=1)[0]
    if header["magic"] != MAGIC:
        raise DnnTopologyError(f"{path} is not a DIPHA file: it starts with {header['magic']}, not {MAGIC}")
    return content, int(header["type"]), int(header["size"])


def _check_length(path: Path, content: bytes, size: int, expected: int, things: str) -> None:
    """Hold the length of a file against what its header announces.

    Raises:
        DnnTopologyError: They differ.
    """
    if size < 0 or len(content) != HEADER.itemsize + expected:
        raise DnnTopologyError(
            f"{path} is damaged: its header announces {size} {things}, {HEADER.itemsize + expected} bytes in all, "
            f"and it has {len(content)}"
        )


def _max_epsilon(path: Path, records: np.ndarray) -> float:
    """Return the end of the filtration: from the original's file name, else the largest value."""
    named = re.fullmatch(r"adj_epc\d+_trl.*_([0-9.eE+-]+)\.bin\.out", path.name)
    if named:
        try:
            return float(named.group(1))
        except ValueError:
            pass
    return float(max(records["death"].max(initial=0.0), records["birth"].max(initial=0.0)))
