"""How large the weights of a network are: what predictors of the generalisation gap have to beat."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.weights import LINEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def weight_matrices(model: nn.Module) -> list[NDArray[np.float64]]:
    """Return the weights of every layer that is a linear map, in the order in which the model holds them.

    A batch normalisation that follows a layer is taken into its weights, as it acts in eval mode: W · γ / √(σ² + ε).
    Else a layer could be ten times as large and mean the same.

    Args:
        model: Any module.

    Returns:
        One (n_out, n_in) array each, float64: of Linear layers; of convolutions and transposed ones, whose kernels are
        flattened: (out, in per group · kernel); of attention, the projections of queries, keys and values. A warning
        names layers with other weights, which are left out.

    Raises:
        DnnTopologyError: There is no such layer.

    Example:
        >>> [weights.shape for weights in weight_matrices(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()))]
        [(4, 9)]
    """
    norms, taken = _norms_after(model), set[int]()
    matrices = []
    for layer in model.modules():
        for name, weights in _own_matrices(layer).items():
            parameter = getattr(layer, name)
            taken.add(id(parameter))
            scale = _scale(norms[layer]) if layer in norms else 1.0
            matrices += [part * scale for part in weights]
    if not matrices:
        raise DnnTopologyError("the model has no Linear layer and no convolution, so there are no weights to measure")
    left_out = [
        name for name, parameter in model.named_parameters() if parameter.ndim > 1 and id(parameter) not in taken
    ]
    if left_out:
        named = ", ".join(left_out[:3]) + (f" and {len(left_out) - 3} more" if len(left_out) > 3 else "")
        warnings.warn(f"weights that are left out of norms, since they are no plain linear map: {named}", stacklevel=2)
    return matrices


def weight_norms(model: nn.Module) -> dict[str, float]:
    """Return the logarithm of the product of the layers' squared norms.

    Args:
        model: Any module with Linear layers or convolutions.

    Returns:
        * ``log_frobenius``: Σ log ‖W‖²_F over the layers;
        * ``log_spectral``: Σ log ‖W‖²₂, of the largest singular value (of a convolution, that of its flattened kernel).

        The layers are those of `weight_matrices`, with batch normalisation taken in.

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
            "log_spectral": float(sum(np.log(_largest_square(weights)) for weights in matrices)),
        }


def _largest_square(weights: Matrix) -> float:
    """Return the square of the largest singular value, from the smaller of the two Gram matrices."""
    wide = weights.astype(np.float64) if weights.shape[0] <= weights.shape[1] else weights.T.astype(np.float64)
    return max(0.0, float(np.linalg.eigvalsh(wide @ wide.T)[-1]))


def _own_matrices(layer: nn.Module) -> dict[str, list[Matrix]]:
    """Return the matrices (n_out, n_in) of a layer itself, by the name of the parameter that they are made of."""
    if isinstance(layer, LINEAR):
        return {"weight": [_array(layer.weight).reshape(len(layer.weight), -1)]}
    if isinstance(layer, TRANSPOSED):
        weights = _array(layer.weight)  # (in, out per group, *kernel)
        grouped = weights.reshape(layer.groups, -1, *weights.shape[1:])
        return {"weight": [np.moveaxis(grouped, 2, 1).reshape(layer.out_channels, -1)]}
    if isinstance(layer, nn.MultiheadAttention):
        if layer.in_proj_weight is not None:
            return {"in_proj_weight": np.split(_array(layer.in_proj_weight), 3)}
        return {f"{part}_proj_weight": [_array(getattr(layer, f"{part}_proj_weight"))] for part in "qkv"}
    return {}


def _array(parameter: torch.Tensor) -> Matrix:
    """Return a parameter as float64."""
    return parameter.detach().cpu().double().numpy()


def _scale(norm: Any) -> Matrix:
    """Return what a batch normalisation multiplies each output with in eval mode, (n_out, 1)."""
    spread = torch.sqrt(norm.running_var.detach().cpu().double() + norm.eps)
    gain = torch.ones_like(spread) if norm.weight is None else norm.weight.detach().cpu().double()
    scale: Matrix = (gain / spread).numpy()[:, None]
    return scale


def _norms_after(model: nn.Module) -> dict[nn.Module, nn.Module]:
    """Return the batch normalisation that follows each layer directly: layer → normalisation.

    What follows what is read off the model's graph; off the order in which it holds its layers, where torch.fx cannot
    trace it.
    """
    try:
        pairs = _traced_pairs(model)
    except Exception:  # any model may do what torch.fx cannot follow
        leaves = [module for module in model.modules() if not [*module.children()]]
        pairs = list(pairwise(leaves))
    return {
        layer: norm
        for layer, norm in pairs
        if isinstance(norm, NORMS)
        and norm.running_var is not None
        and isinstance(layer, (*LINEAR, *TRANSPOSED))
        and norm.num_features == getattr(layer, "out_channels", getattr(layer, "out_features", None))
    }


def _traced_pairs(model: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return every two modules of which the second alone takes what the first gives."""
    graph = torch.fx.Tracer().trace(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    pairs = []
    for node in graph.nodes:
        (before,) = node.all_input_nodes if len(node.all_input_nodes) == 1 else (None,)
        if node.op == "call_module" and before is not None and before.op == "call_module" and len(before.users) == 1:
            pairs.append((modules[str(before.target)], modules[str(node.target)]))
    return pairs
