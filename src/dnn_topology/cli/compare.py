"""`compare`: runs that differ in the seed alone as groups, and how the groups differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table


def compare(
    *runs: Path,
    settings: opt.CompareFlags = opt.COMPARE,
    form: opt.Form = "text",
    out: Annotated[Path | None, Parameter(group=opt.PICTURES)] = None,
) -> None:
    """Compare groups of runs that differ in the seed alone: do their Betti curves and summaries differ beyond chance?

    Args:
        runs: Folders of runs, trial0 and others, or of all trials of a network.
        form: Print tables as text, md, latex or csv.
        out: Where tables and pictures go (default: comparison/ beside the runs).
    """
    from dnn_topology.trials.comparing import compare_runs

    result, paths = compare_runs(runs, opt.plain(settings), out)
    for table in (result.curve_report(), result.report()):
        if len(table):
            print_table(table, form)
            answer("")
    answer(*result.notes, *paths, beside=form)
