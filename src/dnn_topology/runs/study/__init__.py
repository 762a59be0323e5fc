"""Many networks: a grid in a TOML file → train, measure, one row each; resumable, on one machine or on a Dask cluster.

Layout, under `<save_path>/study_<name of the file>/`:

    cells/<CELL>.json                       a finished cell: its settings, its rows, its time
    cells/<CELL>.failed.json                instead: why there is no result
    cells/manifest.json                     which files of which cells are finished
    diagrams/<CELL>_epoch<E>_draw<D>.npz    the diagrams of each measured epoch and draw of inputs
    weights/<CELL>/                         a folder of a run with the weights, with `keep_weights = true`
    study.csv, study.parquet                one row per cell, at its last measured epoch; made anew from cells/
    epochs.csv, epochs.parquet              one row per cell and measured epoch

CELL is a digest of a cell's settings, so a grid may grow: what it still asks for is found again, and what it no longer
asks for stays, out of the tables.
"""
