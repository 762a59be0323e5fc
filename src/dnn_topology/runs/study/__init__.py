"""Many networks: a grid in a TOML file → train, measure, one row each; resumable, on one machine or on a Dask cluster.

Layout, under `<save_path>/study_<name of the file>/`:

    cells/<CELL>.json                       a finished cell: its settings, its rows, its time
    cells/<CELL>.failed.json                instead: why there is no result
    diagrams/<CELL>_epoch<E>_draw<D>.npz    the diagrams of each measured epoch and draw of inputs
    weights/<CELL>_epoch<E>.pt              the weights, with `keep_weights = true`
    study.csv, study.parquet                one row per cell, at its last measured epoch; made anew from cells/
    epochs.csv, epochs.parquet              one row per cell and measured epoch

A cell is finished when its JSON file says so, which is written last and in one step. CELL is a digest of its settings,
so a grid may grow: what it still asks for is found again, and what it no longer asks for stays, out of the tables.
"""

from __future__ import annotations

from dnn_topology.runs.study.cell import Cell, CellResult, run_cell
from dnn_topology.runs.study.cluster import on_cluster
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study, read_study
from dnn_topology.runs.study.local import locally
from dnn_topology.runs.study.running import Outcomes, run_study
from dnn_topology.runs.study.status import Progress, progress_of

__all__ = [
    "Cell",
    "CellResult",
    "Outcomes",
    "Progress",
    "Study",
    "StudyFolder",
    "locally",
    "on_cluster",
    "progress_of",
    "read_study",
    "run_cell",
    "run_study",
]
