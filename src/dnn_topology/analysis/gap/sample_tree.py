"""The shape of the training inputs as a network sees them: H0 of the samples, and whether neighbours share a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.analysis.neighbour_graphs import nearest_neighbours, spanning_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 3


def sample_tree_features(points: Mapping[str, NDArray[np.float64]], labels: NDArray[np.intp]) -> dict[str, float]:
    """Return the numbers of the set "sample-tree" of inputs in the spaces of some layers.

    Args:
        points: Name of a layer → (n_samples, n_units), float64.
        labels: (n_samples,), the given class of each.

    Returns:
        Per layer

        * ``purity_LAYER``: of the pairs of samples of which one is among the 3 nearest of the other, the share that has
          one label, in [0, 1];
        * ``tree_length_LAYER``: the mean edge of the minimum spanning tree, the mean death of H0 of the samples
          (as a distance), over the root mean square distance of samples from their mean;
        * ``tree_spread_LAYER``: the standard deviation of those edges over their mean.

        NaN where all samples are one point.

    Example:
        >>> line = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
        >>> features = sample_tree_features({"last": line}, np.array([0, 0, 0, 1, 1, 1]))
        >>> {name: round(value, 2) for name, value in features.items()}
        {'purity_last': 0.55, 'tree_length_last': 0.47, 'tree_spread_last': 1.17}
    """
    return {
        f"{name}_{layer}": value for layer, of_layer in points.items() for name, value in _of(of_layer, labels).items()
    }


def _of(points: NDArray[np.float64], labels: NDArray[np.intp]) -> dict[str, float]:
    """Return the features of samples in one space."""
    nan = float("nan")
    size = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if not np.isfinite(size) or size <= 1e-9 * float(np.abs(points).max()):
        return {"purity": nan, "tree_length": nan, "tree_spread": nan}
    pairs = nearest_neighbours(points, min(NEIGHBOURS, len(points) - 1))
    first, second = spanning_tree(points).T
    edges = np.linalg.norm(points[first] - points[second], axis=1)
    return {
        "purity": float(np.mean(labels[pairs[:, 0]] == labels[pairs[:, 1]])),
        "tree_length": float(edges.mean()) / size,
        "tree_spread": float(edges.std() / edges.mean()),
    }
