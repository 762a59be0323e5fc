"""A smaller graph with the same persistence: duplicates merged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


def merged(graph: FunctionalGraph) -> FunctionalGraph:
    """Keep one node of each class of duplicates: nodes at distance 0 with the same distances to all others.

    Such a node is dominated by its duplicate from the start, so removing it changes no homology group at any scale;
    only H0 loses a bar (0, 0) per removed node. Nodes at distance 0 whose distances to others differ stay.

    Args:
        graph: The graph.

    Returns:
        The graph on the nodes that are left, in their order, or `graph` itself where there is no duplicate.
    """
    same = graph.distances == 0
    if not same.any():
        return graph
    n_classes, label = connected_components(
        coo_array((np.ones(same.sum(), dtype=bool), (graph.rows[same], graph.cols[same])), shape=(graph.n_nodes,) * 2),
        directed=False,
    )
    first = np.unique(label, return_index=True)[1]
    size = np.bincount(label)
    touching = (size[label[graph.rows]] > 1) | (size[label[graph.cols]] > 1)
    ends = np.stack([label[graph.rows[touching]], label[graph.cols[touching]]]).astype(np.int64)
    lengths = graph.distances[touching]
    pairs, place, count = np.unique(
        ends.min(axis=0) * n_classes + ends.max(axis=0), return_inverse=True, return_counts=True
    )
    shortest, longest = np.full(len(pairs), np.inf), np.full(len(pairs), -np.inf)
    np.minimum.at(shortest, place, lengths)
    np.maximum.at(longest, place, lengths)
    a, b = np.divmod(pairs, n_classes)
    # Exact only if two classes are joined completely and by one length, and each class within itself as well.
    whole = np.where(a == b, size[a] * (size[a] - 1) // 2, size[a] * size[b])
    agree = (shortest == longest) & (count == whole)
    ambiguous = np.zeros(n_classes, dtype=bool)
    ambiguous[a[~agree]] = ambiguous[b[~agree]] = True
    keep = ambiguous[label]
    keep[first] = True
    return graph if keep.all() else induced(graph, keep)


def induced(graph: FunctionalGraph, keep: NDArray[np.bool_]) -> FunctionalGraph:
    """Return the graph on the nodes where `keep` (n_nodes,) is true, numbered anew in their order."""
    place = np.cumsum(keep, dtype=np.int32) - 1
    inside = keep[graph.rows] & keep[graph.cols]
    return replace(
        graph,
        rows=place[graph.rows[inside]],
        cols=place[graph.cols[inside]],
        distances=graph.distances[inside],
        n_nodes=int(keep.sum()),
        neurons=None,
    )
