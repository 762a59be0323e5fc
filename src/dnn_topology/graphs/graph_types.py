"""Which graphs are made of one recording: one of all neurons, one of groups, one per part, or one per input.

Every type answers with named graphs. The name is "" for a single graph, "part3" or "sample3" for one of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, check_fraction
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph, varying_neurons
from dnn_topology.graphs.groups import (
    chosen_neurons,
    chunk_groups,
    correlation_groups,
    group_numbers,
    group_signals,
    metis_groups,
)
from dnn_topology.graphs.metrics import resolve_metric
from dnn_topology.graphs.sample_graphs import Normalise, discriminative_neurons, sample_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from dnn_topology.recording.activations import Activations

GraphType = Literal["functional", "grouped", "partitioned", "per-sample"]
Partition = Literal["chunks", "channels", "metis", "structure-metis"]

# The options that mean something for each type of graph; another one is refused rather than passed over.
OPTIONS: Mapping[GraphType, frozenset[str]] = {
    "functional": frozenset({"metric"}),
    "grouped": frozenset({"metric", "partition", "split", "threshold"}),
    "partitioned": frozenset({"metric", "partition", "split", "threshold", "subsplit"}),
    "per-sample": frozenset({"n_samples", "select_nodes"}),
}
PARTITIONS: tuple[Partition, ...] = ("chunks", "channels", "metis", "structure-metis")


@dataclass(frozen=True)
class GraphSettings:
    """What the nodes are and which graphs are made of them.

    Attributes:
        graph_type: "functional": one graph of all neurons. "grouped": one graph whose nodes are groups, by their
            mean signals. "partitioned": one graph per part of the neurons. "per-sample": one graph per input.
        partition: How neurons are grouped or parted: "chunks" of each layer, "channels" (grouped only), "metis" parts
            of the graph |r| > threshold, or "structure-metis" parts of the weights' graph.
        split: Neurons per chunk, or number of METIS parts.
        subsplit: With "partitioned": METIS groups that are the nodes of each part's graph; 0 for its neurons.
        threshold: |r| above which METIS sees two neurons joined.
        n_samples: With "per-sample": the number of inputs, each with its graph.
        select_nodes: With "per-sample": only the tenth of the neurons that best tells rightly from wrongly
            classified inputs, by linear discriminant analysis.
        metric: Of `functional_graph`, by name.
    """

    graph_type: GraphType = "functional"
    partition: Partition = "chunks"
    split: int = 0
    subsplit: int = 0
    threshold: float = 0.5
    n_samples: int = 5
    select_nodes: bool = False
    metric: str = "pearson"

    def __post_init__(self) -> None:
        check_choice("graph_type", self.graph_type, OPTIONS)
        check_choice("partition", self.partition, PARTITIONS)
        check_at_least("subsplit", self.subsplit, 0)
        check_at_least("n_samples", self.n_samples, 1)
        check_fraction("threshold", self.threshold)
        resolve_metric(self.metric)
        for option in fields(self)[1:]:
            if getattr(self, option.name) != option.default and option.name not in OPTIONS[self.graph_type]:
                raise DnnTopologyError(f"{option.name} does not apply to graph_type {self.graph_type!r}: leave it out")
        by_channel = self.partition == "channels"
        if by_channel and (self.graph_type == "partitioned" or self.split):
            raise DnnTopologyError(
                "partition 'channels' makes each channel a node and takes no split: use it with graph_type 'grouped'"
            )
        if self.graph_type in {"grouped", "partitioned"} and not by_channel and self.split < 1:
            wanted = "neurons per chunk" if self.partition == "chunks" else "number of METIS parts"
            raise DnnTopologyError(
                f"graph_type {self.graph_type!r} with partition {self.partition!r} needs split, the {wanted}: "
                f"found {self.split}"
            )

    @property
    def fixed(self) -> bool:
        """Whether the neurons are chosen or parted once, at one epoch, for all epochs."""
        return self.graph_type == "partitioned" or self.select_nodes

    def names(self, groups: NDArray[np.intp] | None) -> list[str]:
        """Return the names of the graphs, given the fixed groups."""
        if self.graph_type == "partitioned":
            assert groups is not None
            return [f"part{number}" for number in group_numbers(groups)]
        if self.graph_type == "per-sample":
            return [f"sample{number}" for number in range(self.n_samples)]
        return [""]

    def select(self, activations: Activations, correct: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the neurons of per-sample graphs as fixed groups: 0 for those chosen, -1 for the others.

        Args:
            activations: A recording of some inputs.
            correct: (n_samples,): whether each was classified rightly.

        Returns:
            (n_neurons,), the groups.
        """
        groups = np.full(activations.values.shape[1], -1, dtype=np.intp)
        groups[discriminative_neurons(activations.values, correct)] = 0
        return groups

    def divide(
        self, activations: Activations, strengths: Callable[[], csr_array[Any, Any]], *, seed: int = 0
    ) -> NDArray[np.intp]:
        """Return the group of each neuron.

        Args:
            activations: A recording.
            strengths: Gives the structural graph of the same neurons; called only if it is needed.
            seed: METIS's random state.

        Returns:
            (n_neurons,), the number of each neuron's group.
        """
        if self.partition == "channels":  # recorded as channels, so each neuron is a group of its own
            return np.arange(activations.values.shape[1])
        if self.partition == "chunks":
            return chunk_groups(activations, size=self.split)
        if self.partition == "structure-metis":
            return metis_groups(strengths(), n_groups=self.split, seed=seed)
        return correlation_groups(
            activations, n_groups=self.split, threshold=self.threshold, metric=self.metric, seed=seed
        )

    def graphs(
        self,
        activations: Activations,
        *,
        groups: NDArray[np.intp] | None,
        strengths: Callable[[], csr_array[Any, Any]],
        max_epsilon: float,
        constant: Literal["drop", "isolate"],
        device: str | None = None,
        seed: int = 0,
        normalise: Normalise = "layer",
    ) -> Iterator[tuple[str, FunctionalGraph]]:
        """Make the graphs of one recording, one at a time.

        Args:
            activations: The recording; of a per-sample graph its first `n_samples` inputs count.
            groups: The fixed groups, if the type of graph has them.
            strengths: As for `divide`.
            max_epsilon: The largest scale of the filtration, half the largest distance of an edge.
            constant: Whether neurons that never change are dropped ("drop") or nodes without edges ("isolate"). A part
                of which every neuron is constant gives a graph without nodes.
            device: Where correlations are computed; by default on the CUDA GPU where there is one.
            seed: METIS's random state.
            normalise: Of per-sample graphs: whether each layer is put on the same scale first; see `sample_graph`.

        Yields:
            (name, graph).
        """
        if self.graph_type == "per-sample":
            chosen = np.arange(activations.values.shape[1]) if groups is None else np.flatnonzero(groups >= 0)
            seen = chosen_neurons(activations, chosen)
            for number in range(self.n_samples):
                yield (
                    f"sample{number}",
                    sample_graph(
                        seen.values[number], max_epsilon=max_epsilon, neurons=seen.neurons, normalise=normalise
                    ),
                )
            return
        if self.graph_type == "partitioned":
            assert groups is not None
            parts = {f"part{number}": np.flatnonzero(groups == number) for number in group_numbers(groups)}
            for name, members in parts.items():
                nodes = self._nodes(chosen_neurons(activations, members), seed=seed)
                yield name, self._part(nodes, max_epsilon=max_epsilon, constant=constant, device=device)
            return
        nodes = activations
        if self.graph_type == "grouped":
            nodes = group_signals(activations, self.divide(activations, strengths, seed=seed))
        yield "", self._graph(nodes, max_epsilon=max_epsilon, constant=constant, device=device)

    def _nodes(self, part: Activations, *, seed: int) -> Activations:
        """Return the nodes of one part: its neurons, or the means of METIS groups of them."""
        n_neurons = part.values.shape[1]
        if not self.subsplit or n_neurons <= self.subsplit or _all_constant(part):
            return part
        groups = correlation_groups(
            part, n_groups=self.subsplit, threshold=self.threshold, metric=self.metric, seed=seed
        )
        return group_signals(part, groups)

    def _graph(self, nodes: Activations, **options: Any) -> FunctionalGraph:
        """Return the functional graph of some nodes."""
        return functional_graph(nodes, metric=self.metric, **options)

    def _part(self, nodes: Activations, **options: Any) -> FunctionalGraph:
        """Return the graph of one part, which may have died as a whole."""
        if options["constant"] == "isolate" or not _all_constant(nodes):
            return self._graph(nodes, **options)
        none = np.empty(0, dtype=np.int32)
        n_constant = nodes.values.shape[1]
        return FunctionalGraph(
            none, none, np.empty(0), 0, options["max_epsilon"], nodes.neurons.iloc[:0], n_constant=n_constant
        )


GraphKind = GraphSettings  # its name before


def _all_constant(activations: Activations) -> bool:
    """Return whether no neuron changes from input to input."""
    return not len(varying_neurons(activations.values, activations.neurons))
