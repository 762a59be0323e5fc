"""A real scheduler and real worker processes on localhost; the tables are those of one machine."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnn_topology.cli import main
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study, read_study
from dnn_topology.settings import Resources
from dnn_topology.work.cluster import silent_logs
from tests.runs.cluster import Cluster
from tests.runs.study.test_local import finished, run, started, wait_for

distributed = pytest.importorskip("distributed")

# dask leaves its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
NAMES = ("left", "right")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, NAMES)
    yield running
    running.end()


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_midway_gives_the_table_of_one_machine(
    toml: Path, tmp_path: Path, cluster: Cluster
) -> None:
    results, here = tmp_path / "cluster", tmp_path / "here"
    folder = results / "study_small"
    with distributed.Client(cluster.address, timeout=600, set_as_default=False) as client:
        cluster.wait_for_workers(client)
        lost = cluster.processes[NAMES[0]]
        lost.send_signal(signal.SIGSTOP)  # so that, however fast the other is, this one keeps what it is given
        process = started(toml, results, "--scheduler", cluster.address)
        wait_for(folder, 1, process)
        while NAMES[0] not in cluster.busy(client) and process.poll() is None:
            time.sleep(0.01)
        before = finished(folder)
        lost.send_signal(signal.SIGKILL)
    assert 1 <= len(before) < 4
    _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert len(finished(folder)) == 4
    assert finished(folder).items() >= before.items()
    assert run(toml, here) == 0
    for name in ("study.csv", "epochs.csv"):
        assert (folder / name).read_bytes() == (here / "study_small" / name).read_bytes()


def test_a_scheduler_that_cannot_be_reached_is_one_line_and_nothing_is_lost(
    toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnn_topology.work.cluster.CONNECT", 1.0)  # which nothing answers within, however long it is
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


def test_what_dask_logs_of_a_lost_scheduler_is_kept_back_and_nothing_else() -> None:
    shown: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("distributed")
    logger.addHandler(handler)
    try:
        with silent_logs():
            logging.getLogger("distributed.client").error("a traceback")
        logging.getLogger("distributed.client").error("another")
    finally:
        logger.removeHandler(handler)
    assert shown == ["another"]
