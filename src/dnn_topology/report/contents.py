"""Everything that the page says of one run, ready for the template."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.nodes import nodes_are
from dnn_topology.homology.tables import counting, epoch_table
from dnn_topology.report import facts
from dnn_topology.report.cards import EpochPart, cards_of
from dnn_topology.report.graphs import SideBySide, check_graph, graph_names, graph_words, side_by_side
from dnn_topology.report.network_map import NetworkMap, map_rows, network_map
from dnn_topology.report.tracing import Thumbnail, Traced, thumbnails, trace
from dnn_topology.runs.run import HISTORY, Run
from dnn_topology.show.page_figures import (
    curves_figure,
    diagram_figure,
    graphs_figure,
    history_figures,
    together_figures,
)

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.settings import TraceSettings

MOST_SHOWN, MOST_TRACED = 24, 12  # epochs on a page, and those whose cavities are traced
MOST_EDGES = 12_000_000  # of all graphs traced for one page, which then takes about as long as measuring them
MOST_GRAPHS, MOST_CURVES = 200, 40  # of several graphs of an epoch: in the table of numbers, and with a curve


def spread(epochs: Sequence[int], most: int) -> list[int]:
    """Return at most so many epochs, evenly among those there are, with the first and the last.

    Example:
        >>> spread(range(10), 4)
        [0, 3, 6, 9]
    """
    places = np.unique(np.round(np.linspace(0, len(epochs) - 1, most)).astype(int))
    if most < 2:
        return list(epochs)[-1:]
    return [int(epochs[place]) for place in places] if len(epochs) > most else list(epochs)


@dataclass(eq=False)
class Contents:
    """What a page says of one run.

    Attributes:
        measurement: What was measured.
        key: What ids of its part of the page begin with.
        label: What this part is called on a page of several.
        trace: Which cavities are traced to their neurons.
        graph: Which of several graphs of each epoch is shown; None for the first.
        say: Called with what is being done.
        warnings: What the reader should know before believing anything; it grows as parts are made.
    """

    measurement: RunMeasurement
    key: str
    label: str
    trace: TraceSettings
    graph: str | None = None
    say: Callable[[str], None] = lambda _: None
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        run = self.measurement.run
        # As its folder says it, whoever opened it: the same files give the same page.
        again = Run.open(run.folder, data_dir=run.data_dir, device=run.device)
        self.measurement = replace(self.measurement, run=again)
        if self.graph is not None:
            check_graph(self.measurement, self.graph)
        self.shown_graph = self.measurement.graphs()[0] if self.graph is None else self.graph
        self.unfiltered: dict[int, Diagrams] = self.measurement.load(graph=self.shown_graph)
        self.counted = counting(self.unfiltered, self.measurement.settings)
        self.dim = min(self.trace.dim, *(one.max_dim for one in self.counted.values()))
        self.shown = spread(list(self.counted), MOST_SHOWN)
        self.table = epoch_table(self.counted)
        path = self.measurement.run.folder / HISTORY
        self.history = self.measurement.run.history() if path.exists() else None
        self._warn()

    @property
    def title(self) -> str:
        """The network and its data."""
        return f"{self.measurement.run.training.net} on {self.measurement.run.training.dataset}"

    @property
    def folder(self) -> str:
        """The folder of the run within its results, wherever they lie."""
        folder = self.measurement.run.folder.absolute()
        return f"{folder.parent.name}/{folder.name}/{self.measurement.folder.name}"

    @property
    def name(self) -> str:
        """What tells a cavity of this page in words."""
        return facts.NAMES[self.dim]

    @property
    def last(self) -> int:
        """The last epoch measured."""
        return max(self.counted)

    @cached_property
    def graphs(self) -> SideBySide | None:
        """The graphs of the last epoch side by side; None where it has one."""
        several = len(graph_names(self.measurement)) > 1
        which: Any = {"dim": self.dim, "chosen": self.shown_graph, "most": MOST_GRAPHS}
        return side_by_side(self.measurement, self.last, **which) if several else None

    @property
    def graph_words(self) -> str:
        """What the graph that is shown is of; "" where there is one."""
        several = self.graphs is not None
        return graph_words(self.shown_graph, self.measurement.settings, self.counted[self.last]) if several else ""

    @cached_property
    def traced(self) -> dict[int, Traced]:
        """Epoch → its traced cavities; none where that is not possible, of which a warning says why."""
        if self.dim < 1:
            self.warnings.append(
                "Cavities are not traced to neurons: components alone were measured, and loops need --max-dim 1."
            )
            return {}
        traced = {}
        n_edges = max(int(one.provenance.get("n_edges", 1)) for one in self.unfiltered.values())
        most = min(MOST_TRACED, MOST_EDGES // max(n_edges, 1))
        if not most:
            self.warnings.append(
                f"Cavities are not traced to neurons: the graphs have {n_edges:,} edges, which takes long; "
                "`cavities` does it for one of them."
            )
        try:
            for epoch in spread(self.shown, most) if most else ():
                self.say(f"tracing the {self.name} of epoch {epoch}")
                traced[epoch] = trace(self.measurement, epoch, self.shown_graph, replace(self.trace, dim=self.dim))
        except DnnTopologyError as error:
            self.warnings.append(f"Cavities are not traced to neurons: {error}")
            return {}
        return traced

    @cached_property
    def map(self) -> NetworkMap | None:
        """The map of the network, with every neuron that is in the graph of an epoch traced."""
        graphs = [one.graph for one in self.traced.values() if one.graph.neurons is not None]
        if not graphs:
            return None
        are_groups = any(nodes_are(graph) == "groups" for graph in graphs)
        shapes = {} if are_groups else {layer: shape for graph in graphs for layer, shape in graph.shapes.items()}
        return network_map(pd.concat([map_rows(graph) for graph in graphs]).drop_duplicates(), shapes)

    @cached_property
    def epochs(self) -> list[EpochPart]:
        """The epochs of the page."""
        parts = []
        for epoch in self.shown:
            cards = cards_of(self.traced[epoch], self.map, f"{self.key}-e{epoch}") if epoch in self.traced else None
            rings = [(one.cavity.birth, one.cavity.death, one.id) for one in cards or ()]
            prefix = f"{self.key}-e{epoch}"
            diagram = diagram_figure(self.counted[epoch], rings, dim=self.dim, title=f"epoch {epoch}", prefix=prefix)
            parts.append(EpochPart(epoch, diagram, cards))
        return parts

    @cached_property
    def thumbnails(self) -> Mapping[int, Thumbnail]:
        """Input → its picture; those of the longest-lived cavities first, should they be too many."""
        if not self.traced:
            return {}
        cards = [one for part in reversed(self.epochs) for one in part.cards or ()]
        ordered = sorted(cards, key=lambda one: one.cavity.number)
        wanted = dict.fromkeys(place for one in ordered for _, places in one.listed for place in places)
        return thumbnails(self.measurement, max(self.traced), list(wanted))

    @property
    def node(self) -> str:
        """What a node of the graphs traced stands for."""
        return facts.NODE[self.traced[max(self.traced)].cavities.nodes_are] if self.traced else "node"

    def distance(self) -> str:
        """Return what the distance of two nodes is, of which ε is half."""
        return facts.distance(self.measurement.settings)

    def history_pictures(self) -> list[str]:
        """Return accuracy and topology over the epochs."""
        return history_figures(self.table, self.history, dim=self.dim, prefix=self.key)

    def curves(self) -> list[str]:
        """Return the Betti curves of every dimension."""
        drawn = {epoch: self.counted[epoch] for epoch in self.shown}
        return [curves_figure(drawn, dim=dim, prefix=self.key) for dim in range(len(self.counted[self.last]))]

    def graphs_picture(self) -> str:
        """Return the Betti curves of several graphs of the last epoch."""
        assert self.graphs is not None
        curves = dict(list(self.graphs.counted.items())[:MOST_CURVES])
        shown = {self.shown_graph: self.counted[self.last]}
        title = f"$β_{self.dim}$ of {len(curves | shown)} graphs, epoch {self.last}"
        return graphs_figure(curves, shown, dim=self.dim, title=title, shown=self.graph_words, prefix=self.key)

    def sentences(self) -> list[str]:
        """Return what to make of it, in three sentences."""
        traced = self.traced.get(self.last)
        return facts.sentences(self.measurement, self.table, self.history, traced, dim=self.dim)

    def layers(self) -> pd.DataFrame | None:
        """Return the layer-by-layer table of the last epoch."""
        return facts.layer_table(self.traced[self.last]) if self.last in self.traced and self.map else None

    def left_out(self) -> list[tuple[str, str]]:
        """Return what is not in the numbers."""
        rows = facts.left_out(
            self.measurement,
            self.unfiltered[self.last],
            self.traced.get(self.last),
            epoch=self.last,
            graph=self.shown_graph,
        )
        if len(self.shown) < len(self.counted):
            rows.append(
                ("Epochs not drawn", f"{len(self.counted) - len(self.shown)}; they are in the table of numbers")
            )
        if self.traced and len(self.traced) < len(self.shown):
            rows.append(("Epochs not traced", f"{len(self.shown) - len(self.traced)} of those drawn"))
        return rows

    def settings(self) -> dict[str, list[tuple[str, str, bool]]]:
        """Return every setting and version."""
        return facts.settings_tables(self.measurement, self.unfiltered[self.last])

    def command(self) -> str:
        """Return the command that repeats the run."""
        return facts.command(self.measurement, self.history)

    def numbers(self) -> pd.DataFrame:
        """Return the numbers of every epoch, with the accuracy beside them."""
        rows = self.table[self.table["dim"] == self.dim].sort_values("epoch")
        columns = [
            "epoch",
            "count",
            "essential",
            "life",
            "midlife",
            "betti_max",
            "peak_epsilon",
            "n_nodes",
            "n_constant",
        ]
        if self.history is None:
            return rows[columns]
        return rows[columns].merge(self.history[["epoch", "train_accuracy", "test_accuracy"]], on="epoch", how="left")

    def downloads(self) -> list[tuple[str, str]]:
        """Return the tables as (file name, data: URI)."""
        tables = {"topology": self.table, "history": self.history, "layers": self.layers()}
        tables["graphs"] = None if self.graphs is None else self.graphs.table
        frames = [one.cavities.to_frame().assign(epoch=epoch) for epoch, one in self.traced.items()]
        if frames:
            cavities = pd.concat(frames, ignore_index=True)
            tables["cavities"] = cavities[["epoch", *cavities.columns[:-1]]]
        stem = "_".join([*self.folder.split("/"), *([self.shown_graph] if self.shown_graph else [])])
        return [(f"{stem}_{name}.csv", _csv(table)) for name, table in tables.items() if table is not None]

    def _warn(self) -> None:
        """Collect what the reader should know."""
        settings, folder = self.measurement.settings, self.measurement.folder
        if settings.graph_split == "test":
            self.warnings.append("The graph was built from test inputs: test data have been looked at.")
        if self.graphs is not None:
            self.warnings.append(
                f"Every epoch has {self.graphs.n_graphs} graphs; shown is {self.graph_words}, and the numbers of the "
                "others are below."
            )
        failed = sorted(int(path.name[5:].split(".")[0]) for path in folder.glob("epoch*.failed.json"))
        if failed:
            self.warnings.append(f"Epochs that could not be measured: {', '.join(map(str, failed))}.")


def together(contents: Sequence[Contents], n_colours: int) -> list[str]:
    """Return several runs in the same axes; none where the page shows cavities of several dimensions.

    Args:
        contents: What the page says of each.
        n_colours: How many colours the page has, those of the epochs.
    """
    if len({one.dim for one in contents}) > 1:
        return []
    colours = [round(place) for place in np.linspace(0, n_colours - 1, len(contents))]
    of_one_run = len({one.measurement.run.folder for one in contents}) == 1  # whose accuracy is that of all its graphs
    numbers = {
        one.label: one.numbers()
        .dropna(axis="columns", how="all")
        .drop(columns=["test_accuracy"] * of_one_run, errors="ignore")
        for one in contents
    }
    last = {one.label: one.counted[one.last] for one in contents}
    return together_figures(numbers, last, dim=contents[0].dim, colours=colours)


def _csv(table: pd.DataFrame) -> str:
    """Return a table as a data: URI."""
    text = table.to_csv(index=False, lineterminator="\n")
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
