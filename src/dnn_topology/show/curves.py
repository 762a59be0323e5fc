"""Curves as they are drawn: exact steps of one training, mean and band of several, smoothed or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from dnn_topology.homology.diagrams import Diagrams

BAND = (0.025, 0.975)  # quantiles between which the middle 95 % of a group lies
BAND_WORDS = "band: middle 95 %"


class Drawn(NamedTuple):
    """A step function, and the band around it where it is the mean of a group.

    Attributes:
        x: (m,), rising: where the curve may change.
        y: (m,): its value from there on.
        low: (m,) or None: below which 2.5 % of the group are.
        high: (m,) or None: above which 2.5 % of the group are.
    """

    x: NDArray[np.float64]
    y: NDArray[Any]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    def smoothed(self) -> Drawn:
        """Return the moving averages over a tenth of the breakpoints, from the first birth on.

        Before the first birth there is no cavity; the last value holds beyond the end, where nothing is known.
        """
        start = int(np.argmax(np.asarray(self.y) > 0))
        size = max(1, len(self.x) // 10)
        rows = [None if row is None else _average(row, start, size) for row in (self.y, self.low, self.high)]
        return Drawn(self.x[start:], *rows)  # type: ignore[arg-type]


def betti_curve_of(group: Sequence[Diagrams], dim: int, *, over_density: bool = False) -> Drawn:
    """Return the exact Betti curve of one, or the exact mean of several with the band of their middle 95 %.

    Args:
        group: Diagrams with the same max_epsilon.
        dim: Dimension.
        over_density: Whether the axis is the share of joined pairs, not ε; a mean then ends where the first curve does.

    Raises:
        DnnTopologyError: The dimension was not computed, or the density is not known.
    """
    curves = [one.betti_curve(dim) for one in group]
    places = [
        one.density_at(curve.epsilon) if over_density else curve.epsilon
        for one, curve in zip(group, curves, strict=True)
    ]
    if len(group) == 1:
        return Drawn(places[0], curves[0].beta)
    end = min(float(x[-1]) for x in places)
    x = np.unique(np.concatenate(places))
    x = x[x <= end]
    at = [np.searchsorted(place, x, side="right") - 1 for place in places]
    values = np.array([np.where(k < 0, 0, curve.beta[k]) for k, curve in zip(at, curves, strict=True)])
    return Drawn(x, *mean_and_band(values))


def mean_and_band(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of several curves (n, m) and between what their middle 95 % lies, NaN left out; (m,) each."""
    rows = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(rows).all(axis=0)
    result = np.full((3, rows.shape[1]), np.nan)
    result[0, known] = np.nanmean(rows[:, known], axis=0)
    result[1:, known] = np.nanquantile(rows[:, known], BAND, axis=0)
    return result[0], result[1], result[2]


def _average(values: NDArray[Any], start: int, size: int) -> NDArray[np.float64]:
    """Return the moving average of values from a place on."""
    later = values[start:].astype(float)
    before = np.full(size, 0.0 if start else later[0])  # H0 is born at 0, where the axis begins
    padded = np.concatenate([before, later, np.full(size, later[-1])])
    smooth: NDArray[np.float64] = uniform_filter1d(padded, size=size, mode="nearest")[size : size + len(later)]
    return smooth
