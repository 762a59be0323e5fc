"""Topological uncertainty: how unlike those of its class an input's activation graphs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.mahalanobis import class_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

Trees = Mapping[str, "NDArray[np.floating]"]

QUANTILES = 33  # of a layer's weights, in a profile


def barycentres(trees: Trees, classes: NDArray[np.intp], *, n_classes: int) -> dict[str, NDArray[np.float64]]:
    """Return the mean diagram of every layer and class, (n_classes, k).

    Of sorted one-dimensional diagrams of equally many points the Fréchet mean in the 2-Wasserstein distance is the
    mean, place by place.

    Args:
        trees: Layer → (n, k), each row sorted.
        classes: (n,): the class that the network predicts.
        n_classes: How many there are.
    """
    return {
        name: class_means(np.asarray(weights, dtype=np.float64), classes, n_classes=n_classes)
        for name, weights in trees.items()
    }


def topological_uncertainty(
    trees: Trees, classes: NDArray[np.intp], means: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the topological uncertainty of each input: over the layers, the mean distance to its class's mean diagram.

    The distance is the 2-Wasserstein distance of one-dimensional diagrams, divided by their number of points, as in
    the authors' code: sqrt(Σ (a_i - b_i)²) / k over sorted weights.

    Args:
        trees: Layer → (n, k), each row sorted.
        classes: (n,): the class that the network predicts.
        means: What `barycentres` returned for clean training inputs.

    Returns:
        (n,), float64, in units of |weight · activation|.

    Raises:
        DnnTopologyError: The trees are of other layers.

    Source:
        Lacombe, Ike and Umeda, Topological uncertainty: monitoring trained neural networks through persistence of
        activation graphs, IJCAI 2021, whose layers are all fully connected; here convolutions are unrolled.

    Example:
        >>> trees = {"fc": np.array([[3.0, 1.0], [3.0, 5.0]])}
        >>> topological_uncertainty(trees, np.array([0, 0]), {"fc": np.array([[3.0, 1.0]])})
        array([0., 2.])
    """
    if set(trees) != set(means):
        raise DnnTopologyError(f"the detector knows the layers {sorted(means)}, and the trees are of {sorted(trees)}")
    apart = [
        np.linalg.norm(np.asarray(weights, dtype=np.float64) - means[name][classes], axis=1) / weights.shape[1]
        for name, weights in trees.items()
    ]
    mean: NDArray[np.float64] = np.mean(apart, axis=0)
    return mean


def profile(trees: Trees, *, points: int = QUANTILES) -> NDArray[np.float64]:
    """Return the shape of each input's diagrams in few numbers: quantiles of every layer's tree weights.

    Args:
        trees: Layer → (n, k).
        points: Quantiles per layer, from the smallest weight to the largest.

    Returns:
        (n, layers · points), float64.
    """
    levels = np.linspace(0, 1, points)
    return np.hstack([np.quantile(weights, levels, axis=1).T for weights in trees.values()]).astype(np.float64)
