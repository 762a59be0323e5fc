"""Neurons with the same signal get the same distances to every other neuron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dnn_topology.graphs.correlation import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 2**18  # edges looked at together: their classes fit into a processor's cache
TURNS = 4  # the edges' classes are sorted in so many turns, so that they never lie in memory all at once


def with_consistent_duplicates(edges: Edges, *, n_nodes: int) -> Edges:
    """Give neurons with the same signal the same distances to every other neuron.

    If |r| of two neurons is 1, their correlations with a third are equal, but in floating point only up to
    round-off, which would show as cavities of length 1e-16. Every edge between two classes of duplicates takes
    the smallest length of such an edge, and all are dropped where round-off kept only some of them within the
    threshold; inside a class the length is 0.

    Args:
        edges: The edges, whose arrays are changed in place; beside them at most some 9 bytes an edge are needed.
        n_nodes: Number of neurons.

    Returns:
        The edges that are left, in the same order.

    Example:
        >>> edges = Edges(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([0.0, 0.3, 0.2]))
        >>> with_consistent_duplicates(edges, n_nodes=3).distances.tolist()
        [0.0, 0.2, 0.2]
    """
    rows, cols, distances = edges
    label = _classes(edges, n_nodes)
    if label is None:
        return edges
    size = np.bincount(label)
    has_twin = size[label] > 1
    n_touched = sum(int((has_twin[rows[part]] | has_twin[cols[part]]).sum()) for part in _blocks(len(rows)))
    if n_touched > len(rows) // 8:
        _level(edges, label, size)
    else:  # few of very many edges
        touched = np.concatenate(
            [np.flatnonzero(has_twin[rows[p]] | has_twin[cols[p]]) + p.start for p in _blocks(len(rows))]
        )
        few = Edges(rows[touched], cols[touched], distances[touched])
        _level(few, label, size)
        distances[touched] = few.distances
    kept = np.isfinite(distances)
    n_kept = int(kept.sum())
    if n_kept == len(kept):
        return edges
    for array in edges:  # in place, one after the other: three new arrays would be as much again
        array[:n_kept] = array[kept]
    return Edges(rows[:n_kept], cols[:n_kept], distances[:n_kept])


def _classes(edges: Edges, n_nodes: int) -> NDArray[np.int32] | None:
    """Return the class of every node, those joined by edges of length 0; None where there is no such edge."""
    label: NDArray[np.int32] | None = None
    for part in _blocks(len(edges.rows)):
        same = edges.distances[part] == 0
        if not same.any():
            continue
        label = np.arange(n_nodes, dtype=np.int32) if label is None else label
        ends = label[edges.rows[part][same]], label[edges.cols[part][same]]
        joined = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(n_nodes, n_nodes))
        label = connected_components(joined, directed=False)[1][label]
    return label


def _level(edges: Edges, label: NDArray[np.int32], size: NDArray[np.intp]) -> None:
    """Set every edge's length to the smallest between the same two classes, or inf where some such edge is missing."""
    distances = edges.distances
    for turn in range(TURNS):
        keys = np.concatenate([_keys(edges, part, label, turn)[1] for part in _blocks(len(distances))])
        keys.sort()
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.intp)
        count = np.diff(first, append=len(keys))
        pairs = keys[first]
        del keys
        low, high = np.divmod(pairs, len(size))
        whole = (low == high) | (count == size[low] * size[high])
        shortest = np.where(low == high, 0.0, np.inf)
        for part in _blocks(len(distances)):
            place, wanted = _keys(edges, part, label, turn)
            np.minimum.at(shortest, np.searchsorted(pairs, wanted), distances[place])
        shortest[~whole] = np.inf
        for part in _blocks(len(distances)):
            place, wanted = _keys(edges, part, label, turn)
            distances[place] = shortest[np.searchsorted(pairs, wanted)]


def _keys(edges: Edges, part: slice, label: NDArray[np.int32], turn: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the edges of one block whose turn it is, and the number of the two classes of each."""
    one, other = label[edges.rows[part]], label[edges.cols[part]]
    now = (one + other) % TURNS == turn
    one, other = one[now], other[now]
    key = np.minimum(one, other).astype(np.int64) * (int(label.max()) + 1) + np.maximum(one, other)
    return np.flatnonzero(now) + part.start, key


def _blocks(n_edges: int) -> Iterator[slice]:
    """Yield slices of so many edges."""
    for start in range(0, n_edges, BLOCK):
        yield slice(start, min(start + BLOCK, n_edges))
