"""Silenced neurons are zero, nothing else changes, and nothing stays behind: held against masks made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

import dnn_topology as dt


class Convolutional(nn.Module):
    """A convolution and two layers of units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.fc, self.out = nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Linear(48, 5), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.out(self.fc(self.relu(self.conv(x)).flatten(1)))
        return hidden


def convolutional() -> Convolutional:
    torch.manual_seed(0)
    return Convolutional()


def images(n: int = 4) -> torch.Tensor:
    return torch.randn(n, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def hooks(model: nn.Module) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())


def test_units_of_a_linear_layer_and_of_a_feature_map_are_masked() -> None:
    model, x = convolutional(), images()
    with dt.ablate(model, [("relu", 0), ("relu", 17), ("relu", 47), ("fc", 3)]):
        silenced = model(x)
    maps = model.relu(model.conv(x)).flatten(1)
    maps[:, [0, 17, 47]] = 0
    hidden = model.fc(maps)
    hidden[:, 3] = 0
    torch.testing.assert_close(silenced, model.out(hidden), rtol=0, atol=0)
    assert not torch.equal(silenced, model(x))


def test_a_channel_is_masked_as_a_whole() -> None:
    model, x = convolutional(), images()
    with dt.ablate(model, [("relu", 1)], nodes="channel"):
        silenced = model(x)
    maps = model.relu(model.conv(x))
    maps[:, 1] = 0
    torch.testing.assert_close(silenced, model.out(model.fc(maps.flatten(1))), rtol=0, atol=0)


def test_a_feature_is_masked_at_every_token() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)), torch.randn(3, 7, 4)
    with dt.ablate(model, [("0", 2)], nodes="feature"):
        silenced = model(x)
    hidden = model[0](x)
    hidden[..., 2] = 0
    torch.testing.assert_close(silenced, model[1](hidden), rtol=0, atol=0)


def test_what_is_recorded_inside_is_zero_there_and_only_there() -> None:
    model, x = convolutional(), images(20)
    before = dt.record(model, [x], layers=["relu", "fc"])
    with dt.ablate(model, [("relu", 5), ("fc", 4)]):
        inside = dt.record(model, [x], layers=["relu", "fc"])
    silent = (inside.neurons["layer"].isin(["relu"]) & (inside.neurons["index"] == 5)) | (
        inside.neurons["layer"].isin(["fc"]) & (inside.neurons["index"] == 4)
    )
    assert not inside.values[:, silent.to_numpy()].any()
    others = ((inside.neurons["layer"] == "relu") & ~silent).to_numpy()
    np.testing.assert_array_equal(inside.values[:, others], before.values[:, others])


def test_no_hook_stays_behind_even_after_an_exception() -> None:
    model, x = convolutional(), images()
    expected = model(x)
    with dt.ablate(model, [("relu", 0)]):
        assert hooks(model) > 0
    assert hooks(model) == 0
    with pytest.raises(RuntimeError), dt.ablate(model, [("relu", 0)]):
        model(torch.randn(1, 1, 3, 3))
    assert hooks(model) == 0
    assert torch.equal(model(x), expected)


def test_the_models_mode_and_own_hooks_are_left_alone() -> None:
    model = convolutional().train()
    seen: list[float] = []
    model.relu.register_forward_hook(lambda *call: seen.append(float(call[2].detach().flatten(1)[:, 7].abs().max())))
    with dt.ablate(model, [("relu", 7)]):
        model(images())
        assert model.training
    assert seen[0] > 0  # the user's hook came first
    assert hooks(model) == 1


def test_gradients_pass_through_the_others_and_not_through_a_silent_neuron() -> None:
    model, x = convolutional(), images()
    with dt.ablate(model, [("fc", 2)]):
        model(x).sum().backward()
    gradient = model.fc.weight.grad
    assert gradient is not None
    assert not gradient[2].any()
    assert gradient[1].any()


class Calling(nn.Module):
    """Calls its activation as a function, twice, and one module twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.again = nn.Linear(4, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(x))
        return functional.relu(self.again(self.again(x)))


def test_functions_and_second_calls_are_silenced_by_the_names_that_record_gives_them() -> None:
    model, x = Calling(), torch.randn(9, 4)
    with dt.ablate(model, [("relu", 3), ("again@2", 1)]):
        silenced = model(x)
    hidden = functional.relu(model.first(x))
    hidden[:, 3] = 0
    hidden = model.again(model.again(hidden))
    hidden[:, 1] = 0
    torch.testing.assert_close(silenced, functional.relu(hidden), rtol=0, atol=0)
    assert {*dt.record(model, [x], layers=["relu", "again"]).neurons["layer"]} >= {"relu", "again@2"}


def test_a_part_of_an_output_is_silenced_and_the_others_are_not() -> None:
    torch.manual_seed(0)
    model, x = nn.GRU(3, 4, batch_first=True), torch.randn(2, 5, 3)
    with dt.ablate(model, [("output.0", 0), ("output.0", 19)]):
        sequence, last = model(x)
    whole, expected = model(x)
    whole = whole.flatten(1).clone()
    whole[:, [0, 19]] = 0
    torch.testing.assert_close(sequence.flatten(1), whole, rtol=0, atol=0)
    torch.testing.assert_close(last, expected, rtol=0, atol=0)


def test_the_neurons_of_a_cavity_and_of_a_table_can_be_silenced() -> None:
    model, x = convolutional(), images(40)
    graph = dt.functional_graph(dt.record(model, [x]), max_epsilon=0.4)
    cavity = dt.cavities(graph)[0]
    with dt.ablate(model, cavity.neurons):
        by_neurons = model(x)
    with dt.ablate(model, cavity.to_frame()):
        by_table = model(x)
    assert torch.equal(by_neurons, by_table)
    assert not torch.equal(by_neurons, model(x))


WRONG: dict[str, tuple[Any, str]] = {
    "unknown layer": ([("rleu", 0)], "layer 'rleu' was not called .* relu"),
    "too high": ([("fc", 5)], "layer 'fc' has 5 neurons .* index 5"),
    "no neuron": ([3], "pairs .layer, index., found 3"),
    "negative": ([("fc", -1)], "pairs .layer, index."),
    "a group": ([dt.Neuron(0, "fc", 1, size=3)], "single ones"),
    "a table of groups": (pd.DataFrame({"layer": ["fc"], "index": [0], "size": [2]}), "single ones"),
    "no layer": ([dt.Neuron(0)], "pairs .layer, index."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_silenced_is_refused(case: str) -> None:
    neurons, message = WRONG[case]
    model = convolutional()
    with pytest.raises(dt.DnnTopologyError, match=message), dt.ablate(model, neurons):
        model(images())
    assert hooks(model) == 0


def test_a_layer_with_time_first_is_refused() -> None:
    with pytest.raises(dt.DnnTopologyError, match="batch_first"), dt.ablate(nn.Sequential(nn.GRU(3, 4)), [("0.0", 0)]):
        pass


def test_rows_that_are_more_than_samples_are_refused_by_name() -> None:
    class Folding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each, self.all = nn.Linear(3, 8), nn.Linear(16, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.all(self.each(x.reshape(-1, 3)).reshape(len(x), -1))
            return answer

    model = Folding()
    with (
        pytest.raises(dt.DnnTopologyError, match="layer 'each' returned 10 rows for a batch of 5"),
        dt.ablate(model, [("each", 2)]),
    ):
        model(torch.rand(5, 2, 3))
    with dt.ablate(model, [("all", 1)]):
        assert (model(x=torch.rand(5, 2, 3))[:, 1] == 0).all()
