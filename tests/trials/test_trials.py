"""Several trials from the command line: trained side by side, compared, refused where they cannot be."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dnn_topology import Diagrams, DnnTopologyError, compare
from dnn_topology.cli import main
from dnn_topology.cli.stopping import stopping_of
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.training import run_training
from dnn_topology.settings import Resources, RunMeasureSettings, StoppingSettings, TrainSettings
from dnn_topology.settings.training import of_trials
from dnn_topology.trials.groups import RunGroups
from dnn_topology.trials.running import run_trials
from dnn_topology.trials.training import train_trials

NET = "lenet_300_100"
SETTINGS = RunMeasureSettings(max_dim=1, n_inputs=40)


def named(folder: Path, number: int, **options: Any) -> Run:
    """A trial on a few digits."""
    training = TrainSettings(net=NET, dataset="digits", train_size=100, trial=number, seed=number, **options)
    return Run.named(training, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials with true labels and two with permuted ones, epochs 0 and 1 measured, one after the other."""
    folder = tmp_path_factory.mktemp("trials")
    for which, share in (("true", 0.0), ("permuted", 1.0)):
        for number in (0, 1):
            run = named(folder / which, number, permute_labels=share)
            run_training(run, epochs=1)
            measure_epochs(run, SETTINGS, [0, 1])
    return folder


def trial(trained: Path, which: str, number: int) -> Path:
    """The folder of a trial."""
    return trained / which / "lenet_300_100_digits" / f"trial{number}"


