"""Twins of the profile without a tree: what of an activation graph shows without its topology."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def heaviest_edges(strengths: Any, inputs: ArrayLike) -> NDArray[np.float64]:
    """Return the weight of every unit's heaviest edge in a layer's activation graph, for each input.

    Output j has max_i |w_ji · x_i|, input i has |x_i| · max_j |w_ji|. These edges are part of the maximum spanning tree
    (one round of Borůvka's algorithm), but to find them nothing is joined.

    Args:
        strengths: (n_out, n_in), |w| at least 0: an array, or sparse (a convolution, unrolled).
        inputs: (n_samples, n_in), real: what enters the layer.

    Returns:
        (n_samples, n_out + n_in), float64: first the outputs', then the inputs'.

    Raises:
        DnnTopologyError: The shapes do not match.

    Source:
        The graph: Gebhart, Schrater and Hylton, ICMLA 2019. The control is ours.

    Example:
        >>> heaviest_edges([[1.0, 2.0], [3.0, 0.5]], [[1.0, 1.0]])
        array([[2., 3., 3., 2.]])
    """
    sparse: bool = issparse(strengths)
    matrix: Any = csr_array(strengths, dtype=np.float64) if sparse else np.asarray(strengths, dtype=np.float64)
    values = np.abs(np.asarray(inputs, dtype=np.float64))
    if matrix.ndim != 2 or values.ndim != 2 or values.shape[1] != matrix.shape[1]:
        raise DnnTopologyError(
            f"strengths (n_out, n_in) and inputs (n_samples, n_in) do not match: shapes {matrix.shape}, {values.shape}"
        )
    largest = matrix.max(axis=0).toarray().ravel() if sparse else matrix.max(axis=0)
    of_outputs = [_of_outputs(matrix, signal) for signal in values]
    return np.hstack([np.array(of_outputs).reshape(len(values), -1), values * largest])


def _of_outputs(matrix: Any, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the heaviest edge of every output on one input, (n_out,)."""
    if not isinstance(matrix, csr_array):
        heaviest: NDArray[np.float64] = (matrix * signal).max(axis=1)
        return heaviest
    weights = matrix.data * signal[matrix.indices]
    heaviest = np.zeros(matrix.shape[0])
    occupied = np.diff(matrix.indptr) > 0  # reduceat gives an empty row the next one's first
    heaviest[occupied] = np.maximum.reduceat(weights, matrix.indptr[:-1][occupied])
    return heaviest
