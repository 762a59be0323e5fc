"""The adapter against small programs that behave as DIPHA might; the conformance test has DIPHA itself."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.dipha import write_dipha
from dnn_topology.homology.dipha_graphs import read_dipha_graph, write_dipha_graph
from dnn_topology.homology.persistence import persistence
from tests.oracles import assert_same_diagram

SQUARE = FunctionalGraph.from_distances(
    [[0, 0.2, 0.4, 0.2], [0.2, 0, 0.2, 0.4], [0.4, 0.2, 0, 0.2], [0.2, 0.4, 0.2, 0]], max_epsilon=0.3
)


@pytest.fixture(autouse=True)
def _no_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that only starts a program, since none here speaks MPI, and a folder of files to look into."""
    launcher = tmp_path / "bin" / "mpiexec"
    launcher.parent.mkdir()
    launcher.write_text('#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift 2\nexec "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launcher.parent}:/usr/bin:/bin")
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "files"))


def program(folder: Path, text: str) -> str:
    """A program to name as an engine."""
    path = folder / "a-dipha"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"dipha:{path}"


def test_its_diagram_is_read_and_its_files_are_gone(tmp_path: Path) -> None:
    expected = persistence(SQUARE, max_dim=1, engine="gudhi")
    write_dipha(expected, tmp_path / "answer")
    engine = program(tmp_path, f'for last; do :; done; cp {tmp_path}/answer "$last"')
    assert_same_diagram(persistence(SQUARE, max_dim=1, engine=engine), expected)
    assert not list((tmp_path / "files").iterdir())


def test_it_is_asked_for_one_dimension_of_cells_more(tmp_path: Path) -> None:
    engine = program(tmp_path, f"echo $* > {tmp_path}/asked; exit 1")
    with pytest.raises(DnnTopologyError):
        persistence(SQUARE, max_dim=2, engine=engine, threads=3)
    assert "--dual --upper_dim 3 " in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo first; echo out of cells >&2; exit 3", "failed with status 3; its last lines: first / out of cells$"),
        ("kill -9 $$", "failed with status -?[0-9]+"),
        ("exit 0", "without a diagram"),
        ('for last; do :; done; echo rubbish > "$last"', "truncated|not a DIPHA file"),
    ],
)
def test_its_failure_is_told_in_its_own_last_lines(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        persistence(SQUARE, max_dim=1, engine=program(tmp_path, text))
    assert not list((tmp_path / "files").iterdir())


def test_several_processes_without_a_launcher_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DnnTopologyError, match="needs `mpiexec`"):
        persistence(SQUARE, engine=engine, threads=2)


def test_a_graph_comes_back_from_its_file(tmp_path: Path, real_graph: FunctionalGraph) -> None:
    write_dipha_graph(real_graph, tmp_path / "graph")
    found = read_dipha_graph(tmp_path / "graph", max_epsilon=real_graph.max_epsilon)
    np.testing.assert_array_equal(found.to_dense(), real_graph.to_dense())


def test_a_full_distance_matrix_is_read(tmp_path: Path) -> None:
    matrix = SQUARE.to_dense()
    header = np.array([8067171840, 7, len(matrix)], "<i8")
    (tmp_path / "full").write_bytes(header.tobytes() + matrix.astype("<f8").tobytes())
    np.testing.assert_array_equal(read_dipha_graph(tmp_path / "full").to_dense(), matrix)


@pytest.mark.parametrize("cut", [10, 30, 60, -1])
def test_a_truncated_graph_is_refused(tmp_path: Path, cut: int) -> None:
    write_dipha_graph(SQUARE, tmp_path / "graph")
    (tmp_path / "graph").write_bytes((tmp_path / "graph").read_bytes()[:cut])
    with pytest.raises(DnnTopologyError, match=r"truncated|damaged"):
        read_dipha_graph(tmp_path / "graph")


def test_a_full_disk_for_its_files_is_one_line_that_says_where_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DnnTopologyError, match=r"cannot write .*: No space left .*environment variable TMPDIR$"):
        persistence(SQUARE, max_dim=1, engine=program(tmp_path, "exit 0"))
    assert not list((tmp_path / "files").iterdir())


ENDLESS = """
import sys
from dnn_topology.homology.engines.dipha import _run
_run([sys.argv[1]])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    text = (
        f"echo $$ > {tmp_path}/writing; mv {tmp_path}/writing {tmp_path}/pid; sleep 300 & wait; touch {tmp_path}/woken"
    )
    words = [sys.executable, "-c", ENDLESS, program(tmp_path, text).removeprefix("dipha:")]
    parent = subprocess.Popen(words)
    while not (tmp_path / "pid").exists() and parent.poll() is None:
        time.sleep(0.01)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:  # for which nobody here may wait
            time.sleep(0.01)
    assert not (tmp_path / "woken").exists()


def test_a_single_node_needs_no_program_which_would_abort() -> None:
    one = persistence(FunctionalGraph.from_distances([[0.0]], max_epsilon=0.3), max_dim=1, engine="dipha:/bin/false")
    assert [points.tolist() for points in one.points] == [[[0.0, np.inf]], []]
