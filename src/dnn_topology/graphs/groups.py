"""Groups of neurons, and the mean signal of each: a smaller graph that still speaks for every neuron.

A grouping is an integer per neuron, the number of its group, or -1 for a neuron in none. Numbers need not be
consecutive: METIS may leave a part empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array

from dnn_topology._checks import DnnTopologyError, check_at_least, check_fraction
from dnn_topology._packages import pip_install
from dnn_topology.graphs.graph import functional_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.metrics import Metric
    from dnn_topology.recording.activations import Activations

HEAVIEST = 1000  # METIS counts in whole numbers: the strongest connection weighs this, the faintest 1


def chunk_groups(activations: Activations, *, size: int) -> NDArray[np.intp]:
    """Cut each layer into chunks of neighbouring neurons.

    Args:
        activations: The recorded neurons; their signals do not matter.
        size: Neurons per chunk. A layer of n neurons gives n // size chunks, at least one, as equal as can be.

    Returns:
        (n_neurons,), the number of each neuron's chunk, counted through all layers.

    Raises:
        DnnTopologyError: `size` is below 1.

    Source:
        The original's partition "hardcoded".
    """
    check_at_least("size", size, 1)
    groups = np.empty(len(activations.neurons), np.intp)
    n_groups = 0
    for members in activations.neurons.groupby("layer", observed=True).indices.values():
        chunks = np.array_split(members, max(1, len(members) // size))
        for number, chunk in enumerate(chunks, start=n_groups):
            groups[chunk] = number
        n_groups += len(chunks)
    return groups


def correlation_groups(
    activations: Activations, *, n_groups: int, threshold: float = 0.5, metric: Metric = "pearson", seed: int = 0
) -> NDArray[np.intp]:
    """Partition the graph that joins neurons with |r| > threshold, by METIS.

    Args:
        activations: The recorded neurons.
        n_groups: Number of parts. METIS makes them of nearly equal size while cutting few edges, and may leave some
            empty.
        threshold: |r| above which two neurons are joined, in [0, 1].
        metric: What takes the place of |r|, as 1 - distance; see `functional_graph`.
        seed: METIS's random state.

    Returns:
        (n_neurons,), the number of each neuron's part. Neurons that join nothing are spread over the parts.

    Raises:
        DnnTopologyError: `threshold` lies outside [0, 1], there are fewer neurons than parts, METIS is not
            installed, or as for `functional_graph`.

    Source:
        The original's partition "dynamic". Karypis and Kumar, A fast and high quality multilevel scheme for
        partitioning irregular graphs, SIAM J. Sci. Comput. 1998.
    """
    check_fraction("threshold", threshold)
    n_neurons = len(activations.neurons)
    if threshold == 1:  # no |r| is larger
        return metis_groups(csr_array((n_neurons, n_neurons)), n_groups=n_groups, seed=seed)
    graph = functional_graph(activations, max_epsilon=(1 - threshold) / 2, constant="isolate", metric=metric)
    near = graph.distances < 1 - threshold
    joined = coo_array((np.ones(near.sum()), (graph.rows[near], graph.cols[near])), shape=(n_neurons, n_neurons))
    return metis_groups((joined + joined.T).tocsr(), n_groups=n_groups, seed=seed)


def metis_groups(strengths: csr_array[Any, Any], *, n_groups: int, seed: int = 0) -> NDArray[np.intp]:
    """Partition a weighted graph by METIS, so that strongly joined nodes stay together.

    Args:
        strengths: (n, n), symmetric, not negative; 0 is no edge. The diagonal does not count.
        n_groups: Number of parts.
        seed: METIS's random state.

    Returns:
        (n,), the number of each node's part.

    Raises:
        DnnTopologyError: There are fewer nodes than parts, or METIS is not installed.

    Example:
        >>> two_pairs = csr_array([[0, 9, 1, 0], [9, 0, 0, 0], [1, 0, 0, 9], [0, 0, 9, 0]])
        >>> groups = metis_groups(two_pairs, n_groups=2)
        >>> bool(groups[0] == groups[1] != groups[2] == groups[3])
        True
    """
    check_at_least("n_groups", n_groups, 1)
    n_nodes = strengths.shape[0]
    if n_groups > n_nodes:
        raise DnnTopologyError(f"{n_nodes} neurons cannot be split into {n_groups} groups: ask for fewer")
    pymetis = _pymetis()
    edges = strengths.tocoo()
    kept = (edges.row != edges.col) & (edges.data > 0)
    weights = edges.data[kept]
    scaled = np.maximum(1, np.rint(HEAVIEST * (weights / weights.max(initial=0)))) if len(weights) else weights
    graph = csr_array((scaled.astype(np.int64), (edges.row[kept], edges.col[kept])), shape=strengths.shape)
    uniform = not len(scaled) or scaled.min() == scaled.max()
    partition = pymetis.part_graph(
        n_groups,
        pymetis.CSRAdjacency(graph.indptr.tolist(), graph.indices.tolist()),
        eweights=None if uniform else graph.data.tolist(),
        options=pymetis.Options(seed=seed),
    )
    return np.asarray(partition.vertex_part, dtype=np.intp)


def group_numbers(groups: NDArray[np.intp]) -> list[int]:
    """Return the numbers of the groups that have a neuron, in order."""
    return [int(number) for number in np.unique(groups) if number >= 0]


def group_signals(activations: Activations, groups: NDArray[np.intp]) -> Activations:
    """Return the mean signal of each group.

    Args:
        activations: The recorded neurons.
        groups: (n_neurons,), the number of each neuron's group; negative for a neuron that is left out.

    Returns:
        One node per group with a neuron, in the order of the numbers. In the table, `layer` is the layer of the
        members (several are joined by "+"), `index` the number of the group, `size` how many neurons it has.

    Raises:
        DnnTopologyError: There is not one number per neuron, or no group has a neuron.
    """
    groups = np.asarray(groups)
    if groups.shape != (len(activations.neurons),):
        raise DnnTopologyError(f"`groups` must have shape ({len(activations.neurons)},), found {groups.shape}")
    numbers = group_numbers(groups)
    if not numbers:
        raise DnnTopologyError("no group has a neuron: every number in `groups` is negative")
    members = [np.flatnonzero(groups == number) for number in numbers]
    values = np.column_stack([activations.values[:, those].mean(axis=1, dtype=np.float64) for those in members])
    layers = ["+".join(activations.neurons["layer"].iloc[those].astype(str).unique()) for those in members]
    neurons = pd.DataFrame(
        {
            "layer": pd.Categorical(layers, categories=list(dict.fromkeys(layers))),
            "index": numbers,
            "size": [len(those) for those in members],
        }
    )
    return replace(activations, values=values.astype(np.float32), neurons=neurons)


def chosen_neurons(activations: Activations, chosen: NDArray[np.intp]) -> Activations:
    """Return some of the recorded neurons, at the given places (k,) and in that order."""
    neurons = activations.neurons.iloc[chosen].reset_index(drop=True)
    return replace(activations, values=activations.values[:, chosen], neurons=neurons)


def _pymetis() -> Any:
    """Return the package that brings METIS.

    Raises:
        DnnTopologyError: It is not installed.
    """
    try:
        import pymetis
    except ImportError as error:
        raise DnnTopologyError(
            f"METIS parts need the package pymetis: {pip_install('pymetis')}, or use the partition 'chunks'"
        ) from error
    return pymetis