def complaint(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """The one line that a wrong comparison prints."""
    assert main(["compare", *map(str, args)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


def test_trials_side_by_side_are_the_trainings_with_those_seeds_and_are_not_done_twice(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = f"--net {NET} --dataset digits --train-size 100 --n-inputs 40 --max-dim 1 --nproc 2 --n-epochs-train 1"
    command = [*f"run {flags} --trials 2 --jobs 2 --build_graph 0".split(), "--save-path", str(tmp_path)]
    assert main(command) == 0
    for number in (0, 1):
        there, one = tmp_path / f"{NET}_digits" / f"trial{number}", trial(trained, "true", number)
        pd.testing.assert_frame_equal(pd.read_csv(there / "history.csv"), pd.read_csv(one / "history.csv"))
        assert json.loads((there / "settings.json").read_text())["seed"] == number
        for epoch in (0, 1):
            weights = [run.load_net(run.checkpoint(epoch)).state_dict() for run in (Run.open(there), Run.open(one))]
            assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    before = (there / "training.pt").stat().st_mtime_ns
    capsys.readouterr()
    assert main(command) == 0
    assert (there / "training.pt").stat().st_mtime_ns == before
    assert "accuracy" not in capsys.readouterr().err


@pytest.mark.parametrize(("seed", "seeds"), [(7, [7, 8, 9]), (None, [None, None, None])])
def test_the_number_and_a_seed_that_is_given_go_up_by_one_a_trial(seed: int | None, seeds: list[int | None]) -> None:
    made = of_trials(TrainSettings(net=NET, dataset="digits", trial=3), seed, 3)
    assert [one["training"].trial for one in made] == [3, 4, 5]
    assert [one["seed"] for one in made] == seeds


def test_trials_side_by_side_that_stop_early_leave_what_one_after_the_other_leave(tmp_path: Path) -> None:
    watched = partial(
        stopping_of,
        early_stop="midlife",
        asked=StoppingSettings(patience=1, min_delta=0.9),
        settings=SETTINGS,
        resources=None,
        save_every=1,
    )
    runs = [named(tmp_path / "beside", number) for number in (0, 1)]
    options: dict[str, Any] = {"epochs": 4, "save_epochs": (), "save_every": 1}
    train_trials(runs, **options, resources=Resources(jobs=2), watched=watched)
    for number, run in enumerate(runs):
        one = named(tmp_path / "after", number)
        watch = watched(one)
        assert watch is not None
        run_training(one, epochs=4, should_stop=watch.should_stop)
        assert run.epochs() == one.epochs() != list(range(5))
        tables = sorted(path.name for path in (one.folder / "early_stopping").iterdir())
        for name in ("history.csv", *(f"early_stopping/{name}" for name in tables if name.endswith(".csv"))):
            assert (run.folder / name).read_bytes() == (one.folder / name).read_bytes(), name


def test_trials_that_were_measured_are_described_as_a_group(trained: Path) -> None:
    runs = [Run.open(trial(trained, "true", number)) for number in (0, 1)]
    finished: list[int] = []
    options: dict[str, Any] = {"epochs": None, "save_epochs": (), "save_every": 1, "resources": Resources()}
    described = run_trials(runs, finished.append, SETTINGS, **options)
    assert described is not None
    assert finished == [0, 1]
    assert {path.name for path in described[1]} >= {"groups.csv", "history.png", "betti_curves_H1_epoch1.png"}
    assert described[0].report()[f"{NET} on digits"].str.contains("±").any()
    assert run_trials(runs, finished.append, None, **options) is None


def test_a_trial_that_cannot_be_trained_is_one_line_and_the_others_are_kept(tmp_path: Path) -> None:
    good, bad = named(tmp_path, 0), named(tmp_path, 1, lr=1e30)
    with pytest.raises(DnnTopologyError, match=r"trial1 could not be trained: .*; the others are kept"):
        train_trials([good, bad], epochs=1, save_epochs=(), save_every=1, resources=Resources(jobs=2))
    assert good.epochs() == [0, 1]


def test_runs_that_differ_in_the_seed_alone_form_a_group(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [trained / which / f"{NET}_digits" for which in ("true", "permuted")]
    assert main(["compare", *map(str, folders), "--out", str(trained / "compared")]) == 0
    printed = capsys.readouterr().out
    assert "no p-value can be below 0.33" in printed
    assert "permute_labels 0.0" in printed
    assert "nan" not in printed
    curves = pd.read_csv(trained / "compared" / "curves.csv")
    tracks = [
        [
            {e: Diagrams.load(trial(trained, which, n) / f"eps0.3/epoch{e}.npz").filtered() for e in (0, 1)}
            for n in (0, 1)
        ]
        for which in ("true", "permuted")
    ]
    np.testing.assert_allclose(curves["difference"], compare(tracks).curves["difference"])
    assert {path.name for path in (trained / "compared").iterdir()} >= {"groups.csv", "summaries.csv", "history.png"}


@pytest.mark.parametrize(("form", "start"), [("md", "| groups"), ("latex", r"\begin{tabular}"), ("csv", "groups,")])
def test_tables_are_printed_for_papers(
    form: str, start: str, trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folders = [trained / which / f"{NET}_digits" for which in ("true", "permuted")]
    assert main(["compare", *map(str, folders), "--format", form, "--epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(start)
    assert ("ε" in printed.out) == (form != "latex")
    assert str(tmp_path) not in printed.out  # which goes into a file
    assert str(tmp_path / "groups.csv") in printed.err
    assert "no p-value can be below" in printed.err


def test_a_group_of_one_is_described_and_not_tested(
    trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folders = [trial(trained, "true", 0), trained / "permuted" / f"{NET}_digits"]
    assert main(["compare", *map(str, folders), "--out", str(tmp_path)]) == 0
    assert "permute_labels 0.0 has one trial: described, not tested" in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.csv")] == ["groups.csv"]


def test_what_is_no_run_or_not_measured_or_newer_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = trial(trained, "true", 0)
    assert "name the folders of the runs" in complaint(capsys)
    assert f"{tmp_path} is no folder of a run" in complaint(capsys, good, tmp_path)
    unmeasured = shutil.copytree(trial(trained, "true", 1), tmp_path / "trial1")
    shutil.rmtree(unmeasured / "eps0.3")
    assert "there are no diagrams of lenet_300_100" in complaint(capsys, good, unmeasured)
    newer = shutil.copytree(trial(trained, "true", 1), tmp_path / "newer")
    stamp = json.loads((newer / "settings.json").read_text())
    (newer / "settings.json").write_text(json.dumps({**stamp, "format": 99}))
    assert "has format 99, and this version reads up to" in complaint(capsys, good, newer)


def test_runs_that_cannot_be_compared_are_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = trial(trained, "true", 0)
    copy = shutil.copytree(good, tmp_path / "copy")
    assert "are one training twice, with seed 0" in complaint(capsys, good, copy)
    other = shutil.copytree(trial(trained, "true", 1), tmp_path / "trial1")
    about = json.loads((other / "eps0.3" / "settings.json").read_text())
    (other / "eps0.3" / "settings.json").write_text(json.dumps({**about, "n_inputs": 50}))
    assert "was measured with n_inputs=50 and" in complaint(capsys, good, other)
    (other / "eps0.3" / "settings.json").write_text(json.dumps({**about, "max_epsilon": 0.4}))
    assert "was measured with --max-epsilon 0.4 and" in complaint(capsys, good, other)
    assert "epoch 7 of" in complaint(capsys, good, "--epochs", 7)


def test_data_that_depend_on_the_seed_do_not_part_a_group_and_other_data_do(trained: Path, tmp_path: Path) -> None:
    group = RunGroups.read([trained / "permuted" / "lenet_300_100_digits"])
    assert [len(one) for one in group.measurements.values()] == [2]
    other = shutil.copytree(trial(trained, "true", 1), tmp_path / "trial1")
    about = json.loads((other / "settings.json").read_text())
    (other / "settings.json").write_text(json.dumps({**about, "net": "mlp"}))
    parted = RunGroups.read([trial(trained, "true", 0), other])
    assert list(parted.measurements) == ["net lenet_300_100", "net mlp"]
