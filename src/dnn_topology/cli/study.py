"""`study`: a grid of networks, trained and measured, to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table, progress, say
from dnn_topology.settings import Resources

if TYPE_CHECKING:
    from dnn_topology.runs.study.cell import Cell, CellResult
    from dnn_topology.runs.study.folder import StudyFolder
    from dnn_topology.runs.study.grid import Study
    from dnn_topology.work.isolate import Failure
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
    from dnn_topology.runs.study.grid import check_nets_and_data, read_study

    if len(words) not in {1, 2} or words[:-1] not in {(), ("status",)}:
        raise DnnTopologyError(f"study takes FILE.toml, or status FILE.toml, found {' '.join(words)!r}")
    path = Path(words[-1])
    asked = read_study(path)
    folder = StudyFolder(save_path / f"study_{asked.name}", data_dir)
    if len(words) == 2:
        _print_status(asked, folder)
        return 0
    used = opt.plain(resources, threads=1, isolated=resources.scheduler is None)
    check_nets_and_data(asked)
    after = _finished(asked, folder, used, retry_failed=retry_failed)
    if after.finished:
        answer(folder.path / "study.csv")
    if after.failed:
        reasons = "; ".join(dict.fromkeys(_last_line(why) for why in after.failed.values()))
        say(
            f"dnn-topology: {len(after.failed)} of {len(asked.cells)} networks failed: {reasons}; the others are "
            "finished: mend the cause and run again with --retry-failed"
        )
    return 1 if after.failed else 0


def _finished(study: Study, folder: StudyFolder, resources: Resources, *, retry_failed: bool) -> Outcomes[Cell]:
    """Run what is left of a study and say of every network how it went."""
    before = folder.ledger.outcomes(study.cells)
    todo = [*before.left, *(before.failed if retry_failed else ())]
    say(_announced(study.cells, before, folder.seconds(before.finished), todo, resources))
    n_cells = len(study.cells)
    n_done = n_cells - len(todo)
    with progress("study", total=n_cells, done=n_done) as step:

        def told(cell: Cell, result: CellResult) -> None:
            nonlocal n_done
            n_done += 1
            row = result.rows[-1]
            step(
                f"{n_done}/{n_cells} {cell}: train {row['train_accuracy']:.3f}, test {row['test_accuracy']:.3f}, "
                f"{result.seconds:.1f} s"
            )

        def failure(cell: Cell, why: Failure) -> None:
            nonlocal n_done
            n_done += 1
            step(f"{n_done}/{n_cells} {cell}: failed: {_last_line(why)}")

        return folder.finish(study, resources, retry_failed=retry_failed, on_result=told, on_failure=failure, say=say)


def _announced(
    cells: Sequence[Cell],
    before: Outcomes[Cell],
    seconds: Mapping[Cell, float],
    todo: Sequence[Cell],
    resources: Resources,
) -> str:
    """Return how much work there is, as far as it is known."""
    from dnn_topology.homology.engines.estimate import duration
    from dnn_topology.work.expectation import expected_seconds

    parts = [f"study: {len(cells)} networks, {len(before.finished)} finished, {len(before.failed)} failed before"]
    if todo:
        work = f"{len(todo)} to do, {sum(cell.epochs for cell in todo)} epochs of training in all"
        expected = expected_seconds(seconds, todo, amount=attrgetter("steps"), like=attrgetter("kind"))
        if expected is None:
            parts.append(f"{work}; how long that takes is known after the first")
        else:
            jobs = resources.jobs
            shared = f", {duration(expected / jobs)} with --jobs {jobs}" if jobs > 1 else ""
            parts.append(f"{work}, about {duration(expected)} of work{shared}")
    return ": ".join(parts)


def _print_status(study: Study, folder: StudyFolder) -> None:
    """Print how far a study is."""
    import pandas as pd

    from dnn_topology.homology.engines.estimate import duration
    from dnn_topology.work.expectation import counts_by, expected_seconds

    there = folder.ledger.outcomes(study.cells)
    seconds = folder.seconds(there.finished)
    expected = expected_seconds(seconds, there.left, amount=attrgetter("steps"), like=attrgetter("kind"))
    answer(
        f"{folder.path}: {len(there.finished)} finished, {len(there.failed)} failed, {len(there.left)} running or left "
        f"of {len(study.cells)}",
        f"time used {duration(sum(seconds.values()))}, expected for what is left "
        f"{'unknown until one is finished' if expected is None else duration(expected)} (of work, on one job)",
    )
    rows = [
        (axis, value, *map(str, counts))
        for axis in study.axes
        for value, *counts in counts_by(there, methodcaller("value", axis))
    ]
    if rows:
        print_table(pd.DataFrame(rows, columns=["setting", "value", "finished", "failed", "left"]))
    answer(*(f"failed: {cell}: {_last_line(why)}" for cell, why in there.failed.items()))


def _last_line(failure: Failure) -> str:
    """Return the line of a reason that says most."""
    return failure.reason.strip().splitlines()[-1]
