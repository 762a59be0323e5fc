"""Which graphs are made: one of all neurons, one of groups, one per part, one per input, or one of the weights.

Every type answers with named graphs. The name is "" for a single graph, "part3" or "sample3" for one of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dnn_topology.graphs.graph import FunctionalGraph, functional_graph, varying_neurons
from dnn_topology.graphs.groups import (
    chosen_neurons,
    chunk_groups,
    correlation_groups,
    group_numbers,
    group_signals,
    metis_groups,
)
from dnn_topology.graphs.sample_graphs import discriminative_neurons, sample_graph
from dnn_topology.graphs.weight_graphs import weight_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from dnn_topology.recording.activations import Activations
    from dnn_topology.settings import MeasureSettings


def graph_names(settings: MeasureSettings, groups: NDArray[np.intp] | None) -> list[str]:
    """Return the names of the graphs, given the fixed groups."""
    if settings.graph_type == "partitioned":
        assert groups is not None
        return [f"part{number}" for number in group_numbers(groups)]
    if settings.graph_type == "per-sample":
        return [f"sample{number}" for number in range(settings.n_samples)]
    return [""]


def selected_groups(activations: Activations, correct: NDArray[np.bool_]) -> NDArray[np.intp]:
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


def divided_groups(
    settings: MeasureSettings, activations: Activations, strengths: Callable[[], csr_array[Any, Any]], *, seed: int = 0
) -> NDArray[np.intp]:
    """Return the group of each neuron.

    Args:
        settings: What is measured.
        activations: A recording.
        strengths: Gives the structural graph of the same neurons; called only if it is needed.
        seed: METIS's random state.

    Returns:
        (n_neurons,), the number of each neuron's group.
    """
    if settings.parted_by == "channels":  # recorded as channels, so each neuron is a group of its own
        return np.arange(activations.values.shape[1])
    if settings.parted_by == "chunks":
        return chunk_groups(activations, size=settings.split)
    if settings.parted_by == "structure-metis":
        return metis_groups(strengths(), n_groups=settings.split, seed=seed)
    return correlation_groups(
        activations, n_groups=settings.split, threshold=settings.threshold, metric=settings.metric, seed=seed
    )


def graphs_of_recording(
    settings: MeasureSettings,
    activations: Activations,
    *,
    groups: NDArray[np.intp] | None,
    strengths: Callable[[], csr_array[Any, Any]],
    device: str | None = None,
    seed: int = 0,
) -> Iterator[tuple[str, FunctionalGraph]]:
    """Make the graphs of one recording, one at a time.

    Args:
        settings: What is measured. A part of which every neuron is constant gives a graph without nodes.
        activations: The recording; of a per-sample graph its first `n_samples` inputs count.
        groups: The fixed groups, if the type of graph has them.
        strengths: Gives the structural graph of the same neurons; called only if it is needed.
        device: Where correlations are computed; by default on the CUDA GPU where there is one.
        seed: METIS's random state.

    Yields:
        (name, graph).
    """
    source = Source(activations, groups, strengths, device, seed)
    yield from GRAPHS[settings.graph_type](settings, source)


class Source(NamedTuple):
    """What the graphs of one recording are made of; see `graphs_of_recording`."""

    activations: Activations
    groups: NDArray[np.intp] | None
    strengths: Callable[[], csr_array[Any, Any]]
    device: str | None
    seed: int


def _functional(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph of all neurons."""
    yield "", _graph(settings, source.activations, device=source.device)


def _grouped(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph whose nodes are groups, by their mean signals."""
    groups = divided_groups(settings, source.activations, source.strengths, seed=source.seed)
    yield "", _graph(settings, group_signals(source.activations, groups), device=source.device)


def _partitioned(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph of every part of the neurons."""
    assert source.groups is not None
    for number in group_numbers(source.groups):
        members = chosen_neurons(source.activations, np.flatnonzero(source.groups == number))
        yield f"part{number}", _part(settings, _nodes(settings, members, seed=source.seed), device=source.device)


def _per_sample(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph of every input."""
    n_neurons = source.activations.values.shape[1]
    chosen = np.arange(n_neurons) if source.groups is None else np.flatnonzero(source.groups >= 0)
    seen = chosen_neurons(source.activations, chosen)
    scale: Any = {"max_epsilon": settings.max_epsilon, "normalise": settings.sample_scale}
    for number in range(settings.n_samples):
        yield f"sample{number}", sample_graph(seen.values[number], neurons=seen.neurons, **scale)


def _structural(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph of the network's own weights."""
    neurons = source.activations.neurons
    yield "", weight_graph(source.strengths(), max_epsilon=settings.max_epsilon, neurons=neurons)


# Type of graph → what makes its graphs; `settings.measuring.GRAPH_OPTIONS` says which options mean something for it.
GRAPHS: dict[str, Callable[[MeasureSettings, Source], Iterator[tuple[str, FunctionalGraph]]]] = {
    "functional": _functional,
    "grouped": _grouped,
    "partitioned": _partitioned,
    "per-sample": _per_sample,
    "structural": _structural,
}


def _nodes(settings: MeasureSettings, part: Activations, *, seed: int) -> Activations:
    """Return the nodes of one part: its neurons, or the means of METIS groups of them."""
    n_neurons = part.values.shape[1]
    if not settings.subsplit or n_neurons <= settings.subsplit or _all_constant(part):
        return part
    groups = correlation_groups(
        part, n_groups=settings.subsplit, threshold=settings.threshold, metric=settings.metric, seed=seed
    )
    return group_signals(part, groups)


def _graph(settings: MeasureSettings, nodes: Activations, *, device: str | None) -> FunctionalGraph:
    """Return the functional graph of some nodes."""
    return functional_graph(
        nodes, max_epsilon=settings.max_epsilon, constant=settings.constant, metric=settings.metric, device=device
    )


def _part(settings: MeasureSettings, nodes: Activations, *, device: str | None) -> FunctionalGraph:
    """Return the graph of one part, which may have died as a whole."""
    if settings.constant == "isolate" or not _all_constant(nodes):
        return _graph(settings, nodes, device=device)
    none = np.empty(0, dtype=np.int32)
    n_constant = nodes.values.shape[1]
    return FunctionalGraph(
        none, none, np.empty(0), 0, settings.max_epsilon, nodes.neurons.iloc[:0], n_constant=n_constant
    )


def _all_constant(activations: Activations) -> bool:
    """Return whether no neuron changes from input to input."""
    return not len(varying_neurons(activations.values, activations.neurons))
