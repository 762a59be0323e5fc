"""Points in the plane whose distances are, as well as can be, those that are given."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def embedded(distances: ArrayLike, *, seed: int = 0) -> tuple[NDArray[np.float64], float]:
    """Return points in the plane by metric multidimensional scaling (SMACOF), the best of eight seeded starts.

    The plane is turned so that the points spread most from left to right, the first of them in the left half and not
    below the middle, so that small changes of the distances turn no picture over.

    Args:
        distances: (n, n), symmetric, 0 on the diagonal.
        seed: Of the starts.

    Returns:
        Points (n, 2), float64, around 0; and Kruskal's stress-1, the root of Σ (distance in the plane - given)² over
        Σ given²: 0 where the plane holds all distances, above .2 where the picture says little.

    Source:
        Borg and Groenen, Modern multidimensional scaling, Springer 2005; Kruskal, Multidimensional scaling by
        optimizing goodness of fit to a nonmetric hypothesis, Psychometrika 1964.

    Example:
        >>> points, stress = embedded([[0, 3, 4], [3, 0, 5], [4, 5, 0]])
        >>> float(np.linalg.norm(points[1] - points[2]).round(2)), round(stress, 3)
        (5.0, 0.0)
    """
    matrix = np.asarray(distances, dtype=np.float64)
    scale = float(matrix.max(initial=0.0))
    if not scale > 0:
        return np.zeros((len(matrix), 2)), 0.0
    points = _scaling(seed).fit_transform(matrix / scale) * scale  # its stopping rule is not free of units
    points -= points.mean(axis=0)
    points = points @ np.linalg.svd(points, full_matrices=False)[2].T
    points *= np.where(points[0] * [-1, 1] < 0, -1, 1)
    between = np.linalg.norm(points[:, None] - points[None], axis=2)
    return points, float(np.sqrt(((between - matrix) ** 2).sum() / (matrix**2).sum()))


def _scaling(seed: int) -> Any:
    """Return scikit-learn's scaling with the same meaning in all its versions, whose arguments were renamed."""
    from sklearn.manifold import MDS

    known = inspect.signature(MDS).parameters
    options: dict[str, Any] = {"n_components": 2, "n_init": 8, "max_iter": 1000, "eps": 1e-9, "random_state": seed}
    options["normalized_stress"] = False
    if "metric_mds" in known:
        return MDS(metric_mds=True, metric="precomputed", init="random", **options)
    return MDS(metric=True, dissimilarity="precomputed", **options)
