"""The curve that the original pipeline draws in place of a Betti curve, for comparison with published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams, HasDiagrams, diagrams_of
from dnn_topology.settings import MIN_PERSISTENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMALS = 4


def original_curve(
    diagrams: Diagrams | HasDiagrams, dim: int = 1, *, smooth: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the original draws as a Betti curve, which is none: its counting is another.

    Births and deaths are rounded to four decimals; of the finite points those stay that live longer than 0.02
    afterwards. Births and deaths together, sorted, are the scales, ties and all. The number of births up to a scale is
    right. That of deaths is the place, among the points in the order of their births, of the last one that has died: a
    long bar that was born first is so counted as dead when a short one inside it dies.

    Args:
        diagrams: Unfiltered diagrams, or a measurement; the original rounds first and filters then.
        dim: Dimension.
        smooth: Whether to take, as its pictures do, the moving average over a tenth of the scales, rounded towards 0
            to whole numbers, with 0 beyond both ends.

    Returns:
        ε (2 · n_points,), float64, rising from the first birth; and the curve there, int64. Both are empty where there
        is no such point.

    Raises:
        DnnTopologyError: The dimension was not computed, or the diagrams are filtered.

    Source:
        `pd2betti` and `visualise.py` of https://github.com/cipriancorneanu/dnn-topology.

    Example:
        >>> bars = Diagrams([[], [(0, 0.3), (0.1, 0.2)]], max_epsilon=0.5)
        >>> original_curve(bars, smooth=False)[1].tolist(), bars.betti_curve(1).at([0, 0.1, 0.2, 0.3]).tolist()
        ([1, 2, 0, 0], [1, 2, 1, 0])
    """
    source = diagrams_of(diagrams)
    if source.is_filtered:
        raise DnnTopologyError("the original's curve is made of unfiltered diagrams, which it rounds before it filters")
    points = source[dim]
    rounded = np.array(
        [[round(value, DECIMALS) for value in row] for row in points[np.isfinite(points[:, 1])].tolist()]
    )
    rounded = rounded.reshape(-1, 2)
    births, deaths = rounded[rounded[:, 1] - rounded[:, 0] > MIN_PERSISTENCE].T
    epsilon = np.sort(np.concatenate([births, deaths]))
    curve = _last_place(epsilon, births) - _last_place(epsilon, deaths)
    window = len(curve) // 10
    if smooth and window:
        curve = uniform_filter1d(curve, size=window, mode="constant")
    return epsilon, curve


def _last_place(epsilon: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, at each scale, the place from 1 of the last of the values that has been reached; 0 before all."""
    place = np.zeros(len(epsilon), np.int64)
    np.maximum.at(place, np.searchsorted(epsilon, values, side="left"), np.arange(1, len(values) + 1))
    return np.maximum.accumulate(place) if len(place) else place
