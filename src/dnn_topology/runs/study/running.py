"""Running what is left of a study, and keeping each cell as it is finished."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnn_topology.isolate import Failure
from dnn_topology.runs.study.cell import Cell, CellResult
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study
from dnn_topology.store import uninterrupted

Runner = Callable[[Sequence[Cell]], Iterator[tuple[Cell, CellResult | Failure]]]
TABLES_EVERY = 10.0  # seconds between two writings of the tables while cells are running


@dataclass(frozen=True)
class Outcomes:
    """What there is of a study's cells.

    Attributes:
        finished: Those with a result.
        failed: Those with a reason why they have none.
        left: Those that were not tried, or are being tried.
    """

    finished: tuple[Cell, ...]
    failed: dict[Cell, Failure]
    left: tuple[Cell, ...]


def outcomes(study: Study, folder: StudyFolder) -> Outcomes:
    """Return what there is of a study's cells."""
    finished = [cell for cell in study.cells if folder.is_finished(cell)]
    failed = {cell: why for cell in study.cells if (why := folder.failure(cell))}
    left = [cell for cell in study.cells if cell not in failed and not folder.is_finished(cell)]
    return Outcomes(tuple(finished), failed, tuple(left))


def run_study(
    study: Study,
    folder: StudyFolder,
    runner: Runner,
    *,
    retry_failed: bool = False,
    on_cell: Callable[[Cell, CellResult | Failure], None] | None = None,
) -> Outcomes:
    """Run the cells that are not finished, and keep each as it is.

    Args:
        study: The study.
        folder: Where its files go.
        runner: Runs cells: `locally`, `on_cluster`, with their options.
        retry_failed: Whether cells that failed before are tried again.
        on_cell: Called with each cell and what became of it.

    Returns:
        What there is at the end.

    Raises:
        DnnTopologyError: A file is damaged or cannot be written, or there is no reaching the cluster.
    """
    before = outcomes(study, folder)
    todo = [*before.left, *(before.failed if retry_failed else ())]
    written = time.monotonic()
    try:
        if todo:
            with contextlib.closing(runner(todo)) as results:  # type: ignore[type-var]
                for cell, outcome in results:
                    with uninterrupted():
                        folder.keep(cell, outcome)
                    if on_cell:
                        on_cell(cell, outcome)
                    if time.monotonic() - written > TABLES_EVERY:
                        with uninterrupted():
                            folder.write_tables(study.cells)
                        written = time.monotonic()
    finally:
        with uninterrupted():
            folder.write_tables(study.cells)
    return outcomes(study, folder)
