from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from dnn_topology import DnnTopologyError, build_net, record
from dnn_topology.recording.structure import carried, structural_graph


def linear_answers(model: nn.Module, source: str, targets: list[str], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The Jacobian of the targets' outputs by the source's, in a network whose non-linearities are identities."""
    modules = dict(model.named_modules())
    kept: dict[str, torch.Tensor] = {}

    def keeper(name: str):  # type: ignore[no-untyped-def]
        return lambda module, args, output: kept.__setitem__(name, output)  # noqa: ARG005

    handles = [modules[name].register_forward_hook(keeper(name)) for name in [source, *targets]]
    model(torch.ones(1, *shape, dtype=torch.float64))  # positive throughout: every ReLU passes it on
    for handle in handles:
        handle.remove()
    outputs = torch.cat([kept[name].flatten() for name in targets])
    rows = [torch.autograd.grad(value, kept[source], retain_graph=True)[0].flatten() for value in outputs]
    found: NDArray[np.float64] = torch.stack(rows).numpy()
    return found


def absolute(model: nn.Module) -> nn.Module:
    """The model in float64 with |weight| for every weight and no biases."""
    with torch.no_grad():
        for name, parameter in model.double().named_parameters():
            parameter.copy_(parameter.abs() if name.endswith("weight") else torch.zeros_like(parameter))
    return model.eval()


class Branches(nn.Module):
    """A skip connection and a concatenation, as ResNets and DenseNets have them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.same = nn.Conv2d(2, 2, 3, padding=1)
        self.more = nn.Conv2d(2, 3, 1)
        self.mixed = nn.Conv2d(5, 2, 3)
        self.pool = nn.AvgPool2d(2)
        self.out = nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stem = self.stem(images)
        added = torch.relu(self.same(stem)) + stem
        joined = torch.cat([self.more(added), added], dim=1)
        answer: torch.Tensor = self.out(self.pool(self.mixed(joined)).flatten(1))
        return answer


def test_a_perceptron_is_connected_by_its_weights() -> None:
    net = build_net("lenet_300_100")
    weights = dict(net.named_parameters())
    found = structural_graph(net, torch.zeros(1, 1, 28, 28)).toarray()
    np.testing.assert_array_equal(found[300:400, :300], weights["fc2.0.weight"].detach().abs().numpy())
    np.testing.assert_array_equal(found[400:, 300:400], weights["fc3.0.weight"].detach().abs().numpy())
    assert not found[400:, :300].any()
    assert not found[:300, :300].any()


def test_strengths_are_the_jacobian_of_the_network_read_as_linear_with_absolute_weights() -> None:
    torch.manual_seed(0)
    model = absolute(Branches())
    found = structural_graph(model, torch.ones(1, 1, 6, 6, dtype=torch.float64), layers=["stem", "out"]).toarray()
    n_stem = 2 * 6 * 6
    np.testing.assert_allclose(found[n_stem:, :n_stem], linear_answers(model, "stem", ["out"], (1, 6, 6)), atol=1e-12)


def test_paths_stop_at_recorded_neurons() -> None:
    torch.manual_seed(0)
    model = absolute(Branches())
    layers = ["stem", "mixed", "out"]
    found = structural_graph(model, torch.ones(1, 1, 6, 6, dtype=torch.float64), layers=layers).toarray()
    n_stem, n_mixed = 2 * 6 * 6, 2 * 4 * 4
    assert found.shape == (n_stem + n_mixed + 3,) * 2
    mixed = slice(n_stem, n_stem + n_mixed)
    np.testing.assert_allclose(found[mixed, :n_stem], linear_answers(model, "stem", ["mixed"], (1, 6, 6)), atol=1e-12)
    assert not found[n_stem + n_mixed :, :n_stem].any()


def test_the_graph_is_symmetric_not_negative_and_in_the_order_of_the_recording() -> None:
    net, image = build_net("lenet"), torch.rand(2, 1, 28, 28)
    found = structural_graph(net, image)
    assert found.shape == (record(net, [image]).values.shape[1],) * 2
    assert abs(found - found.T).max() == 0
    assert found.data.min() >= 0


def test_channel_nodes_of_lenet_are_joined_by_whole_kernels() -> None:
    net = build_net("lenet")
    found = structural_graph(net, torch.zeros(1, 1, 28, 28), nodes="channel").toarray()
    weight = dict(net.named_parameters())["conv2.0.weight"].detach().abs().sum(dim=(2, 3)).numpy()
    assert found.shape == (90, 90)
    np.testing.assert_allclose(found[10:30, :10], weight, rtol=1e-6)


def test_in_place_activations_do_not_hide_a_layer() -> None:
    torch.manual_seed(0)
    last = nn.Linear(4, 2)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), last)
    found = structural_graph(model, torch.ones(1, 3), layers=["0", "2"]).toarray()
    np.testing.assert_array_equal(found[4:, :4], last.weight.detach().abs().numpy())


def test_a_container_and_the_layer_that_ends_it_are_two_places() -> None:
    torch.manual_seed(0)
    last = nn.Linear(4, 2)
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 4)), nn.Sequential(last))
    found = structural_graph(model, torch.ones(1, 3), layers=["0", "1"]).toarray()
    np.testing.assert_array_equal(found[4:, :4], last.weight.detach().abs().numpy())


def test_the_model_is_left_as_it_was() -> None:
    net = build_net("lenet")
    net.get_submodule("fc1").eval()
    before = {name: module.training for name, module in net.named_modules()}
    structural_graph(net, torch.zeros(1, 1, 28, 28))
    assert {name: module.training for name, module in net.named_modules()} == before
    assert not any(module._forward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_unit_of_a_pooled_map_is_the_mean_of_its_window() -> None:
    pooling = carried((2, 6, 4), (2, 3, 2)).toarray()
    units = torch.eye(48).reshape(48, 2, 6, 4)
    expected = nn.functional.avg_pool2d(units, 2).reshape(48, -1).T.numpy()
    np.testing.assert_allclose(pooling, expected)


def test_a_layer_called_twice_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.same(self.same(x))
            return answer

    with pytest.raises(DnnTopologyError, match="called more than once"):
        structural_graph(Twice(), torch.zeros(1, 3), layers=["same"])


def test_attention_is_refused_because_weights_do_not_say_what_it_joins() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.TransformerEncoderLayer(4, 1, 8, batch_first=True))
    with pytest.raises(DnnTopologyError, match="use the partition 'metis'"):
        structural_graph(model, torch.zeros(1, 3, 4), layers=["0", "1.linear2"])
