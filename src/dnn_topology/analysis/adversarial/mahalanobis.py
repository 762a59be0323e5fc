"""How far features lie from what is usual for the predicted class, in units of the usual spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-12  # of a feature that never changes


@dataclass(frozen=True, eq=False)
class ClassDistance:
    """Squared Mahalanobis distances to the mean of a class, with one covariance for all classes.

    The covariance is shrunk as Ledoit and Wolf say, so that there may be more features than inputs.

    Attributes:
        centre: (d,): subtracted from the features.
        spread: (d,): by which they are divided.
        means: (n_classes, d), of the scaled features.
        precision: (d, d), of the scaled features within their classes.

    Source:
        Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial attacks,
        NeurIPS 2018.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features, classes = rng.normal(size=(200, 2)), np.arange(200) % 2
        >>> fitted = ClassDistance.fit(features, classes, n_classes=2)
        >>> near, far = fitted.squared(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([0, 0]))
        >>> bool(near < 1 < 100 < far)
        True
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    means: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray[np.float64], classes: NDArray[np.intp], *, n_classes: int) -> ClassDistance:
        """Learn means and covariance from features (n, d) and their classes (n,).

        A class that none of them has gets the mean of all.
        """
        from sklearn.covariance import LedoitWolf

        centre, spread = features.mean(axis=0), features.std(axis=0)
        spread = np.where(spread > TINY, spread, 1.0)
        scaled = (features - centre) / spread
        means = class_means(scaled, classes, n_classes=n_classes)
        fitted = LedoitWolf(assume_centered=True).fit(scaled - means[classes])
        return cls(centre, spread, means, fitted.precision_)

    def squared(self, features: NDArray[np.float64], classes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the squared distances (n,) of features (n, d) to the means of their classes (n,)."""
        apart = (features - self.centre) / self.spread - self.means[classes]
        distances: NDArray[np.float64] = np.einsum("ij,ij->i", apart @ self.precision, apart)
        return distances


def class_means(rows: NDArray[np.float64], classes: NDArray[np.intp], *, n_classes: int) -> NDArray[np.float64]:
    """Return the mean row of each class, (n_classes, d); of a class that has none, the mean of all."""
    everything = rows.mean(axis=0)
    return np.array([rows[classes == c].mean(axis=0) if (classes == c).any() else everything for c in range(n_classes)])
