"""Models whose layers depend on their inputs: refused with a remedy that works, and never recorded askew."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt
from tests.recording.test_any_module import Calling, layer, randn, widths

# Batches of one size, of which only the second is large.
SMALL_AND_LARGE = [0.1 * randn(8, 6), 10 * randn(8, 6), 0.1 * randn(8, 6)]


def parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"a": nn.Linear(6, 6), "act": nn.ReLU(), "b": nn.Linear(6, 6), "late": nn.ReLU(), "c": nn.Linear(6, 3)}


def early_exit(self: Any, x: torch.Tensor) -> torch.Tensor:
    x = self.act(self.a(x))
    answer: torch.Tensor = self.c(self.late(self.b(x)) if x.max() > 5 else x)
    return answer


def as_often_as_needed(self: Any, x: torch.Tensor) -> torch.Tensor:
    for _ in range(1 + int(x.abs().max() > 5)):
        x = self.act(self.a(x))
    answer: torch.Tensor = self.c(x)
    return answer


def living_units(self: Any, x: torch.Tensor) -> torch.Tensor:
    x = self.act(self.a(x))
    torch.tanh(x[:, (x > 1).any(dim=0)])
    answer: torch.Tensor = self.c(x)
    return answer


def experts(self: Any, x: torch.Tensor) -> torch.Tensor:
    chosen = x[:, 0] > 0
    out = torch.zeros_like(x)
    out[chosen] = self.act(self.a(x[chosen]))
    answer: torch.Tensor = self.c(out)
    return answer


@pytest.mark.parametrize("forward", [early_exit, as_often_as_needed, living_units, experts])
@pytest.mark.parametrize("nodes", ["unit", "channel"])
def test_the_layers_that_a_refusal_names_can_be_recorded(forward: Any, nodes: Any) -> None:
    model = Calling(forward, **parts())
    with pytest.raises(dt.DnnTopologyError, match=r"such as layers=\[") as refusal:
        dt.record(model, SMALL_AND_LARGE, nodes=nodes)
    named = re.findall(r"'([^']+)'", str(refusal.value).partition("such as layers=")[2])
    assert list(widths(dt.record(model, SMALL_AND_LARGE, nodes=nodes, layers=named))) == named


def rows_of_its_own(_: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return [x[:-1], x, torch.cat([x, x[:1]])]


def one_by_one(self: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return list(self.a(self.act(x)))


def mapped_over_samples(self: Any, x: torch.Tensor) -> torch.Tensor:
    mapped: torch.Tensor = torch.vmap(lambda one: self.act(self.a(one)))(x)
    return mapped


@pytest.mark.parametrize(
    ("forward", "remedy"), [(rows_of_its_own, "output.1"), (one_by_one, "act"), (mapped_over_samples, "output")]
)
def test_the_layer_that_is_named_in_place_of_one_without_samples_can_be_recorded(forward: Any, remedy: str) -> None:
    model = Calling(forward, **parts())
    with pytest.raises(dt.DnnTopologyError, match=rf"name layers without it, such as layers=.'{remedy}'"):
        dt.record(model, [randn(8, 6)])
    assert list(widths(dt.record(model, [randn(8, 6)], layers=[remedy]))) == [remedy]


def test_a_layer_inside_vmap_is_refused_by_what_it_is() -> None:
    model = Calling(lambda self, x: torch.vmap(self.a, in_dims=1, out_dims=1)(x), a=nn.Linear(6, 4))
    with pytest.raises(dt.DnnTopologyError, match=r"layer 'a' is called inside torch.vmap"):
        dt.record(model, [randn(5, 3, 6)], layers=["a"])
    assert list(widths(dt.record(model, [randn(5, 3, 6)], layers=["**"]))) == ["output"]


def against_each_other(self: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    y = self.a(self.act(x))
    return {"scores": y @ y.T, "embedded": y}


def test_comparisons_of_samples_with_one_another_are_passed_over_by_default_and_said() -> None:
    model = Calling(against_each_other, act=nn.ReLU(), a=nn.Linear(6, 6))
    with pytest.warns(UserWarning, match=r"'output.scores' .* compares samples with one another.* is passed over"):
        activations = dt.record(model, torch.split(randn(8, 6), 4))
    assert widths(activations) == {"act": 6, "output.embedded": 6}


def test_comparisons_of_samples_with_one_another_are_refused_by_name() -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"'output.scores' has the samples in two dimensions, \(4, 4\)"):
        dt.record(Calling(against_each_other, **parts()), [randn(4, 6)], layers=["output"])


def test_an_activation_that_is_called_on_pairs_of_samples_is_left_out_by_default_and_said() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        scores = torch.nn.functional.leaky_relu(torch.cdist(x, x).flatten())
        answer: torch.Tensor = self.b(torch.relu(self.a(x)).sigmoid()).tanh() * scores.mean()
        return answer

    model = Calling(forward, a=nn.Linear(6, 5), b=nn.Linear(5, 3))
    with pytest.warns(UserWarning, match=r"'leaky_relu' would be recorded by default and returned no row for each"):
        activations = dt.record(model, [randn(5, 6)])
    assert list(widths(activations)) == ["relu", "sigmoid", "tanh", "output"]


def test_a_batch_of_another_size_than_a_model_took_is_said_to_be_what_fails() -> None:
    model = Calling(lambda self, x: self.act(x.view(8, 6)), act=nn.Tanh())
    x = randn(20, 6)
    with pytest.raises(dt.DnnTopologyError, match=r"float32 \(4, 6\).*it took float32 \(8, 6\) before.*drop_last=True"):
        dt.record(model, torch.split(x, 8))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=8, drop_last=True)
    assert len(dt.record(model, loader).values) == 16


def test_layers_that_are_called_in_another_order_keep_their_columns() -> None:
    def either(self: Any, x: torch.Tensor) -> torch.Tensor:
        one, two = (self.late, self.act) if x.abs().max() > 5 else (self.act, self.late)
        first = one(x)
        answer: torch.Tensor = two(first + 1)
        return answer

    model = Calling(either, act=nn.Tanh(), late=nn.ReLU())
    recorded = dt.record(model, SMALL_AND_LARGE[:2], layers=["act", "late"])
    small, large = SMALL_AND_LARGE[:2]
    torch.testing.assert_close(layer(recorded, "act"), torch.cat([small.tanh(), (large.relu() + 1).tanh()]))


@pytest.mark.parametrize(
    "order",
    [
        lambda x: x[:, 0].argsort(),
        lambda x: x[:, 0].argsort(descending=True),
        lambda x: torch.arange(len(x)).flip(0),
        lambda x: torch.arange(len(x)).roll(1),
    ],
)
@pytest.mark.parametrize("time_first", [False, True])
def test_a_layer_inside_which_samples_are_sorted_is_refused(order: Any, time_first: bool) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        places = order(x[:, 0])
        turned = x[places].transpose(0, 1) if time_first else x[places]
        states = self.act(turned).mean(0 if time_first else 1)
        answer: torch.Tensor = self.c(states[places.argsort()])
        return answer

    model = Calling(forward, act=nn.Tanh(), c=nn.Linear(6, 3))
    x = randn(10, 4, 6)
    with pytest.raises(dt.DnnTopologyError, match=r"'act' has the samples in another order .*layers=\['output'\]"):
        dt.record(model, torch.split(x, 5))
    expected = model.c(x.tanh().mean(1)).detach()  # type: ignore[operator]
    torch.testing.assert_close(layer(dt.record(model, torch.split(x, 5), layers=["output"]), "output"), expected)


def test_samples_of_equal_lengths_do_not_hide_that_others_are_sorted() -> None:
    def forward(self: Any, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        order = lengths.argsort(descending=True, stable=True)
        answer: torch.Tensor = self.act(x[order])[order.argsort()]
        return answer

    model = Calling(forward, act=nn.Tanh())
    batch = {"x": randn(6, 4), "lengths": torch.tensor([3, 3, 3, 2, 5, 4])}
    with pytest.raises(dt.DnnTopologyError, match="'act' has the samples in another order"):
        dt.record(model, [batch], layers=["act"])


def test_a_model_that_looks_at_its_whole_batch_is_not_taken_for_one_that_sorts() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        largest = x.sort(dim=0).values[-1]
        answer: torch.Tensor = self.act(x / largest)
        return answer

    model, x = Calling(forward, act=nn.Tanh()), randn(9, 4)
    recorded = dt.record(model, [x], layers=["act"]).values
    np.testing.assert_allclose(recorded, torch.tanh(x / x.max(0).values).numpy(), rtol=1e-5)


def test_functions_keep_their_names_after_rows_that_are_more_than_samples() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        steps = torch.tanh(self.fc(x.reshape(-1, 3)))
        answer: torch.Tensor = steps.view(len(x), 8)
        return answer

    model, x = Calling(forward, fc=nn.Linear(3, 4)), randn(12, 6)
    recorded = dt.record(model, torch.split(x, 4), layers=["tanh"])
    torch.testing.assert_close(layer(recorded, "tanh"), model(x).detach())
