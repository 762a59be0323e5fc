"""Activation graphs: a layer's units joined by |weight · activation|, and their 0-dimensional persistence.

Growing the graph from its strongest edge down, components are born at once and merge along the edges of a maximum
spanning tree; the weights of those edges are the whole 0-dimensional diagram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array, issparse
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def tree_weights(strengths: Any, inputs: ArrayLike) -> NDArray[np.float64]:
    """Return the maximum spanning tree's weights of a layer's activation graph, for each input.

    The graph has the layer's n_in inputs and n_out outputs as nodes, and an edge between input i and output j of weight
    |w_ji · x_i|. A missing or zero edge counts as 0, so that every tree has n_in + n_out - 1 weights.

    Args:
        strengths: (n_out, n_in), |w| at least 0: an array, or sparse (a convolution, unrolled).
        inputs: (n_samples, n_in), real: what enters the layer.

    Returns:
        (n_samples, n_in + n_out - 1), float64, each row falling.

    Raises:
        DnnTopologyError: The shapes do not match, or a value is not finite.

    Source:
        Gebhart, Schrater and Hylton, Characterizing the shape of activation space in deep neural networks, ICMLA 2019;
        Lacombe, Ike and Umeda, Topological uncertainty, IJCAI 2021.

    Example:
        >>> tree_weights([[1.0, 2.0], [3.0, 0.5]], [[1.0, 1.0]])
        array([[3., 2., 1.]])
    """
    matrix, values = _checked(strengths, inputs)
    n_out, n_in = matrix.shape
    trees = np.zeros((len(values), n_in + n_out - 1))
    grow = _grower(matrix)
    for row, signal in zip(trees, values, strict=True):
        weights = grow.tree(signal)
        row[: len(weights)] = np.sort(weights)[::-1]
    return trees


def tree_edges(strengths: Any, inputs: ArrayLike) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the edges whose weights `tree_weights` gives, for each input: what its gradient goes through.

    Where edges weigh the same, which of them are in the tree is not defined, and one may stand for another.

    Args:
        strengths: As for `tree_weights`.
        inputs: As for `tree_weights`.

    Returns:
        For every input the outputs (n_edges,) and the inputs (n_edges,) of the layer that are the ends of its tree's
        edges, those of weight 0 left out.

    Raises:
        DnnTopologyError: The shapes do not match, or a value is not finite.

    Source:
        As for `tree_weights`.

    Example:
        >>> [(outputs, inputs)] = tree_edges([[1.0, 2.0], [3.0, 0.5]], [[1.0, 1.0]])
        >>> sorted(zip(outputs.tolist(), inputs.tolist()))
        [(0, 0), (0, 1), (1, 0)]
    """
    matrix, values = _checked(strengths, inputs)
    grow = _grower(matrix)
    return [grow.edges(signal) for signal in values]


def _checked(strengths: Any, inputs: ArrayLike) -> tuple[Any, NDArray[np.float64]]:
    """Return the matrix, and |inputs|.

    Raises:
        DnnTopologyError: The shapes do not match, or a value is not finite.
    """
    matrix: Any = strengths if issparse(strengths) else np.asarray(strengths, dtype=np.float64)
    values = np.abs(np.asarray(inputs, dtype=np.float64))
    if matrix.ndim != 2 or values.ndim != 2 or values.shape[1] != matrix.shape[1]:
        raise DnnTopologyError(
            f"strengths (n_out, n_in) and inputs (n_samples, n_in) do not match: shapes {matrix.shape}, {values.shape}"
        )
    if not np.isfinite(values).all():
        raise DnnTopologyError(f"{(~np.isfinite(values)).sum()} of {values.size} activations are NaN or infinite")
    return matrix, values


def _grower(matrix: Any) -> _Sparse | _Dense:
    """Return what grows trees on the edges of a matrix."""
    sparse: bool = issparse(matrix)
    return _Sparse(csr_array(matrix)) if sparse else _Dense(matrix)


