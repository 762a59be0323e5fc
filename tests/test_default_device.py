"""A default device of torch's, as `torch.set_default_device` names it, is for the user's tensors, not for ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt


def mlp() -> nn.Module:
    """A trained network: its weights are on the CPU."""
    return dt.build_net("lenet_300_100", shape=(1, 28, 28), seed=0)


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """Any tensor that names no device has no values."""
    with torch.device("meta"):
        yield


@pytest.fixture(scope="module")
def usual() -> dict[str, Any]:
    """What comes out without one."""
    return computed(mlp())


def computed(model: nn.Module) -> dict[str, Any]:
    """Data, a training, signals, an attack and a measurement."""
    data = dt.load_data("digits", shape=(1, 28, 28), train_size=200, permute_labels=0.5)
    history = dt.train(model, data, epochs=1, lr=0.05, seed=0)
    images, labels = data.test.tensors
    signals = dt.record(model, list(torch.split(images[:90], 40)))
    made = dt.attack(model, images[:6], labels[:6], data=data, steps=3)
    graph = dt.functional_graph(signals, max_epsilon=0.3, device="cpu")
    return {
        "history": history.to_numpy(),
        "images": images.numpy(),
        "signals": signals.values,
        "attacked": made.adversarial.numpy(),
        "shuffled": made.shuffled.numpy(),
        "distances": graph.distances,
    }


@pytest.mark.usefixtures("elsewhere")
def test_a_default_device_changes_nothing(usual: dict[str, Any]) -> None:
    with torch.device("cpu"):
        model = mlp()
    found = computed(model)
    for name, values in usual.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
