from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.bootstrap import intervals
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.runs import (
    Experiment,
    Resources,
    Topology,
    Training,
    bootstrap_table,
    draw_name,
    load_diagrams,
    measure_epochs,
    measured_epochs,
    run_training,
    topology_table,
)

TRAINING = Training(net="lenet_300_100", dataset="digits", lr=0.05, data_subset=0.2)
TOPOLOGY = Topology(n_inputs=100, max_dim=1)


def results(folder: Path) -> dict[str, bytes]:
    """Every result of a run but the state to resume from, which holds nothing that the others do not."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".npz", ".out", ".csv"} and not path.name.startswith(store.PARTIAL)
    }


def run(folder: Path, *, epochs: int = 2, jobs: int = 1, **changes: Any) -> Experiment:
    experiment = Experiment(replace(TRAINING, **changes), folder)
    run_training(experiment, epochs=epochs)
    measure_epochs(experiment, TOPOLOGY, range(epochs + 1), resources=Resources(jobs=jobs, threads=1))
    return experiment


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return run(tmp_path_factory.mktemp("finished"))


def test_a_run_leaves_its_files_where_the_layout_says(finished: Experiment) -> None:
    assert (finished.save_path / "lenet_300_100_digits" / "adj_epc2_trl0_0.3.bin.out").exists()
    assert (finished.trial_folder / "history.csv").exists()
    assert finished.checkpoint(0).exists()
    assert measured_epochs(finished, 0.3) == [0, 1, 2]
    assert not list(finished.save_path.rglob(f"{store.PARTIAL}*"))


def test_the_same_settings_give_the_same_bytes(finished: Experiment, tmp_path: Path) -> None:
    assert results(run(tmp_path).save_path) == results(finished.save_path)


def test_several_jobs_give_the_same_bytes(finished: Experiment, tmp_path: Path) -> None:
    assert results(run(tmp_path, jobs=2).save_path) == results(finished.save_path)


def test_another_seed_gives_other_results(finished: Experiment, tmp_path: Path) -> None:
    assert results(run(tmp_path, seed=1).save_path) != results(finished.save_path)


def test_the_dipha_files_hold_the_same_diagrams(finished: Experiment) -> None:
    ours = load_diagrams(finished, 0.3)[2]
    theirs = read_dipha(finished.dipha_file(2, 0.3))
    assert theirs == ours


def test_running_again_redoes_nothing(finished: Experiment) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.save_path.rglob("*.*") if path.suffix != ".csv"}
    epochs = []
    run_training(finished, epochs=2, on_epoch=lambda state: epochs.append(state.epoch))
    run(finished.save_path)
    assert epochs == []
    after = {path: path.stat().st_mtime_ns for path in before}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed <= {"epoch2.pt"}


def test_more_epochs_go_on_from_the_last(finished: Experiment, tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    assert results(run(tmp_path, epochs=2).save_path) == results(finished.save_path)


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
    finished: Experiment, tmp_path: Path, jobs: int, names: list[str]
) -> None:
    folder = tmp_path / "run"
    for moment in (folder / "lenet_300_100_digits" / "trial0" / name for name in names):
        process = started(folder, jobs)
        deadline = time.monotonic() + 120
        while not moment.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert moment.exists()
    assert started(folder, jobs).wait(timeout=120) == 0
    assert results(folder) == results(finished.save_path)


def test_other_settings_are_refused_and_change_nothing(finished: Experiment) -> None:
    before = results(finished.save_path)
    with pytest.raises(DnnTopologyError, match=r"made with other settings .lr was 0.05 and is now 0.1"):
        run_training(Experiment(replace(TRAINING, lr=0.1), finished.save_path), epochs=2)
    with pytest.raises(DnnTopologyError, match="n_inputs was 100 and is now 50"):
        measure_epochs(finished, replace(TOPOLOGY, n_inputs=50), [0])
    assert results(finished.save_path) == before


def test_a_folder_of_an_older_version_goes_on_with_the_defaults_of_what_it_does_not_name(
    finished: Experiment, tmp_path: Path
) -> None:
    experiment = run(tmp_path, epochs=1)
    path = experiment.trial_folder / "settings.json"
    settings = store.read_json(path)
    for name in ("weight_decay", "train_size", "width", "depth", "dropout"):
        del settings[name]
    store.write_json(path, settings)
    assert results(run(tmp_path, epochs=2).save_path) == results(finished.save_path)
    with pytest.raises(DnnTopologyError, match=r"weight_decay was 0.0005 and is now 0.1"):
        run(tmp_path, weight_decay=0.1)


def test_what_a_training_varies_reaches_the_network_and_its_data(tmp_path: Path) -> None:
    training = replace(TRAINING, net="mlp", data_subset=1.0, train_size=50, width=0.1, depth=3, dropout=0.2)
    experiment = Experiment(training, tmp_path)
    data = experiment.load_data()
    assert len(data.train) == 50
    state = experiment.build_net(data).state_dict()
    assert [len(state[f"fc{place}.0.weight"]) for place in (1, 2, 3, 4)] == [10, 10, 10, 10]


def test_epochs_without_a_checkpoint_are_refused_with_those_that_have_one(finished: Experiment) -> None:
    with pytest.raises(DnnTopologyError, match=r"epochs 7 9 of .* have no checkpoint .*there are: 0 1 2"):
        measure_epochs(finished, TOPOLOGY, [1, 9, 7])


def test_epochs_without_diagrams_are_refused_with_those_that_have_some(finished: Experiment) -> None:
    with pytest.raises(DnnTopologyError, match=r"epochs 7 of .* have no diagrams .*there are: 0 1 2"):
        load_diagrams(finished, 0.3, [0, 7])


def test_a_mistyped_run_is_refused_with_the_nearest_one(finished: Experiment) -> None:
    other = Experiment(replace(TRAINING, net="lenet_300"), finished.save_path)
    with pytest.raises(DnnTopologyError, match="did you mean lenet_300_100_digits"):
        load_diagrams(other, 0.3)


@pytest.mark.parametrize("name", ["training.pt", "checkpoints/epoch0.pt"])
def test_a_damaged_checkpoint_is_refused_and_nothing_is_lost(name: str, tmp_path: Path) -> None:
    experiment = run(tmp_path, epochs=1)
    (experiment.trial_folder / name).write_bytes(b"damaged")
    experiment.diagrams_file(0, 0.3).unlink()
    before = results(tmp_path)
    with pytest.raises(DnnTopologyError, match="is damaged"):
        run(tmp_path, epochs=1)
    assert results(tmp_path).items() >= before.items()


def test_the_originals_own_results_are_read_where_ours_are_missing(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "lenet_mnist").symlink_to(golden)
    found = load_diagrams(Experiment(Training(net="lenet", dataset="mnist"), tmp_path), 0.3)
    assert list(found) == [1, 5, 10, 20, 30, 40, 50]


def test_the_table_has_a_row_per_epoch_and_dimension(finished: Experiment) -> None:
    table = topology_table(load_diagrams(finished, 0.3), min_persistence=0.02)
    assert table[["epoch", "dim"]].to_numpy().tolist() == [[e, k] for e in (0, 1, 2) for k in (0, 1)]
    assert (table["n_edges"] > 0).all()
    assert (table["min_persistence"] == 0.02).all()


@pytest.mark.parametrize("options", [{"max_epsilon": 0.6}, {"max_dim": -1}, {"graph_split": "both"}, {"n_inputs": 1}])
def test_a_topology_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DnnTopologyError):
        Topology(**options)


def test_the_graph_is_built_from_training_inputs_unless_test_inputs_are_asked_for(
    finished: Experiment, tmp_path: Path
) -> None:
    experiment = Experiment(TRAINING, tmp_path)
    run_training(experiment, epochs=0)
    measure_epochs(experiment, replace(TOPOLOGY, graph_split="test"), [0])
    assert load_diagrams(experiment, 0.3)[0] != load_diagrams(finished, 0.3)[0]
    training = experiment.load_data().train
    assert len(training) == round(0.2 * 1437)


def test_draws_of_neurons_are_kept_and_tabled_with_their_intervals(tmp_path: Path) -> None:
    experiment = Experiment(TRAINING, tmp_path)
    run_training(experiment, epochs=1)
    topology = replace(TOPOLOGY, sample_nodes=40, sample_method="importance", bootstrap=3)
    measure_epochs(experiment, topology, [0, 1])
    assert measured_epochs(experiment, 0.3) == [0, 1]
    drawn = [Diagrams.load(experiment.diagrams_file(1, 0.3, draw_name(draw))) for draw in range(3)]
    assert drawn[0] == load_diagrams(experiment, 0.3)[1]
    assert drawn[0] != drawn[1]
    table = bootstrap_table(experiment, 0.3, min_persistence=0.01)
    assert table is not None
    last = table[table["epoch"] == 1].drop(columns="epoch").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, intervals([one.filtered(min_persistence=0.01) for one in drawn]))


def test_a_run_without_draws_has_no_intervals(finished: Experiment) -> None:
    assert bootstrap_table(finished, 0.3) is None
