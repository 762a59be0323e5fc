"""What a run has measured, as tables and pictures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from dnn_topology import store
from dnn_topology.homology.betti_numbers import betti_numbers
from dnn_topology.homology.bootstrap import intervals
from dnn_topology.homology.summaries import summarize
from dnn_topology.pipeline import named_rows
from dnn_topology.runs.run import HISTORY, epochs_in

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.settings import PictureSettings


def write_results(
    measurement: RunMeasurement,
    pictures: PictureSettings,
    *,
    epochs: Sequence[int] | None = None,
    thresholds: Sequence[float] | None = None,
) -> list[Path]:
    """Write the tables of every measured epoch, and the pictures of some.

    Args:
        measurement: What was measured; its settings say which cavities count.
        pictures: How to draw.
        epochs: Which epochs are drawn; None for all.
        thresholds: Betti numbers at these go into betti_numbers.csv.

    Returns:
        The paths of the tables and the pictures.
    """
    from dnn_topology.show.report import draw_run

    folder, settings = measurement.folder, measurement.settings
    run = measurement.run
    history = run.history() if (run.folder / HISTORY).exists() else None
    everything = {graph: measurement.load(graph=graph) for graph in measurement.graphs()}
    tables, drawings, paths = [], [], [folder / "topology.csv"]
    for graph, of_epochs in everything.items():
        counted = counting(of_epochs, measurement)
        tables.append(epoch_table(counted, graph=graph))
        drawn = {epoch: diagrams for epoch, diagrams in counted.items() if epochs is None or epoch in epochs}
        drawings.append((drawn, tables[-1], folder / graph))
    store.write_table(paths[0], pd.concat(tables, ignore_index=True))
    if thresholds:
        paths.append(folder / "betti_numbers.csv")
        store.write_table(paths[-1], threshold_table(everything, thresholds, pictures.filtration))
    spread = interval_table(measurement) if settings.bootstrap > 1 else None
    if spread is not None:
        paths.append(folder / "bootstrap.csv")
        store.write_table(paths[-1], spread)
    for drawn, table, where in drawings:
        paths += draw_run(drawn, table, history, where, filtration=pictures.filtration, smooth=pictures.smooth)
    return paths


def counting(diagrams: Mapping[int, Diagrams], measurement: RunMeasurement) -> dict[int, Diagrams]:
    """Return diagrams with only the cavities that count in a measurement."""
    settings = measurement.settings
    return {
        epoch: found.filtered(min_persistence=settings.min_persistence, essential=settings.essential)
        for epoch, found in diagrams.items()
    }


def epoch_table(diagrams: Mapping[int, Diagrams], *, graph: str = "") -> pd.DataFrame:
    """Return one row per epoch and dimension with the numbers of `summarize` and the sizes of the graph.

    Args:
        diagrams: Epoch → diagrams, filtered.
        graph: The name of the graph, if it is one of several of each epoch.

    Returns:
        Columns epoch, those of `summarize`, n_nodes, n_edges, n_constant, min_persistence. For one of several graphs
        a column with its number, `part` or `sample`, follows the epoch; a sample's label and what the network took
        it for come last.
    """
    tables = []
    for epoch, of_epoch in diagrams.items():
        table = _named(summarize(of_epoch), epoch, graph)
        table["n_nodes"] = of_epoch.n_nodes
        for size in ("n_edges", "n_constant"):
            table[size] = of_epoch.provenance.get(size)
        table["min_persistence"] = of_epoch.min_persistence
        for about in ("label", "predicted"):
            if about in of_epoch.provenance:
                table[about] = of_epoch.provenance[about]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def threshold_table(
    everything: Mapping[str, Mapping[int, Diagrams]],
    thresholds: Sequence[float],
    filtration: Literal["nominal", "density"],
) -> pd.DataFrame:
    """Return the Betti numbers at some thresholds, of every graph and epoch."""
    return pd.concat(
        _named(betti_numbers(diagrams, thresholds, filtration=filtration), epoch, graph)
        for graph, of_epochs in everything.items()
        for epoch, diagrams in of_epochs.items()
    )


def interval_table(measurement: RunMeasurement) -> pd.DataFrame | None:
    """Return the interval of every summary over the draws of neurons, for each epoch that has several.

    Returns:
        Columns epoch and those of `intervals`; None where no epoch has several draws.

    Raises:
        DnnTopologyError: A file is damaged.
    """
    from dnn_topology.homology.diagrams import Diagrams

    tables = []
    for epoch in sorted(epochs_in(measurement.folder, r"epoch(\d+)\.npz")):
        names = (f"draw{number}" if number else "" for number in itertools.count())
        files = itertools.takewhile(Path.exists, (measurement.diagrams_file(epoch, name) for name in names))
        drawn = dict(enumerate(Diagrams.load(file) for file in files))
        if len(drawn) > 1:
            table = intervals(counting(drawn, measurement).values())
            table.insert(0, "epoch", epoch)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else None


def _named(table: pd.DataFrame, epoch: int, graph: str) -> pd.DataFrame:
    """Return a table of one graph with columns in front that say which: `epoch`, and `part` or `sample` if one is."""
    table = named_rows(table, graph)
    table.insert(0, "epoch", epoch)
    return table
