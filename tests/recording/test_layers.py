from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets._torchvision import torchvision
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.activations import record
from dnn_topology.recording.listing import list_layers
from tests.recording.test_any_module import Calling


class Block(nn.Module):
    """Functions of many kinds: plain, in place, methods, operators."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.act = nn.Tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.linear(x))
        y += x
        y = self.act(y) * 2
        return functional.relu(y.view(-1, 6) - 1, inplace=True)


class Functional(nn.Module):
    """A convolution, pooling and two blocks, whose activations are functions."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(1, 2, 3)
            self.blocks = nn.Sequential(Block(), Block())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        return self.blocks(torch.flatten(x, 1)[:, :6]).sum(dim=1, keepdim=True)  # type: ignore[no-any-return]


IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def traced_names(model: nn.Module) -> list[str]:
    """The names that torchvision's feature extraction, over torch.fx, gives to the calls of functions."""
    names = torchvision("models.feature_extraction").get_graph_node_names(model)[1][1:]
    modules = dict(model.named_modules())  # of which a second call is numbered too
    return [name for name in names if name not in modules and name.removesuffix("_1") not in modules]


@pytest.mark.parametrize("model", [Functional(), build_net("resnet18"), build_net("densenet121")])
def test_functions_have_the_names_of_torch_fx(model: nn.Module) -> None:
    images = IMAGES if isinstance(model, Functional) else torch.rand(2, 3, 32, 32)
    table = list_layers(model, images)
    assert table.loc[table["kind"] == "function", "layer"].tolist() == traced_names(model)


@pytest.mark.parametrize("name", ["relu", "max_pool2d", "blocks.0.relu_1", "blocks.1.add", "blocks.1.mul", "sum"])
def test_a_function_is_recorded_as_torch_fx_extracts_it(name: str) -> None:
    model = Functional().eval()
    extraction = torchvision("models.feature_extraction")
    expected = extraction.create_feature_extractor(model, [name])(IMAGES)[name].flatten(1)
    np.testing.assert_array_equal(record(model, [IMAGES], layers=[name]).values, expected.detach().numpy())


def test_functions_keep_their_names_from_batch_to_batch() -> None:
    layers = ["blocks.0.relu", "blocks.0.relu_1"]
    whole, parts = (record(Functional(), given, layers=layers) for given in ([IMAGES], [IMAGES[:3], IMAGES[3:]]))
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-6)


def test_functions_of_a_model_that_does_not_trace_are_recorded_too() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.relu(x) if x.sum() > 0 else x

    x = torch.tensor([[1.0, -1.0], [2.0, 3.0]])
    assert record(Branching(), [x], layers=["relu"]).values.tolist() == [[1.0, 0.0], [2.0, 3.0]]


def test_a_value_changed_in_place_afterwards_is_recorded_as_it_was() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.relu(x + 0.0, inplace=True)

    x = torch.tensor([[1.0, -1.0]])
    assert record(InPlace(), [x], layers=["add", "relu"]).values.tolist() == [[1.0, -1.0, 1.0, 0.0]]


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_recording_functions_leaves_the_outputs_bit_identical_and_no_hook() -> None:
    model, seen = Functional().eval(), list[torch.Tensor]()
    before = model(IMAGES)
    handle = model.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    record(model, [IMAGES], layers=["**"])
    handle.remove()
    assert hooks(model) == 0
    assert all(torch.equal(before, output) for output in (*seen, model(IMAGES)))


def test_no_hook_stays_behind_after_an_exception() -> None:
    model = Functional()
    with pytest.raises(DnnTopologyError):
        record(model, [torch.rand(2, 3, 8, 8)], layers=["relu"])
    assert hooks(model) == 0
    assert torch.relu(torch.tensor(-1.0)) == 0  # and no mode that sees functions


def test_a_glob_selects_within_one_level_in_the_order_of_the_forward_pass() -> None:
    net, images = build_net("alexnet"), torch.rand(2, 3, 32, 32)
    layers = record(net, [images], layers=["features.*"]).neurons["layer"].cat.categories
    assert layers.tolist() == [f"features.{place}" for place in range(13)]


def test_a_glob_takes_of_several_tensors_those_that_are_listed() -> None:
    model = Calling(lambda self, x: self.pair(x)[0].relu(), pair=Calling(lambda _, x: (x, torch.ones(1, 9))))
    x = torch.rand(5, 6)
    listed = list_layers(model, x)["layer"].tolist()
    assert record(model, [x], layers=["**"]).neurons["layer"].cat.categories.tolist() == listed
    assert "pair.1" not in listed


def test_a_module_that_is_never_called_hides_no_function_of_its_name() -> None:
    model = Calling(
        lambda self, x: functional.dropout(self.a(x), self.dropout.p, self.training),
        a=nn.Linear(6, 4),
        dropout=nn.Dropout(0.5),
    )
    x = torch.rand(5, 6)
    for layers in (["dropout"], ["**"]):
        recorded = record(model, [x], layers=layers)
        named = (recorded.neurons["layer"] == "dropout").to_numpy()
        assert np.array_equal(recorded.values[:, named], model.get_submodule("a")(x).detach().numpy())


def test_two_stars_go_through_all_levels() -> None:
    model = Functional()
    one, two = (list_layers(model, IMAGES, layers=[glob])["layer"].tolist() for glob in ("blocks.*", "blocks.**"))
    assert one == ["blocks.0", "blocks.1"]
    assert {"blocks.0.linear", "blocks.1.relu_1", "blocks.1"} <= set(two)


def test_the_list_of_layers_counts_what_is_recorded() -> None:
    model = Functional()
    for nodes in ("unit", "channel"):
        counts = record(model, [IMAGES], layers=["**"], nodes=nodes).neurons["layer"].value_counts(sort=False)
        table = list_layers(model, IMAGES)
        assert counts.index.tolist() == table["layer"].tolist()
        assert counts.tolist() == table[nodes].tolist()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["relu_7"], "the model has no layer 'relu_7': did you mean"),
        (["features.*"], r"no layer matches 'features.\*'"),
        (["blocks.0", "blocks.0"], "named twice"),
        ([], "no layer to record"),
    ],
)
@pytest.mark.parametrize("function", [record, list_layers])
def test_a_name_that_means_nothing_is_refused(function: Any, layers: list[str], message: str) -> None:
    inputs = [IMAGES] if function is record else IMAGES
    with pytest.raises(DnnTopologyError, match=message):
        function(Functional(), inputs, layers=layers)
