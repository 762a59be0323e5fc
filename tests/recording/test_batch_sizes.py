"""What is measured does not depend on how the inputs are cut into batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt
from dnn_topology.graphs.graph import varying_neurons
from dnn_topology.nets.zoo import build_net

N_SAMPLES = 61


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return build_net("conv_4", seed=0)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Images with an empty margin, as digits have, over which every convolution gives a sum that is always the same."""
    whole = torch.zeros(N_SAMPLES, 1, 28, 28)
    whole[:, :, 9:19, 9:19] = torch.rand(N_SAMPLES, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    return whole


@pytest.fixture(scope="module")
def whole(net: nn.Module, images: torch.Tensor) -> np.ndarray:
    return dt.record(net, [images], nodes="unit").values


@pytest.mark.parametrize("batch_size", [60, 30, 20, 12, 7, 2])
def test_the_same_neurons_are_constant_whatever_is_left_for_the_last_batch(
    net: nn.Module, images: torch.Tensor, whole: np.ndarray, batch_size: int
) -> None:
    parts = dt.record(net, torch.split(images, batch_size), nodes="unit").values
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(varying_neurons(parts), varying_neurons(whole))
    assert len(varying_neurons(whole)) < whole.shape[1]


def test_a_model_never_sees_a_lone_sample() -> None:
    sizes = []

    class Watching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return x * 2

    x = torch.rand(7, 3)
    found = dt.record(Watching(), torch.split(x, 3))
    assert min(sizes) == 2
    np.testing.assert_array_equal(found.values, 2 * x.numpy())


def test_a_model_that_takes_single_samples_alone_is_recorded() -> None:
    class Single(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(1, 3) * 2

    x = torch.rand(4, 3)
    np.testing.assert_array_equal(dt.record(Single(), torch.split(x, 1)).values, 2 * x.numpy())
