from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dnn_topology import store
from dnn_topology.cli import main
from dnn_topology.work.manifest import Manifest

TRAIN = ["--net", "lenet_300_100", "--dataset", "digits", "--lr", "0.05", "--n-epochs-train", "6", "--n-inputs", "200"]
RULE = ["--early-stop", "topology", "--early-stop-quantity", "midlife", "--patience", "2", "--min-delta", "-0.02"]
FILES = ("early_stopping.json", "early_stopping.csv", "early_stopping.png")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that topology stopped."""
    results = tmp_path_factory.mktemp("stopped")
    words = ["run", "--no-report", *TRAIN, *RULE, "--max-dim", "1", "--save-path", str(results)]
    assert main(words) == 0
    return results / "lenet_300_100_digits" / "trial0"


def decided(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "early_stopping.json").read_text())
    return found


def test_a_run_ends_where_the_rule_says_and_measures_the_chosen_epoch(stopped: Path) -> None:
    found = decided(stopped / "early_stopping")
    history = pd.read_csv(stopped / "history.csv")
    assert found["stop_epoch"] is not None
    assert history["epoch"].iloc[-1] == found["stop_epoch"] < 6
    measured = set(pd.read_csv(stopped / "eps0.3" / "topology.csv")["epoch"])
    assert {found["chosen_epoch"], found["stop_epoch"]} <= measured
    assert (stopped / "checkpoints" / f"epoch{found['chosen_epoch']}.pt").exists()
    assert all((stopped / "early_stopping" / name).exists() for name in FILES)


def test_the_same_command_again_trains_no_further(stopped: Path) -> None:
    before = (stopped / "training.pt").read_bytes()
    words = ["run", "--no-report", *TRAIN, *RULE, "--max-dim", "1", "--save-path", str(stopped.parents[1])]
    assert main(words) == 0
    assert (stopped / "training.pt").read_bytes() == before


def test_afterwards_the_same_rule_decides_the_same_and_says_how_sure(
    stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["early-stop", str(stopped), "--rule", "midlife", "--patience", "2", "--min-delta", "-0.02"]
    words += ["--draws", "4", "-o", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr()
    online, offline = decided(stopped / "early_stopping"), decided(tmp_path)
    assert offline == online
    assert str(online["reason"]) in said.out
    assert "of 4 draws of the inputs choose it too" in said.out
    assert "measuring" not in said.err  # nothing was left to read but the draws
    table = pd.read_csv(tmp_path / "early_stopping.csv")
    assert table["chosen"].sum() == pytest.approx(1)
    assert (table["lower"] <= table["upper"]).all()
    assert (tmp_path / "early_stopping.png").exists()
    draws = pd.read_csv(stopped / "early_stopping" / "epoch1.csv")
    assert draws["draw"].tolist() == [0, 1, 2, 3, 4]
    assert draws["midlife"].nunique() == 5


def test_more_draws_keep_those_that_were_read_and_another_rule_reads_nothing(stopped: Path, tmp_path: Path) -> None:
    path = stopped / "early_stopping" / "epoch0.csv"
    words = ["early-stop", str(stopped), "--rule", "midlife", "-o", str(tmp_path)]
    assert main([*words, "--draws", "5"]) == 0
    before = pd.read_csv(path)
    assert main([*words, "--draws", "7"]) == 0
    after = pd.read_csv(path)
    assert len(after) == 8
    pd.testing.assert_frame_equal(after.head(6), before.head(6))
    written = path.stat().st_mtime_ns
    assert (
        main([*words[:2], *words[4:], "--draws", "3", "--quantity", "density", "--patience", "1", "--min-delta", "0"])
        == 0
    )
    assert path.stat().st_mtime_ns == written
    values = {epoch: pd.read_csv(path.with_name(f"epoch{epoch}.csv"))["density"][0] for epoch in (0, 1, 2)}
    table = pd.read_csv(tmp_path / "early_stopping.csv").set_index("epoch")
    assert np.allclose([values[epoch] for epoch in (0, 1, 2)], table.loc[[0, 1, 2], "value"])


def test_jobs_in_processes_of_their_own_read_the_same(stopped: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert main(["train", *TRAIN[:-4], "--n-epochs-train", "2", "--save-path", str(results)]) == 0
    run = results / "lenet_300_100_digits" / "trial0"
    words = ["early-stop", str(run), "--rule", "midlife", "--n-inputs", "200", "--draws", "1"]
    assert main([*words, "--jobs", "2", "--nproc", "2"]) == 0
    for epoch in (0, 1, 2):
        ours = pd.read_csv(run / "early_stopping" / f"epoch{epoch}.csv")
        theirs = pd.read_csv(stopped / "early_stopping" / f"epoch{epoch}.csv")
        pd.testing.assert_frame_equal(ours.head(len(theirs)), theirs.head(len(ours)))


def test_mistakes_are_one_line(stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few"
    assert main(["train", *TRAIN[:-4], "--n-epochs-train", "0", "--save-path", str(few)]) == 0
    capsys.readouterr()
    run = ["run", *TRAIN, "--save-path", str(tmp_path / "none"), "--early-stop"]
    cases = {
        "training inputs alone": [*run, "topology", "--graph-split", "test"],
        "raise --save-every": [*run, "topology", "--save-every", "0"],
        'Invalid value "accuracy" for --early-stop': [*run, "accuracy"],
        "`dnn-topology early-stop`": [*run, "topology", "--train", "0"],
        'Invalid value "peak" for --quantity': ["early-stop", str(stopped), "--quantity", "peak"],
        "is of loops, which --rule neighbours": ["early-stop", str(stopped), "--max-epsilon", "0.3"],
        "'tree' or a number": ["early-stop", str(stopped), "--neighbours", "0"],
        "--neighbours must be 'tree' or fewer than the": ["early-stop", str(stopped), "--neighbours", "5000"],
        "--features 'numpy:nothing' cannot be imported": ["early-stop", str(stopped), "--features", "numpy:nothing"],
        "is no folder of a run": ["early-stop", str(tmp_path)],
        "compares epochs": ["early-stop", str(few / "lenet_300_100_digits" / "trial0")],
    }
    for message, words in cases.items():
        assert main(words) == 2, message
        said = capsys.readouterr().err
        assert message in said, said
        assert len(said.strip().splitlines()) == 1, said
    assert not (tmp_path / "none").exists()


def test_a_damaged_table_of_an_epoch_is_made_again(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stopped / "early_stopping" / "epoch0.csv"
    whole = pd.read_csv(path)
    path.write_text("draw,density\nx,1\n")
    assert main(["early-stop", str(stopped), "--rule", "midlife", "--draws", "4"]) == 0
    assert "not as they were written, so done again: epoch0" in capsys.readouterr().err
    again = pd.read_csv(path)
    pd.testing.assert_frame_equal(again.head(len(whole)), whole.head(len(again)))


def test_other_inputs_are_looked_at_beside_the_first(stopped: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(stopped, tmp_path / "copy")
    assert main(["early-stop", str(copy), "--rule", "midlife", "--n-inputs", "100", "--draws", "0"]) == 0
    first, second = (
        pd.read_csv(copy / name / "epoch1.csv") for name in ("early_stopping", "early_stopping_n_inputs-100")
    )
    assert first["midlife"][0] != second["midlife"][0]


def test_what_is_watched_is_what_is_measured(tmp_path: Path) -> None:
    """The metric, the type of graph and the layers of the run are those that its rule looks at."""
    words = [
        "run",
        "--no-report",
        *TRAIN[:-4],
        "--n-epochs-train",
        "1",
        "--n-inputs",
        "100",
        "--early-stop",
        "topology",
        "--max-dim",
        "1",
    ]
    assert main([*words, "--metric", "spearman", "--save-path", str(tmp_path)]) == 0
    run = tmp_path / "lenet_300_100_digits" / "trial0"
    assert json.loads((run / "early_stopping" / "settings.json").read_text())["metric"] == "spearman"
    watched = pd.read_csv(run / "early_stopping" / "epoch1.csv")["midlife"][0]
    assert (
        main(["early-stop", str(run), "--rule", "midlife", "--n-inputs", "100", "--metric", "pearson", "--draws", "0"])
        == 0
    )
    (other,) = run.glob("early_stopping_*/epoch1.csv")
    assert pd.read_csv(other)["midlife"][0] != watched


def test_an_epoch_that_takes_too_long_is_noted_and_the_others_are_decided_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *TRAIN[:-4], "--n-epochs-train", "2", "--save-path", str(tmp_path)]) == 0
    run = tmp_path / "lenet_300_100_digits" / "trial0"
    assert main(["early-stop", str(run), "--rule", "midlife", "--n-inputs", "200", "--draws", "0"]) == 0
    (run / "early_stopping" / "epoch1.csv").unlink()
    capsys.readouterr()
    assert main(["early-stop", str(run), "--rule", "midlife", "--draws", "0", "--timeout", "0.01"]) == 1
    said = capsys.readouterr()
    assert "epoch 1" in said.err
    assert "its weights" in said.out
    assert json.loads((run / "early_stopping" / "epoch1.failed.json").read_text())["kind"] == "timeout"


@pytest.fixture(scope="module")
def by_neighbours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that neighbours stopped: half of its labels are permuted."""
    results = tmp_path_factory.mktemp("neighbours")
    words = ["train", "--net", "mlp", "--dataset", "digits", "--train-size", "300", "--permute-labels", "0.5"]
    words += ["--lr", "0.2", "--n-epochs-train", "40", "--early-stop", "neighbours", "--patience", "4"]
    assert main([*words, "--save-path", str(results)]) == 0
    return results / "mlp_digits" / "trial0"


