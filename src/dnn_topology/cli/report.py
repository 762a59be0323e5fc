"""`report`: one page about a run, or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, say
from dnn_topology.settings import Essential

First = Parameter(group=opt.FIRST)


def report(
    *runs: Path,
    trace: opt.TraceFlags = opt.TRACE,
    max_epsilon: Annotated[float | None, First] = None,
    measurement: Annotated[str | None, First] = None,
    graph: Annotated[tuple[str, ...], First] = (),
    essential: Annotated[Essential, Parameter(group=opt.PICTURES)] = "count",
    out: Annotated[Path | None, Parameter(alias="-o", group=opt.FIRST)] = None,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Write one HTML page about runs: how they went, their curves and diagrams, and their cavities with the neurons.

    The page is a single file without anything outside it, to be opened by a double click, printed, or handed on.

    Args:
        runs: The folders of runs, trial0, that `run` or `topology` left; several stand side by side.
        max_epsilon: End of the filtration (default: 0.3, or the only one that there is).
        measurement: Which of several measurements up to that scale: the name of its folder.
        graph: Which of several graphs of each epoch are shown in full: part0, sample0, layer0, draw1, … (default: the
            first; the numbers of all are on the page).
        essential: Cavities alive at the end: 'count', 'drop', or 'clip' them there.
        out: The file (default: report.html beside what was measured; for several runs, here).
    """
    from dnn_topology.report import open_measurements, write_report

    where: dict[str, Any] = {"data_dir": machine.data_dir, "device": machine.place}
    which: dict[str, Any] = {"max_epsilon": max_epsilon, "name": measurement}
    there = open_measurements(runs, **which, min_persistence=trace.min_persistence, essential=essential, **where)
    answer(write_report(there, out, trace=opt.plain(trace), graphs=graph, say=say))
