"""Diagrams in DIPHA's format, that of the original pipeline's results.

A diagram file is of type 2: int64 number of points, per point an interleaved record (int64 dimension, float64 birth,
float64 death) in ε. An essential class of dimension k has dimension -k - 1 and, as its death, the largest value of the
filtration.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology import store
from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_max_dim, check_max_epsilon
from dnn_topology.graphs.checks import ROUND_OFF
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha_format import DIAGRAM, HEADER, MAGIC, check_length, damage, read_content

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_DIMENSIONS = 64  # that are believed of a file
_NAME = re.compile(r"adj_epc(?P<epoch>\d+)_trl(?P<trial>[^_]*)(?P<part>_.+)?_(?P<epsilon>[0-9.eE+-]+)\.bin\.out")
POINT = np.dtype([("dim", "<i8"), ("birth", "<f8"), ("death", "<f8")])


def file_name(epoch: int, *, trial: int, max_epsilon: float, part: str = "") -> str:
    """Return the original's name for the diagrams of one epoch, or of one part of it such as "part3" or "sample3".

    Example:
        >>> file_name(5, trial=0, max_epsilon=0.3), file_name(5, trial=0, max_epsilon=0.3, part="part1")
        ('adj_epc5_trl0_0.3.bin.out', 'adj_epc5_trl0_part1_0.3.bin.out')
    """
    return f"adj_epc{epoch}_trl{trial}{'_' if part else ''}{part}_{max_epsilon:g}.bin.out"


def written_epochs(folder: Path, *, trial: int, max_epsilon: float) -> set[tuple[int, str]]:
    """Return the epochs, and the parts of each, of which a folder has diagrams under the original's names."""
    pattern = (
        rf"adj_epc(\d+)_trl{trial}(?:_((?:part|sample|layer|class)\d+))?_{re.escape(f'{max_epsilon:g}')}\.bin\.out"
    )
    matches = (re.fullmatch(pattern, path.name) for path in folder.glob("adj_epc*"))
    return {(int(match[1]), match[2] or "") for match in matches if match}


@checked
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
    content, size = read_content(path, {DIAGRAM}, "a diagram (type 2)")[::2]
    check_length(path, content, size, POINT.itemsize * size, "points")
    records = np.frombuffer(content, POINT, offset=HEADER.itemsize)
    essential = records["dim"] < 0
    dims = np.where(essential, -records["dim"] - 1, records["dim"])
    if dims.max(initial=0) > MOST_DIMENSIONS:
        raise DnnTopologyError(damage(path, f"a point is of dimension {dims.max()}"))
    deaths = np.where(essential, np.inf, records["death"])
    if not np.isfinite(deaths[~essential]).all():
        raise DnnTopologyError(damage(path, "the death of a point is not finite"))
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
        raise DnnTopologyError(damage(path, str(error))) from error
    diagrams = _with_what_we_know(diagrams, path, all_dimensions=max_dim is None)
    return diagrams if max_epsilon is None or max_epsilon >= end else diagrams.cut(max_epsilon=max_epsilon)


@checked
def write_dipha(diagrams: Diagrams, path: str | Path) -> None:
    """Write diagrams as DIPHA does: essential classes first, the highest dimension first, then by dimension.

    Args:
        diagrams: The diagrams.
        path: The file; it is replaced in one step.

    Raises:
        DnnTopologyError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_dipha(Diagrams([[(0, 0.1)]], max_epsilon=0.3), Path(folder) / "mine.bin.out")
        ...     (Path(folder) / "mine.bin.out").stat().st_size  # three whole numbers, then one record
        48
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
