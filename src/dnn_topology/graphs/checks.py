"""What arrays, distances, edges and scales must be: round-off is mended, what is more is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_length, is_whole, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Correlations in float32 are off by some 1e-7: matrices that are no distances by less than this are by round-off.
ROUND_OFF = 1e-6
PART = 2**20  # rows of a matrix times its width, or edges, that are looked at together, so that no second one is made


def real_array(name: str, values: Any) -> NDArray[Any]:
    """Return anything array-like (an array, a torch tensor, a data frame, nested lists) as a real array.

    Args:
        name: Of the argument, for the message.
        values: What was passed.

    Returns:
        The array, of its own floating or integer type; it is not copied where it is one already.

    Raises:
        DnnTopologyError: It is sparse, complex or masked, or holds no numbers.

    Example:
        >>> real_array("distances", [[0, 1], [1, 0]]).shape
        (2, 2)
    """
    if hasattr(values, "toarray"):
        raise DnnTopologyError(f"`{name}` must be dense, found a {type(values).__name__}: pass its `.toarray()`")
    if np.ma.is_masked(values):
        raise DnnTopologyError(f"`{name}` must not be masked: fill what is masked, as by .filled(0), or leave it out")
    if hasattr(values, "resolve_conj"):  # as tensors alone have; streams have a detach() too
        values = _from_tensor(name, values)
    check_length(name, values)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DnnTopologyError(f"`{name}` must be an array of real numbers: {error}") from error
    if array.dtype.kind not in "buif":
        raise DnnTopologyError(
            f"`{name}` must be real numbers, found {type(values).__name__} of {array.dtype}: convert it to float64"
            + (", for complex values by their absolute value" if array.dtype.kind == "c" else "")
        )
    return array


def _from_tensor(name: str, tensor: Any) -> Any:
    """Return a torch tensor, on whatever device and with whatever history, as an array.

    Raises:
        DnnTopologyError: It is sparse, quantised, nested or without values.
    """
    try:
        tensor = tensor.detach().cpu()
        return tensor.float().numpy() if str(tensor.dtype) == "torch.bfloat16" else tensor.resolve_conj().numpy()
    except (TypeError, RuntimeError) as error:  # NotImplementedError is one
        layout = str(tensor.layout).removeprefix("torch.")
        raise DnnTopologyError(
            f"`{name}` must be a dense tensor of plain numbers, found {str(tensor.dtype).removeprefix('torch.')}, "
            f"{layout}, on {tensor.device}: convert it, as by .to_dense(), .dequantize() or .float()"
        ) from error


def checked_distances(distances: Any) -> NDArray[np.float64]:
    """Return a matrix of distances as float64 without round-off: symmetric, not negative, 0 on the diagonal.

    Args:
        distances: (n, n), real. What is off by less than 1e-6 (times the largest distance, where that is above 1; four
            units of the last place of numbers of 16 bits) is mended: of two lengths of one edge the smaller counts.

    Returns:
        (n, n), float64; the array given where it is one and nothing had to be mended.

    Raises:
        DnnTopologyError: It is no such matrix; the message names the first place where it fails.

    Example:
        >>> checked_distances([[2e-16, 0.5], [0.5 + 6e-8, 0]]).tolist()
        [[0.0, 0.5], [0.5, 0.0]]
    """
    given = real_array("distances", distances)
    matrix = given.astype(np.float64, copy=False)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        remedy = ": of scipy's pdist, give scipy.spatial.distance.squareform(distances)" if matrix.ndim == 1 else ""
        raise DnnTopologyError(f"`distances` must be a square matrix, found shape {matrix.shape}{remedy}")
    if not matrix.size:
        return matrix
    slack = _slack(matrix) * _coarseness(given, distances)
    lowest = float(matrix.min())
    if lowest < -slack:
        raise DnnTopologyError(f"`distances` must not be negative: found {lowest:.3g} at {_first(matrix, lowest)}")
    asymmetry, at = _asymmetry(matrix)
    if asymmetry > slack:
        raise DnnTopologyError(
            f"`distances` must be symmetric: |D - Dᵀ| is {asymmetry:.3g} at {at}, which is more than round-off "
            f"({slack:.0e}): pass (D + D.T) / 2 if it should be"
        )
    diagonal = np.abs(np.diagonal(matrix))
    if diagonal.max() > slack:
        node = int(np.argmax(diagonal > slack))
        raise DnnTopologyError(
            f"`distances` must be 0 on the diagonal: found {matrix[node, node]} at node {node}, which is more than "
            f"round-off ({slack:.0e}); pass distances, not similarities"
        )
    if lowest >= 0 and asymmetry == 0 and not diagonal.any():
        return matrix
    mended: NDArray[np.float64] = np.clip(np.minimum(matrix, matrix.T), 0, None)
    np.fill_diagonal(mended, 0.0)
    return mended


def check_edges(
    rows: NDArray[Any], cols: NDArray[Any], distances: NDArray[np.float64], *, n_nodes: int, max_epsilon: float
) -> None:
    """Check the edges (i, j, d) of a graph: each once, i < j, d a length within reach.

    Raises:
        DnnTopologyError: They are no such edges; the message names the first that is not.
    """
    for name, ends in (("rows", rows), ("cols", cols)):
        if ends.dtype.kind not in "iu" and ends.size:
            raise DnnTopologyError(f"`{name}` must be whole numbers, the places of nodes, found {ends.dtype}")
    if not rows.ndim == cols.ndim == distances.ndim == 1 or not len(rows) == len(cols) == len(distances):
        raise DnnTopologyError(
            "`rows`, `cols` and `distances` must be (n_edges,) each, found shapes "
            f"{rows.shape}, {cols.shape} and {distances.shape}"
        )
    for bad, expected in (
        (rows < 0, "must have ends from 0 on"),
        (cols >= n_nodes, f"must have ends below n_nodes={n_nodes}"),
        (rows >= cols, "must go from a lower to a higher node, i < j"),
        (~(distances >= 0), "must have a length of at least 0"),
        (distances > 2 * max_epsilon, f"must be at most 2 · max_epsilon = {2 * max_epsilon:g} long"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            raise DnnTopologyError(
                f"edges {expected}: edge {at} is ({rows[at]}, {cols[at]}) of length {distances[at]:g}"
            )
    place = np.sort(rows.astype(np.int64) * n_nodes + cols)
    twice = place[1:] == place[:-1]
    if twice.any():
        i, j = divmod(int(place[:-1][twice][0]), n_nodes)
        raise DnnTopologyError(
            f"every edge must be there once: ({i}, {j}) is there {int((place == i * n_nodes + j).sum())} times"
        )


def check_scales(epsilon: ArrayLike, max_epsilon: float) -> NDArray[np.float64]:
    """Return scales (…) as float64 in [0, max_epsilon]; what lies beyond an end by round-off is put on it.

    Raises:
        DnnTopologyError: A scale lies outside, or is NaN.

    Example:
        >>> check_scales([0, 0.1 + 0.2], 0.3).tolist()
        [0.0, 0.3]
    """
    scales = real_array("epsilon", epsilon).astype(np.float64)
    slack = ROUND_OFF * max_epsilon
    outside = ~((scales >= -slack) & (scales <= max_epsilon + slack))
    if outside.any():
        raise DnnTopologyError(
            f"epsilon must lie in [0, {max_epsilon:g}], where the filtration ends, found "
            f"{scales[outside].flat[0]:g}: compute with a larger max_epsilon to see further"
        )
    return np.clip(scales, 0.0, max_epsilon)


def check_count(name: str, count: Any, least: int) -> int:
    """Return a whole number of at least `least` as an int.

    Raises:
        DnnTopologyError: It is none.
    """
    if not is_whole(count) or count < least:
        raise DnnTopologyError(f"{name} must be a whole number of at least {least}, found {shown(count)}")
    return int(count)


def _slack(matrix: NDArray[np.float64]) -> float:
    """Return what counts as round-off in a matrix without NaN.

    Raises:
        DnnTopologyError: It holds NaN.
    """
    largest = 1.0
    for part in _parts(matrix):
        if np.isnan(part.max()):
            i, j = np.argwhere(np.isnan(matrix))[0]
            raise DnnTopologyError(f"`distances` must not hold NaN: found nan at ({i}, {j})")
        largest = max(largest, float(part.max(where=np.isfinite(part), initial=0.0)))
    return ROUND_OFF * largest


def _coarseness(array: NDArray[Any], given: Any) -> float:
    """Return how many times larger round-off is in numbers of 16 bits, some units of whose last place are allowed."""
    low = array.dtype == np.float16 or "float16" in str(getattr(given, "dtype", ""))  # torch's bfloat16 included
    bits = 7 if "bfloat16" in str(getattr(given, "dtype", "")) else 10
    return 4 * 2.0**-bits / ROUND_OFF if low else 1.0


def _asymmetry(matrix: NDArray[np.float64]) -> tuple[float, tuple[int, int]]:
    """Return max |D - Dᵀ| and the first place where it is."""
    worst, at, start = 0.0, (0, 0), 0
    for part in _parts(matrix):
        mirrored = matrix[:, start : start + len(part)].T
        with np.errstate(invalid="ignore"):  # inf - inf, two absent edges, counts as equal
            apart = np.nan_to_num(np.abs(part - mirrored), nan=0.0, posinf=np.inf)
        if apart.max() > worst:
            worst = float(apart.max())
            i, j = np.unravel_index(int(np.argmax(apart)), apart.shape)
            at = (int(i) + start, int(j))
        start += len(part)
    return worst, at


def _parts(matrix: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return views of a few rows each."""
    step = max(1, PART // len(matrix))
    return [matrix[start : start + step] for start in range(0, len(matrix), step)]


def _first(matrix: NDArray[np.float64], value: float) -> tuple[int, int]:
    """Return the first place of a value that is there."""
    i, j = np.unravel_index(int(np.argmax(matrix == value)), matrix.shape)
    return int(i), int(j)
