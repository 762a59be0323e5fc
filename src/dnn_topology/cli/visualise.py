"""`visualise`: Betti curves of a run, ours or the original's."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import pandas as pd
import typer

from dnn_topology._checks import DnnTopologyError
from dnn_topology.cli import options as opt
from dnn_topology.runs import Experiment, Training, load_diagrams, measured_parts, topology_table


def visualise(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    epochs: Annotated[
        str | None,
        typer.Option(metavar="N N …", help="Epochs to draw (default: all measured).", rich_help_panel=opt.MODEL),
    ] = None,
    dim: Annotated[
        str, typer.Option(metavar="K …", help="Dimensions of the cavities.", rich_help_panel=opt.MODEL)
    ] = "1",
    max_epsilon: opt.MaxEpsilon = 0.3,
    min_persistence: opt.MinPersistence = 0.02,
    essential: opt.EssentialOption = "count",
    filtration: opt.FiltrationOption = "nominal",
    smooth: opt.Smooth = False,
    formats: Annotated[
        str, typer.Option(metavar="F …", help="File formats.", rich_help_panel=opt.PICTURES)
    ] = "png svg pdf",
    show: Annotated[
        bool, typer.Option("--show", help="Show a window too, if there is a screen.", rich_help_panel=opt.PICTURES)
    ] = False,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
) -> None:
    """Draw the Betti curves of several epochs, and print their life and midlife.

    Reads what `run` left, and the original pipeline's own adj_epc….bin.out files where it finds only those.
    """
    from dnn_topology.show.plots import plot_betti_curves
    from dnn_topology.show.report import epoch_labels, save_figure
    from dnn_topology.show.window import show_window

    experiment = Experiment(Training(net=net, dataset=dataset, trial=trial), save_path)
    counted: dict[str, Any] = {"min_persistence": min_persistence, "essential": essential}
    wanted = itertools.product(measured_parts(experiment, max_epsilon), opt.numbers("--dim", dim) or [])
    for part, k in wanted:
        diagrams = load_diagrams(experiment, max_epsilon, opt.numbers("--epochs", epochs), part=part)
        drawn: dict[str, Any] = {**counted, "dim": k, "filtration": filtration, "smooth": smooth}
        ax = plot_betti_curves(epoch_labels(diagrams), **drawn)
        stem = experiment.topology_folder(max_epsilon) / part / f"betti_curves_H{k}{_suffix(filtration, smooth)}"
        paths = save_figure(ax, stem, formats=formats.replace(",", " ").split())
        typer.echo(f"{part}{', ' if part else ''}" + _readings(topology_table(diagrams, **counted), k, min_persistence))
        for path in paths:
            typer.echo(path)
        if show and not show_window(partial(plot_betti_curves, epoch_labels(diagrams), **drawn)):
            typer.echo("there is no screen here; the picture is in the files above", err=True)


def _suffix(filtration: str, smooth: bool) -> str:
    """Return what tells pictures of the same curves apart."""
    return ("_density" if filtration == "density" else "") + ("_smooth" if smooth else "")


def _readings(table: pd.DataFrame, dim: int, min_persistence: float) -> str:
    """Return life and midlife per epoch as lines.

    Raises:
        DnnTopologyError: That dimension has no rows.
    """
    rows = table[table["dim"] == dim]
    if rows.empty:
        raise DnnTopologyError(f"dimension {dim} was not computed: take one of {sorted(set(table['dim']))}")
    lines = [f"H{dim}, cavities that live longer than {min_persistence:g}, in ε:"]
    for row in rows.to_dict("records"):
        numbers = cast("dict[str, Any]", row)
        lines.append(
            f"  epoch {numbers['epoch']:>4}: life {numbers['life']:.4f}, midlife {numbers['midlife']:.4f}, "
            f"{numbers['count']} finite and {numbers['essential']} alive at the end, "
            f"at most {numbers['betti_max']} at once (ε {numbers['peak_epsilon']:.3f})"
            if numbers["count"] or numbers["essential"]
            else f"  epoch {numbers['epoch']:>4}: no cavity"
        )
    return "\n".join(lines)
