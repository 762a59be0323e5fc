from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.bootstrap import intervals
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.tables import counting, epoch_table
from dnn_topology.runs.measurements import RunMeasurement, find_measurement
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.results import interval_table
from dnn_topology.runs.run import Run
from dnn_topology.runs.training import run_training
from dnn_topology.settings import Resources, RunMeasureSettings, TrainSettings
from dnn_topology.work.reports import Reports

TRAINING = TrainSettings(net="lenet_300_100", dataset="digits", lr=0.05, data_subset=0.2)
SETTINGS = RunMeasureSettings(n_inputs=100, max_dim=1)


def results(folder: Path) -> dict[str, bytes]:
    """Every result of a run but the state to resume from, which holds nothing that the others do not."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".npz", ".out", ".csv"} and not path.name.startswith(store.PARTIAL)
    }


def named(folder: Path, **changes: Any) -> Run:
    return Run.named(replace(TRAINING, **changes), folder)


def measured(run: Run, **changes: Any) -> RunMeasurement:
    return RunMeasurement.of(run, replace(SETTINGS, **changes))


def run(folder: Path, *, epochs: int = 2, jobs: int = 1, **changes: Any) -> Run:
    made = named(folder, **changes)
    run_training(made, epochs=epochs)
    measure_epochs(made, SETTINGS, range(epochs + 1), resources=Resources(jobs=jobs, threads=1))
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("finished"))


def test_a_run_leaves_its_files_where_the_layout_says(finished: Run) -> None:
    assert (finished.folder.parents[1] / "lenet_300_100_digits" / "adj_epc2_trl0_0.3.bin.out").exists()
    assert (finished.folder / "history.csv").exists()
    assert finished.checkpoint(0).exists()
    assert measured(finished).epochs() == [0, 1, 2]
    assert not list(finished.folder.parents[1].rglob(f"{store.PARTIAL}*"))


def test_the_same_settings_give_the_same_bytes(finished: Run, tmp_path: Path) -> None:
    assert results(run(tmp_path).folder.parents[1]) == results(finished.folder.parents[1])


def test_several_jobs_give_the_same_bytes(finished: Run, tmp_path: Path) -> None:
    assert results(run(tmp_path, jobs=2).folder.parents[1]) == results(finished.folder.parents[1])


def test_another_seed_gives_other_results(finished: Run, tmp_path: Path) -> None:
    assert results(run(tmp_path, seed=1).folder.parents[1]) != results(finished.folder.parents[1])


def test_the_dipha_files_hold_the_same_diagrams(finished: Run) -> None:
    ours = measured(finished).load()[2]
    theirs = read_dipha(measured(finished).dipha_file(2))
    assert theirs == ours


def test_running_again_redoes_nothing(finished: Run) -> None:
    before = {
        path: path.stat().st_mtime_ns for path in finished.folder.parents[1].rglob("*.*") if path.suffix != ".csv"
    }
    epochs = []
    run_training(finished, epochs=2, on_epoch=lambda state: epochs.append(state.epoch))
    run(finished.folder.parents[1])
    assert epochs == []
    after = {path: path.stat().st_mtime_ns for path in before}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed <= {"epoch2.pt"}


def test_more_epochs_go_on_from_the_last(finished: Run, tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    assert results(run(tmp_path, epochs=2).folder.parents[1]) == results(finished.folder.parents[1])


SCRIPT = """
import sys
from pathlib import Path
from tests.runs.test_runs import run
if __name__ == "__main__":
    run(Path(sys.argv[1]), jobs=int(sys.argv[2]))
