"""What points, densities and filters of diagrams must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, is_finite
from dnn_topology.graphs.checks import ROUND_OFF, real_array
from dnn_topology.settings import Essential

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ESSENTIAL: tuple[Essential, ...] = ("count", "drop", "clip")


def check_filter(min_persistence: float, essential: str) -> None:
    """Check the two options of a filter.

    Raises:
        DnnTopologyError: `min_persistence` is negative or not finite, or `essential` is unknown.
    """
    check_at_least("min_persistence", min_persistence, 0)
    if not is_finite(min_persistence):
        raise DnnTopologyError(f"min_persistence must be a finite length in ε, found {min_persistence}: take 0.02")
    check_choice("essential", essential, ESSENTIAL)


def density_table(density: Any, end: float) -> NDArray[np.float64]:
    """Return a table of densities as float64.

    Raises:
        DnnTopologyError: It is no table (ε, share) from 0 to the end.
    """
    table = real_array("density", density).astype(np.float64, copy=False)
    if table.ndim != 2 or table.shape[1] != 2 or not len(table):
        raise DnnTopologyError(f"`density` must be (m, 2), rows (ε, share), found shape {table.shape}")
    scales, shares = table.T
    if scales[0] != 0 or not (np.diff(scales) >= 0).all() or scales[-1] > end * (1 + ROUND_OFF):
        raise DnnTopologyError(f"the scales in `density` must rise from 0 to at most max_epsilon={end:g}")
    if not (np.diff(shares) >= 0).all() or not 0 <= shares[0] <= shares[-1] <= 1:
        raise DnnTopologyError("the shares in `density` must lie in [0, 1] and not fall")
    return table


def canonical_points(points: ArrayLike, dim: int, end: float) -> NDArray[np.float64]:
    """Return points as a read-only (k, 2) float64 array sorted by birth, then death.

    Raises:
        DnnTopologyError: The shape is wrong, a birth is not finite, a class dies before it is born, or one is born or
            dies after the end.
    """
    array = np.array(real_array(f"points of dimension {dim}", points), dtype=np.float64)
    array = array.reshape(-1, 2) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 2:
        raise DnnTopologyError(f"points of dimension {dim} must be (k, 2), found shape {array.shape}")
    if not ((array[:, 0] >= 0) & np.isfinite(array[:, 0]) & (array[:, 1] >= array[:, 0])).all():
        raise DnnTopologyError(f"points of dimension {dim} must have a finite birth ≤ death, from 0 on")
    beyond = np.isfinite(array) & (array > end)
    if beyond.any():
        highest = float(array[beyond].max())
        if highest > end * (1 + ROUND_OFF):
            raise DnnTopologyError(
                f"points of dimension {dim} must not lie beyond max_epsilon={end:g}, where the filtration ends, found "
                f"{highest:g}: name the end of their filtration, and look at less with `.cut(max_epsilon={end:g})`"
            )
        array[beyond] = end
    array = array[np.lexsort((array[:, 1], array[:, 0]))]
    array.setflags(write=False)
    return array
