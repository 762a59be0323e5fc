from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dnn_topology.nets.data import load_data, sample

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported; nothing here needs the hub


@pytest.fixture(autouse=True)
def torch_random_state() -> Iterator[None]:
    """Seed what the trainers draw from, and put it back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def digits() -> DataLoader[tuple[torch.Tensor, ...]]:
    """Sixty real digits of 28×28 in shuffled batches of 20."""
    images, labels = sample(load_data("digits", shape=(1, 28, 28)).train, 60).tensors
    return DataLoader(TensorDataset(images.flatten(1), labels), batch_size=20, shuffle=True)


@pytest.fixture
def net() -> nn.Module:
    """A small multilayer perceptron for the digits, its dropout awake."""
    return nn.Sequential(nn.Linear(784, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 10))
