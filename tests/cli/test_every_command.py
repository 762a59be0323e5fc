"""A run in any folder, with any settings, opens in every command; what a command is told reaches what it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dnn_topology.analysis.gap import GapModel
from dnn_topology.cli import main
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence
from dnn_topology.runs.run import Run

NAMED = ["--net", "lenet_300_100", "--dataset", "digits"]
TRAIN = [*NAMED, "--lr", "0.05", "--data-subset", "0.2", "--n-epochs-train", "1"]
MEASURE = ["--n-inputs", "40", "--max-dim", "1", "--nproc", "1"]
DETECT = ["--attack", "fgsm", "--strength", "0.3", "--n-inputs", "20", "--n-fit", "40", "--detectors", "softmax"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with two epochs."""
    results = tmp_path_factory.mktemp("results")
    assert main(["run", "--no-report", *TRAIN, *MEASURE, "--save-path", str(results)]) == 0
    return results / "lenet_300_100_digits" / "trial0"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kept weights of a study's network that is twice as wide as usual."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "wide.toml").write_text(
        'keep_weights = true\n[[grid]]\nnet = "lenet_300_100"\ndataset = "digits"\nwidth = 2\nlr = 0.05\nepochs = 1\n'
        "train_size = 100\n[topology]\nn_inputs = 40\nepochs = [0, 1]\n"
    )
    assert main(["study", str(folder / "wide.toml"), "--save-path", str(folder)]) == 0
    (weights,) = folder.glob("study_wide/weights/*")
    return weights


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the gap of made-up networks."""
    rng = np.random.default_rng(0)
    features = {name: rng.uniform(0.05, 0.3, 20) for name in ("life", "midlife", "gap")}
    how = {"graph_split": "train", "n_inputs": 40, "draws": 1, "nodes": "unit", "max_epsilon": 0.4}
    path = tmp_path_factory.mktemp("gap") / "model.json"
    GapModel.fit(pd.DataFrame({"cell": [*map(str, range(20))], **features, **how})).save(path)
    return path


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "topology": lambda run, _: ["topology", str(run), *MEASURE, "--max-epsilon", "0.2"],
    "estimate": lambda run, _: ["estimate", str(run), *MEASURE],
    "detect": lambda run, _: ["detect", str(run), *DETECT, "--batch-sizes", "10"],
    "gap predict": lambda run, model: ["gap", "predict", str(run), "--model", str(model)],
    "early-stop": lambda run, _: ["early-stop", str(run), "--rule", "midlife", "--n-inputs", "40", "--draws", "0"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_weights_of_a_wide_network_of_a_study_open_in_every_command_wherever_they_are_copied(
    command: str, wide: Path, model: Path, tmp_path: Path
) -> None:
    if command == "detect":
        pytest.importorskip("foolbox")
    assert Run.open(wide).training.width == 2
    before = {path: path.stat().st_mtime_ns for path in wide.parent.rglob("*")}
    copy = shutil.copytree(wide, tmp_path / "my weights")
    assert main(COMMANDS[command](copy, model)) == 0
    assert {path: path.stat().st_mtime_ns for path in wide.parent.rglob("*")} == before


@pytest.fixture
def relabelled(trained: Path, tmp_path: Path) -> Path:
    """A copy of a run under another number, in which the weights of epoch 1 are those of epoch 0."""
    copy = shutil.copytree(trained, tmp_path / "trial9")
    (copy / "manifest.json").unlink()
    shutil.copyfile(copy / "checkpoints" / "epoch0.pt", copy / "checkpoints" / "epoch1.pt")
    return copy


def test_topology_reads_the_weights_of_the_copy_that_it_is_given(relabelled: Path, model: Path) -> None:
    assert main(COMMANDS["topology"](relabelled, model)) == 0
    ours, theirs = (Diagrams.load(relabelled / "eps0.2" / f"epoch{epoch}.npz") for epoch in (0, 1))
    assert ours == theirs


def test_early_stop_reads_the_weights_of_the_copy_that_it_is_given(relabelled: Path, model: Path) -> None:
    assert main(COMMANDS["early-stop"](relabelled, model)) == 0
    ours, theirs = ((relabelled / "early_stopping" / f"epoch{epoch}.csv").read_bytes() for epoch in (0, 1))
    assert ours == theirs


def test_gap_predict_reads_the_weights_of_the_copy_that_it_is_given(
    relabelled: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foretold = []
    for epoch in ("0", "1"):
        assert main([*COMMANDS["gap predict"](relabelled, model), "--epoch", epoch]) == 0
        foretold.append(capsys.readouterr().out.replace(f"epoch{epoch}.pt", ""))
    assert foretold[0] == foretold[1]


def test_the_trial_of_a_copy_names_it_in_every_command_that_takes_one(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, tmp_path / "lenet_300_100_digits" / "trial5")
    named = [*NAMED, "--trial", "5", "--save-path", str(tmp_path)]
    assert main(["visualise", *named, "--formats", "png"]) == 0
    drawn = capsys.readouterr().out
    assert str(tmp_path / "lenet_300_100_digits" / "trial5" / "eps0.3" / "betti_curves_H1.png") in drawn
    assert main(["topology", *named, *MEASURE, "--max-epsilon", "0.2"]) == 0
    assert (tmp_path / "lenet_300_100_digits" / "adj_epc1_trl5_0.2.bin.out").exists()


def test_one_training_is_measured_twice_up_to_one_epsilon_and_each_is_drawn_by_its_name(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(trained, tmp_path / "copy")
    first = (copy / "eps0.3" / "topology.csv").read_bytes()
    assert main(["topology", str(copy), *MEASURE, "--n-inputs", "30"]) == 0
    assert (copy / "eps0.3" / "topology.csv").read_bytes() == first
    assert (copy / "eps0.3_n_inputs-30" / "topology.csv").read_bytes() != first
    capsys.readouterr()
    assert main(["visualise", str(copy), "--measurement", "eps0.3_n_inputs-30", "--formats", "png"]) == 0
    assert str(copy / "eps0.3_n_inputs-30" / "betti_curves_H1.png") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        (["--metric", "spearman", "--layers", "fc1"], {"metric": "spearman", "layers": ["fc1"]}),
        (["--graph-type", "grouped", "--split", "5"], {"graph_type": "grouped", "split": 5}),
    ],
)
def test_early_stopping_looks_at_the_graph_of_the_run_while_it_trains_and_afterwards(
    flags: list[str], settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *TRAIN, *MEASURE, "--build-graph", "0", "--early-stop", "topology", "--save-path", str(tmp_path)]
    assert main([*words, *flags]) == 0
    run = tmp_path / "lenet_300_100_digits" / "trial0"
    stamp = json.loads((run / "early_stopping" / "settings.json").read_text())
    assert settings.items() <= stamp.items()
    capsys.readouterr()
    assert main(["early-stop", str(run), "--rule", "midlife", "--draws", "0"]) == 0
    assert "measuring" not in capsys.readouterr().err
    assert [path.name for path in run.glob("early_stopping*")] == ["early_stopping"]


def test_early_stopping_computes_with_the_engine_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = []

    def recorded(graph: Any, *, engine: str, **options: Any) -> Any:
        engines.append(engine)
        return persistence(graph, engine=engine, **options)

    monkeypatch.setattr("dnn_topology.pipeline.persistence", recorded)
    words = ["run", *TRAIN, *MEASURE, "--build-graph", "0", "--early-stop", "topology", "--engine", "gudhi"]
    assert main([*words, "--save-path", str(tmp_path)]) == 0
    assert engines == ["gudhi", "gudhi"]
