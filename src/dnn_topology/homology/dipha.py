"""DIPHA's files: diagrams, the format of the original pipeline's results, and distance matrices, its input.

All numbers are little-endian: int64 magic, int64 type, then

* type 2, a diagram: int64 number of points, per point an interleaved record (int64 dimension, float64 birth, float64
  death) in ε. An essential class of dimension k has dimension -k - 1 and, as its
  death, the largest value of the filtration;
* type 7, a distance matrix: int64 n, n·n float64 by row, as diameters;
* type 8, a sparse one: int64 n, n row counts, all column indices, all float64 values; every edge stands in both rows.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_max_dim, check_max_epsilon
from dnn_topology.graphs.checks import ROUND_OFF
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = 8067171840
MOST_DIMENSIONS = 64  # that are believed of a file
REMEDY = "compute it again, or take another copy"
_NAME = re.compile(r"adj_epc(?P<epoch>\d+)_trl(?P<trial>[^_]*)(?P<part>_.+)?_(?P<epsilon>[0-9.eE+-]+)\.bin\.out")
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


def read_dipha(path: str | Path, *, max_epsilon: float | None = None, max_dim: int | None = None) -> Diagrams:
    """Read a diagram file of DIPHA, such as the original pipeline leaves.

    The format knows neither the number of nodes nor the density, nor dimensions in which there is no point. Where the
    file that a run of ours left with it is there too (`epoch<E>.npz`) and holds the same points, they come from it.

    Args:
        path: The file.
        max_epsilon: Where the filtration ended. The file does not say; by default it is taken from the
            original's file name (`adj_epc<EPOCH>_trl<TRIAL>_<MAX_EPSILON>.bin.out`), else it is the largest value.
            Where the filtration went further, the diagrams are cut; see `Diagrams.cut`.
        max_dim: The highest dimension that was computed, in the file or not; others are left out. By default the
            highest that occurs.

    Returns:
        The diagrams, from dimension 0 on.

    Raises:
        DnnTopologyError: The file is missing, truncated, damaged or of another kind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "adj_epc1_trl0_0.3.bin.out"
        ...     write_dipha(Diagrams([[(0, 0.1), (0, float("inf"))], []], max_epsilon=0.3), path)
        ...     read_dipha(path), read_dipha(path, max_dim=1)
        (Diagrams(H0: 2 points, 1 alive at the end; max_epsilon=0.3),
         Diagrams(H0: 2 points, 1 alive at the end; H1: 0 points; max_epsilon=0.3))
    """
    path = Path(path)
    if max_epsilon is not None:
        check_max_epsilon(max_epsilon, bounded=False)
    content, size = _read(path, {DIAGRAM}, "a diagram (type 2)")[::2]
    _check_length(path, content, size, POINT.itemsize * size, "points")
    records = np.frombuffer(content, POINT, offset=HEADER.itemsize)
    essential = records["dim"] < 0
    dims = np.where(essential, -records["dim"] - 1, records["dim"])
    if dims.max(initial=0) > MOST_DIMENSIONS:
        raise DnnTopologyError(_damage(path, f"a point is of dimension {dims.max()}"))
    deaths = np.where(essential, np.inf, records["death"])
    if not np.isfinite(deaths[~essential]).all():
        raise DnnTopologyError(_damage(path, "the death of a point is not finite"))
    points = np.column_stack([records["birth"], deaths])
    highest = int(dims.max(initial=0)) if max_dim is None else check_max_dim(max_dim)
    end = _max_epsilon(path, records)
    if max_epsilon is not None and not _is_beyond(points, max_epsilon):
        end = float(max_epsilon)
    try:
        diagrams = Diagrams(
            [points[dims == dim] for dim in range(highest + 1)], end, provenance={"engine": "dipha", "file": path.name}
        )
    except DnnTopologyError as error:
        raise DnnTopologyError(_damage(path, str(error))) from error
    diagrams = _with_what_we_know(diagrams, path, all_dimensions=max_dim is None)
    return diagrams if max_epsilon is None or max_epsilon >= end else diagrams.cut(max_epsilon=max_epsilon)


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
    check_max_epsilon(max_epsilon, bounded=False)
    content, kind, n = _read(path, {DISTANCES, SPARSE_DISTANCES}, "a distance matrix (type 7 or 8)")
    if kind == DISTANCES:
        _check_length(path, content, n, 8 * n * n, "nodes")
        matrix = np.frombuffer(content, "<f8", offset=HEADER.itemsize).reshape(n, n)
    else:
        rows, cols, distances = _sparse_edges(path, content, n)
    try:
        if kind == DISTANCES:
            return FunctionalGraph.from_distances(matrix, max_epsilon=max_epsilon)
        kept = distances <= 2 * max_epsilon
        return FunctionalGraph(rows[kept], cols[kept], distances[kept], n_nodes=n, max_epsilon=max_epsilon)
    except DnnTopologyError as error:
        raise DnnTopologyError(_damage(path, str(error))) from error


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
            _damage(path, "the number of entries of a row is negative, or more than the file has room for")
        )
    n_entries = int(counts.sum())
    _check_length(path, content, n, 8 * n + 16 * n_entries, "nodes")
    cols = np.frombuffer(content, "<i8", offset=HEADER.itemsize + 8 * n, count=n_entries)
    values = np.frombuffer(content, "<f8", offset=HEADER.itemsize + 8 * (n + n_entries))
    rows = np.repeat(np.arange(n), counts)
    if ((cols < 0) | (cols >= n)).any():
        raise DnnTopologyError(_damage(path, f"a column is no node from 0 to {n - 1}"))
    if not (values >= -ROUND_OFF).all():
        raise DnnTopologyError(_damage(path, "a distance is negative or NaN"))
    if (values[rows == cols] > ROUND_OFF).any():
        raise DnnTopologyError(_damage(path, "a node is not at distance 0 from itself"))
    above, below = ((np.flatnonzero(side)) for side in (rows < cols, rows > cols))
    above = above[np.lexsort((cols[above], rows[above]))]
    below = below[np.lexsort((rows[below], cols[below]))]
    if len(above) != len(below) or (rows[above] != cols[below]).any() or (cols[above] != rows[below]).any():
        raise DnnTopologyError(_damage(path, "an edge does not stand in the rows of both its nodes"))
    with np.errstate(invalid="ignore"):  # inf - inf, two absent edges, counts as equal
        apart = np.nan_to_num(np.abs(values[above] - values[below]), nan=0.0, posinf=np.inf)
    if (apart > ROUND_OFF).any():
        raise DnnTopologyError(_damage(path, "an edge has another length in the row of its other node"))
    ends = rows[above].astype(np.int32), cols[above].astype(np.int32)
    return *ends, np.clip(np.minimum(values[above], values[below]), 0, None)


def _read(path: Path, kinds: set[int], wanted: str) -> tuple[bytes, int, int]:
    """Return a DIPHA file's content, its type and the size that its header names.

    Raises:
        DnnTopologyError: The file is missing, does not start with DIPHA's header, or is of another type.
    """
    with store.readable_errors("read", path), path.open("rb") as file:
        start = file.read(HEADER.itemsize)
        if len(start) < HEADER.itemsize:
            raise DnnTopologyError(
                f"{path} is truncated: {len(start)} bytes, a DIPHA header alone is {HEADER.itemsize}; {REMEDY}"
            )
        header = np.frombuffer(start, HEADER, count=1)[0]
        if header["magic"] != MAGIC:
            raise DnnTopologyError(
                f"{path} is not a DIPHA file: it starts with {header['magic']}, not {MAGIC}; name one that DIPHA or "
                "`write_dipha` wrote"
            )
        kind = int(header["type"])
        if kind not in kinds:
            other = "`read_dipha`" if kind == DIAGRAM else "`read_dipha_graph`"
            advice = f"read it with {other}" if kind in {DIAGRAM, DISTANCES, SPARSE_DISTANCES} else REMEDY
            raise DnnTopologyError(f"{path} is a DIPHA file of type {kind}, not {wanted}: {advice}")
        return start + file.read(), kind, int(header["size"])


def _check_length(path: Path, content: bytes, size: int, expected: int, things: str) -> None:
    """Hold the length of a file against what its header announces.

    Raises:
        DnnTopologyError: They differ.
    """
    if size < 0 or len(content) != HEADER.itemsize + expected:
        raise DnnTopologyError(
            f"{path} is damaged: its header announces {size} {things}, {HEADER.itemsize + expected} bytes in all, "
            f"and it has {len(content)}; {REMEDY}"
        )


def _damage(path: Path, reason: str) -> str:
    """Return the line that says what is wrong in a file."""
    return f"{path} is damaged: {reason}; {REMEDY}"


def _max_epsilon(path: Path, records: NDArray[Any]) -> float:
    """Return the end of the filtration: from the original's file name, else the largest value.

    Raises:
        DnnTopologyError: There is no positive value to go by.
    """
    named = _NAME.fullmatch(path.name)
    if named:
        with contextlib.suppress(ValueError):
            return check_max_epsilon(float(named["epsilon"]), bounded=False)
    largest = float(max(records["death"].max(initial=0.0), records["birth"].max(initial=0.0)))
    if not 0 < largest < float("inf"):
        raise DnnTopologyError(
            f"{path} does not say where its filtration ended, its largest value being {largest:g}: name it with "
            "max_epsilon="
        )
    return largest


def _is_beyond(points: NDArray[np.float64], end: float) -> bool:
    """Return whether points are born or die after the end, by more than round-off."""
    return bool((np.isfinite(points) & (points > end * (1 + ROUND_OFF))).any())


def _with_what_we_know(diagrams: Diagrams, path: Path, *, all_dimensions: bool) -> Diagrams:
    """Return the diagrams with what the npz that a run of ours left with the file says of them."""
    named = _NAME.fullmatch(path.name)
    if not named:
        return diagrams
    file = f"epoch{named['epoch']}{named['part'] or ''}.npz"
    for folder in (path.parent, path.parent / f"trial{named['trial']}" / f"eps{named['epsilon']}"):
        if not (folder / file).is_file():
            continue
        with contextlib.suppress(DnnTopologyError):  # the file itself is whole, whatever happened to the other
            ours = Diagrams.load(folder / file)
            n_dims = min(len(ours), len(diagrams))
            empty = not any(map(len, [*ours[n_dims:], *diagrams[n_dims:]]))
            same = all(np.array_equal(a, b) for a, b in zip(ours[:n_dims], diagrams[:n_dims], strict=True))
            if same and (empty or not all_dimensions) and ours.max_epsilon == diagrams.max_epsilon:
                points = ours.points if all_dimensions else diagrams.points
                return replace(diagrams, points=points, n_nodes=ours.n_nodes, density=ours.density, n_essential=None)
    return diagrams
