"""The weights of one layer as a sparse matrix from its input units to its output units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import block_diag, csr_array, eye_array, kron
from torch import nn
from torch.nn import functional

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = csr_array[Any, Any]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LINEAR = (nn.Linear, *CONVOLUTIONS)


def weight_matrix(layer: nn.Module, input_shape: Sequence[int]) -> Matrix:
    """Return the weights of a layer as the matrix W of its linear map, flattened output = W · flattened input + bias.

    Args:
        layer: A Linear, or a convolution in one to three dimensions of any padding, stride, dilation and groups.
        input_shape: Shape of one input, without the batch: (…, features) or (channels, *space).

    Returns:
        (n_outputs, n_inputs), float32 or, of a float64 layer, float64. Memory is the weights that meet an input:
        one number and one int32 each.

    Raises:
        DnnTopologyError: The layer is of another kind.

    Example:
        >>> layer = nn.Conv1d(1, 1, 2, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 3.0)
        >>> weight_matrix(layer, (1, 3)).toarray().tolist()
        [[3.0, 3.0, 0.0], [0.0, 3.0, 3.0]]
    """
    weight = layer_weight(layer)
    if isinstance(layer, nn.Linear):  # it acts on the last dimension alone
        return csr_array(kron(eye_array(math.prod(input_shape[:-1])), weight, format="csr"))
    fields = _receptive_fields(layer, input_shape)
    n_groups, n_positions, size = fields.shape
    met = fields >= 0
    shape = (n_groups, len(weight) // n_groups, n_positions, size)
    kept = np.broadcast_to(met[:, None], shape)
    matrix = csr_array(
        (
            np.broadcast_to(weight.reshape(shape[0], shape[1], 1, size), shape)[kept],
            np.broadcast_to(fields[:, None], shape)[kept],
            _row_starts(met.sum(axis=2)[:, None], shape[:3]),
        ),
        shape=(len(weight) * n_positions, math.prod(input_shape)),
    )
    matrix.sum_duplicates()  # circular or reflecting padding may meet an input twice
    return matrix


def _row_starts(lengths: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.signedinteger]:
    """Return where each row of a CSR matrix starts, in int32, as its columns are, if that holds it."""
    starts = np.concatenate([[0], np.cumsum(np.broadcast_to(lengths, shape))])
    return starts.astype(np.int32) if starts[-1] <= np.iinfo(np.int32).max else starts


def channel_matrix(layer: nn.Module) -> Matrix:
    """Return Σ |weight| over the kernel between every two channels of a convolution, or |weight| of a Linear.

    Returns:
        (n_output_channels, n_input_channels), not negative.

    Raises:
        DnnTopologyError: The layer is of another kind.
    """
    weight = np.abs(layer_weight(layer))
    if isinstance(layer, nn.Linear):
        return csr_array(weight)
    n_groups: Any = layer.groups
    sums = weight.reshape(*weight.shape[:2], -1).sum(axis=2)
    return csr_array(block_diag(np.split(sums, n_groups), format="csr"))


def layer_weight(layer: nn.Module) -> NDArray[np.floating]:
    """Return the weight of a layer as an array, in float32 unless it is float64.

    Raises:
        DnnTopologyError: The layer is no Linear and no convolution.
    """
    if not isinstance(layer, LINEAR):
        raise DnnTopologyError(
            f"a {type(layer).__name__} has no weight matrix here: expected a Linear or a convolution"
        )
    weight: torch.Tensor = layer.weight.detach().cpu()
    array: NDArray[np.floating] = (weight if weight.dtype == torch.float64 else weight.float()).numpy()
    return array


def _receptive_fields(layer: Any, input_shape: Sequence[int]) -> NDArray[np.int32]:
    """Return which input each weight of a convolution meets at each position of its output.

    The padding and the windows are torch's own, applied to the inputs' numbers.

    Args:
        layer: A convolution.
        input_shape: (channels, *space).

    Returns:
        (groups, positions, channels per group · kernel), int32: the input's flat number, -1 for a padded zero.
    """
    numbers = torch.arange(math.prod(input_shape), dtype=torch.float64, device="cpu").reshape(1, *input_shape)
    padding = [width for widths in reversed(_padding(layer)) for width in widths]
    if layer.padding_mode == "zeros":
        padded = functional.pad(numbers, padding, value=-1.0)
    else:
        padded = functional.pad(numbers, padding, mode=layer.padding_mode)
    windows = padded[0]
    for dim, (kernel, stride, dilation) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        windows = windows.unfold(dim + 1, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    kernel_cells = math.prod(layer.kernel_size)
    grouped = windows.reshape(layer.groups, input_shape[0] // layer.groups, -1, kernel_cells)
    fields: NDArray[np.int32] = grouped.transpose(1, 2).flatten(2).to(torch.int32).numpy()
    return fields


def _padding(layer: Any) -> list[tuple[int, int]]:
    """Return what a convolution pads before and after each dimension of space."""
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(width, width) for width in layer.padding]
