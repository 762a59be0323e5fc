from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.work.isolate import Failure, isolated


def act(task: str) -> str | int:
    """What the tasks below ask for; module-level, so that a child process finds it."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "sleep":
        threading.Event().wait()
    if task == "refuse":
        raise DnnTopologyError("give another layer")
    if task == "stumble":
        raise ZeroDivisionError("ours")
    return os.getpid() if task == "pid" else task


def kind(outcome: object) -> str:
    """Of a failure what kind it is, else "done"."""
    return outcome.kind if isinstance(outcome, Failure) else "done"


def test_whatever_happens_to_one_task_the_others_are_done() -> None:
    tasks = ["a", "die", "b", "refuse", "stumble", "c"]
    found = dict(isolated(act, tasks, jobs=1))
    assert {task: kind(outcome) for task, outcome in found.items()} == {
        "a": "done", "b": "done", "c": "done", "die": "killed", "refuse": "refused", "stumble": "fault",
    }  # fmt: skip
    assert found["die"] == Failure("killed", "its process was killed, most likely for want of memory")
    assert found["refuse"] == Failure("refused", "give another layer")
    assert isinstance(found["stumble"], Failure)
    assert found["stumble"].reason.endswith("ZeroDivisionError: ours\n")


def test_a_task_that_takes_too_long_is_given_up_and_another_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("dnn_topology.work.isolate.time", SimpleNamespace(monotonic=lambda: clock.now))
    outcomes = isolated(act, ["sleep", "a"], jobs=2, timeout=1000)
    assert next(outcomes) == ("a", "a")
    clock.now = 1001
    assert [*outcomes] == [("sleep", Failure("timeout", "it took longer than 1000 s"))]


def test_a_process_is_used_again() -> None:
    found = [outcome for _, outcome in isolated(act, ["pid", "pid", "pid"], jobs=1)]
    assert len(set(found)) == 1
    assert found[0] != os.getpid()


def test_leaving_the_loop_ends_the_processes() -> None:
    for _ in isolated(act, ["a", "sleep", "sleep"], jobs=2):
        break
    left = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert not left


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    assert not list(isolated(act, [], jobs=2))
    assert not list(tmp_path.iterdir())


def hold(folder: Path) -> None:
    """Keep the interpreter busy from C, as an engine does, so that no thread of Python runs in this process."""
    (folder / "writing").write_text(str(os.getpid()))
    (folder / "writing").rename(folder / "pid")
    sys.setswitchinterval(1e6)
    c = ctypes.PyDLL(None)
    c.sleep(300)
    c.creat(str(folder / "woken").encode(), 0o600)


HOLDING = """
import sys
from pathlib import Path
from dnn_topology.work.isolate import isolated
from tests.work.test_isolate import hold
if __name__ == "__main__":
    list(isolated(hold, [Path(sys.argv[1])], jobs=1))
"""


def with_tests() -> dict[str, str]:
    """The environment of a process that imports these tests too."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}


UNGUARDED = """
from dnn_topology._checks import DnnTopologyError
from dnn_topology.work.isolate import isolated
from tests.work.test_isolate import act
try:
    print([*isolated(act, ["a", "b"], jobs=2)])
except DnnTopologyError as error:
    print(error)
"""


def test_a_script_without_a_main_guard_is_told_so_once(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=with_tests())
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == (
        f"{script} starts processes, each of which runs it from its first line: put what it does under "
        '`if __name__ == "__main__":` and run it again\n'
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a thread waits for the parent's end")
def test_a_child_whose_threads_cannot_run_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "holding.py"
    script.write_text(HOLDING)
    parent = subprocess.Popen([sys.executable, script, tmp_path], env=with_tests())
    while not (tmp_path / "pid").exists() and parent.poll() is None:
        time.sleep(0.01)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:  # for which nobody here may wait
            time.sleep(0.01)
    assert not (tmp_path / "woken").exists()