def test_neighbours_stop_a_training_before_it_memorises_and_afterwards_decide_the_same(
    by_neighbours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    online = decided(by_neighbours / "neighbours")
    history = pd.read_csv(by_neighbours / "history.csv").set_index("epoch")
    assert history.index[-1] == online["stop_epoch"] == online["chosen_epoch"] + 4 < 40
    assert history.loc[online["chosen_epoch"], "test_accuracy"] > history["test_accuracy"].max() - 0.06
    assert main(["early-stop", str(by_neighbours), "--patience", "4", "--draws", "6", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert decided(tmp_path) == online
    assert "of 6 draws of the inputs choose it too" in said.out
    assert "the neighbours' disagreement" in said.out
    assert all((tmp_path / name).exists() for name in FILES)
    table = pd.read_csv(tmp_path / "early_stopping.csv")
    assert ((table["lower"] <= table["value"]) & (table["value"] <= table["upper"])).all()


def test_other_neighbours_are_looked_at_beside_the_first(by_neighbours: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(by_neighbours, tmp_path / "copy")
    assert main(["early-stop", str(copy), "--neighbours", "3", "--draws", "0"]) == 0
    (other,) = copy.glob("neighbours_*")
    tree, three = (pd.read_csv(folder / "epoch2.csv") for folder in (copy / "neighbours", other))
    assert tree["neighbours"][0] != three["neighbours"][0]


@pytest.mark.parametrize("damage", ["cut", "another", "lost"])
@pytest.mark.parametrize("is_finished", [True, False])
def test_a_graph_on_the_inputs_that_is_not_as_it_was_written_is_said_and_made_again(
    by_neighbours: Path, tmp_path: Path, damage: str, is_finished: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(by_neighbours, tmp_path / "copy")
    edges, table = copy / "neighbours" / "edges.npz", copy / "neighbours" / "epoch2.csv"
    whole, before = edges.read_bytes(), pd.read_csv(table).head(1)
    if damage == "cut":
        edges.write_bytes(whole[:2])
    elif damage == "another":  # one that can be read
        store.write_arrays(edges, {"edges": np.array([[0, 1], [1, 2]])})
    else:
        edges.unlink()
    if not is_finished:
        table.unlink()
    capsys.readouterr()
    assert main(["early-stop", str(copy), "--draws", "0"]) == 0
    said = capsys.readouterr().err
    assert f"not as they were written, so done again: edges in {edges.parent}" in said
    assert edges.read_bytes() == whole
    pd.testing.assert_frame_equal(pd.read_csv(table).head(1), before)


def test_a_graph_that_an_older_version_left_is_taken_as_it_is(
    by_neighbours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(by_neighbours, tmp_path / "copy")
    (copy / "neighbours" / "manifest.json").unlink()
    capsys.readouterr()
    assert main(["early-stop", str(copy), "--draws", "0"]) == 0
    assert "done again" not in capsys.readouterr().err
    assert Manifest(copy / "neighbours").knows("edges")


def test_labels_that_neighbours_do_not_share_are_warned_of_once_before_training_and_again_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--net", "mlp", "--dataset", "digits", "--train-size", "200", "--permute-labels", "1"]
    words += ["--n-epochs-train", "3", "--early-stop", "neighbours", "--save-path", str(tmp_path)]
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # printed, as on the command line
        assert main(words) == 0
        said = capsys.readouterr().err
        assert said.count("no guide to when to stop") == 1
        assert said.index("no guide") < said.index("epoch 1 of 3")
        assert main(["early-stop", str(tmp_path / "mlp_digits" / "trial0"), "--draws", "0"]) == 0
    assert capsys.readouterr().err.count("no guide to when to stop") == 1
