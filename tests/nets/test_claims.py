"""A network that does far worse than the file of its weights says is warned of, and no other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from dnn_topology import store
from dnn_topology.nets.claims import claimed_accuracy, described_feed, warn_if_worse
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import evaluate
from dnn_topology.nets.zoo import build_net
from dnn_topology.runs.run import Run
from dnn_topology.runs.training import run_training
from dnn_topology.settings import TrainSettings


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits", data_subset=0.2)


@pytest.fixture
def net(data: DataSet) -> torch.nn.Module:
    """An untrained network."""
    return build_net("mlp", shape=data.shape, width=0.1)


def saved(folder: Path, net: torch.nn.Module, **more: Any) -> Path:
    """A checkpoint as people keep them."""
    torch.save({"net": net.state_dict(), **more}, folder / "w.pt")
    return folder / "w.pt"


@pytest.mark.parametrize(
    ("more", "claimed"),
    [
        ({"acc": 91.68, "epoch": 3}, 0.9168),
        ({"accuracy": 0.5}, 0.5),
        ({"best_acc": torch.tensor(0.25)}, 0.25),
        ({"train_acc": 0.99, "test_acc": 0.9}, 0.99),
        ({"metrics": {"val_acc": 80.0}, "hparams": {"lr": 0.1}}, 0.8),
        ({"epoch": 3, "best_acc1": torch.tensor([70.0])}, 0.7),
        ({"acc": "good"}, None),
        ({"acc": True}, None),
        ({}, None),
    ],
)
def test_the_claim_of_a_file_is_a_share(
    more: dict[str, Any], claimed: float | None, net: torch.nn.Module, tmp_path: Path
) -> None:
    assert claimed_accuracy(saved(tmp_path, net, **more)) == (None if claimed is None else pytest.approx(claimed))


def test_a_network_that_does_far_worse_is_warned_of_with_the_remedy(
    data: DataSet, net: torch.nn.Module, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=r"w\.pt says that .* 91\.7 % .*--normalise none"):
        warn_if_worse(net, data, saved(tmp_path, net, acc=91.68))


@pytest.mark.parametrize("above", [0.01, -0.3, None])
def test_a_network_that_does_as_it_says_is_not_warned_of(
    above: float | None, data: DataSet, net: torch.nn.Module, tmp_path: Path
) -> None:
    accuracy = evaluate(net, data.train)[1]
    path = saved(tmp_path, net) if above is None else saved(tmp_path, net, acc=max(accuracy + above, 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_worse(net, data, path)


def test_a_checkpoint_of_a_run_claims_what_the_history_says(tmp_path: Path) -> None:
    run = Run.named(TrainSettings(net="mlp", dataset="digits", width=0.1, data_subset=0.1), tmp_path)
    history = run_training(run, epochs=1)
    assert claimed_accuracy(run.checkpoint(1)) == pytest.approx(history["train_accuracy"][1])


def test_what_a_network_is_given_is_said_in_words() -> None:
    assert described_feed(load_data("digits", normalise="none")) == "pixels in [0, 1]"
    assert described_feed(load_data("digits", normalise=(0.5, 0.25))) == "pixels in [0, 1] less 0.5, over 0.25"


def test_weights_from_elsewhere_are_looked_at_and_those_of_the_run_are_not(tmp_path: Path) -> None:
    run = Run.named(TrainSettings(net="mlp", dataset="digits", width=0.1, data_subset=0.1), tmp_path)
    history = run_training(run, epochs=0)
    store.write_table(run.folder / "history.csv", history.assign(train_accuracy=1.0))  # would be warned of
    path = saved(tmp_path, run.load_net(), acc=99.0)
    run.load_net(run.checkpoint(0))
    with pytest.warns(UserWarning, match=r"99\.0 %"):
        run.load_net(path)
