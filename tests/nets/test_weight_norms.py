from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.weight_norms import weight_matrices, weight_norms


def test_norms_are_those_of_the_singular_values() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4))
    values = [np.linalg.svd(weights, compute_uv=False) for weights in weight_matrices(model)]
    found = weight_norms(model)
    assert found["log_frobenius"] == pytest.approx(sum(math.log((one**2).sum()) for one in values))
    assert found["log_spectral"] == pytest.approx(sum(2 * math.log(one.max()) for one in values))


def test_twice_the_weights_add_the_logarithm_of_four_per_layer() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
    before = weight_norms(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    for name, norm in weight_norms(model).items():
        assert norm == pytest.approx(before[name] + 2 * math.log(4))


def test_a_convolution_is_its_flattened_kernel_and_a_model_without_weights_is_refused() -> None:
    assert [weights.shape for weights in weight_matrices(nn.Conv1d(4, 6, 3, groups=2))] == [(6, 6)]
    with pytest.raises(DnnTopologyError, match="no Linear layer and no convolution"):
        weight_norms(nn.ReLU())
