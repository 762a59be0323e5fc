"""What an experiment has measured, as diagrams and as tables."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams, Essential
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.summaries import summarize
from dnn_topology.runs.graphs import draw_name
from dnn_topology.runs.layout import Experiment, epochs_in, listed, neighbours

PART = r"(?:part|sample)\d+"  # the name of one of several graphs of an epoch


def load_diagrams(
    experiment: Experiment, max_epsilon: float, epochs: Sequence[int] | None = None, *, part: str = ""
) -> dict[int, Diagrams]:
    """Return the diagrams of some epochs, ours or, where there are none, those of the original's DIPHA files.

    Args:
        experiment: The training.
        max_epsilon: Up to which scale.
        epochs: Which epochs; None for all that there are.
        part: Which of an epoch's graphs; see `measured_parts`.

    Returns:
        Epoch → diagrams.

    Raises:
        DnnTopologyError: An epoch has not been measured, or a file is damaged.
    """
    there = measured_epochs(experiment, max_epsilon, part=part)
    missing = sorted(set(epochs or []) - set(there))
    if not there:
        raise DnnTopologyError(
            f"there are no diagrams of trial {experiment.training.trial} up to ε {max_epsilon:g} in "
            f"{experiment.folder}{neighbours(experiment)}: make them with `dnn-topology run`"
        )
    if missing:
        raise DnnTopologyError(
            f"epochs {listed(missing)} of {experiment.folder.name}, trial {experiment.training.trial}, have no "
            f"diagrams up to ε {max_epsilon:g} (there are: {listed(there)}): measure them with "
            "`dnn-topology topology`"
        )
    diagrams = {}
    for epoch in there if epochs is None else epochs:
        ours = experiment.diagrams_file(epoch, max_epsilon, part)
        diagrams[epoch] = (
            Diagrams.load(ours) if ours.exists() else read_dipha(experiment.dipha_file(epoch, max_epsilon, part))
        )
    return diagrams


def measured_epochs(experiment: Experiment, max_epsilon: float, *, part: str = "") -> list[int]:
    """Return the epochs that have diagrams, in order."""
    named = f"_{part}" if part else ""
    ours = epochs_in(experiment.topology_folder(max_epsilon), rf"epoch(\d+){named}\.npz")
    ending = re.escape(f"_trl{experiment.training.trial}{named}_{max_epsilon:g}.bin.out")
    return sorted(ours | epochs_in(experiment.folder, rf"adj_epc(\d+){ending}"))


def measured_parts(experiment: Experiment, max_epsilon: float) -> list[str]:
    """Return the names of the graphs that have diagrams: "" where there is one graph per epoch, else "part0", …."""
    trial, end = experiment.training.trial, re.escape(f"_{max_epsilon:g}.bin.out")
    found = {
        match[1] or ""
        for folder, pattern in (
            (experiment.topology_folder(max_epsilon), rf"epoch\d+(?:_({PART}))?\.npz"),
            (experiment.folder, rf"adj_epc\d+_trl{trial}(?:_({PART}))?{end}"),
        )
        if folder.is_dir()
        for path in folder.iterdir()
        if (match := re.fullmatch(pattern, path.name))
    }
    return sorted(found or {""}, key=lambda name: (len(name), name))


def topology_table(
    diagrams: dict[int, Diagrams], *, min_persistence: float = 0.0, essential: Essential = "count", part: str = ""
) -> pd.DataFrame:
    """Return one row per epoch and dimension with the numbers of `summarize` and the sizes of the graph.

    Args:
        diagrams: Epoch → diagrams.
        min_persistence: See `summarize`.
        essential: See `summarize`.
        part: The name of the graph, if it is one of several of each epoch.

    Returns:
        Columns epoch, those of `summarize`, n_nodes, n_edges, n_constant, min_persistence. For one of several graphs
        a column with its number, `part` or `sample`, follows the epoch; a sample's label and what the network took
        it for come last.
    """
    tables = []
    for epoch, found in diagrams.items():
        table = summarize(found, min_persistence=min_persistence, essential=essential)
        table = with_names(table, epoch=epoch, part=part)
        table["n_nodes"] = found.n_nodes
        for size in ("n_edges", "n_constant"):
            table[size] = found.provenance.get(size)
        table["min_persistence"] = min_persistence
        for about in ("label", "predicted"):
            if about in found.provenance:
                table[about] = found.provenance[about]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def with_names(table: pd.DataFrame, *, epoch: int, part: str) -> pd.DataFrame:
    """Return a table of one graph with columns in front that say which: `epoch`, and `part` or `sample` if one is."""
    kind = part.rstrip("0123456789")
    number = {kind: int(part.removeprefix(kind))} if part else {}
    names = pd.DataFrame({"epoch": epoch, **number}, index=table.index)
    return pd.concat([names, table], axis=1)


def bootstrap_table(
    experiment: Experiment, max_epsilon: float, *, min_persistence: float = 0.0, essential: Essential = "count"
) -> pd.DataFrame | None:
    """Return the interval of every summary over the draws of neurons, for each epoch that has several.

    Args:
        experiment: The training.
        max_epsilon: Up to which scale.
        min_persistence: See `summarize`.
        essential: See `summarize`.

    Returns:
        Columns epoch and those of `intervals`; None where no epoch has several draws.

    Raises:
        DnnTopologyError: A file is damaged.
    """
    from dnn_topology.homology.bootstrap import intervals

    tables = []
    for epoch in sorted(epochs_in(experiment.topology_folder(max_epsilon), r"epoch(\d+)\.npz")):
        files = itertools.takewhile(
            Path.exists, (experiment.diagrams_file(epoch, max_epsilon, draw_name(draw)) for draw in itertools.count())
        )
        drawn = [Diagrams.load(file) for file in files]
        if len(drawn) > 1:
            table = intervals(drawn, min_persistence=min_persistence, essential=essential)
            table.insert(0, "epoch", epoch)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else None
