from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology.cli import main

pytest.importorskip("foolbox")
NAMED = ["--net", "lenet_300_100", "--dataset", "digits"]
SMALL = ["--n-inputs", "30", "--n-fit", "60", "--batch-sizes", "10", "--detectors", "softmax", "profile"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LeNet-300-100 trained for two epochs on the digits."""
    folder = tmp_path_factory.mktemp("run")
    assert main(["train", *NAMED, "--lr", "0.05", "--n-epochs-train", "2", "--save-path", str(folder)]) == 0
    return folder


def detect(folder: Path, *words: str) -> int:
    return main(["detect", *NAMED, *SMALL, "--save-path", str(folder), *words])


def test_detect_leaves_tables_and_pictures_and_goes_on_where_it_stopped(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(trained, "--attack", "fgsm", "--strength", "0", "0.3") == 0
    folder = trained / "lenet_300_100_digits" / "trial0" / "detection" / "epoch2"
    table = pd.read_csv(folder / "detection.csv")
    assert set(table["detector"]) == {"softmax", "profile", "batch of 10"}
    assert table.loc[table["strength"] == 0, "auroc"].to_numpy() == pytest.approx(0.5, abs=1e-9)
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == 2 * 5 * 30  # two strengths; clean, adversarial and three controls
    sizes = pd.read_csv(folder / "attacks.csv")
    assert sizes["adversarial_linf"].to_numpy() == pytest.approx([0.0, 0.3], abs=1e-5)
    assert sizes["noise_linf"].to_numpy() == pytest.approx([0.0, 0.3], abs=1e-5)
    assert json.loads((folder / "detection.json").read_text())["settings"]["n_fit"] == 60
    assert (folder / "roc_fgsm_0.3_clean.png").exists()
    assert (folder / "betti_curves_fgsm_0.3.png").exists()
    first = capsys.readouterr()
    assert "about" in first.err
    assert "AUROC noise/adversarial" in first.out

    kept = (folder / "fgsm_0.3.npz").stat().st_mtime_ns
    assert detect(trained, "--attack", "fgsm", "deepfool", "--strength", "0", "0.3") == 0
    assert (folder / "fgsm_0.3.npz").stat().st_mtime_ns == kept
    assert set(pd.read_csv(folder / "detection.csv")["attack"]) == {"fgsm", "deepfool"}
    assert "1 attack on 30" in capsys.readouterr().err
    assert detect(trained, "--attack", "fgsm", "--strength", "0.3", "--n-fit", "61") == 0
    assert (folder.parent / "epoch2_n_fit-61" / "fgsm_0.3.npz").exists()


def test_an_attack_may_evade_a_detector_that_is_not_among_those_that_judge(trained: Path) -> None:
    assert detect(trained, "--attack", "adaptive-penultimate", "--strength", "0.2", "--n-fit", "62") == 0
    (scores,) = (trained / "lenet_300_100_digits" / "trial0" / "detection").glob("*/adaptive-penultimate_0.2.npz")
    table = pd.read_csv(scores.with_name("detection.csv"))
    assert set(table["attack"]) == {"adaptive-penultimate"}
    assert set(table["negative"]) == {"clean", "noise", "l2noise", "shuffled"}


def test_detect_scores_images_of_ones_own(trained: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", x=images)
    weights = trained / "lenet_300_100_digits" / "trial0" / "checkpoints" / "epoch2.pt"
    assert detect(tmp_path, "--checkpoint", str(weights), "--inputs", str(tmp_path / "mine.npz")) == 0
    (path,) = tmp_path.glob("lenet_300_100_digits/detection_*/scores_mine.csv")
    scores = pd.read_csv(path)
    assert list(scores) == ["place", "predicted", "softmax", "profile"]
    assert len(scores) == 4


def test_images_of_ones_own_are_scored_whatever_attacks_would_need(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = shutil.copytree(trained, tmp_path / "results")
    detection = results / "lenet_300_100_digits" / "trial0" / "detection"
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8)).astype(np.uint8))
    assert detect(results, "--attack", "fgsm", "--strength", "0") == 0
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)  # foolbox is missing
    tables = []
    for words in ([], ["--n-inputs", "2"], ["--batch-sizes", "50"], ["--attack", "pgd", "--strength", "1"]):
        before = {*detection.rglob("scores_mine.csv")}
        assert detect(results, *words, "--inputs", str(tmp_path / "mine.npz")) == 0
        tables += [pd.read_csv(path) for path in {*detection.rglob("scores_mine.csv")} - before]
    assert len(tables) == 1  # each of the others has replaced it by the same
    assert detect(results, "--attack", "pgd", "--strength", "0.5", "--seed", "3") == 2
    assert not (detection / "epoch2_seed-3").exists()  # and nothing is pinned to these settings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attack", "pdg"], "did you mean pgd"),
        (["--strength", "much"], 'Invalid value for --strength: unable to convert "much" into float'),
        (["--strength", "-1"], "--strength must be changes of pixels, in [0, 1], found -1"),
        (["--strength", "0.1", "8"], "--strength must be changes of pixels, in [0, 1], found 8"),
        (["--detectors", "softmx"], "did you mean softmax"),
        (["--batch-sizes", "500"], "smaller --batch-sizes"),
        (["--epoch", "9"], "there is no checkpoint of epoch 9 of"),
        (["--epoch", "1", "--checkpoint", "w.pt"], "one of the two"),
        (["--inputs", "missing.npz"], "cannot read"),
        (["--trial", "7"], "is no folder of a run"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    trained: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in trained.rglob("*") if path.suffix != ".json"}
    assert detect(trained, *words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert {path for path in trained.rglob("*") if path.suffix != ".json" and path.is_file()} <= before


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 1, 28, 28))}, "must hold images as x"),
        ({"x": np.full((2, 1, 28, 28), 3.0)}, "in [0, 1]"),
        ({"x": np.zeros((0, 1, 28, 28))}, "must hold images as x"),
        ({"x": np.zeros((2, 1, 20, 28))}, "images of 1×20×28, and the network was trained on 1×8×8 or 1×28×28"),
        ({"x": np.zeros((2, 3, 28, 28))}, "images of 3×28×28"),
    ],
)
def test_a_file_of_other_things_is_refused(
    trained: Path, tmp_path: Path, arrays: dict[str, np.ndarray], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    assert detect(trained, "--inputs", str(tmp_path / "bad.npz")) == 2
    assert message in capsys.readouterr().err
