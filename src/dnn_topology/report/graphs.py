"""The graphs of a measurement that has several to an epoch: their names, in words too, and their numbers together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.homology.tables import counting, epoch_table

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.settings import RunMeasureSettings

COLUMNS = ("n_nodes", "n_edges", "count", "essential", "life", "midlife", "betti_max", "peak_epsilon")


def graph_names(measurement: RunMeasurement) -> list[str]:
    """Return the names of the graphs of each epoch, every draw of a sample of neurons among them."""
    n_draws = measurement.settings.bootstrap if measurement.settings.sample_nodes is not None else 1
    draws = [f"draw{number}" for number in range(1, n_draws)]
    return [*measurement.graphs(), *(name for name in draws if measurement.epochs(name))]


def check_graph(measurement: RunMeasurement, name: str) -> None:
    """Check that there is a graph of a name.

    Raises:
        DnnTopologyError: There is none.
    """
    names = graph_names(measurement)
    if name not in names:
        known = [one for one in names if one]
        remedy = nearest(name, known) if known else "it has a single one, without a name: leave it out"
        raise DnnTopologyError(f"{measurement.folder} has no graph {name!r}: {remedy}")


def graph_words(name: str, settings: RunMeasureSettings, diagrams: Diagrams) -> str:
    """Return what a graph is of, in words.

    Args:
        name: Its name: "" for the first draw of neurons, or for all beside those of layers or classes.
        settings: What was measured.
        diagrams: Its diagrams, which know the layer, or of an input what it is taken for.
    """
    said = diagrams.provenance
    if not name:
        return (
            "draw 0"
            if settings.sample_nodes is not None
            else {"class": "all classes"}.get(settings.by or "", "all layers")
        )
    if "layer" in said:
        return f"layer {said['layer']}"
    number = name.lstrip("abcdefghijklmnopqrstuvwxyz")
    if "predicted" not in said:
        return f"{name.removesuffix(number)} {number}"
    label = f"label {said['label']}, " if "label" in said else ""
    return f"input {number}, {label}taken for {said['predicted']}"


@dataclass(frozen=True, eq=False)
class SideBySide:
    """The graphs of one epoch.

    Attributes:
        epoch: The epoch.
        table: A row per graph: graph (its name), words, and the numbers of one dimension.
        counted: Name → diagrams of the same graphs, the cavities that do not count left out.
        n_graphs: How many there are in all.
    """

    epoch: int
    table: pd.DataFrame
    counted: Mapping[str, Diagrams]
    n_graphs: int


def side_by_side(measurement: RunMeasurement, epoch: int, *, dim: int, chosen: str, most: int) -> SideBySide:
    """Return the numbers of an epoch's graphs.

    Args:
        measurement: What was measured.
        epoch: The epoch; graphs that it has not are left out.
        dim: Dimension of the cavities.
        chosen: The name of a graph that is among them however many there are.
        most: How many at most: the first.

    Raises:
        DnnTopologyError: A file is damaged.
    """
    names = graph_names(measurement)
    chosen_first = sorted(names, key=lambda name: name != chosen)
    there = (name for name in chosen_first if epoch in measurement.epochs(name))
    taken = sorted(itertools.islice(there, most), key=names.index)
    diagrams = {name: measurement.load([epoch], graph=name)[epoch] for name in taken}
    counted = {name: counting({epoch: one}, measurement.settings)[epoch] for name, one in diagrams.items()}
    tables = []
    for name, one in counted.items():
        rows = epoch_table({epoch: one})
        rows.insert(0, "words", graph_words(name, measurement.settings, one))
        rows.insert(0, "graph", name)
        tables.append(rows[rows["dim"] == dim])
    table = pd.concat(tables, ignore_index=True)
    return SideBySide(epoch, table[["graph", "words", *COLUMNS]], counted, len(names))
