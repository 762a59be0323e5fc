"""Inputs are taken in the forms in which people have them, or refused in one line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dnn_topology as dt
from dnn_topology.recording.batches import take_batches
from dnn_topology.recording.layer_inputs import weighted_layers
from tests.recording.test_any_module import Calling, randn


class Pair(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


X = randn(300, 6)
Y = torch.arange(300) % 3
MODEL = nn.Sequential(nn.Linear(6, 5), nn.Tanh())
EXPECTED = dt.record(MODEL, [X[:256], X[256:]]).values


@pytest.mark.parametrize(
    "batches",
    [
        X,
        X.numpy(),
        X.double().numpy(),
        X.numpy()[:, ::-1][:, ::-1],
        TensorDataset(X),
        TensorDataset(X, Y),
        [X[:256].numpy(), X[256:].numpy()],
        [(X[:256].numpy(), Y[:256].numpy()), (X[256:], Y[256:])],
        [((X[:256],), Y[:256]), [[X[256:]], Y[256:]]],
        [{"input": X[:256], "label": Y[:256]}, {"input": X[256:].numpy()}],
        [Pair(X[:256], Y[:256]), X[:0], X[256:]],
    ],
)
def test_every_form_of_the_same_samples_is_recorded_alike(batches: Any) -> None:
    np.testing.assert_array_equal(dt.record(MODEL, batches).values, EXPECTED)


class Two(nn.Module):
    """Takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor, z: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        answer: torch.Tensor = self.fc(x + z) * scale
        return answer


@pytest.mark.parametrize("batch", [(X, X), (X, X, Y), ((X, X), Y), [X, X], [[X, X], Y], {"x": X, "z": X}])
def test_a_model_of_two_inputs_gets_both(batch: Any) -> None:
    model = Two()
    expected = model.fc(2 * X).detach().numpy()
    np.testing.assert_allclose(dt.record(model, [batch], layers=["output"]).values, expected, rtol=1e-5, atol=1e-6)


def test_a_graph_beside_its_nodes_is_passed_whole() -> None:
    class Convolution(nn.Module):
        def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
            return torch.tanh(adjacency @ x)

    adjacency = torch.eye(30).roll(1, 0)
    found = dt.record(Convolution(), [(X[:30], adjacency, Y[:30])]).values
    np.testing.assert_allclose(found, torch.tanh(X[:30].roll(1, 0)).numpy(), rtol=1e-6)


def test_a_model_whose_one_input_is_a_pair_gets_the_pair() -> None:
    class Sum(nn.Module):
        def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return torch.tanh(pair[0] + pair[1])

    found = dt.record(Sum(), [((X, X), Y)], layers=["output"]).values
    np.testing.assert_allclose(found, torch.tanh(2 * X).numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "batches", "message"),
    [
        (MODEL, (X, Y), r"pass \[\(inputs, labels\)\]"),
        (MODEL, {"input": X}, r"a single batch.*pass \[batch\]"),
        (MODEL, None, "`batches` must be a tensor.*found NoneType"),
        (MODEL, "data", "found str"),
        (MODEL, 3, "found int"),
        (MODEL, torch.tensor(3.0), "found a single number"),
        (MODEL, [None], "a batch must be.*found NoneType"),
        (MODEL, [["a"]], "found list that starts with str"),
        (MODEL, [{"x": X}], r"the key 'x', which Sequential.forward does not take \(it takes input\)"),
        (MODEL, np.array([["a"]], dtype=object), "of the type object are no numbers that torch has"),
        (MODEL, np.ones((4, 6), dtype=np.longdouble), "no numbers that torch has"),
        (MODEL, X.to(torch.complex64), "complex numbers"),
        (MODEL, X.numpy().astype(np.complex128), "complex numbers"),
        (Two(), [X], "Two.forward takes 2 inputs, and a batch holds 1"),
        (Two(), [(X,)], "takes 2 inputs"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(model: nn.Module, batches: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message) as refusal:
        dt.record(model, batches)
    assert "\n" not in str(refusal.value)


def test_complex_outputs_are_refused_by_name() -> None:
    model = Calling(lambda _, x: x * 1j)
    with pytest.raises(dt.DnnTopologyError, match=r"'output' returned no floating-point tensor.*complex64"):
        dt.record(model, [X])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "relu"}, r"layers must be a sequence of names.*found 'relu'"),
        ({"layers": 3}, "layers must be a sequence of names"),
        ({"layers": [None]}, "layers must be a sequence of names"),
        ({"nodes": None}, "nodes must be one of unit, channel, feature, found None"),
        ({"max_samples": float("nan")}, "max_samples must be a whole number, found nan"),
        ({"max_samples": 2.5}, "max_samples must be a whole number, found 2.5"),
        ({"max_samples": True}, "max_samples must be a whole number, found True"),
        ({"max_samples": "5"}, "max_samples must be a whole number, found '5'"),
        ({"max_samples": -1}, "max_samples must be at least 1, found -1"),
        ({"seed": None}, "seed must be a whole number, found None"),
        ({"seed": -1}, "seed must be at least 0, found -1"),
        ({"seed": 1.5}, "seed must be a whole number, found 1.5"),
        ({"seed": 2**64}, r"seed must be a whole number below 2\^63"),
        ({"device": "gpu"}, "device must name one"),
        ({"out": 3}, "out must be a path"),
    ],
)
def test_wrong_arguments_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.record(MODEL, [X], **options)


