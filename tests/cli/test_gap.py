from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology.analysis.features import FEATURE_SETS
from dnn_topology.cli import main, options

PAPERS = ("--features", "lambda-mu", "--method", "linear")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table as `study` leaves it, of made-up networks measured on 100 inputs."""
    rng = np.random.default_rng(0)
    life, midlife = rng.uniform(0.03, 0.07, 40), rng.uniform(0.1, 0.3, 40)
    rows = {
        "cell": [f"c{number}" for number in range(40)],
        "net": "mlp",
        "dataset": np.tile(["a", "b"], 20),
        "life": life,
        "midlife": midlife,
        "gap": 300 * midlife + rng.normal(0, 1, 40),
        "graph_split": "train",
        "n_inputs": 100,
        "draws": 2,
        "nodes": "unit",
        "max_epsilon": 0.4,
    }
    path = tmp_path / "study.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_model_is_fitted_and_foretells_the_gap_of_a_run_without_test_data(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.json"
    assert main(["gap", "fit", str(table), *PAPERS, "-o", str(model)]) == 0
    assert "from 40 networks" in capsys.readouterr().out
    results = str(tmp_path / "results")
    words = ["--net", "lenet_300_100", "--dataset", "digits", "--n-epochs-train", "1", "--lr", "0.05"]
    assert main(["train", *words, "--save-path", results]) == 0
    capsys.readouterr()
    run = tmp_path / "results" / "lenet_300_100_digits" / "trial0"
    out = tmp_path / "gap.csv"
    assert main(["gap", "predict", "--run", str(run), "--model", str(model), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "90% interval" in said
    assert "without looking at test data" in said
    row = pd.read_csv(out).iloc[0]
    history = pd.read_csv(run / "history.csv").iloc[-1]
    assert row["train_accuracy"] == pytest.approx(history["train_accuracy"])
    assert row["lower"] < row["gap"] < row["upper"]
    assert (row["n_inputs"], row["draws"], row["graph_split"]) == (100, 2, "train")
    file = str(run / "checkpoints" / "epoch1.pt")
    same = ["gap", "predict", "--checkpoint", file, *words[:4], "--model", str(model), "-o", str(tmp_path / "b.csv")]
    assert main(same) == 0
    assert pd.read_csv(tmp_path / "b.csv").iloc[0]["gap"] == row["gap"]


def test_a_model_that_looks_at_an_early_epoch_takes_it_from_the_run(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    features = {name: rng.uniform(0.1, 0.3, 40) for name in FEATURE_SETS["asd-early"]}
    pd.read_csv(table).assign(**features, early_epoch=1).to_csv(table, index=False)
    model = str(tmp_path / "model.json")
    words = ["gap", "fit", str(table), "--features", "asd-early", "--method", "gaussian-process", "-o", model]
    assert main(words) == 0
    assert "Gaussian process over h0_death_mean" in capsys.readouterr().out
    named = ["--net", "lenet_300_100", "--dataset", "digits"]
    assert main(["train", *named, "--n-epochs-train", "2", "--save-path", str(tmp_path)]) == 0
    run = tmp_path / "lenet_300_100_digits" / "trial0"
    rows = {}
    for epoch in (1, 2):
        out = tmp_path / f"{epoch}.csv"
        with warnings.catch_warnings(record=True):
            words = ["gap", "predict", "--run", str(run), "--epoch", str(epoch), "--model", model, "-o", str(out)]
            assert main(words) == 0
        rows[epoch] = pd.read_csv(out).iloc[0]
    assert rows[1]["early_h1_birth_mean"] == rows[1]["h1_birth_mean"] == rows[2]["early_h1_birth_mean"]
    assert rows[2]["h1_birth_mean"] != rows[1]["h1_birth_mean"]
    capsys.readouterr()
    file = run / "checkpoints" / "epoch2.pt"
    assert main(["gap", "predict", "--checkpoint", str(file), "--model", model, "-o", str(out)]) == 0
    assert pd.read_csv(out)["gap"][0] == rows[2]["gap"]
    elsewhere = str(shutil.copy(file, tmp_path / "elsewhere.pt"))
    capsys.readouterr()
    assert main(["gap", "predict", "--checkpoint", elsewhere, *named, "--model", model]) == 2
    assert "also looks at epoch 1 of a network's training: name its RUN" in capsys.readouterr().err
    (run / "checkpoints" / "epoch1.pt").unlink()
    assert main(["gap", "predict", "--run", str(run), "--model", model]) == 2
    assert "epoch 1 of lenet_300_100 on digits" in capsys.readouterr().err


def test_weights_of_a_run_are_measured_on_the_images_and_labels_that_they_were_trained_on(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, results = str(tmp_path / "model.json"), str(tmp_path / "results")
    assert main(["gap", "fit", str(table), *PAPERS, "-o", model]) == 0
    words = ["--net", "mlp", "--dataset", "digits", "--width", "0.5", "--train-size", "400", "--permute-labels", "0.5"]
    assert main(["train", *words, "--lr", "0.2", "--n-epochs-train", "3", "--save-path", results]) == 0
    run = tmp_path / "results" / "mlp_digits" / "trial0"
    (tmp_path / "link.pt").symlink_to(run / "checkpoints" / "epoch2.pt")
    history = pd.read_csv(run / "history.csv").set_index("epoch")
    monkeypatch.chdir(run / "checkpoints")
    named = [(["epoch2.pt"], 2), ([str(tmp_path / "link.pt"), "--net", "mlp"], 2), (["../training.pt"], 3)]
    for place, epoch in named:
        capsys.readouterr()
        out = str(tmp_path / "gap.csv")
        assert main(["gap", "predict", "--checkpoint", *place, "--model", model, "-o", out]) == 0
        assert f"on the images and labels of mlp on digits, {run}" in capsys.readouterr().err
        row = pd.read_csv(out).iloc[0]
        assert row["train_accuracy"] == history["train_accuracy"][epoch]
        assert (row["run"], row["checkpoint"]) == (str(run), place[0])
        assert np.isnan(row["epoch"]) if place[0].endswith("training.pt") else row["epoch"] == epoch
    assert main(["gap", "predict", str(run), "--epoch", "2", "--model", model, "-o", str(tmp_path / "b.csv")]) == 0
    assert pd.read_csv(tmp_path / "b.csv")["epoch"].tolist() == [2]


def test_other_names_than_the_runs_and_weights_from_elsewhere_are_taken_for_trained_on_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["train", "--net", "mlp", "--dataset", "digits", "--n-epochs-train", "0", "--save-path", str(tmp_path)])
        == 0
    )
    file = tmp_path / "mlp_digits" / "trial0" / "checkpoints" / "epoch0.pt"
    machine = options.Machine()
    assert options.Named().that_left(file, machine).folder == file.parents[1]
    assert options.Named(dataset="digits").that_left(file, machine).folder == file.parents[1]
    assert "on the images and labels of mlp on digits" in capsys.readouterr().err
    assert options.Named(dataset="mnist1d").that_left(file, machine).training.dataset == "mnist1d"
    assert "on all of mnist1d, with its own labels" in capsys.readouterr().err
    copy = shutil.copy(file, tmp_path)
    assert options.Named(trial=3).that_left(Path(copy), machine).training.seed == 3
    (file.parents[1] / "settings.json").write_text('{"a": "program of another kind"}')
    assert options.Named().that_left(file, machine).training.net == "lenet"


def test_an_evaluation_leaves_tables_and_a_picture(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gap", "evaluate", str(table), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "predict the mean" in said
    assert "lambda-mu (gaps shuffled)" in said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "gap_study.png",
        *(f"gap_study_{name}.csv" for name in ("scores", "differences", "added", "predictions")),
    }


def test_mistakes_are_one_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "heads.csv").write_text("life,midlife,gap\n")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    model = str(tmp_path / "model.json")
    assert main(["gap", "fit", str(table), *PAPERS, "-o", model]) == 0
    cases = {
        "cannot read": ["fit", str(tmp_path / "none.csv")],
        "is no table in CSV": ["fit", str(tmp_path / "empty.csv")],
        "is no table": ["fit", str(tmp_path / "bytes.csv")],
        f"is a folder and no table: name {table}": ["fit", str(tmp_path)],
        "has no rows": ["evaluate", str(tmp_path / "heads.csv")],
        "unknown --features 'asdf'": ["fit", str(table), "--features", "asdf"],
        'Invalid value "forest" for --method': ["fit", str(table), "--method", "forest"],
        "takes hours": ["evaluate", str(table), "--by-row", "--method", "gaussian-process"],
        "no column 'h0_death_mean'": ["fit", str(table), "--features", "asd"],
        "either the RUN or the --checkpoint": ["predict", "--model", model],
        "--epoch those of a RUN": ["predict", "--model", model, "--checkpoint", model, "--epoch", "1"],
        "is no folder of a run": ["predict", "--model", model, "--run", str(tmp_path)],
        "is no model of the gap": ["predict", "--model", str(table.with_suffix(".json")), "--run", str(tmp_path)],
    }
    table.with_suffix(".json").write_text("{}")
    for message, words in cases.items():
        capsys.readouterr()
        assert main(["gap", *words]) == 2
        complaint = capsys.readouterr().err
        assert message in complaint
        assert len(complaint.splitlines()) == 1


def test_the_default_is_fitted_on_what_a_study_leaves_and_foretells_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = [f'{{ net = "mlp", dataset = "digits", train_size = 60, epochs = 2, seed = {seed} }}' for seed in range(14)]
    how = "[topology]\nmax_epsilon = 0.4\nmax_dim = 1\nn_inputs = 40\nepochs = [1, 2]\n"
    (tmp_path / "some.toml").write_text(f"grid = [{', '.join(grid)}]\n{how}")
    assert main(["study", str(tmp_path / "some.toml"), "--save-path", str(tmp_path)]) == 0
    model = str(tmp_path / "model.json")
    assert main(["gap", "fit", str(tmp_path / "study_some" / "study.csv"), "-o", model]) == 0
    assert "Gaussian process over train_accuracy, loo_agreement" in capsys.readouterr().out
    words = ["--net", "mlp", "--dataset", "digits", "--n-epochs-train", "2", "--save-path", str(tmp_path)]
    assert main(["train", *words]) == 0
    with warnings.catch_warnings(record=True):
        assert main(["gap", "predict", str(tmp_path / "mlp_digits" / "trial0"), "--model", model]) == 0
    said = capsys.readouterr()
    assert "90% interval" in said.out
    assert "have hardly learned" not in said.err
    assert main(["gap", "predict", str(tmp_path / "mlp_digits" / "trial0")]) == 0  # by the model of the package
    assert "90% interval" in capsys.readouterr().out
    hardly = tmp_path / "hardly"
    assert main(["train", *words[:-1], str(hardly), "--lr", "0.000001"]) == 0
    capsys.readouterr()
    assert main(["gap", "predict", str(hardly / "mlp_digits" / "trial0"), "--model", model]) == 0
    assert "have hardly learned" not in capsys.readouterr().err  # leave-one-out errs no more there
    purity = ["--features", "purity", "-o", model]
    assert main(["gap", "fit", str(tmp_path / "study_some" / "study.csv"), *purity]) == 0
    assert main(["gap", "predict", str(hardly / "mlp_digits" / "trial0"), "--model", model]) == 0
    (warned,) = [line for line in capsys.readouterr().err.splitlines() if "have hardly learned" in line]
    assert warned.startswith("dnn-topology: warning: 1 of 1 networks have hardly learned (row 0: training accuracy 0.")


def test_what_a_model_does_not_look_at_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"train_accuracy": np.linspace(0.5, 1, 20), "loo_agreement": np.linspace(0.9, 0.4, 20)})
    others = ("life", "midlife", *FEATURE_SETS["purity"])
    made_of = {**dict.fromkeys(others, np.linspace(0.1, 0.2, 20) ** 2), "gap": np.linspace(0, 50, 20)}
    table.assign(**made_of).to_csv(tmp_path / "table.csv", index=False)
    words = ["--net", "mlp", "--dataset", "digits", "--n-epochs-train", "1", "--save-path", str(tmp_path)]
    assert main(["train", *words]) == 0
    drawn = list[str]()

    def draws_of(part: str) -> Callable[..., list[object]]:
        def no_draws(*_: object, **__: object) -> list[object]:
            drawn.append(part)
            return []

        return no_draws

    monkeypatch.setattr("dnn_topology.nets.draws.measured_draws", draws_of("graph"))
    monkeypatch.setattr("dnn_topology.nets.draws.labelled_draws", draws_of("inputs"))
    for features, parts in (("leave-one-out", []), ("lambda-mu", ["graph"]), ("purity", ["inputs"])):
        model = str(tmp_path / "model.json")
        assert main(["gap", "fit", str(tmp_path / "table.csv"), "--features", features, "-o", model]) == 0
        main(["gap", "predict", str(tmp_path / "mlp_digits" / "trial0"), "--model", model])
        assert drawn == parts
        drawn.clear()
