"""Runs compared on disk: tables and pictures of their groups."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnn_topology import store
from dnn_topology.analysis.comparison import Comparison, compare
from dnn_topology.settings import CompareSettings
from dnn_topology.trials.groups import RunGroups


def compare_runs(
    folders: Sequence[Path], settings: CompareSettings, out: Path | None = None
) -> tuple[Comparison, list[Path]]:
    """Compare runs, those that differ in the seed alone as groups, and write tables and pictures.

    Args:
        folders: Folders of runs, or of several trials of one network and data set.
        settings: What is compared, and how.
        out: Where files go; None for `comparison/` in the folder that holds the folders of all trials.

    Returns:
        The comparison, and the paths as for `write_comparison`.

    Raises:
        DnnTopologyError: A folder is no run that was measured, or runs cannot be compared.
    """
    groups = RunGroups.read(folders, max_epsilon=settings.max_epsilon, measurement=settings.measurement)
    return write_comparison(groups, settings, out or folder_beside(groups))


def write_comparison(groups: RunGroups, settings: CompareSettings, folder: Path) -> tuple[Comparison, list[Path]]:
    """Compare groups of runs, and write the tables and the pictures of the comparison.

    Args:
        groups: The groups.
        settings: What is compared, and how.
        folder: Where files go.

    Returns:
        The comparison and the paths of groups.csv, curves.csv, summaries.csv (the last two where there are groups that
        can be tested), history, Betti curves of the last common epoch, and trajectory.

    Raises:
        DnnTopologyError: As for `compare`.
    """
    from dnn_topology.show.history import plot_history
    from dnn_topology.show.plots import plot_betti_curves
    from dnn_topology.show.report import save_figure
    from dnn_topology.show.trajectory import plot_trajectory

    which: Any = {"min_persistence": settings.min_persistence, "essential": settings.essential}
    tracks = groups.tracks(epochs=settings.epochs, **which)
    how: Any = {name: getattr(settings, name) for name in ("resamples", "confidence", "seed")}
    result = compare(tracks, **how)
    tables = {"groups": result.groups, "curves": result.curves, "summaries": result.summaries}
    paths = [folder / f"{name}.csv" for name, table in tables.items() if len(table)]
    for path in paths:
        store.write_table(path, tables[path.stem])
    last, max_dim = int(result.groups["epoch"].max()), int(result.groups["dim"].max())
    at_last = {label: [trial[last] for trial in group] for label, group in tracks.items()}
    pictures = {f"betti_curves_H{dim}_epoch{last}": plot_betti_curves(at_last, dim=dim) for dim in range(max_dim + 1)}
    dim = min(1, max_dim)
    histories = groups.histories()
    if len(tracks) == 1:
        (one,) = tracks.values()
        pictures["history"] = plot_history(one, histories and next(iter(histories.values())), dim=dim)
    else:
        pictures["history"] = plot_history(tracks, histories, dim=dim)
    if settings.trajectory is not None:
        pictures["trajectory"] = plot_trajectory(tracks, dim=dim, metric=settings.trajectory)
    saved = (save_figure(ax, folder / name, formats=settings.formats) for name, ax in pictures.items())
    return result, [*paths, *itertools.chain.from_iterable(saved)]


def folder_beside(groups: RunGroups) -> Path:
    """Return where the comparison of some runs goes by itself: `comparison/` in the folder that holds them all."""
    folders = [one.run.folder.resolve().parent for group in groups.measurements.values() for one in group]
    return Path(os.path.commonpath([str(folder) for folder in folders])) / "comparison"
