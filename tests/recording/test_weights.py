from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from dnn_topology import DnnTopologyError
from dnn_topology.recording.weights import channel_matrix, weight_matrix

CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def answers_to_unit_inputs(layer: nn.Module, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """What the layer itself answers to every unit input, less what it answers to zero: its matrix, column by column."""
    n_inputs = math.prod(shape)
    units = torch.eye(n_inputs, dtype=torch.float64).reshape(n_inputs, *shape)
    with torch.no_grad():
        answers = layer.double()(units) - layer(torch.zeros(1, *shape, dtype=torch.float64))
    found: NDArray[np.float64] = answers.reshape(n_inputs, -1).T.numpy()
    return found


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    """A convolution with every option drawn, and the shape of an input that it takes."""
    n_dims = draw(st.integers(1, 3))
    per_dim = st.tuples(*[st.integers(1, 3)] * n_dims)
    kernel, stride, dilation = draw(per_dim), draw(per_dim), draw(per_dim)
    groups = draw(st.integers(1, 3))
    space = tuple(d * (k - 1) + 1 + draw(st.integers(0, 3)) for k, d in zip(kernel, dilation, strict=True))
    mode = draw(st.sampled_from(["zeros", "circular", "reflect", "replicate"]))
    padding = tuple(draw(st.integers(0, min(2, extent - 1))) for extent in space)
    torch.manual_seed(draw(st.integers(0, 99)))
    layer = CONVOLUTIONS[n_dims - 1](
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 2)),
        kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        padding=padding,
        padding_mode=mode,
    )
    return layer, (layer.in_channels, *space)


@given(case=convolutions())
def test_the_matrix_of_a_convolution_is_what_the_layer_answers_to_unit_inputs(
    case: tuple[nn.Module, tuple[int, ...]],
) -> None:
    layer, shape = case
    expected = answers_to_unit_inputs(layer, shape)
    np.testing.assert_allclose(weight_matrix(layer, shape).toarray(), expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")  # the uneven case
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding_is_read_as_torch_reads_it(padding: str) -> None:
    layer = nn.Conv2d(2, 3, (2, 3), padding=padding, dilation=(1, 2))
    expected = answers_to_unit_inputs(layer, (2, 5, 6))
    np.testing.assert_allclose(weight_matrix(layer, (2, 5, 6)).toarray(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_the_matrix_of_a_linear_layer_acts_on_the_last_dimension(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(4, 5)
    np.testing.assert_allclose(weight_matrix(layer, shape).toarray(), answers_to_unit_inputs(layer, shape), atol=1e-12)


def test_a_large_convolution_stores_its_weights_once_per_position_and_no_zeros() -> None:
    matrix = weight_matrix(nn.Conv2d(8, 16, 3, padding=1), (8, 32, 32))
    inner, edges, corners = 30 * 30 * 9, 4 * 30 * 6, 4 * 4
    assert matrix.shape == (16 * 32 * 32, 8 * 32 * 32)
    assert matrix.nnz == 16 * 8 * (inner + edges + corners)
    assert matrix.indices.dtype == np.int32


def test_channels_of_a_convolution_are_joined_by_the_sum_of_absolute_weights() -> None:
    layer = nn.Conv2d(4, 6, 3, groups=2)
    found = channel_matrix(layer).toarray()
    for out in range(6):
        for within in range(2):
            expected = float(layer.weight[out, within].detach().abs().sum())
            assert found[out, 2 * (out // 3) + within] == pytest.approx(expected)
    assert np.count_nonzero(found) == 6 * 2


def test_a_layer_without_a_weight_matrix_is_refused_by_name() -> None:
    with pytest.raises(DnnTopologyError, match="ConvTranspose1d"):
        weight_matrix(nn.ConvTranspose1d(1, 1, 2), (1, 4))
