"""Neural persistence: how much the strong weights of a network stand out, without looking at any data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.spanning_trees import tree_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def neural_persistence(weights: Sequence[ArrayLike]) -> float:
    """Return the mean normalised neural persistence of a network's layers.

    A layer is a bipartite graph; its edges enter in the order of falling w = |weight| / max |weight|, the maximum being
    that of all layers. Every node is there from w = 1 on, so that the components' lives are 1 - w over the edges of a
    maximum spanning tree; their 2-norm is divided by its upper bound, the square root of their number.

    Args:
        weights: One (n_out, n_in) array per layer, real.

    Returns:
        A number in [0, 1]; 0 where all weights are equally strong, NaN where all are 0.

    Raises:
        DnnTopologyError: There is no layer, or a weight is not finite.

    Source:
        Rieck et al., Neural persistence: a complexity measure for deep neural networks using algebraic topology, ICLR
        2019, with p = 2.

    Example:
        >>> neural_persistence([[[1.0, -1.0]]]), neural_persistence([[[1.0, 0.0]]])
        (0.0, 0.7071067811865476)
    """
    layers = [np.abs(np.asarray(layer, dtype=np.float64)) for layer in weights]
    if not layers:
        raise DnnTopologyError("neural persistence needs the weights of one layer at least, found none")
    highest = max(float(layer.max(initial=0.0)) for layer in layers)
    if not highest > 0:
        if np.isnan(highest):
            raise DnnTopologyError("a weight is NaN: the training has diverged")
        return float("nan")
    trees = [1 - tree_weights(layer / highest, np.ones((1, layer.shape[1])))[0] for layer in layers]
    return float(np.mean([np.sqrt(np.mean(lives**2)) for lives in trees]))