@pytest.mark.parametrize("call", [dt.record, weighted_layers, dt.list_layers])
@pytest.mark.parametrize("model", [None, "resnet18", nn.Linear])
def test_what_is_no_module_is_refused(call: Any, model: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"`model` must be a torch.nn.Module, found"):
        call(model, [X])


@pytest.mark.parametrize(("options", "message"), [({"max_samples": 0}, "at least 1"), ({"seed": "a"}, "whole number")])
def test_batches_are_taken_with_the_same_checks(options: dict[str, Any], message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        take_batches([X], **options)
    assert [len(batch) for batch in take_batches(X, max_samples=None)] == [256, 44]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_whole_numbers_for_a_model_of_floats_are_one_line_with_the_remedy(dtype: torch.dtype) -> None:
    images = torch.arange(80).reshape(20, 4).to(dtype)
    with pytest.raises(dt.DnnTopologyError, match=r"whole numbers .u?int\d+., .*images\.float\(\) / 255"):
        dt.record(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), [images])


def test_whole_numbers_for_a_model_that_takes_them_are_taken() -> None:
    words = torch.arange(40).reshape(20, 2) % 7
    model = torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Flatten(), torch.nn.Linear(6, 2))
    assert len(dt.record(model, [words]).values) == 20


@pytest.mark.parametrize(
    ("model", "batch", "said"),
    [
        (nn.Linear(4, 2), torch.rand(5, 3), r"float32 \(.*3\)\): mat1 and mat2 shapes"),
        (nn.Embedding(9, 4), torch.full((5, 3), 12), "index out of range"),
        (nn.Embedding(9, 4), torch.rand(5, 3), "'indices'"),
        (nn.Linear(4, 2), torch.zeros(5, 4, device="meta"), "on the device 'meta'"),
    ],
)
def test_inputs_that_a_model_fails_on_are_named_in_one_line(model: nn.Module, batch: torch.Tensor, said: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=said) as caught:
        dt.record(model, [batch])
    assert "\n" not in str(caught.value)


def test_arrays_of_the_other_byte_order_are_the_same_inputs() -> None:
    model, x = nn.Linear(4, 2), np.arange(20, dtype=np.float32).reshape(5, 4)
    np.testing.assert_array_equal(dt.record(model, x.astype(">f4")).values, dt.record(model, x).values)


def test_what_is_masked_is_not_read() -> None:
    masked = np.ma.masked_array(X.numpy(), X.numpy() > 1.0)
    forms: list[Any] = [masked, [masked]]
    for batches in forms:
        with pytest.raises(dt.DnnTopologyError, match="masked array"):
            dt.record(MODEL, batches)
    with pytest.raises(dt.DnnTopologyError, match="must not be masked"):
        dt.functional_graph(masked)
    np.testing.assert_array_equal(dt.record(MODEL, np.ma.masked_array(X.numpy())).values, EXPECTED)


def test_layers_are_listed_of_one_batch_and_no_loader() -> None:
    loader = DataLoader(TensorDataset(X), batch_size=10)
    with pytest.raises(dt.DnnTopologyError, match=r"must be one batch, found a DataLoader: .*next\(iter\(loader\)\)"):
        dt.list_layers(MODEL, loader)
    assert len(dt.list_layers(MODEL, next(iter(loader))))
