"""Cells in child processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from dnn_topology.isolate import Failure, isolated
from dnn_topology.runs.measuring import use_threads
from dnn_topology.runs.study.cell import Cell, CellResult, run_cell


def locally(
    cells: Sequence[Cell], *, jobs: int = 1, timeout: float | None = None, data_dir: Path | None = None
) -> Iterator[tuple[Cell, CellResult | Failure]]:
    """Run cells in processes of their own, one thread each.

    Args:
        cells: The cells.
        jobs: How many at the same time.
        timeout: Seconds that one cell may take; None for any time.
        data_dir: See `run_cell`.

    Yields:
        (cell, result or failure) as each is finished. Leaving the loop, also by an exception, ends the processes.
    """
    work = partial(run_cell, data_dir=data_dir)
    yield from isolated(work, cells, jobs=jobs, timeout=timeout, prepare=partial(use_threads, 1))
