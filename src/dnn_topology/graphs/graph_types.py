"""Which graphs are made: one of all neurons, one of groups, one per part, one per input, or one of the weights.

Every type answers with named graphs. The name is "" for a single graph, "part3" or "sample3" for one of several. Beside
the one of all neurons on all inputs there may be "layer3", of the neurons of a layer, or "class3", on the inputs of a
class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph, shapes_of, varying_neurons
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
    if settings.by is not None:
        assert groups is not None
        return ["", *(f"{settings.by}{number}" for number in group_numbers(groups))]
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


def layer_groups(activations: Activations) -> NDArray[np.intp]:
    """Return the number (n_neurons,) of each neuron's layer, in the order of the forward pass."""
    return np.asarray(pd.Categorical(activations.neurons["layer"]).codes, dtype=np.intp)


def class_numbers(labels: Sequence[Any]) -> NDArray[np.intp]:
    """Return the labels of several batches, tensors or arrays (n,), as the classes (n_samples,) of their inputs.

    Raises:
        DnnTopologyError: They are not one whole number per input.
    """
    arrays = [np.asarray(one.cpu() if hasattr(one, "cpu") else one) for one in labels]
    wrong = [one for one in arrays if one.ndim != 1 or one.dtype.kind not in "iub"]
    if wrong:
        shape = f"shape {wrong[0].shape}, type {wrong[0].dtype}"
        raise DnnTopologyError(f"labels must be one whole number per input, the number of its class; found {shape}")
    return np.concatenate(arrays).astype(np.intp)


def class_groups(labels: NDArray[np.intp] | None) -> NDArray[np.intp]:
    """Return the class (n_samples,) of each input as fixed groups; those of a negative label are in none.

    Raises:
        DnnTopologyError: There are no labels, or a class has a single input, which has no correlation.
    """
    if labels is None:
        raise DnnTopologyError("by='class' needs labels: batches of (inputs, labels)")
    numbers, counts = np.unique(labels[labels >= 0], return_counts=True)
    if not len(numbers):
        raise DnnTopologyError(f"by='class' needs labels of at least 0, found none among {len(labels)} inputs")
    if counts.min() < 2:
        raise DnnTopologyError(
            f"class {numbers[counts.argmin()]} has 1 of the {len(labels)} inputs, and a correlation needs at least 2: "
            "take more inputs (n_inputs=), or leave that class out"
        )
    return labels


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
    """Yield the graph of all neurons on all inputs, and of each layer or on the inputs of each class if asked for.

    A layer of one neuron that changes has a graph of one node, one of none a graph without nodes.
    """
    yield "", _graph(settings, source.activations, device=source.device)
    if settings.by is None:
        return
    assert source.groups is not None
    for number in group_numbers(source.groups):
        members = np.flatnonzero(source.groups == number)
        chosen = chosen_neurons if settings.by == "layer" else _chosen_inputs
        yield f"{settings.by}{number}", _part(settings, chosen(source.activations, members), device=source.device)


def _grouped(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph whose nodes are groups, by their mean signals; a channel is recorded as one node already."""
    if settings.parted_by == "channels":
        yield "", _graph(settings, source.activations, device=source.device)
        return
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
    scale: Any = {
        "max_epsilon": settings.max_epsilon,
        "normalise": settings.sample_scale,
        "shapes": shapes_of(source.activations),
    }
    for number in range(settings.n_samples):
        yield f"sample{number}", sample_graph(seen.values[number], neurons=seen.neurons, **scale)


def _structural(settings: MeasureSettings, source: Source) -> Iterator[tuple[str, FunctionalGraph]]:
    """Yield the graph of the network's own weights."""
    nodes = source.activations
    yield (
        "",
        weight_graph(
            source.strengths(), max_epsilon=settings.max_epsilon, neurons=nodes.neurons, shapes=shapes_of(nodes)
        ),
    )


# Type of graph → what makes its graphs; `settings.measuring.GRAPH_OPTIONS` says which options mean something for it.
GRAPHS: dict[str, Callable[[MeasureSettings, Source], Iterator[tuple[str, FunctionalGraph]]]] = {
    "functional": _functional,
    "grouped": _grouped,
    "partitioned": _partitioned,
    "per-sample": _per_sample,
    "structural": _structural,
}


def _chosen_inputs(activations: Activations, chosen: NDArray[np.intp]) -> Activations:
    """Return the signals on some of the inputs, at the given places (k,)."""
    return replace(activations, values=activations.values[chosen])


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
    if not _all_constant(nodes):
        return _graph(settings, nodes, device=device)
    none = np.empty(0, dtype=np.int32)
    n_constant = nodes.values.shape[1]
    n_nodes = n_constant if settings.constant == "isolate" else 0
    neurons = nodes.neurons.iloc[:n_nodes]
    return FunctionalGraph(none, none, np.empty(0), n_nodes, settings.max_epsilon, neurons, n_constant=n_constant)


def _all_constant(activations: Activations) -> bool:
    """Return whether no neuron changes from input to input."""
    return not len(varying_neurons(activations.values, activations.neurons))
