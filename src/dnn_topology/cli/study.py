"""`study`: a grid of networks, trained and measured, to a table."""

from __future__ import annotations

import itertools
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table, say
from dnn_topology.settings import Resources

if TYPE_CHECKING:
    from dnn_topology.runs.study.folder import StudyFolder
    from dnn_topology.runs.study.grid import Study
    from dnn_topology.settings.cells import Cell
    from dnn_topology.work.ledger import Outcomes

Place = Parameter(group=opt.PLACES)


def study(
    *words: Annotated[str, Parameter(name="[status] FILE.toml")],
    retry_failed: Annotated[bool, Place] = False,
    save_path: Annotated[Path, Place] = opt.RESULTS,
    data_dir: Annotated[Path | None, Place] = None,
    resources: opt.ResourceFlags = opt.SHARED,
) -> int:
    """Train and measure every network of a grid, one row each in study.csv; run again, it goes on where it stopped.

    `dnn-topology study status FILE.toml` says how far it is.

    Args:
        words: The grid; `status` before it says how far it is.
        retry_failed: Try networks that failed before again.
        save_path: Where results go.
        data_dir: Where downloads are kept (default: the user's cache).

    Returns:
        1 when networks failed; the others are finished.
    """
    from dnn_topology.runs.study.folder import StudyFolder
    from dnn_topology.runs.study.grid import read_study

    if len(words) not in {1, 2} or words[:-1] not in {(), ("status",)}:
        raise DnnTopologyError(f"study takes FILE.toml, or status FILE.toml, found {' '.join(words)!r}")
    path = Path(words[-1])
    asked = read_study(path)
    folder = StudyFolder(save_path / f"study_{asked.name}", data_dir)
    if len(words) == 2:
        _print_status(asked, folder)
        return 0
    used = opt.plain(resources, threads=1, isolated=resources.scheduler is None)
    after = _finished(asked, folder, used, retry_failed=retry_failed)
    if after.finished:
        answer(folder.path / "study.csv")
    if after.failed:
        reasons = "; ".join(dict.fromkeys(why.last_line for why in after.failed.values()))
        say(
            f"dnn-topology: {len(after.failed)} of {len(asked.cells)} networks failed: {reasons}; the others are "
            "finished: mend the cause and run again with --retry-failed"
        )
    return 1 if after.failed else 0


def _finished(study: Study, folder: StudyFolder, resources: Resources, *, retry_failed: bool) -> Outcomes[Cell]:
    """Run what is left of a study and say of every network how it went."""
    from dnn_topology.runs.study.grid import check_nets_and_data
    from dnn_topology.work.expectation import announcement
    from dnn_topology.work.reports import reported

    before, n_cells = folder.ledger.outcomes(study.cells), len(study.cells)
    todo = [*before.left, *(before.failed if retry_failed else ())]
    if todo:
        check_nets_and_data(study)
    amount = f"{counted(sum(cell.epochs for cell in todo), 'epoch')} of training in all"
    expected = folder.expected(folder.seconds(before.finished if todo else ()), todo)
    say(f"study: {announcement(before, todo, expected, of='networks', amount=amount, jobs=resources.jobs)}")
    n_done = n_cells - len(todo)
    numbers = itertools.count(n_done + 1)
    with reported(
        "study",
        n_cells,
        title=lambda cell: f"{next(numbers)}/{n_cells} {cell}",
        described=lambda result: result.described,
        done=n_done,
    ) as reports:
        return folder.finish(study, resources, retry_failed=retry_failed, reports=reports)


def _print_status(study: Study, folder: StudyFolder) -> None:
    """Print how far a study is."""
    import pandas as pd

    from dnn_topology.work.expectation import counts_by, status_lines

    there = folder.ledger.outcomes(study.cells)
    seconds = folder.seconds(there.finished)
    how_far, time = status_lines(there, seconds, folder.expected(seconds, there.left))
    answer(f"{folder.path}: {how_far}", time)
    rows = [
        (axis, value, *map(str, counts))
        for axis in study.axes
        for value, *counts in counts_by(there, methodcaller("value", axis))
    ]
    if rows:
        print_table(pd.DataFrame(rows, columns=["setting", "value", "finished", "failed", "left"]))
    answer(*(f"failed: {cell}: {why.last_line}" for cell, why in there.failed.items()))
