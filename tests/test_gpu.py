"""What a GPU may change: nothing but the last digits. Skipped where there is none."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dnn_topology as dt

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

X = torch.rand(120, 1, 28, 28, generator=torch.Generator().manual_seed(0))
Y = torch.arange(120) % 10
CLOSE = 1e-3  # convolutions may round to TF32
SMALL: Any = {"max_dim": 1, "max_epsilon": 0.2}


def lenet(seed: int = 0) -> nn.Module:
    """A network with weights of its own."""
    return dt.build_net("lenet", seed=seed)


def signals(model: nn.Module, batches: Any = None, **options: Any) -> np.ndarray:
    """What is recorded of it."""
    values: np.ndarray = dt.record(model, torch.split(X, 50) if batches is None else batches, **options).values
    return values


@pytest.mark.parametrize("cast", [None, torch.bfloat16, torch.float16])
def test_signals_are_those_of_the_cpu(cast: torch.dtype | None) -> None:
    model = lenet().cuda().to(cast or torch.float32)
    np.testing.assert_allclose(signals(model), signals(lenet()), atol=CLOSE if cast is None else 2e-2)


def test_a_device_that_is_named_is_used_and_left() -> None:
    model = lenet()
    np.testing.assert_allclose(signals(model, device="cuda"), signals(lenet()), atol=CLOSE)
    assert next(model.parameters()).device.type == "cpu"
    model.cuda()
    np.testing.assert_array_equal(signals(model, device="cpu"), signals(lenet()))
    assert next(model.parameters()).is_cuda


def test_batches_may_lie_anywhere() -> None:
    expected = signals(lenet().cuda())
    np.testing.assert_array_equal(signals(lenet().cuda(), [part.cuda() for part in torch.split(X, 50)]), expected)
    loader = DataLoader(TensorDataset(X, Y), 50, pin_memory=True)
    np.testing.assert_array_equal(signals(lenet().cuda(), loader), expected)


def test_random_states_of_the_gpu_are_left_as_found_and_seeded() -> None:
    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = torch.Generator("cuda").manual_seed(1)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            own = torch.randn(inputs.shape, device=inputs.device, generator=self.generator)
            return inputs + own + torch.randn_like(inputs)

    noise = Noise()
    model = nn.Sequential(nn.Flatten(), noise, nn.Linear(784, 10)).cuda()
    before = torch.cuda.get_rng_state(), noise.generator.get_state()
    first = signals(model)
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert torch.equal(noise.generator.get_state(), before[1])
    torch.rand(3, device="cuda")
    np.testing.assert_array_equal(signals(model), first)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_graph_has_the_same_edges_whatever_precision_torch_is_allowed(metric: Any, precision: str) -> None:
    recorded = dt.record(lenet(), torch.split(X, 50))
    on_cpu = dt.functional_graph(recorded, metric=metric, device="cpu")
    usual = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        on_gpu = dt.functional_graph(recorded, metric=metric, device="cuda")
    finally:
        torch.set_float32_matmul_precision(usual)
    np.testing.assert_allclose(np.sort(on_gpu.distances), np.sort(on_cpu.distances), atol=1e-12)


def test_nothing_is_left_in_the_memory_of_the_gpu() -> None:
    model = lenet().cuda()
    dt.measure(model, torch.split(X, 50), **SMALL)
    gc.collect()
    before = torch.cuda.memory_allocated()
    dt.measure(model, torch.split(X, 50), **SMALL)
    gc.collect()
    assert torch.cuda.memory_allocated() == before


def test_checkpoints_of_both_devices_are_tracked_together(tmp_path: Path) -> None:
    torch.save(lenet(2).cuda().state_dict(), tmp_path / "weights.pt")
    states: Any = {0: lenet().cuda().state_dict(), 1: lenet(1).state_dict(), 2: tmp_path / "weights.pt"}
    model = lenet().cuda()
    assert list(dt.track(model, torch.split(X, 50), states, **SMALL)) == [0, 1, 2]
    assert next(model.parameters()).is_cuda


def test_training_is_repeatable_and_goes_on() -> None:
    data = dt.load_data("digits", shape=(1, 28, 28))
    kept: list[dt.TrainingState] = []
    models = [lenet(), lenet(), lenet()]
    options: Any = {"lr": 0.05, "seed": 0, "device": "cuda"}
    for model in models[:2]:
        dt.train(model, data, epochs=2, on_epoch=kept.append, **options)
    dt.train(models[2], data, epochs=2, device="cuda", resume=kept[1])
    for one, other, resumed in zip(*(model.state_dict().values() for model in models), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
        torch.testing.assert_close(one, resumed, atol=1e-4, rtol=0)


def test_attacked_inputs_and_labels_may_lie_on_the_gpu() -> None:
    data = dt.load_data("digits", shape=(1, 28, 28))
    images, labels = (part[:20].cuda() for part in data.test.tensors)
    made = dt.attack(lenet().cuda(), images, labels, data=data, steps=3)
    assert made.adversarial.device.type == made.inputs.device.type == "cpu"
    on_cpu = dt.attack(lenet(), images.cpu(), labels.cpu(), data=data, steps=3)
    np.testing.assert_array_equal(made.predicted, on_cpu.predicted)
