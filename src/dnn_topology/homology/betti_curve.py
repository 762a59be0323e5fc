"""The Betti curve, an exact step function of the scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.graphs.checks import check_scales, real_array

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray


class _Steps(NamedTuple):
    """The two arrays of a curve."""

    epsilon: NDArray[np.float64]
    beta: NDArray[np.int64]


class BettiCurve(_Steps):
    """β_k(ε), the number of living cavities, as an exact step function on [0, max_epsilon].

    Attributes:
        epsilon: (m,), float64. Where the curve may change, rising from 0 to max_epsilon.
        beta: (m,), int64. `beta[i]` holds from `epsilon[i]` until just before `epsilon[i + 1]`; the last
            value holds at max_epsilon.

    Raises:
        DnnTopologyError: They are no such arrays.

    Example:
        >>> epsilon, beta = BettiCurve([0, 0.1, 0.3], [2, 1, 1])
        >>> epsilon.dtype, beta.dtype
        (dtype('float64'), dtype('int64'))
    """

    __slots__ = ()

    def __new__(cls, epsilon: ArrayLike, beta: ArrayLike) -> Self:
        """Return the curve of arrays that anyone may have made, which `_make` takes as they are.

        Raises:
            DnnTopologyError: They are no such arrays.
        """
        scales, counts = (real_array(name, each) for name, each in (("epsilon", epsilon), ("beta", beta)))
        if scales.ndim != 1 or scales.shape != counts.shape or not len(scales):
            raise DnnTopologyError(
                f"epsilon and beta must be (m,) each, of the same length, found shapes {scales.shape} and "
                f"{counts.shape}"
            )
        if scales[0] != 0 or not np.isfinite(scales).all() or (np.diff(scales) <= 0).any():
            raise DnnTopologyError("epsilon must rise from 0 to max_epsilon, every scale there once")
        if not (counts >= 0).all() or not (counts % 1 == 0).all():
            raise DnnTopologyError("beta must be whole numbers of at least 0, how many cavities live at each scale")
        return cls._make((scales.astype(np.float64, copy=False), counts.astype(np.int64, copy=False)))

    def __repr__(self) -> str:
        """Return where the curve is highest and how far it goes."""
        where, highest = self.peak()
        peak = f"peak {highest} at ε {where:.4g}" if highest else "0 throughout"
        return f"BettiCurve({peak}, {len(self.epsilon)} breakpoints on [0, {self.epsilon[-1]:g}])"

    def at(self, epsilon: ArrayLike) -> NDArray[np.int64]:
        """Return β at any scales (…) in [0, max_epsilon], as int64 of the same shape.

        Raises:
            DnnTopologyError: A scale lies outside: nothing is known there.

        Example:
            >>> BettiCurve(np.array([0.0, 0.1, 0.3]), np.array([2, 1, 1])).at([0.05, 0.3]).tolist()
            [2, 1]
        """
        scales = check_scales(epsilon, float(self.epsilon[-1]))
        return self.beta[np.searchsorted(self.epsilon, scales, side="right") - 1]

    def integral(self) -> float:
        """Return the area under the curve, ∫ β dε."""
        return float(np.dot(self.beta[:-1], np.diff(self.epsilon)))

    def peak(self) -> tuple[float, int]:
        """Return (ε, β) at the first maximum; ε is NaN where the curve is 0 throughout."""
        place = int(np.argmax(self.beta))
        highest = int(self.beta[place])
        return (float(self.epsilon[place]) if highest else float("nan")), highest

    @checked
    def coarse(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the curve at no more than n + 1 scales, for small pictures.

        Args:
            n: In how many parts [0, max_epsilon] is cut.

        Returns:
            (epsilon, beta): at each scale the highest value until the next, so that no peak is lost; the curve itself
            where it has no more breakpoints than that.

        Raises:
            DnnTopologyError: n is below 1.

        Example:
            >>> BettiCurve(np.array([0.0, 0.1, 0.12, 0.3]), np.array([0, 5, 1, 1])).coarse(2)[1].tolist()
            [5, 1, 1]
        """
        check_at_least("n", n, 1)
        if len(self.epsilon) <= n + 1:
            return self.epsilon, self.beta
        grid = np.linspace(0, self.epsilon[-1], n + 1)
        scales = np.unique(np.concatenate([grid, self.epsilon]))
        return grid, np.maximum.reduceat(self.at(scales), np.searchsorted(scales, grid))
