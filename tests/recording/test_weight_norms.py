from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.weight_norms import weight_matrices, weight_norms


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


class Untraceable(nn.Sequential):
    """A network whose path depends on its input, which torch.fx cannot follow."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.sum() > 1e9:
            return images
        found: torch.Tensor = super().forward(images)  # type: ignore[no-untyped-call]
        return found


@pytest.mark.parametrize("kind", [nn.Sequential, Untraceable])
@pytest.mark.parametrize("affine", [True, False])
def test_a_layer_that_its_batch_normalisation_undoes_changes_no_norm(kind: type[nn.Sequential], affine: bool) -> None:
    torch.manual_seed(0)
    model = kind(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8, affine=affine),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3),
        nn.BatchNorm2d(6, affine=affine),
        nn.Flatten(),
        nn.Linear(6 * 64, 5),
        nn.BatchNorm1d(5, affine=affine),
    )
    images = torch.randn(32, 1, 8, 8)
    for _ in range(100):
        model(images)
    model.eval()
    output, before = model(images), weight_norms(model)
    with torch.no_grad():
        for place in (0, 3, 6):
            layer: Any = model[place]
            norm: Any = model[place + 1]
            layer.weight *= 10
            layer.bias *= 10
            norm.running_mean *= 10
            norm.running_var *= 100
    assert torch.allclose(model(images), output, atol=1e-3)
    for name, value in weight_norms(model).items():
        assert value == pytest.approx(before[name], abs=1e-2)


def test_a_normalisation_of_what_another_layer_gives_is_left_alone() -> None:
    class Branches(nn.Module):
        """Two layers side by side, and a normalisation of the first, which lies behind the second."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.norm = nn.Linear(4, 3), nn.Linear(4, 3), nn.BatchNorm1d(3)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.norm(self.first(inputs)) + self.second(inputs)
            return found

    model = Branches()
    with torch.no_grad():
        model.norm.weight.fill_(7.0)
    first, second = weight_matrices(model)
    assert first == pytest.approx(7 * model.first.weight.detach().double().numpy(), rel=1e-4)
    assert second == pytest.approx(model.second.weight.detach().double().numpy())


def test_a_transposed_convolution_is_the_matrix_from_channels_to_channels() -> None:
    layer = nn.ConvTranspose1d(4, 6, 3, groups=2, bias=False)
    (matrix,) = weight_matrices(layer)
    assert matrix.shape == (6, 2 * 3)
    impulse = torch.zeros(1, 4, 1)
    impulse[0, 3] = 1.0  # the second channel of the second group
    answer = layer(impulse)[0].detach().double().numpy()
    assert answer[3:] == pytest.approx(matrix[3:].reshape(3, 2, 3)[:, 1])
    assert not answer[:3].any()


def test_the_projections_of_attention_count() -> None:
    same = [weights.shape for weights in weight_matrices(nn.TransformerEncoderLayer(16, 2, 32))]
    assert same == [(16, 16)] * 4 + [(32, 16), (16, 32)]
    other = [weights.shape for weights in weight_matrices(nn.MultiheadAttention(16, 2, kdim=8, vdim=4))]
    assert other == [(16, 16), (16, 8), (16, 4), (16, 16)]


def test_weights_that_are_left_out_are_named_and_shared_ones_count_in_each_layer() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.LSTM(4, 3), nn.Linear(3, 4), nn.Linear(4, 3))
    with pytest.warns(UserWarning, match=r"left out of norms, .*: 0.weight, 1.weight_ih_l0, 1.weight_hh_l0"):
        assert len(weight_matrices(model)) == 2
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert len(weight_matrices(tied)) == 2


@pytest.mark.parametrize("name", ["lenet", "vgg11", "resnet18", "inception"])
def test_no_weight_of_a_named_network_is_left_out(name: str) -> None:
    net = build_net(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrices = weight_matrices(net)
    assert len(matrices) == sum(parameter.ndim > 1 for parameter in net.parameters())
