"""`study`: a grid of networks, trained and measured, to a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dnn_topology._checks import DnnTopologyError
from dnn_topology.cli import options as opt
from dnn_topology.cli.lists import print_table
from dnn_topology.cli.progress import progress
from dnn_topology.homology.engines.estimate import duration
from dnn_topology.isolate import Failure
from dnn_topology.runs.study import (
    Cell,
    CellResult,
    StudyFolder,
    locally,
    on_cluster,
    progress_of,
    read_study,
    run_study,
)
from dnn_topology.runs.study.grid import check_nets_and_data
from dnn_topology.runs.study.running import Outcomes, Runner
from dnn_topology.runs.study.status import expected_seconds

File = Annotated[
    list[str],
    typer.Argument(metavar="[status] FILE.toml", help="The grid; `status` before it says how far it is."),
]


def study(
    file: File,
    jobs: Annotated[
        int, typer.Option(min=1, help="Networks at the same time, one thread each.", rich_help_panel=opt.PLACES)
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on the Dask cluster of this scheduler, tcp://host:8786; see docs/cluster.md.",
            rich_help_panel=opt.PLACES,
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try networks that failed before again.", rich_help_panel=opt.PLACES),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Give a network up after so long.", rich_help_panel=opt.PLACES),
    ] = None,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
) -> None:
    """Train and measure every network of a grid, one row each in study.csv; run again, it goes on where it stopped.

    `dnn-topology study status FILE.toml` says how far it is.

    Raises:
        Exit: With 1, when networks failed; the others are finished.
    """
    asked_status, path = _parsed(file)
    found = read_study(path)
    folder = StudyFolder(save_path / f"study_{found.name}")
    if asked_status:
        _print_status(path, folder)
        return
    check_nets_and_data(found)
    before = progress_of(found, folder)
    seconds = {cell: folder.result(cell)[1] for cell in before.outcomes.finished}
    todo = [*before.outcomes.left, *(before.outcomes.failed if retry_failed else ())]
    known_jobs = jobs if scheduler is None else None
    typer.echo(_announced(found.cells, before.outcomes, seconds, todo, known_jobs), err=True)
    n_done = len(found.cells) - len(todo)
    with progress("study", total=len(found.cells), done=n_done) as step:

        def say(cell: Cell, outcome: CellResult | Failure) -> None:
            nonlocal n_done
            n_done += 1
            if isinstance(outcome, Failure):
                step(f"{n_done}/{len(found.cells)} {cell}: failed: {_last_line(outcome)}")
                return
            seconds[cell] = outcome.seconds
            row = outcome.rows[-1]
            step(
                f"{n_done}/{len(found.cells)} {cell}: train {row['train_accuracy']:.3f}, "
                f"test {row['test_accuracy']:.3f}, {outcome.seconds:.1f} s"
            )

        runner: Runner = partial(locally, jobs=jobs, timeout=timeout, data_dir=data_dir)
        if scheduler is not None:
            runner = partial(
                on_cluster, scheduler=scheduler, data_dir=data_dir, say=lambda text: typer.echo(text, err=True)
            )
        after = run_study(found, folder, runner, retry_failed=retry_failed, on_cell=say)
    if after.finished:
        typer.echo(folder.path / "study.csv")
    if after.failed:
        reasons = "; ".join(dict.fromkeys(_last_line(why) for why in after.failed.values()))
        typer.echo(
            f"dnn-topology: {len(after.failed)} of {len(found.cells)} networks failed: {reasons}; the others are "
            "finished: mend the cause and run again with --retry-failed",
            err=True,
        )
        raise typer.Exit(1)


def _parsed(words: list[str]) -> tuple[bool, Path]:
    """Return whether the status is asked for, and the file.

    Raises:
        DnnTopologyError: The words are neither FILE nor status FILE.
    """
    *asked, path = words
    if asked not in ([], ["status"]):
        raise DnnTopologyError(f"study takes FILE.toml, or status FILE.toml, found {' '.join(words)!r}")
    return bool(asked), Path(path)


def _announced(
    cells: Sequence[Cell], before: Outcomes, seconds: dict[Cell, float], todo: Sequence[Cell], jobs: int | None
) -> str:
    """Return how much work there is, as far as it is known."""
    epochs = sum(cell.epochs for cell in todo)
    parts = [f"study: {len(cells)} networks, {len(before.finished)} finished, {len(before.failed)} failed before"]
    if todo:
        work = f"{len(todo)} to do, {epochs} epochs of training in all"
        expected = expected_seconds(seconds, todo)
        if expected is None:
            parts.append(f"{work}; how long that takes is known after the first")
        else:
            shared = f", {duration(expected / jobs)} with --jobs {jobs}" if jobs and jobs > 1 else ""
            parts.append(f"{work}, about {duration(expected)} of work{shared}")
    return ": ".join(parts)


def _print_status(path: Path, folder: StudyFolder) -> None:
    """Print how far a study is."""
    found = read_study(path)
    known = progress_of(found, folder)
    there = known.outcomes
    typer.echo(
        f"{folder.path}: {len(there.finished)} finished, {len(there.failed)} failed, {len(there.left)} running or left "
        f"of {len(found.cells)}"
    )
    expected = "unknown until one is finished" if known.expected is None else duration(known.expected)
    typer.echo(f"time used {duration(known.used)}, expected for what is left {expected} (of work, on one job)")
    rows = [(axis, value, *map(str, counts)) for axis in found.axes for value, *counts in known.by(axis)]
    if rows:
        print_table(("setting", "value", "finished", "failed", "left"), rows)
    for cell, why in there.failed.items():
        typer.echo(f"failed: {cell}: {_last_line(why)}")


def _last_line(failure: Failure) -> str:
    """Return the line of a reason that says most."""
    return failure.reason.strip().splitlines()[-1]
