from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from dnn_topology import DnnTopologyError, build_net, record
from dnn_topology.recording.structure import structural_graph


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


class Moving(nn.Module):
    """A convolution, an operation without weights, and a convolution or a Linear layer."""

    def __init__(self, move: Callable[[torch.Tensor], torch.Tensor], n_space: int, *, linear: bool = False) -> None:
        super().__init__()
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[n_space - 1]
        self.stem = convolution(1, 2, 1)
        self.move = move
        size = len(move(torch.ones(1, 2, *SPACE[:n_space])).flatten())
        self.out = nn.Linear(size, 3) if linear else convolution(2, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        moved = self.move(torch.relu(self.stem(x)))
        answer: torch.Tensor = self.out(moved.flatten(1) if isinstance(self.out, nn.Linear) else moved)
        return answer


SPACE = (9, 8, 7)
MEANS: list[tuple[Callable[[torch.Tensor], torch.Tensor], int]] = [
    (nn.AvgPool1d(3, stride=2), 1),
    (nn.AvgPool1d(4, stride=3, padding=2, ceil_mode=True), 1),
    (nn.AvgPool2d(2), 2),
    (nn.AvgPool2d((3, 2), stride=(2, 3), padding=(1, 1)), 2),
    (nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), 2),
    (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 2),
    (nn.AvgPool2d(3, divisor_override=5), 2),
    (nn.AvgPool3d(2, ceil_mode=True), 3),
    (nn.AdaptiveAvgPool1d(4), 1),
    (nn.AdaptiveAvgPool2d((4, 3)), 2),
    (nn.AdaptiveAvgPool2d(1), 2),
    (nn.AdaptiveAvgPool3d((2, 3, 4)), 3),
    (lambda x: x[:, :, ::2, 1:5], 2),
    (lambda x: functional.pad(x, (1, 2, -1, 0)), 2),
    (lambda x: functional.interpolate(x, scale_factor=2.0), 2),
    (lambda x: functional.interpolate(x, scale_factor=2.3), 1),
    (lambda x: functional.interpolate(x, scale_factor=0.4, recompute_scale_factor=True), 2),
    (lambda x: functional.interpolate(x, size=(4, 11), mode="nearest-exact"), 2),
    (lambda x: functional.interpolate(x, scale_factor=1.7, mode="nearest-exact"), 1),
    (lambda x: x[:, :, -4:-1, ::3], 2),
    (lambda x: functional.avg_pool2d(x, 3, 2), 2),
    (lambda x: x.transpose(2, 3), 2),
    (lambda x: x.view(1, 2, 3, 3, 8).transpose(2, 3).reshape(1, 2, 9, 8)[:, :, 1:], 2),
    (lambda x: x.mean(3, keepdim=True), 2),
]


@pytest.mark.parametrize(("move", "n_space"), MEANS)
@pytest.mark.parametrize("linear", [False, True])
def test_units_go_where_a_positive_networks_jacobian_sends_them(
    move: Callable[[torch.Tensor], torch.Tensor], n_space: int, linear: bool
) -> None:
    torch.manual_seed(0)
    model = absolute(Moving(move, n_space, linear=linear))
    shape = (1, *SPACE[:n_space])
    found = structural_graph(model, torch.ones(1, *shape, dtype=torch.float64), layers=["stem", "out"]).toarray()
    n_stem = 2 * math.prod(SPACE[:n_space])
    np.testing.assert_allclose(found[n_stem:, :n_stem], linear_answers(model, "stem", ["out"], shape), atol=1e-12)


MAXIMA: list[tuple[nn.Module, int]] = [
    (nn.MaxPool1d(3, stride=2, padding=1, dilation=2), 1),
    (nn.MaxPool2d(2), 2),
    (nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), 2),
    (nn.MaxPool2d((2, 3), stride=(3, 1), dilation=(2, 1)), 2),
    (nn.MaxPool3d(2, stride=(2, 3, 2)), 3),
    (nn.AdaptiveMaxPool1d(4), 1),
    (nn.AdaptiveMaxPool2d((4, 3)), 2),
    (nn.AdaptiveMaxPool3d((2, 3, 4)), 3),
    (nn.LPPool2d(2, 3, stride=2), 2),
]


