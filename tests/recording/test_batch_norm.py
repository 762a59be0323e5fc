"""Networks with batch normalisation, whose running statistics are state beside the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dnn_topology.nets.data import DataSet, load_data, sample
from dnn_topology.nets.train import TrainingState, save_weights, train
from dnn_topology.recording.activations import record
from dnn_topology.recording.state_dicts import load_weights


@pytest.fixture(scope="module")
def data() -> DataSet:
    """Nine digits to train and two to test, in colour."""
    whole = load_data("digits", shape=(3, 32, 32))
    return DataSet("digits", sample(whole.train, 9), sample(whole.test, 2), 10)


def normalised(seed: int) -> nn.Sequential:
    """A small network that normalises both places and vectors."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 64, 16),
            nn.BatchNorm1d(16),
            nn.Linear(16, 10),
        )


def trained(
    data: DataSet, epochs: int, resume: TrainingState | None = None
) -> tuple[dict[str, torch.Tensor], TrainingState]:
    """The state dict of the network after some epochs in batches of 4, and the last state."""
    states: list[TrainingState] = []
    net = normalised(3)
    train(net, data, epochs=epochs, batch_size=4, resume=resume, on_epoch=states.append)
    return net.state_dict(), states[-1]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_last_batch_of_one_image_is_no_obstacle(data: DataSet) -> None:
    state, _ = trained(data, 1)
    assert int(state["1.num_batches_tracked"]) == 2  # 4 + 4 of 9 images
    assert all(torch.isfinite(value).all() for value in state.values())


def test_a_resumed_training_ends_with_the_same_weights_and_statistics(data: DataSet, tmp_path: Path) -> None:
    whole, _ = trained(data, 2)
    _, half = trained(data, 1)
    half.save(tmp_path / "state.pt")
    resumed, _ = trained(data, 2, TrainingState.load(tmp_path / "state.pt"))
    assert "1.running_mean" in whole
    assert same(whole, resumed)


def test_saved_weights_hold_the_statistics(data: DataSet, tmp_path: Path) -> None:
    state, last = trained(data, 1)
    save_weights(tmp_path / "w.pt", last)
    fresh = normalised(8)
    load_weights(tmp_path / "w.pt", fresh)
    assert same(state, fresh.state_dict())


def test_recording_and_evaluating_leave_the_statistics_alone(data: DataSet) -> None:
    net = normalised(0)
    net.train()(data.train[[0, 1]][0])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    record(net, [data.train[[2, 3]][0]])
    train(net, data, epochs=0)
    assert net.training
    assert same(before, net.state_dict())
