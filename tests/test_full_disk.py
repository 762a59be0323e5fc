"""Whichever file the disk has no room for: one line, what is finished stays whole, and the same call goes on."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from dnn_topology import store
from dnn_topology._machine import CannotWriteError, of_the_machine
from dnn_topology.cli import main
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.stopping import USUAL, StoppingEpochs
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study
from dnn_topology.runs.training import run_training
from dnn_topology.settings import Resources, RunMeasureSettings, TrainSettings
from dnn_topology.settings.cells import Cell

TRAINING = TrainSettings(net="mlp", dataset="digits", width=0.1, data_subset=0.05)
SETTINGS = RunMeasureSettings(n_inputs=20, max_dim=1)
CHANGING = ("manifest.json", "history.csv", "training.pt", "study.csv", "epochs.csv", ".parquet")  # with every epoch
TIMED = ("manifest.json",)  # they say when files were written


def a_run(folder: Path) -> None:
    """Train and measure a network in every way that leaves files."""
    run = Run.named(TRAINING, folder)
    run_training(run, epochs=1)
    measure_epochs(run, replace(SETTINGS, graph_type="grouped", split=5), [1])
    StoppingEpochs(run, replace(USUAL, n_inputs=20)).quantities([1])


def a_study(folder: Path) -> None:
    """Train and measure two networks of a study."""
    cells = tuple(Cell(replace(TRAINING, seed=seed), 1, (1,), SETTINGS, keep_weights=True) for seed in (0, 1))
    StudyFolder(folder).finish(Study("two", cells), Resources(threads=1))


class Disk:
    """A disk that has no room for one file, the one after so many others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_written, self.full_at, self._sync = 0, -1, os.fsync
        monkeypatch.setattr(os, "fsync", self.sync)

    def sync(self, file: int) -> None:
        self.n_written += 1
        if self.n_written == self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(file)


def contents(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Path → content of every file, the time that a cell took left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(without)]
    texts = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {name: text.partition(b'"rows"')[2] if "cells" in name else text for name, text in texts.items()}


@pytest.mark.parametrize("work", [pytest.param(a_run, marks=pytest.mark.slow), a_study])
def test_a_disk_without_room_for_any_one_file_costs_that_file_alone(
    work: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    work(tmp_path / "whole")
    whole, n_files = contents(tmp_path / "whole", without=TIMED), disk.n_written
    assert n_files > 10
    for number in range(1, n_files + 1):
        folder = tmp_path / "full"
        disk.n_written, disk.full_at = 0, number
        with pytest.raises(CannotWriteError, match=r"^cannot write .*: No space left on device: free some space or "):
            work(folder)
        left = contents(folder)
        assert not [name for name in left if store.PARTIAL in name]
        assert contents(folder, without=CHANGING).items() <= whole.items()
        disk.full_at = -1
        work(folder)
        assert contents(folder, without=TIMED) == whole
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "cannot write /x/y: No space left on device: "),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), "cannot write /x/y: Read-only file system: "),
        (OSError(errno.ENOSPC, "No space left on device"), "a file cannot be written: No space left on device: "),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), "no folder for temporary"),
    ],
)
def test_what_a_library_meets_on_a_full_machine_is_one_line_too(error: OSError, line: str) -> None:
    told = of_the_machine(error)
    assert str(told).startswith(line)
    assert "\n" not in str(told)


def test_other_errors_of_files_are_not_the_machines() -> None:
    assert of_the_machine(FileNotFoundError(errno.ENOENT, "No such file or directory", "/x")) is None
    assert of_the_machine(PermissionError(errno.EACCES, "Permission denied", "/x")) is None


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was measured."""
    run = Run.named(TRAINING, tmp_path_factory.mktemp("trained"))
    run_training(run, epochs=1)
    measure_epochs(run, SETTINGS, [0, 1])
    return run.folder


COMMANDS = {
    "visualise RUN --formats png": "name another folder with --out",
    "visualise RUN --formats png --out OUT": "name another --out",
    "early-stop RUN --draws 0 --n-inputs 20": "name another folder with --out",
    "topology RUN --n-inputs 20 --max-dim 1": "copy RUN to where it can be written to and name the copy",
    "train --net mlp --dataset digits --n-epochs-train 0 --save-path OUT": "name another --save-path",
    "train --net mlp --dataset digits --n-epochs-train 0": "name another folder with --save-path",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_remedy_is_one_that_the_command_has(
    command: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def named(text: str) -> str:
        return text.replace("RUN", str(trained)).replace("OUT", str(tmp_path / "out"))

    monkeypatch.chdir(tmp_path)
    before = contents(trained)
    Disk(monkeypatch).full_at = 1
    assert main(named(command).split()) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.endswith(f"No space left on device: free some space or {named(COMMANDS[command])}")
    assert contents(trained) == before


def test_the_backend_of_a_notebook_that_calls_the_program_is_no_concern_of_its_pictures(
    trained: Path, tmp_path: Path
) -> None:
    words = ["visualise", str(trained), "--formats", "png", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "module://no.such_backend"}
    done = subprocess.run([sys.executable, "-m", "dnn_topology", *words], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "betti_curves_H1.png").stat().st_size


def test_a_backend_that_matplotlib_does_not_know_is_said_in_one_line(trained: Path, tmp_path: Path) -> None:
    words = ["visualise", str(trained), "--formats", "png", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "nonsense"}
    done = subprocess.run([sys.executable, "-m", "dnn_topology", *words], env=environment, capture_output=True)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert "MPLBACKEND=nonsense is no backend" in line


def test_what_is_written_again_of_a_finished_training_is_said(tmp_path: Path) -> None:
    run = Run.named(TRAINING, tmp_path)
    run_training(run, epochs=1)
    before = run.checkpoint(1).read_bytes()
    run.checkpoint(1).write_bytes(b"")
    (run.folder / "history.csv").write_bytes(b"")
    said: list[str] = []
    run_training(run, epochs=1, say=said.append)
    assert [line.partition(" is not what was written")[0] for line in said] == [
        str(run.checkpoint(1)),
        str(run.folder / "history.csv"),
    ]
    assert run.checkpoint(1).read_bytes() == before


def test_a_finished_run_that_is_for_reading_only_is_left_as_it_is_and_ends_well(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["topology", str(trained), "--n-inputs", "20", "--max-dim", "1"]
    assert main(command) == 0
    before = contents(trained)

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.mkstemp", refuse)  # whoever runs the tests may be allowed to write anywhere
    capsys.readouterr()
    assert main(command) == 0
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.endswith("eps0.3 is for reading only: all is measured, and what lies there stays as it is")
    assert contents(trained) == before
    assert main([*command, "--min-persistence", "0.1"]) == 2  # which gives another table
    assert "topology.csv: Read-only file system" in capsys.readouterr().err
    assert main([*command, "--max-epsilon", "0.2"]) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.endswith(f"Read-only file system: copy {trained} to where it can be written to and name the copy")


def test_a_dimension_that_was_not_measured_is_answered_with_the_one_to_ask_for(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["visualise", str(trained), "--dim", "3", "--out", str(tmp_path)]) == 2
    assert "dimension 3 was not computed: take --dim 1, or measure again" in capsys.readouterr().err