@pytest.mark.parametrize(("pool", "n_space"), MAXIMA)
def test_a_pooled_unit_is_joined_to_the_units_of_its_window_and_no_others(pool: nn.Module, n_space: int) -> None:
    torch.manual_seed(0)
    model = absolute(Moving(pool, n_space))
    shape = (1, *SPACE[:n_space])
    found = structural_graph(model, torch.ones(1, *shape, dtype=torch.float64), layers=["stem", "out"]).toarray()
    n_stem = 2 * math.prod(SPACE[:n_space])
    # A unit lies in a window if it alone, being large, changes what is pooled.
    alone = torch.eye(math.prod(SPACE[:n_space]), dtype=torch.float64).reshape(-1, 1, *SPACE[:n_space])
    inside = pool(alone).flatten(1).T > 0
    np.testing.assert_array_equal(found[n_stem:, :n_stem] > 0, inside.repeat(3, 2).numpy())


def test_units_that_no_window_reads_are_joined_to_nothing() -> None:
    torch.manual_seed(0)
    model = Moving(nn.MaxPool1d(4), 1)
    found = structural_graph(model, torch.ones(1, 1, 9), layers=["stem", "out"]).toarray()
    assert not found[[8, 17]].any()
    assert found[[7, 16]].any(axis=1).all()


def drawn_pooling(rng: random.Random, kind: str) -> tuple[nn.Module, int]:
    """A pooling layer with any kernel, stride, padding, dilation and rounding, and its number of dimensions."""
    n_space = rng.choice([1, 2, 3])

    def each(least: int, most: int) -> tuple[int, ...]:
        return tuple(rng.randint(least, most) for _ in range(n_space))

    if kind.startswith("Adaptive"):
        layer: nn.Module = getattr(nn, f"{kind}{n_space}d")(each(1, 5) if n_space > 1 else rng.randint(1, 12))
        return layer, n_space
    kernel = each(1, 4)
    options: dict[str, Any] = {"stride": rng.choice([None, each(1, 3)]), "ceil_mode": rng.random() < 0.5}
    options["padding"] = tuple(rng.randint(0, extent // 2) for extent in kernel)
    if kind == "MaxPool":
        options["dilation"] = tuple(rng.randint(1, 2) for _ in kernel)
    elif kind == "AvgPool":
        options["count_include_pad"] = rng.random() < 0.5
    layer = getattr(nn, f"{kind}{n_space}d")(kernel, **options)
    return layer, n_space


@pytest.mark.parametrize("kind", ["MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool"])
def test_windows_of_any_pooling_are_those_that_a_single_unit_or_the_jacobian_shows(kind: str) -> None:
    rng, tried = random.Random(0), 0
    while tried < 15:
        pool, n_space = drawn_pooling(rng, kind)
        space = SPACE[:n_space]
        one_each = torch.eye(math.prod(space), dtype=torch.float64).reshape(-1, 1, *space)
        try:
            answers = pool(one_each).flatten(1).T
        except RuntimeError:  # a window larger than the map
            continue
        tried += 1
        model = nn.Sequential(getattr(nn, f"Conv{n_space}d")(1, 1, 1), pool).double()
        graph = structural_graph(model, torch.ones(1, 1, *space).double(), layers=["0", "1"]).toarray()
        windows = graph[len(answers.T) :, : len(answers.T)]
        if "Max" in kind:
            np.testing.assert_array_equal(windows > 0, answers.numpy() > 0, err_msg=str(pool))
        else:
            np.testing.assert_allclose(windows, answers.numpy(), atol=1e-12, err_msg=str(pool))


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.flip(2),
        lambda x: x.roll(1, 2),
        nn.ChannelShuffle(2),
        nn.FractionalMaxPool2d(2, (3, 3)),
        lambda x: x[:, :, :8].rot90(1, (2, 3)),
        lambda x: x.cummax(2)[0],
        lambda x: torch.fft.fft(x).abs(),
        lambda x: functional.grid_sample(x, torch.zeros(1, *x.shape[2:], 2).to(x), align_corners=False),
    ],
)
def test_a_way_that_is_not_known_is_refused(move: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with pytest.raises(DnnTopologyError, match="is not known"):
        structural_graph(Moving(move, 2), torch.ones(1, 1, *SPACE[:2]), layers=["stem", "out"])


def test_units_side_by_side_in_space_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="concatenated along another dimension than the channels"):
        structural_graph(
            Moving(lambda x: torch.cat([x, x], dim=2), 2, linear=True),
            torch.ones(1, 1, *SPACE[:2]),
            layers=["stem", "out"],
        )


def test_channels_stay_joined_through_a_pooling() -> None:
    torch.manual_seed(0)
    model = Moving(nn.MaxPool2d(3, 2), 2)
    found = structural_graph(model, torch.ones(1, 1, *SPACE[:2]), layers=["stem", "out"], nodes="channel").toarray()
    np.testing.assert_allclose(found[2:, :2], model.out.weight.detach().abs().sum((2, 3)).numpy())