"""


def started(folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    """A run in a process group of its own, so that a kill takes it alone."""
    script = folder.parent / f"{folder.name}.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(jobs)], env={**os.environ, "PYTHONPATH": path}
    )


# Files whose appearance marks a moment worth a kill: in training, between two epochs, while measuring.
MOMENTS = ["checkpoints/epoch0.pt", "checkpoints/epoch2.pt", "eps0.3/epoch1.npz"]


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "names"), [(1, MOMENTS), (2, MOMENTS[-1:])])
def test_a_run_that_is_killed_anywhere_ends_as_an_uninterrupted_one(
    finished: Run, tmp_path: Path, jobs: int, names: list[str]
) -> None:
    folder = tmp_path / "run"
    for moment in (folder / "lenet_300_100_digits" / "trial0" / name for name in names):
        process = started(folder, jobs)
        while not moment.exists() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert moment.exists()
    assert started(folder, jobs).wait() == 0
    assert results(folder) == results(finished.folder.parents[1])


def test_other_settings_of_a_training_are_refused_and_change_nothing(finished: Run) -> None:
    before = results(finished.folder.parents[1])
    with pytest.raises(DnnTopologyError, match=r"made with other settings .lr was 0.05 and is now 0.1"):
        run_training(named(finished.folder.parents[1], lr=0.1), epochs=2)
    assert results(finished.folder.parents[1]) == before


def test_one_training_is_measured_with_several_settings_side_by_side(tmp_path: Path) -> None:
    made = run(tmp_path, epochs=1)
    before = results(tmp_path)
    second = measure_epochs(made, replace(SETTINGS, n_inputs=60), [0, 1])
    third = measure_epochs(made, replace(SETTINGS, n_inputs=60, metric="spearman"), [1])
    assert [path.name for path in (second.folder, third.folder)] == [
        "eps0.3_n_inputs-60",
        "eps0.3_n_inputs-60_metric-spearman",
    ]
    assert results(tmp_path).items() > before.items()
    assert measured(made, n_inputs=60) == second
    assert measured(made).load()[1] != second.load()[1] != third.load()[1]
    assert find_measurement(made).folder.name == "eps0.3"
    assert find_measurement(made, name=third.folder.name).settings.metric == "spearman"


def test_a_folder_of_an_older_version_goes_on_with_the_defaults_of_what_it_does_not_name(
    finished: Run, tmp_path: Path
) -> None:
    path = run(tmp_path, epochs=1).folder / "settings.json"
    settings = store.read_json(path)
    for name in ("weight_decay", "train_size", "width", "depth", "dropout"):
        del settings[name]
    store.write_json(path, settings)
    assert results(run(tmp_path, epochs=2).folder.parents[1]) == results(finished.folder.parents[1])
    with pytest.raises(DnnTopologyError, match=r"weight_decay was 0.0005 and is now 0.1"):
        run(tmp_path, weight_decay=0.1)


def test_what_a_training_varies_reaches_the_network_and_its_data(tmp_path: Path) -> None:
    training = replace(TRAINING, net="mlp", data_subset=1.0, train_size=50, width=0.1, depth=3, dropout=0.2)
    made = Run.named(training, tmp_path)
    data = made.load_data()
    assert len(data.train) == 50
    state = made.load_net().state_dict()
    assert [len(state[f"fc{place}.0.weight"]) for place in (1, 2, 3, 4)] == [10, 10, 10, 10]


def test_epochs_without_a_checkpoint_are_refused_with_those_that_have_one(finished: Run) -> None:
    with pytest.raises(DnnTopologyError, match=r"no checkpoint of epochs 7 9 of .* \(there are: 0 1 2\)"):
        measure_epochs(finished, SETTINGS, [1, 9, 7])


def test_epochs_without_diagrams_are_refused_with_those_that_have_some(finished: Run) -> None:
    with pytest.raises(DnnTopologyError, match=r"no diagrams of epoch 7 of .*there are: 0 1 2"):
        measured(finished).load([0, 7])


def test_a_mistyped_run_is_refused_with_the_nearest_one(finished: Run) -> None:
    other = named(finished.folder.parents[1], net="lenet_300")
    with pytest.raises(DnnTopologyError, match=r"\(did you mean .*lenet_300_100_digits/trial0\?\)"):
        find_measurement(other)


def test_a_damaged_or_lost_file_is_seen_and_made_again_as_it_was(finished: Run, tmp_path: Path) -> None:
    whole = results(finished.folder.parents[1])
    made = run(tmp_path)
    measurement = measured(made)
    damaged = [
        made.checkpoint(1),
        made.checkpoint(2),
        made.folder / "history.csv",
        measurement.diagrams_file(0),
        measurement.dipha_file(1),
    ]
    for change in (lambda path: path.write_bytes(b"damaged"), lambda path: path.write_bytes(b""), Path.unlink):
        for path in damaged:
            content = path.read_bytes()
            change(path)
            said: list[str] = []
            run_training(made, epochs=2, say=said.append)
            measure_epochs(made, SETTINGS, [0, 1, 2], resources=Resources(threads=1), reports=Reports(say=said.append))
            assert results(tmp_path) == whole, path
            if path.suffix == ".pt":
                assert path.read_bytes() == content
            assert said or path.name in {"history.csv", "epoch2.pt"}, path


def test_a_state_to_resume_from_that_is_damaged_starts_the_training_again(finished: Run, tmp_path: Path) -> None:
    made = run(tmp_path)
    (made.folder / "training.pt").write_bytes(b"damaged")
    said: list[str] = []
    run_training(made, epochs=2, say=said.append)
    assert "the training starts again" in said[0]
    assert results(tmp_path) == results(finished.folder.parents[1])


def test_measuring_a_damaged_checkpoint_is_refused_with_what_makes_it_again(tmp_path: Path) -> None:
    made = run(tmp_path, epochs=1)
    made.checkpoint(1).write_bytes(b"damaged")
    with pytest.raises(DnnTopologyError, match=r"epoch1.pt is damaged: .* makes it again"):
        measure_epochs(made, replace(SETTINGS, max_epsilon=0.2), [0, 1])


def cut_after_a_line(path: Path) -> None:
    """Leave a table that can be read and has lost its last row."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def with_another_digit(path: Path) -> None:
    """Leave a table that can be read and says something else."""
    path.write_bytes(path.read_bytes().replace(b"0.", b"1.", 1))


