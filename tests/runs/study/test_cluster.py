"""A real scheduler and real worker processes on localhost; the tables are those of one machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnn_topology.cli import main
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study, read_study
from dnn_topology.settings import Resources
from tests.runs.study.test_local import finished, longer, run, started, wait_for

distributed = pytest.importorskip("distributed")

# dask leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
NAMES = ("left", "right")


class Cluster:
    """A scheduler and workers with a name each, all processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.processes = {"scheduler": self._start([*scheduler, "--scheduler-file", str(self.file)])}
        deadline = time.monotonic() + 60
        while not self.file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        for name in NAMES:
            worker = ["worker", "--scheduler-file", str(self.file), "--name", name, "--nthreads", "1", "--no-nanny"]
            local = ["--no-dashboard", "--local-directory", str(folder), "--death-timeout", "60"]
            self.processes[name] = self._start([*worker, *local])

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return str(json.loads(self.file.read_text())["address"])

    def busy(self, client: Any) -> list[str]:
        """The names of the workers that have a cell."""
        names = {address: about["name"] for address, about in client.scheduler_info()["workers"].items()}
        return [names[address] for address, keys in client.processing().items() if keys]

    def end(self) -> None:
        """Kill what still lives."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    @staticmethod
    def _start(words: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.end()


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_midway_gives_the_table_of_one_machine(
    toml: Path, tmp_path: Path, cluster: Cluster
) -> None:
    longer(toml)
    toml.write_text(toml.read_text().replace("epochs = 12", "epochs = 100"))
    results, here = tmp_path / "cluster", tmp_path / "here"
    folder = results / "study_small"
    with distributed.Client(cluster.address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(len(NAMES), timeout=60)
        process = started(toml, results, "--scheduler", cluster.address)
        wait_for(folder, 1, process)
        while len(busy := cluster.busy(client)) < len(NAMES) and process.poll() is None:
            time.sleep(0.01)
        before = finished(folder)
        cluster.processes[busy[0]].send_signal(signal.SIGKILL)
    assert 1 <= len(before) < 6
    _, complaint = process.communicate(timeout=240)
    assert process.returncode == 0, complaint
    assert len(finished(folder)) == 6
    assert finished(folder).items() >= before.items()
    assert run(toml, here) == 0
    for name in ("study.csv", "epochs.csv"):
        assert (folder / name).read_bytes() == (here / "study_small" / name).read_bytes()


def test_a_scheduler_that_cannot_be_reached_is_one_line_and_nothing_is_lost(
    toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = read_study(toml)
    folder = StudyFolder(tmp_path / "study_small")
    folder.finish(Study("small", study.cells[:1]), Resources(threads=1))
    before = finished(folder.path)
    assert len(before) == 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    assert main(["study", str(toml), "--save-path", str(tmp_path), "--scheduler", address]) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith(f"dnn-topology: no Dask scheduler at {address}")
    assert "dask scheduler" in last
    assert finished(folder.path) == before
