"""Which inputs are near which: their minimum spanning tree and their nearest neighbours, exact, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import psutil
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNOWN = 15  # neighbours of every point that the tree starts from
BLOCK = 1_000  # points whose distances to all others are held at a time
Told = Callable[[float], None]  # called with the share that is done


def nearest_neighbours(points: NDArray[np.float64], k: int, *, on_progress: Told | None = None) -> NDArray[np.int64]:
    """Return every pair of points of which one is among the k nearest of the other.

    Args:
        points: (n_points, n_features), float64.
        k: Number of neighbours, below n_points.
        on_progress: Called with the share of the points that is done.

    Returns:
        (n_pairs, 2), int64, each pair once, the smaller place first.

    Example:
        >>> nearest_neighbours(np.array([[0.0], [1.0], [3.0]]), 1).tolist()
        [[0, 1], [1, 2]]
    """
    places, _ = _lists(points, k, on_progress or _nobody)
    pairs = np.column_stack([np.repeat(np.arange(len(points)), k), places.ravel()])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def spanning_tree(points: NDArray[np.float64], *, on_progress: Told | None = None) -> NDArray[np.int64]:
    """Return the edges of a minimum spanning tree of points in Euclidean space, the finite H0 of their filtration.

    Borůvka's algorithm: every component but the largest takes the shortest edge that leaves it, until there is one.
    Lists of nearest neighbours settle most components; the others are settled by the distances from their points to
    all points, a block at a time. Nothing is approximate; among trees of the same length any may come out.

    Args:
        points: (n_points, n_features), float64.
        on_progress: Called with the share of the work that is done.

    Returns:
        (n_points - 1, 2), int64.

    Example:
        >>> spanning_tree(np.array([[0.0], [1.0], [3.0], [7.0]])).tolist()
        [[0, 1], [1, 2], [2, 3]]
    """
    told = on_progress or _nobody
    n_points, k = len(points), min(KNOWN, len(points) - 1)
    places, distances = _lists(points, k, lambda share: told(share / 2))
    norms = np.einsum("ij,ij->i", points, points)
    chosen = np.empty((0, 2), dtype=np.int64)
    component = np.arange(n_points)
    while len(chosen) < n_points - 1:
        heads, tails, lengths = _ways_out(points, norms, component, places, distances)
        order = np.lexsort((lengths, component[heads]))
        first = order[np.flatnonzero(np.diff(component[heads][order], prepend=-1))]  # the shortest of each component
        proposed = np.sort(np.column_stack([heads[first], tails[first]]), axis=1)
        chosen = np.vstack([chosen, proposed[_without_circles(component, proposed)]])
        component = _components(n_points, chosen)
        told(0.5 + 0.5 * len(chosen) / (n_points - 1))
    return chosen[np.lexsort((chosen[:, 1], chosen[:, 0]))]


def check_memory(n_points: int, n_features: int) -> None:
    """Check that points and the distances of a block of them fit into what is free.

    Raises:
        DnnTopologyError: They do not.
    """
    needed = 8 * (3 * n_points * n_features + 2 * KNOWN * n_points + 3 * BLOCK * n_points)
    free = psutil.virtual_memory().available
    if needed > free:
        raise DnnTopologyError(
            f"the neighbours of {n_points:,} inputs of {n_features:,} numbers need about {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free: give fewer inputs, or features= of fewer numbers"
        )


def _lists(points: NDArray[np.float64], k: int, told: Told) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k nearest of every point, itself not among them, and how far they are: (n, k) each, nearest first."""
    search = NearestNeighbors(n_neighbors=k + 1).fit(points)
    places = np.empty((len(points), k), dtype=np.int64)
    distances = np.empty((len(points), k))
    for start in range(0, len(points), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(points)))
        far, near = search.kneighbors(points[rows])
        itself = near == rows[:, None]
        itself[~itself.any(axis=1), -1] = True  # of more than k copies of a point it may not be listed
        places[rows] = near[~itself].reshape(len(rows), k)
        distances[rows] = far[~itself].reshape(len(rows), k)
        told(min(1.0, (start + BLOCK) / len(points)))
    return places, distances


def _ways_out(
    points: NDArray[np.float64],
    norms: NDArray[np.float64],
    component: NDArray[np.int64],
    places: NDArray[np.int64],
    distances: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return edges that leave components, among them the shortest one of every component but the largest."""
    rows = np.flatnonzero(component != np.bincount(component).argmax())
    leaving = component[places[rows]] != component[rows][:, None]
    first, known = leaving.argmax(axis=1), leaving.any(axis=1)
    lengths = np.where(known, distances[rows, first], np.inf)
    shortest = np.full(component.max() + 1, np.inf)
    np.minimum.at(shortest, component[rows], lengths)
    # A point whose listed neighbours all lie within may have a shorter way out, unless the last of them is as far.
    open_rows = rows[~known & (distances[rows, -1] < shortest[component[rows]])]
    heads, tails = [rows[known]], [places[rows[known], first[known]]]
    edge_lengths = [lengths[known]]
    for start in range(0, len(open_rows), BLOCK):
        part = open_rows[start : start + BLOCK]
        squares = norms[part][:, None] + norms - 2 * (points[part] @ points.T)
        squares[component[part][:, None] == component] = np.inf
        nearest = squares.argmin(axis=1)
        heads.append(part)
        tails.append(nearest)
        edge_lengths.append(np.linalg.norm(points[part] - points[nearest], axis=1))
    return np.concatenate(heads), np.concatenate(tails), np.concatenate(edge_lengths)


def _without_circles(component: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which edges to add, one after another, so that no circle of components closes."""
    root = np.arange(component.max() + 1)

    def top(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    kept = np.zeros(len(edges), dtype=np.bool_)
    for number, (head, tail) in enumerate(component[edges]):
        one, other = top(head), top(tail)
        root[one] = other
        kept[number] = one != other
    return kept


def _components(n_points: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the component that every point belongs to."""
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_points, n_points))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _nobody(share: float) -> None:
    """Tell nobody."""
    del share