@pytest.mark.parametrize(
    "change", [Path.unlink, lambda path: path.write_bytes(b"damaged"), cut_after_a_line, with_another_digit]
)
def test_a_history_that_cannot_be_read_is_refused_with_what_makes_it_again(
    finished: Run, tmp_path: Path, change: Any
) -> None:
    copy = Run.open(shutil.copytree(finished.folder, tmp_path / "copy" / "trial0"))
    whole = (copy.folder / "history.csv").read_bytes()
    change(copy.folder / "history.csv")
    with pytest.raises(DnnTopologyError, match=r"history\.csv .*`train` with the settings of this run makes it again"):
        copy.history()
    run_training(copy, epochs=2)
    assert (copy.folder / "history.csv").read_bytes() == whole


def test_a_history_that_a_training_has_just_gone_on_with_is_read(finished: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(finished.folder, tmp_path / "copy" / "trial0"))
    path = copy.folder / "history.csv"
    last = path.read_bytes().splitlines(keepends=True)[-1]
    path.write_bytes(path.read_bytes() + b"3" + last[1:])
    assert copy.history()["epoch"].tolist() == [0, 1, 2, 3]


def test_the_originals_own_results_are_read_where_there_is_nothing_of_ours(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "lenet_mnist").symlink_to(golden)
    there = find_measurement(Run.named(TrainSettings(net="lenet", dataset="mnist"), tmp_path))
    assert list(there.load()) == [1, 5, 10, 20, 30, 40, 50]


def test_diagrams_beside_a_run_that_was_deleted_are_not_taken_for_those_of_a_new_one(tmp_path: Path) -> None:
    first = run(tmp_path, epochs=1)
    shutil.rmtree(first.folder)
    second = named(tmp_path, seed=1)
    run_training(second, epochs=1)
    measure_epochs(second, SETTINGS, [0])
    assert measured(second).epochs() == [0]


def test_a_copy_of_a_run_is_a_run_of_its_own(finished: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(finished.folder, tmp_path / "elsewhere"))
    assert replace(copy.training, data_source=None, data_digest=None) == finished.training
    assert copy.checkpoint(1).is_relative_to(tmp_path)
    assert measured(copy).load()[1] == measured(finished).load()[1]
    numbered = Run.open(shutil.copytree(finished.folder, tmp_path / "trial9"))
    assert measured(numbered).dipha_file(1).name == "adj_epc1_trl9_0.3.bin.out"


def test_a_run_that_is_nowhere_near_is_refused_without_unrelated_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs", "tests", "nowhere-else"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DnnTopologyError, match=r"is no folder of a run: name the folder trial0") as caught:
        Run.open("nowhere/trial0")
    assert "docs" not in str(caught.value)


def test_what_is_no_folder_of_a_run_is_refused_with_those_that_it_holds(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match=r"is no folder of a run: it holds .*trial0; name one of them"):
        Run.open(finished.folder.parent)
    with pytest.raises(DnnTopologyError, match=r"is no folder of a run: name the folder trial0"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    "inside", ["eps0.3", "checkpoints", "checkpoints/epoch1.pt", "eps0.3/epoch1.npz", "history.csv"]
)
def test_what_lies_in_the_folder_of_a_run_is_refused_with_the_run_that_it_lies_in(finished: Run, inside: str) -> None:
    measured(finished)
    assert (finished.folder / inside).exists()
    with pytest.raises(DnnTopologyError, match=r"but lies in that of one: name ") as caught:
        Run.open(finished.folder / inside)
    assert str(caught.value).endswith(f"name {finished.folder}")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a\ud800b"])
def test_a_name_that_no_folder_has_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(DnnTopologyError, match=r"^cannot read .*(such a name|too long)$"):
        Run.open(name)


