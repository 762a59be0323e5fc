"""What detectors look at: numbers of each input, out of what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.uncertainty import profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.analysis.adversarial.observation import Observation


def pixels(seen: Observation) -> NDArray[np.float64]:
    """Return the inputs themselves, (n, n_pixels)."""
    return seen.inputs.astype(np.float64)


def tree_profile(seen: Observation) -> NDArray[np.float64]:
    """Return the profile of the activation graphs of each input."""
    return profile(trees_of(seen))


def heaviest_profile(seen: Observation) -> NDArray[np.float64]:
    """Return the profile of every unit's heaviest edge: that of the trees, without a tree."""
    return profile(_edges(seen, seen.heaviest))


def layer_inputs_profile(seen: Observation) -> NDArray[np.float64]:
    """Return the profile of |x|, what enters each layer with weights: no weight and no edge."""
    return profile(_edges(seen, seen.entering))


def trees_of(seen: Observation) -> Any:
    """Return the trees.

    Raises:
        DnnTopologyError: Nobody computed them.
    """
    if not seen.trees:
        raise DnnTopologyError("this detector looks at trees of activation graphs: observe with trees=True")
    return seen.trees


def _edges(seen: Observation, by_layer: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    """Return what was observed of the layers' edges.

    Raises:
        DnnTopologyError: Nobody kept it.
    """
    if not seen.heaviest:
        raise DnnTopologyError("this detector looks at edges of activation graphs: observe with edges=True")
    return by_layer


def hidden(seen: Observation) -> NDArray[np.float64]:
    """Return the signals of all layers but the last."""
    layers = seen.activations.neurons["layer"]
    return signals_of(seen, layers != layers.cat.categories[-1])


def penultimate(seen: Observation) -> NDArray[np.float64]:
    """Return the signals of the last layer but one."""
    layers = seen.activations.neurons["layer"]
    return signals_of(seen, layers == layers.cat.categories[max(len(layers.cat.categories) - 2, 0)])


def signals_of(seen: Observation, kept: Any) -> NDArray[np.float64]:
    """Return the signals of some neurons; of all, if that would be none."""
    mask = kept.to_numpy()
    return seen.activations.values[:, mask if mask.any() else slice(None)].astype(np.float64)
