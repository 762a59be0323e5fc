"""How large the weights of a network are: what predictors of the generalisation gap have to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.weights import LINEAR, layer_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


def weight_matrices(model: nn.Module) -> list[NDArray[np.float64]]:
    """Return the weights of every Linear layer and convolution, in the order in which the model holds them.

    Args:
        model: Any module.

    Returns:
        One (n_out, n_in) array each, float64. A convolution's kernel is flattened: (out, in per group · kernel).

    Raises:
        DnnTopologyError: There is no such layer.
    """
    found = [layer_weight(layer) for layer in model.modules() if isinstance(layer, LINEAR)]
    if not found:
        raise DnnTopologyError("the model has no Linear layer and no convolution, so there are no weights to measure")
    return [weights.reshape(len(weights), -1).astype(np.float64) for weights in found]


def weight_norms(model: nn.Module) -> dict[str, float]:
    """Return the logarithm of the product of the layers' squared norms.

    Args:
        model: Any module with Linear layers or convolutions.

    Returns:
        * ``log_frobenius``: Σ log ‖W‖²_F over the layers;
        * ``log_spectral``: Σ log ‖W‖²₂, of the largest singular value (of a convolution, that of its flattened kernel).

    Raises:
        DnnTopologyError: There is no such layer.

    Source:
        "Log-product of Frobenius norms" and "of spectral norms" in Jiang et al., Fantastic generalization measures and
        where to find them, ICLR 2020.

    Example:
        >>> from torch import nn
        >>> layer = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.eye_(layer.weight)
        >>> {name: round(norm, 3) for name, norm in weight_norms(layer).items()}
        {'log_frobenius': 0.693, 'log_spectral': 0.0}
    """
    matrices = weight_matrices(model)
    with np.errstate(divide="ignore"):  # a layer of zeros has the norm 0 and the logarithm -inf
        return {
            "log_frobenius": float(sum(2 * np.log(np.linalg.norm(weights)) for weights in matrices)),
            "log_spectral": float(sum(2 * np.log(np.linalg.norm(weights, ord=2)) for weights in matrices)),
        }
