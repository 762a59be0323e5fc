"""`report`: one page about a run, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, say
from dnn_topology.settings import Essential, RunMeasureSettings


def report(
    *runs: Path,
    page: opt.PageFlags = opt.PAGE,
    max_epsilon: Annotated[float | None, Parameter(group=opt.FIRST)] = None,
    measurement: Annotated[str | None, Parameter(group=opt.FIRST)] = None,
    min_persistence: Annotated[float, Parameter(group=opt.PICTURES)] = RunMeasureSettings.min_persistence,
    essential: Annotated[Essential, Parameter(group=opt.PICTURES)] = "count",
    out: Annotated[Path | None, Parameter(group=opt.FIRST)] = None,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Write one HTML page about runs: how they went, their curves and diagrams, and every cavity with its neurons.

    The page is a single file without anything outside it, to be opened by a double click, printed, or handed on.

    Args:
        runs: The folders of runs, trial0, that `run` or `topology` left; the page compares several.
        max_epsilon: End of the filtration (default: 0.3, or the only one that there is).
        measurement: Which of several measurements up to that scale: the name of its folder.
        min_persistence: Only cavities that live longer than this (ε) count.
        essential: Cavities alive at the end: 'count', 'drop', or 'clip' them there.
        out: The file (default: report.html beside what was measured; for several runs, here).
    """
    from dnn_topology.report import REPORT, open_measurements, write_report

    counting: dict[str, Any] = {"min_persistence": min_persistence, "essential": essential}
    places: dict[str, Any] = {"data_dir": machine.data_dir, "device": machine.place}
    there = open_measurements(runs, max_epsilon=max_epsilon, name=measurement, **counting, **places)
    usual = Path(REPORT) if len(there) > 1 else there[0].folder / REPORT
    answer(write_report(there, out or usual, page=opt.plain(page), say=say))
