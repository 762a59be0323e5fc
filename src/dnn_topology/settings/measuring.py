"""What is measured of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from dnn_topology._checks import (
    DnnTopologyError,
    check_at_least,
    check_choice,
    check_fraction,
    check_max_dim,
    check_max_epsilon,
    check_sampling,
    check_type,
    check_types,
)

Nodes = Literal["unit", "channel", "feature"]
GraphType = Literal["functional", "grouped", "partitioned", "per-sample", "structural"]
Partition = Literal["chunks", "channels", "metis", "structure-metis"]
Constant = Literal["drop", "isolate"]
SampleScale = Literal["layer", "none"]
SampleMethod = Literal["uniform", "importance", "kmeans"]
Essential = Literal["count", "drop", "clip"]
By = Literal["layer", "class"]

MIN_PERSISTENCE = 0.02  # in ε, as in both papers: what pictures and tables leave out
# The options that mean something for each type of graph; another one is refused rather than passed over.
GRAPH_OPTIONS: Mapping[GraphType, frozenset[str]] = {
    "functional": frozenset({"metric", "by"}),
    "grouped": frozenset({"metric", "partition", "split", "threshold"}),
    "partitioned": frozenset({"metric", "partition", "split", "threshold", "subsplit"}),
    "per-sample": frozenset({"n_samples", "select_nodes", "sample_scale"}),
    "structural": frozenset(),
}
CORRELATIONS = ("pearson", "spearman", "distance-correlation")  # metrics whose distances are at most 1
OF_SOME_GRAPHS = (
    "partition",
    "split",
    "subsplit",
    "threshold",
    "n_samples",
    "select_nodes",
    "sample_scale",
    "metric",
    "by",
)


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured: which signals, which graphs of them, and which of their cavities count.

    Attributes:
        layers: Layers whose outputs are nodes, by name or glob such as 'features.*'; `list_layers` lists them
            (default: the network's own).
        nodes: A node is a 'unit', a 'channel' averaged over space, or a 'feature' averaged over tokens.
        n_inputs: Number of inputs that the graph is built from.
        graph_type: 'functional': neurons; 'grouped': groups of neurons, by their mean signals; 'partitioned': a graph
            per part of the neurons; 'per-sample': a graph per input; 'structural': the network's own weights, neural
            persistence beside it.
        by: Beside the graph of all neurons on all inputs, one of each 'layer' alone, or one on the inputs of each
            'class' alone (default: neither).
        partition: Groups or parts: 'chunks' of a layer, 'channels' (grouped only), 'metis' parts of the graph of
            strong correlations, 'structure-metis' parts of the weights' graph (default: chunks; for 'partitioned'
            metis).
        split: Neurons per chunk, or number of METIS parts.
        subsplit: METIS groups that are the nodes of each part's graph (0: its neurons).
        threshold: METIS joins two neurons whose |correlation| is above this.
        n_samples: Inputs that get a graph of their own (per-sample).
        select_nodes: Only the tenth of the neurons that best tells right from wrong predictions (per-sample).
        sample_scale: Each 'layer' of a per-sample graph is put on the same scale first, or 'none' is, and all hidden
            neurons are joined to the log-probabilities that a network gives, whatever the input.
        metric: Of two signals: pearson, spearman, distance-correlation, euclidean, or a function from signals
            (n_samples, n) to distances (n, n), by itself or as package.module:function.
        constant: 'drop' neurons that never change, or 'isolate' them as nodes born at 0.
        sample_nodes: Measure so many nodes that stand for all neurons (default: all).
        sample_method: How they are chosen: 'uniform', 'importance' (strongest answers, layer by layer) or 'kmeans'
            centroids.
        bootstrap: Draw the nodes so many times, which gives an interval for every number.
        max_epsilon: End of the filtration: a radius, half the distance 1 - |correlation|; at most 0.5 with a metric
            that is a correlation, any positive number with another.
        max_dim: Highest Betti number.
        min_persistence: Only cavities that live longer than this (ε) count.
        essential: Cavities alive at the end: 'count', 'drop' (as the original), or 'clip' them there.

    Raises:
        DnnTopologyError: A value is out of range, or does not go with the type of graph.
    """

    layers: tuple[str, ...] | None = None
    nodes: Nodes = "unit"
    n_inputs: int | None = 1000
    graph_type: GraphType = "functional"
    by: By | None = None
    partition: Partition | None = None
    split: int = 0
    subsplit: int = 0
    threshold: float = 0.5
    n_samples: int = 5
    select_nodes: bool = False
    sample_scale: SampleScale = "layer"
    metric: str | Callable[..., Any] = "pearson"
    constant: Constant = "drop"
    sample_nodes: int | None = None
    sample_method: SampleMethod = "uniform"
    bootstrap: int = 1
    max_epsilon: float = 0.3
    max_dim: int = 2
    min_persistence: float = 0.0
    essential: Essential = "count"

    def __post_init__(self) -> None:
        check_types(self)
        check_max_epsilon(self.max_epsilon, bounded=self.metric in CORRELATIONS)
        check_max_dim(self.max_dim)
        if self.n_inputs is not None:
            check_at_least("n_inputs", self.n_inputs, 2)
            if self.graph_type == "per-sample" and self.n_samples > self.n_inputs:
                raise DnnTopologyError(f"n_samples must be at most n_inputs, {self.n_inputs}, found {self.n_samples}")
        check_at_least("min_persistence", self.min_persistence, 0)
        check_sampling(self.sample_nodes, self.bootstrap, self.constant)
        self._check_graph()

    @property
    def parted_by(self) -> Partition:
        """How neurons are grouped or parted, the usual way where nothing is asked for."""
        return self.partition or self.usual_partition

    @property
    def usual_partition(self) -> Partition:
        """How neurons are grouped or parted where nothing is asked for."""
        return "metis" if self.graph_type == "partitioned" else "chunks"

    @property
    def fixed_groups(self) -> bool:
        """Whether neurons or inputs are chosen or parted once, at one epoch, for all epochs."""
        return self.graph_type == "partitioned" or self.select_nodes or self.by is not None

    @property
    def recorded_nodes(self) -> Nodes:
        """What is recorded as a node."""
        return "channel" if self.partition == "channels" else self.nodes

    @property
    def results(self) -> dict[str, Any]:
        """The settings that decide what diagrams come out, as JSON values; which bars count is decided afterwards."""
        named = {name: value for name, value in vars(self).items() if name not in {"min_persistence", "essential"}}
        named["partition"] = self.parted_by
        if self.graph_type != "per-sample":
            del named["sample_scale"]
        named["layers"] = None if self.layers is None else list(self.layers)
        if callable(self.metric):
            named["metric"] = getattr(self.metric, "__qualname__", repr(self.metric))
        return named

    def with_thresholds(self, thresholds: Sequence[float], *, filtration: str = "nominal") -> Self:
        """Return settings in which METIS joins what is above the first of some thresholds.

        Args:
            thresholds: Of |correlation|, or of the share of pairs with the filtration "density"; may be none.
            filtration: "nominal" or "density".

        Raises:
            DnnTopologyError: A threshold is out of range, or joins neurons beyond the end of the filtration.
        """
        check_choice("filtration", filtration, ("nominal", "density"))
        check_type("thresholds", thresholds, tuple | list)
        for threshold in thresholds:
            check_fraction("thresholds", threshold)
        least = 1 - 2 * self.max_epsilon
        if thresholds and filtration == "nominal" and min(thresholds) < least - 1e-12:
            raise DnnTopologyError(
                f"thresholds={min(thresholds):g} joins neurons at ε {(1 - min(thresholds)) / 2:g}, beyond max_epsilon="
                f"{self.max_epsilon:g}: take thresholds from {least:g}, or a larger max_epsilon"
            )
        by_metis = self.parted_by in {"metis", "structure-metis"} or self.subsplit > 0
        parts = by_metis and self.graph_type in {"grouped", "partitioned"}
        return replace(self, threshold=thresholds[0]) if parts and thresholds else self

    def _check_graph(self) -> None:
        """Check the options that only some types of graph have.

        Raises:
            DnnTopologyError: One is out of range, or does not go with the type of graph.
        """
        check_at_least("split", self.split, 0)
        check_at_least("subsplit", self.subsplit, 0)
        check_at_least("n_samples", self.n_samples, 1)
        check_fraction("threshold", self.threshold)
        for option in fields(MeasureSettings):
            if option.name not in OF_SOME_GRAPHS or option.name in GRAPH_OPTIONS[self.graph_type]:
                continue
            usual = {option.default, "chunks"} if option.name == "partition" else {option.default}
            if getattr(self, option.name) not in usual:
                raise DnnTopologyError(f"{option.name} does not apply to graph_type {self.graph_type!r}: leave it out")
        if self.sample_nodes is not None and self.by is not None:
            raise DnnTopologyError(
                f"sample_nodes does not go with by={self.by!r}: leave out one of the two, or take fewer nodes with "
                "nodes= or layers="
            )
        if self.sample_nodes is not None and self.graph_type != "functional":
            raise DnnTopologyError(
                f"sample_nodes does not apply to graph_type {self.graph_type!r}: leave out one of the two"
            )
        if self.graph_type not in {"grouped", "partitioned"}:
            return
        if self.parted_by == "channels":
            if self.graph_type == "partitioned" or self.split:
                raise DnnTopologyError(
                    "partition 'channels' makes each channel a node and takes no split: use it with graph_type "
                    "'grouped'"
                )
        elif self.split < 1:
            wanted = "neurons per chunk" if self.parted_by == "chunks" else "number of METIS parts"
            raise DnnTopologyError(
                f"graph_type {self.graph_type!r} with partition {self.parted_by!r} needs split=, the {wanted}: "
                f"found {self.split}"
            )


@dataclass(frozen=True)
class RunMeasureSettings(MeasureSettings):
    """What is measured of a run's epochs: inputs are drawn, seeded, from one split of its data.

    Attributes:
        metric: Of two signals: pearson, spearman, distance-correlation, or your own package.module:function from
            signals (n_samples, n) to distances (n, n).
        n_inputs: Number of inputs that the graph is built from.
        min_persistence: In pictures and tables, only cavities that live longer than this (ε) count.
        graph_split: Inputs of the graph: 'train', or 'test' as in the original, which then looks at test data.
    """

    metric: str = "pearson"
    n_inputs: int = 1000
    min_persistence: float = MIN_PERSISTENCE
    graph_split: Literal["train", "test"] = "train"
