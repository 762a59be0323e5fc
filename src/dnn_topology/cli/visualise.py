"""`visualise`: Betti curves of a run, ours or the original's."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table, say
from dnn_topology.settings import Essential, RunMeasureSettings

if TYPE_CHECKING:
    from dnn_topology.runs.run import Run

Drawn = Parameter(group=opt.PICTURES)


def visualise(
    run: Path | None = None,
    /,
    *,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    epochs: Annotated[tuple[int, ...] | None, Parameter(group=opt.FIRST)] = None,
    dim: Annotated[tuple[int, ...], Parameter(group=opt.FIRST)] = (1,),
    max_epsilon: Annotated[float | None, Parameter(group=opt.FIRST)] = None,
    measurement: Annotated[str | None, Parameter(group=opt.FIRST)] = None,
    min_persistence: Annotated[float, Drawn] = RunMeasureSettings.min_persistence,
    essential: Annotated[Essential, Drawn] = "count",
    pictures: opt.PictureFlags = opt.DRAW,
    formats: Annotated[tuple[str, ...], Drawn] = ("png", "svg", "pdf"),
    out: Annotated[Path | None, Drawn] = None,
    show: Annotated[bool, Drawn] = False,
    form: opt.Form = "text",
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Draw the Betti curves of several epochs, and print their life and midlife.

    Reads what `run` left, and the original pipeline's own adj_epc….bin.out files where there is nothing of ours. Epochs
    that have a checkpoint and no measurement are measured on the spot, with the settings of the others.

    Args:
        run: The folder of a run, trial0, that `run`, `topology` or the original left.
        epochs: Epochs to draw (default: all measured).
        dim: Dimensions of the cavities.
        max_epsilon: End of the filtration (default: 0.3, or the only one that there is).
        measurement: Which of several measurements up to that scale: the name of its folder.
        min_persistence: Only cavities that live longer than this (ε) count.
        essential: Cavities alive at the end: 'count', 'drop', or 'clip' them there.
        formats: File formats: png, svg, pdf.
        out: Where pictures go (default: the folder of the measurement).
        show: Show a window too, if there is a screen.
        form: Print life and midlife as text, or as a table: md, latex or csv.
    """
    from dnn_topology.homology.tables import counting, epoch_lines, epoch_report, epoch_table
    from dnn_topology.runs.measurements import find_measurement
    from dnn_topology.runs.measuring import measured_on_the_spot
    from dnn_topology.show.plots import plot_betti_curves
    from dnn_topology.show.report import epoch_labels, save_figure
    from dnn_topology.show.window import show_window

    settings = RunMeasureSettings(min_persistence=min_persistence, essential=essential)
    there = find_measurement(_opened(run, named, machine), max_epsilon=max_epsilon, name=measurement)
    folder = there.folder if out is None else out
    drawable = epochs and measured_on_the_spot(there, epochs, say)
    for graph, k in itertools.product(there.graphs(), dim):
        loaded = there.load(drawable, graph=graph)
        counted = counting(loaded, settings)
        drawn: dict[str, Any] = {"dim": k, **asdict(pictures)}
        curves = epoch_labels(loaded if pictures.as_original else counted)
        table = epoch_table(counted)
        lines = epoch_lines(table, dim=k)
        ax = plot_betti_curves(curves, **drawn)
        paths = save_figure(ax, folder / graph / f"betti_curves_H{k}{pictures.suffix}", formats=formats)
        if form == "text":
            name = next(iter(loaded.values())).provenance.get("layer", graph)
            answer(f"{name}{', ' if name else ''}{lines}")
        else:
            print_table(epoch_report(table, dim=k), form)
        answer(*paths, beside=form)
        if show and not show_window(partial(plot_betti_curves, curves, **drawn)):
            say("there is no screen here; the picture is in the files above")


def _opened(run: Path | None, named: opt.Named, machine: opt.Machine) -> Run:
    """Return a run whose pictures are drawn, of which there may be nothing but the original's results."""
    from dnn_topology.runs.run import Run

    folder = run or named.folder
    if run is None and not (folder / "settings.json").exists():
        return Run(folder)
    return Run.open(folder, data_dir=machine.data_dir, device=machine.place)
