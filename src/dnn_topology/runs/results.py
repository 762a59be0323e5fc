"""What a run has measured, as tables and pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dnn_topology import store
from dnn_topology.homology.bootstrap import intervals
from dnn_topology.homology.tables import WHOLE, counting, epoch_table, threshold_table
from dnn_topology.runs.run import HISTORY, epochs_in

if TYPE_CHECKING:
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
    from dnn_topology.show.report import save_layer_figures, save_run_figures

    folder, settings = measurement.folder, measurement.settings
    run = measurement.run
    history = run.history() if (run.folder / HISTORY).exists() else None
    everything = {graph: measurement.load(graph=graph) for graph in measurement.graphs()}
    tables, figures, paths = [], [], [folder / "topology.csv"]
    for graph, of_epochs in everything.items():
        counted = counting(of_epochs, settings)
        tables.append(epoch_table(counted, graph=graph))
        if settings.by is not None and not graph:
            tables[-1].insert(1, settings.by, WHOLE)
        shown = of_epochs if pictures.as_original else counted
        pictured = {epoch: diagrams for epoch, diagrams in shown.items() if epochs is None or epoch in epochs}
        if settings.by is None or not graph:  # each layer's or class's own pictures would be a hundred
            figures.append((pictured, tables[-1], folder / graph))
    topology = pd.concat(tables, ignore_index=True)
    store.write_table(paths[0], topology)
    if thresholds:
        paths.append(folder / "betti_numbers.csv")
        store.write_table(paths[-1], threshold_table(everything, thresholds, pictures.filtration))
    spread = interval_table(measurement) if settings.bootstrap > 1 else None
    if spread is not None:
        paths.append(folder / "bootstrap.csv")
        store.write_table(paths[-1], spread)
    if settings.by is not None:
        paths += save_layer_figures(topology, folder, settings.max_dim)
    for pictured, table, where in figures:
        paths += save_run_figures(pictured, table, history, where, **asdict(pictures))
    return paths


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
            table = intervals(counting(drawn, measurement.settings).values())
            table.insert(0, "epoch", epoch)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else None
