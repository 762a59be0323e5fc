"""Real processes: killed, interrupted, and several at once; the results are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study
from dnn_topology.settings import Resources


def started(toml: Path, results: Path, *options: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "dnn_topology", "study", str(toml), "--save-path", str(results), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(toml: Path, results: Path) -> int:
    """Run the command to its end and return its exit status."""
    process = started(toml, results)
    process.communicate()
    return process.returncode


def wait_for(folder: Path, n_cells: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many cells are finished, or the command is at its end."""
    while len(finished(folder)) < n_cells and process.poll() is None:
        time.sleep(0.01)


def finished(folder: Path) -> dict[str, float]:
    """The finished cells, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("cells/[!.m]*.json")}


ENDLESS = """
[[grid]]
net = "mlp"
dataset = "digits"
train_size = 60
epochs = 1000000
"""


@pytest.fixture
def endless(toml: Path) -> Path:
    """The same study with a network that no machine ever finishes, so that there is a middle to be stopped in."""
    path = toml.with_name("endless") / toml.name
    path.parent.mkdir()
    path.write_text(toml.read_text().replace("[topology]", f"{ENDLESS}\n[topology]"))
    return path


def test_several_jobs_give_the_same_tables(study: Study, tmp_path: Path) -> None:
    folders = {jobs: StudyFolder(tmp_path / str(jobs)) for jobs in (1, 2)}
    for jobs, folder in folders.items():
        folder.finish(study, Resources(jobs=jobs, isolated=True, threads=1))
    for name in ("study.csv", "epochs.csv"):
        assert (folders[1].path / name).read_bytes() == (folders[2].path / name).read_bytes()


def test_a_cell_that_fails_does_not_keep_the_others(study: Study, tmp_path: Path) -> None:
    cells = [study.cells[0], replace(study.cells[1], training=replace(study.cells[1].training, lr=1e12))]
    outcomes = StudyFolder(tmp_path).finish(Study("two", tuple(cells)), Resources(isolated=True, threads=1))
    assert outcomes.finished == (cells[0],)
    assert "training diverged" in outcomes.failed[cells[1]].reason


def test_a_cell_that_takes_too_long_is_given_up(study: Study, tmp_path: Path) -> None:
    endless = replace(study.cells[2], epochs=10**6, measured=(10**6,))
    outcomes = StudyFolder(tmp_path).finish(Study("one", (endless,)), Resources(isolated=True, threads=1, timeout=3))
    assert "longer than 3 s" in outcomes.failed[endless].reason


def test_kept_weights_are_a_run_that_every_command_opens(study: Study, tmp_path: Path) -> None:
    cell = replace(study.cells[3], keep_weights=True)
    folder = StudyFolder(tmp_path)
    folder.finish(Study("one", (cell,)), Resources(threads=1))
    run = Run.open(tmp_path / "weights" / cell.name)
    assert run.training.width == 0.2
    measurement = measure_epochs(run, replace(cell.settings, n_inputs=20), [0, 2])
    assert measurement.epochs() == [0, 2]


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_to_the_same_table(toml: Path, endless: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed" / "study_small"
    process = started(endless, tmp_path / "killed", "--jobs", "2")
    wait_for(folder, 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = finished(folder)
    assert 2 <= len(before) <= 4
    assert run(toml, tmp_path / "killed") == 0
    assert finished(folder).items() >= before.items()
    assert run(toml, tmp_path / "whole") == 0
    for name in ("study.csv", "epochs.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / "study_small" / name).read_bytes()


@pytest.mark.slow
def test_ctrl_c_ends_the_children_and_keeps_what_is_finished(toml: Path, endless: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study_small"
    process = started(endless, tmp_path, "--jobs", "2")
    wait_for(folder, 1, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate()
    assert process.returncode == 130, complaint
    assert "interrupted; what is finished is kept, and the same command goes on from there" in complaint
    assert "Traceback" not in complaint
    assert children
    psutil.wait_procs(children)
    before = finished(folder)
    assert len(before) >= 1
    assert len((folder / "study.csv").read_text().splitlines()) == 1 + len(before)
    assert run(toml, tmp_path) == 0
    assert len(finished(folder)) == 4
    assert finished(folder).items() >= before.items()