def test_a_trial_that_is_not_there_is_refused_with_those_beside_it(finished: Run) -> None:
    with pytest.raises(DnnTopologyError, match=r"beside it there is .*trial0; name one of them"):
        Run.open(finished.folder.with_name("trial7"))


def test_the_run_around_a_relative_path_is_named_so_that_it_is_found(
    finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(measured(finished).folder)
    for named in (".", "epoch1.npz", "../eps0.3"):
        with pytest.raises(DnnTopologyError, match="but lies in that of one: name ") as caught:
            Run.open(named)
        assert Run.open(str(caught.value).partition(": name ")[2]).training == finished.training


def test_a_run_whose_weights_were_removed_is_still_one(finished: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    assert Run.open(copy).training == finished.training


def test_the_table_has_a_row_per_epoch_and_dimension(finished: Run) -> None:
    measurement = measured(finished)
    table = epoch_table(counting(measurement.load(), measurement.settings))
    assert table[["epoch", "dim"]].to_numpy().tolist() == [[e, k] for e in (0, 1, 2) for k in (0, 1)]
    assert (table["n_edges"] > 0).all()
    assert (table["min_persistence"] == 0.02).all()


@pytest.mark.parametrize("options", [{"max_epsilon": 0.6}, {"max_dim": -1}, {"graph_split": "both"}, {"n_inputs": 1}])
def test_settings_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DnnTopologyError):
        RunMeasureSettings(**options)


def test_the_graph_is_built_from_training_inputs_unless_test_inputs_are_asked_for(
    finished: Run, tmp_path: Path
) -> None:
    made = named(tmp_path)
    run_training(made, epochs=0)
    on_test = measure_epochs(made, replace(SETTINGS, graph_split="test"), [0])
    assert on_test.load()[0] != measured(finished).load()[0]
    training = made.load_data().train
    assert len(training) == round(0.2 * 1437)


def test_draws_of_neurons_are_kept_and_tabled_with_their_intervals(tmp_path: Path) -> None:
    made = named(tmp_path)
    run_training(made, epochs=1)
    settings = replace(SETTINGS, sample_nodes=40, sample_method="importance", bootstrap=3, min_persistence=0.01)
    measurement = measure_epochs(made, settings, [0, 1])
    assert measurement.epochs() == [0, 1]
    drawn = [Diagrams.load(measurement.diagrams_file(1, name)) for name in ("", "draw1", "draw2")]
    assert drawn[0] == measurement.load()[1]
    assert drawn[0] != drawn[1]
    table = interval_table(measurement)
    assert table is not None
    last = table[table["epoch"] == 1].drop(columns="epoch").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, intervals(one.filtered(min_persistence=0.01) for one in drawn))


def test_a_run_without_draws_has_no_intervals(finished: Run) -> None:
    assert interval_table(measured(finished)) is None


@pytest.mark.parametrize("is_lost", [False, True])
def test_parts_are_made_once_kept_when_epochs_follow_and_made_again_as_they_were_when_lost(
    finished: Run, tmp_path: Path, is_lost: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Run.open(shutil.copytree(finished.folder, tmp_path / "copy" / "trial0"))
    settings = replace(SETTINGS, n_inputs=60, graph_type="partitioned", split=2)
    groups = measure_epochs(made, settings, [1]).folder / "epoch1_groups.npz"
    content = groups.read_bytes()
    groups.unlink() if is_lost else groups.write_bytes(content[:40])
    there = measure_epochs(made, settings, [0, 2])
    assert [path.name for path in there.folder.glob("*_groups.npz")] == [groups.name]
    assert groups.read_bytes() == content
    assert there.epochs("part1") == [0, 1, 2]
    assert f"not as they were written, so done again: epoch1_groups in {there.folder}" in capsys.readouterr().err


def test_data_that_are_not_those_of_the_training_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"y_train": np.arange(40) % 10, "y_test": np.arange(10)}
    for split, n in (("train", 40), ("test", 10)):
        arrays[f"x_{split}"] = rng.integers(0, 255, (n, 8, 8), dtype=np.uint8)
    path = tmp_path / "own.npz"
    store.write_arrays(path, arrays)
    made = named(tmp_path, dataset=f"npz:{path}", data_subset=1.0)
    run_training(made, epochs=0)
    store.write_arrays(path, {**arrays, "x_train": arrays["x_train"][::-1]})
    with pytest.raises(DnnTopologyError, match=r"own.npz are not those that lenet_300_100 was trained on"):
        measure_epochs(Run.open(made.folder), replace(SETTINGS, n_inputs=20), [0])