class _Sparse:
    """Trees by Kruskal's algorithm, as scipy has it, on the edges that are there.

    Args:
        matrix: (n_out, n_in).
    """

    def __init__(self, matrix: csr_array[Any, Any]) -> None:
        edges = coo_array(matrix)
        self._outputs, self._inputs = edges.coords
        self._strengths = edges.data.astype(np.float64)
        self._shape = matrix.shape

    def tree(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positive weights of one input's tree, in no order."""
        return _weights(self._grown(signal))

    def edges(self, signal: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the outputs and the inputs that the tree of one input joins."""
        one, other = coo_array(self._grown(signal)).coords
        return np.minimum(one, other).astype(np.intp), np.maximum(one, other).astype(np.intp) - self._shape[0]

    def _grown(self, signal: NDArray[np.float64]) -> csr_array[Any, Any]:
        """Return the tree, whose nodes are the outputs and after them the inputs."""
        weights = self._strengths * signal[self._inputs]
        there = weights > 0
        n_out, n_in = self._shape
        ends = (self._outputs[there], n_out + self._inputs[there])
        graph = coo_array((-weights[there], ends), shape=(n_out + n_in, n_out + n_in))
        return _forest(graph.tocsr())


class _Dense:
    """Trees of complete bipartite graphs: one vectorised round of Borůvka's algorithm, then Kruskal's on what is left.

    Every node's heaviest edge is in the tree (ties go to the lower place, for all nodes alike, so that no cycle
    closes). Merging along those edges leaves few components, and of the edges between two only the heaviest counts.

    Args:
        matrix: (n_out, n_in).
    """

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        self._strengths = np.ascontiguousarray(matrix.T)

    def tree(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positive weights of one input's tree, in no order."""
        live = np.flatnonzero(signal)
        if not len(live):
            return np.empty(0)
        weights = self._strengths[live] * signal[live, None]
        rows, cols, later = _in_two_rounds(weights)
        return np.concatenate([weights[rows, cols], later])

    def edges(self, signal: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the outputs and the inputs that the tree of one input joins."""
        live = np.flatnonzero(signal)
        if not len(live):
            return np.empty(0, dtype=np.intp), live
        weights = self._strengths[live] * signal[live, None]
        rows, cols, later = _in_two_rounds(weights)
        late_rows, late_cols = _places(weights, later)
        return np.concatenate([cols, late_cols]), live[np.concatenate([rows, late_rows])]


def _in_two_rounds(weights: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return the ends of every node's heaviest edge, (n_edges,) each, and the weights of the rest of the tree."""
    n_in, n_out = weights.shape
    heaviest = np.concatenate(
        [np.arange(n_in) * n_out + weights.argmax(axis=1), weights.argmax(axis=0) * n_out + np.arange(n_out)]
    )
    rows, cols = np.divmod(np.unique(heaviest), n_out)
    joined = coo_array((np.ones(len(rows)), (rows, n_in + cols)), shape=(n_in + n_out, n_in + n_out))
    n_components, labels = connected_components(joined, directed=False)
    component = labels.astype(np.intp)
    between = _merged(weights, component[:n_in], component[n_in:], n_components)
    return rows, cols, _weights(_forest(csr_array(-np.triu(between, k=1))))


def _places(weights: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where a matrix has some of its values: rows (n,) and columns (n,), the first place of each."""
    if not len(values):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    wanted, inverse = np.unique(values, return_inverse=True)
    likely = np.flatnonzero(weights >= wanted[0])
    candidates = weights.ravel()[likely]
    nearest = np.searchsorted(wanted, candidates).clip(max=len(wanted) - 1)
    hits = wanted[nearest] == candidates
    _, first = np.unique(candidates[hits], return_index=True)
    rows, cols = np.divmod(likely[hits][first][inverse], weights.shape[1])
    return rows, cols


def _merged(
    weights: NDArray[np.float64], rows: NDArray[np.intp], cols: NDArray[np.intp], n_components: int
) -> NDArray[np.float64]:
    """Return the heaviest edge between every two components, (n_components, n_components), symmetric."""
    by_row, row_names = _heaviest(weights, rows)
    by_both, col_names = _heaviest(by_row.T, cols)
    between = np.zeros((n_components, n_components))
    between[np.ix_(col_names, row_names)] = by_both
    return np.maximum(between, between.T)


def _heaviest(weights: NDArray[np.float64], labels: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the largest row of each label, entry by entry, and the labels."""
    order = np.argsort(labels, kind="stable")
    names, starts = np.unique(labels[order], return_index=True)
    return np.maximum.reduceat(weights[order], starts, axis=0), names


def _forest(graph: csr_array[Any, Any]) -> csr_array[Any, Any]:
    """Return the maximum spanning forest of a graph whose weights are negated."""
    return csr_array(minimum_spanning_tree(graph))


def _weights(forest: csr_array[Any, Any]) -> NDArray[np.float64]:
    """Return the weights of a forest whose weights are negated."""
    weights: NDArray[np.float64] = -forest.data
    return weights
