"""What is measured: the graphs of an epoch, made from its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dnn_topology import store
from dnn_topology._checks import (
    DnnTopologyError,
    check_at_least,
    check_choice,
    check_max_dim,
    check_max_epsilon,
    check_sampling,
)
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.graph_types import GraphKind
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.runs.layout import Experiment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.graphs.node_sampling import Method
    from dnn_topology.recording.signals import Nodes
    from dnn_topology.runs.snapshot import Snapshot


Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Topology:
    """What is measured; see `measure`. Inputs are drawn, seeded, from one split of the data set."""

    max_epsilon: float = 0.3
    max_dim: int = 2
    nodes: Nodes = "unit"
    layers: tuple[str, ...] | None = None
    constant: Literal["drop", "isolate"] = "drop"
    graph_split: Split = "train"
    n_inputs: int = 1000
    engine: str = "auto"
    sample_nodes: int | None = None
    sample_method: Method = "uniform"
    bootstrap: int = 1
    graph: GraphKind = field(default_factory=GraphKind)

    def __post_init__(self) -> None:
        check_max_epsilon(self.max_epsilon)
        check_max_dim(self.max_dim)
        check_choice("graph_split", self.graph_split, SPLITS)
        check_at_least("n_inputs", self.n_inputs, 2)
        check_sampling(self.sample_nodes, self.bootstrap, self.constant)
        if self.sample_nodes is not None and self.graph.graph_type != "functional":
            raise DnnTopologyError(
                f"sample_nodes does not apply to graph_type {self.graph.graph_type!r}: leave out one of the two"
            )
        if self.graph.n_samples > self.n_inputs:
            raise DnnTopologyError(f"n_samples must be at most n_inputs, {self.n_inputs}, found {self.graph.n_samples}")


def epoch_graphs(experiment: Experiment, topology: Topology, epoch: int) -> dict[str, FunctionalGraph]:
    """Return the graphs of one epoch by their names, made anew from its checkpoint.

    Raises:
        DnnTopologyError: The epoch has no checkpoint, or as for `measure`.
    """
    return dict(graphs_of(experiment, topology, epoch, snapshot_of(experiment, topology, epoch)))


def graphs_of(
    experiment: Experiment, topology: Topology, epoch: int, snapshot: Snapshot
) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graphs of one epoch with their names, as `graph_names` lists them."""
    kind, seed = topology.graph, experiment.training.seed
    activations = snapshot.activations(kind.n_samples if kind.graph_type == "per-sample" else None)
    if topology.sample_nodes is None:
        yield from kind.graphs(
            activations,
            groups=fixed_groups(experiment, topology, [epoch]),
            strengths=snapshot.strengths,
            max_epsilon=topology.max_epsilon,
            constant=topology.constant,
            device=experiment.device,
            seed=seed,
        )
        return
    for draw, name in enumerate(graph_names(topology, None)):
        nodes = sample_nodes(activations, topology.sample_nodes, method=topology.sample_method, seed=seed + draw)
        graph = functional_graph(nodes, max_epsilon=topology.max_epsilon, metric=kind.metric, device=experiment.device)
        yield name, graph


def graph_names(topology: Topology, groups: NDArray[np.intp] | None) -> list[str]:
    """Return the names of the graphs of an epoch, given the neurons' fixed groups."""
    if topology.sample_nodes is None:
        return topology.graph.names(groups)
    return [draw_name(draw) for draw in range(topology.bootstrap)]


def draw_name(draw: int) -> str:
    """Return the name of the graph of one draw of neurons; the first draw's is the epoch's own."""
    return f"draw{draw}" if draw else ""


def fixed_groups(experiment: Experiment, topology: Topology, epochs: Sequence[int]) -> NDArray[np.intp] | None:
    """Return the groups of neurons that are the same at every epoch, or None for a graph that has none.

    They are made once, at the last of the epochs that are asked for first, and stay as they are when epochs follow.
    """
    kind = topology.graph
    if not kind.fixed:
        return None
    folder = experiment.topology_folder(topology.max_epsilon)
    files = sorted(folder.glob("epoch*_groups.npz"))
    if files:
        return store.read_arrays(files[0])["groups"]
    snapshot = snapshot_of(experiment, topology, max(epochs))
    activations = snapshot.activations()
    groups = (
        kind.select(activations, snapshot.predicted() == snapshot.labels())
        if kind.select_nodes
        else kind.divide(activations, snapshot.strengths, seed=experiment.training.seed)
    )
    store.write_arrays(folder / f"epoch{max(epochs)}_groups.npz", {"groups": groups})
    return groups


def snapshot_of(experiment: Experiment, topology: Topology, epoch: int) -> Snapshot:
    """Return the network of an epoch and the inputs that it is measured on."""
    from dnn_topology.nets.data import sample
    from dnn_topology.recording.state_dicts import load_weights
    from dnn_topology.runs.snapshot import Snapshot

    data = experiment.load_data()
    net = experiment.build_net(data)
    load_weights(experiment.checkpoint(epoch), net)
    seed = experiment.training.seed
    inputs = sample(getattr(data, topology.graph_split), topology.n_inputs, seed=seed)
    nodes = "channel" if topology.graph.partition == "channels" else topology.nodes
    return Snapshot(net.to(experiment.device), inputs, topology.layers, nodes, seed)
