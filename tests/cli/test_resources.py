"""Epochs in child processes, through the whole command line: a death or a limit costs one epoch and not the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from dnn_topology.cli import main

NAMED = ["--net", "lenet_300_100", "--dataset", "digits"]
MEASURE = ["topology", *NAMED, "--n-inputs", "60", "--max-dim", "1", "--nproc", "1"]


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The folder of a training with the weights of three epochs."""
    assert main(["train", *NAMED, "--n-epochs-train", "2", "--data-subset", "0.1", "--save-path", str(tmp_path)]) == 0
    return tmp_path / "lenet_300_100_digits" / "trial0"


def failure(trained: Path, epoch: int) -> dict[str, str]:
    found: dict[str, str] = json.loads((trained / "eps0.3" / f"epoch{epoch}.failed.json").read_text())
    return found


def measured(trained: Path) -> set[int]:
    return set(pd.read_csv(trained / "eps0.3" / "topology.csv")["epoch"])


def test_a_child_that_is_killed_costs_its_epoch_and_the_next_call_makes_up_for_it(trained: Path) -> None:
    words = [sys.executable, "-m", "dnn_topology", *MEASURE, "--save-path", str(trained.parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    victims: list[psutil.Process] = []
    while not victims and process.poll() is None:
        with contextlib.suppress(psutil.Error):  # a child of another kind that ended meanwhile
            children = psutil.Process(process.pid).children()
            victims = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
        time.sleep(0.01)
    victims[0].send_signal(signal.SIGKILL)
    _, complaint = process.communicate()
    assert process.returncode == 1
    assert "not measured: epoch 0: its process was killed" in complaint.strip().splitlines()[-1]
    assert "Traceback" not in complaint
    assert failure(trained, 0)["kind"] == "killed"
    assert measured(trained) == {1, 2}
    assert main([*MEASURE, "--save-path", str(trained.parents[1])]) == 0
    assert measured(trained) == {0, 1, 2}
    assert not list(trained.glob("eps0.3/*.failed.json"))


def test_an_epoch_that_takes_too_long_is_given_up_with_its_reason(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*MEASURE, "--save-path", str(trained.parents[1])]
    assert main([*words, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main([*words, "--timeout", "0.01"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "not measured: epochs 0 2: it took longer than 0.01 s" in said[-1]
    assert [failure(trained, epoch)["kind"] for epoch in (0, 2)] == ["timeout", "timeout"]
    assert measured(trained) == {1}


def test_what_would_take_too_much_memory_is_refused_with_what_would_fit(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*MEASURE, "--save-path", str(trained.parents[1]), "--memory-limit", "1e-5"]
    assert main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert "not measured: epochs 0 1 2" in said[-1]
    assert "what would fit is" in said[-1]
    assert failure(trained, 1)["kind"] == "refused"
    assert not (trained / "eps0.3" / "topology.csv").exists()
