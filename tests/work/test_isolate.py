from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from dnn_topology._checks import DnnTopologyError
from dnn_topology.work.isolate import Failure, isolated


def act(task: str) -> str | int:
    """What the tasks below ask for; module-level, so that a child process finds it."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "sleep":
        time.sleep(60)
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


def test_a_task_that_takes_too_long_is_given_up() -> None:
    started = time.monotonic()
    found = dict(isolated(act, ["sleep", "a"], jobs=2, timeout=8))
    assert found == {"a": "a", "sleep": Failure("timeout", "it took longer than 8 s")}
    assert time.monotonic() - started < 30


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
