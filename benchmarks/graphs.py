"""The networks that the benchmark measures, trained here: LeNet at three epochs and samples of a Conv-4's units."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dnn_topology.nets.data import batches, load_data, sample
from dnn_topology.nets.train import TrainingState, train
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.activations import record

LENET_EPOCHS = (0, 5, 50)
WIDE_EPOCHS = 2
WIDE_UNITS = (2000, 5000)
N_INPUTS = 1000
SHAPE = (1, 28, 28)


class Conv4(nn.Module):
    """Four convolutions and three linear layers, as in Frankle and Carbin (2019), for 28×28 images; 94,602 units."""

    node_layers = ("conv1", "conv2", "conv3", "conv4", "fc1", "fc2", "fc3")

    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())

        self.conv1, self.conv2 = block(1, 64), nn.Sequential(block(64, 64), nn.MaxPool2d(2))
        self.conv3, self.conv4 = block(64, 128), nn.Sequential(block(128, 128), nn.MaxPool2d(2))
        self.fc1 = nn.Sequential(nn.Linear(128 * 7 * 7, 256), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(256, 256), nn.ReLU())
        self.fc3 = nn.Linear(256, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (batch, 10) of images (batch, 1, 28, 28)."""
        features = self.conv4(self.conv3(self.conv2(self.conv1(images)))).flatten(1)
        logits: torch.Tensor = self.fc3(self.fc2(self.fc1(features)))
        return logits


def signals(folder: Path) -> dict[str, Path]:
    """Train what is not trained yet, and return name → file of activations (n_samples, n_neurons)."""
    folder.mkdir(parents=True, exist_ok=True)
    lenet = {f"lenet-e{epoch}": folder / f"lenet-e{epoch}.npy" for epoch in LENET_EPOCHS}
    wide = {f"wide-{units}": folder / f"wide-{units}.npy" for units in WIDE_UNITS}
    if not all(path.exists() for path in lenet.values()):
        _train(build_net("lenet", seed=0), {f"lenet-e{epoch}": epoch for epoch in LENET_EPOCHS}, folder)
    if not all(path.exists() for path in wide.values()):
        torch.manual_seed(0)
        _train(Conv4(), {"wide": WIDE_EPOCHS}, folder)
        values = np.load(folder / "wide.npy")
        varying = np.flatnonzero(values.max(axis=0) > values.min(axis=0))
        order = np.random.default_rng(0).permutation(varying)
        for units in WIDE_UNITS:
            np.save(wide[f"wide-{units}"], values[:, order[:units]])
        (folder / "wide.npy").unlink()
    return lenet | wide


def _train(net: nn.Module, wanted: dict[str, int], folder: Path) -> None:
    """Train on 4,000 MNIST images and keep the activations of 1,000 of them at some epochs."""
    data = load_data("mnist-5k", shape=SHAPE, seed=0)
    inputs = sample(data.train, N_INPUTS, seed=0)

    def keep(state: TrainingState) -> None:
        for name, epoch in wanted.items():
            if epoch == state.epoch:
                frozen = copy.deepcopy(net)
                frozen.load_state_dict(state.model)
                values = record(frozen, batches(inputs, batch_size=100), max_samples=None).values
                np.save(folder / f"{name}.npy", values)
                print(
                    f"{name}: test accuracy {state.history[-1].test_accuracy:.3f}, {values.shape[1]} units", flush=True
                )

    train(net, data, epochs=max(wanted.values()), lr=0.01, batch_size=128, seed=0, device="cpu", on_epoch=keep)
