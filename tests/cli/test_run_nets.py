"""`run` with every kind of network and data, from the command line to the files that it leaves."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dnn_topology.cli import main
from dnn_topology.nets.zoo import build_net

needs_mnist1d = pytest.mark.skipif(importlib.util.find_spec("mnist1d") is None, reason="mnist1d is not installed")
FACTORY = """
from torch import nn

def make(n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, n_classes))
"""


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The name of a data set of 16 colour images to train and 8 to test, of 4 classes."""
    rng = np.random.default_rng(0)
    sizes = {"train": 16, "test": 8}
    arrays: dict[str, Any] = {}
    for part, n in sizes.items():
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(n) % 4
    np.savez(tmp_path / "small.npz", **arrays)
    return f"npz:{tmp_path / 'small.npz'}"


def run(tmp_path: Path, *args: str) -> int:
    quick = ["--n-inputs", "16", "--max-dim", "1", "--max-epsilon", "0.1", "--device", "cpu", "--nodes", "channel"]
    return main(
        ["run", "--no-report", "--save-path", str(tmp_path / "results"), "--n-epochs-train", "1", *quick, *args]
    )


@pytest.mark.parametrize("net", ["lenet", "lenet32", "conv_2", "alexnet"])
def test_a_network_of_any_shape_runs_on_arrays_from_end_to_end(net: str, data: str, tmp_path: Path) -> None:
    assert run(tmp_path, "--net", net, "--dataset", data) == 0
    folder = tmp_path / "results" / f"{net}_npz-small.npz" / "trial0" / "eps0.1"
    assert set(pd.read_csv(folder / "topology.csv")["epoch"]) == {0, 1}


def test_a_network_of_the_users_own_starts_from_a_file_and_is_measured_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    (tmp_path / "mine.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    weights = build_net("mine:make", shape=(1, 8, 8), seed=5).state_dict()
    safetensors.save_file(weights, tmp_path / "weights.safetensors")
    assert (
        run(tmp_path, "--net", "mine:make", "--dataset", "digits", "--checkpoint", "weights.safetensors", "--no-train")
        == 0
    )
    assert "weights.safetensors is given pixels in [0, 1] less 0.3053, over 0.3763, which `run --normalise`" in (
        capsys.readouterr().err
    )
    trial = tmp_path / "results" / "mine-make_digits" / "trial0"
    kept = torch.load(trial / "checkpoints" / "epoch0.pt", weights_only=True)["model"]
    assert all(torch.equal(kept[name], weights[name]) for name in weights)
    assert pd.read_csv(trial / "history.csv")["epoch"].tolist() == [0]


def test_other_initial_weights_are_another_training(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2):
        torch.save(build_net("lenet", n_classes=4, seed=seed).state_dict(), tmp_path / f"{seed}.pt")
    common = ["--dataset", data, "--no-train", "--checkpoint"]
    assert run(tmp_path, *common, str(tmp_path / "1.pt")) == 0
    assert run(tmp_path, *common, str(tmp_path / "2.pt")) == 2
    assert "was made with other settings (weights was" in capsys.readouterr().err


def test_changes_of_labels_are_recorded_in_the_run(data: str, tmp_path: Path) -> None:
    changes = ["--binarize_labels", "2", "--permute_labels", "0.5", "--data_subset", "0.9"]
    assert run(tmp_path, "--net", "lenetbin", "--dataset", data, *changes) == 0
    settings = json.loads((tmp_path / "results" / "lenetbin_npz-small.npz" / "trial0" / "settings.json").read_text())
    assert (settings["binarize_labels"], settings["permute_labels"], settings["data_subset"]) == (2, 0.5, 0.9)


def test_layers_are_selected_by_glob(data: str, tmp_path: Path) -> None:
    assert run(tmp_path, "--net", "alexnet", "--dataset", data, "--layers", "features.1*", "classifier") == 0
    folder = tmp_path / "results" / "alexnet_npz-small.npz" / "trial0" / "eps0.1"
    table = pd.read_csv(folder / "topology.csv")
    assert set(table["n_nodes"] + table["n_constant"]) == {64 + 3 * 256 + 4}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--net", "lenetbin", "--dataset", "digits"], "tells 2 classes apart and the data set has 10"),
        (["--net", "vgg", "--dataset", "digits_gray28"], "the network takes images of 3×32×32"),
        pytest.param(["--net", "lenet", "--dataset", "mnist1d"], "sequences of 40 numbers", marks=needs_mnist1d),
        (["--net", "lenets", "--dataset", "digits"], "unknown --net 'lenets': did you mean"),
        (["--dataset", "digits", "--checkpoint", "nowhere.pt"], "cannot read nowhere.pt: No such file"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *args) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nonsense", "is damaged, or holds more than tensors"),
        ({"weight": torch.zeros(3)}, "does not fit this network"),
        ([1, 2], "holds no state dict: found list"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    content: object, message: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert run(tmp_path, "--dataset", data, "--checkpoint", str(path), "--no-train") == 2
    assert message in capsys.readouterr().err


def test_weights_of_the_original_and_of_data_parallel_are_read(data: str, tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in build_net("lenet", n_classes=4).state_dict().items()}
    torch.save({"net": state, "acc": 12.5, "epoch": 3}, tmp_path / "ckpt.t7")
    assert run(tmp_path, "--dataset", data, "--checkpoint", str(tmp_path / "ckpt.t7"), "--no-train") == 0
