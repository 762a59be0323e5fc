"""Work in child processes: a crash, a kill for want of memory or a time limit takes one task and not the run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, Literal, TypeVar

import psutil

from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import UNGUARDED, end_if_unguarded, ending_with_parent, of_the_machine

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """A task that came to nothing.

    Attributes:
        kind: "refused": a `DnnTopologyError`; "killed": the process died; "timeout": it took too long; "fault": any
            other exception, which is a fault of ours.
        reason: One line; of a fault, the traceback.
    """

    kind: Literal["refused", "killed", "timeout", "fault"]
    reason: str

    @property
    def last_line(self) -> str:
        """The line of the reason that says most."""
        return self.reason.strip().splitlines()[-1]


def isolated(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int,
    timeout: float | None = None,
    prepare: Callable[[], None] | None = None,
) -> Iterator[tuple[Task, Result | Failure]]:
    """Run tasks in fresh processes, which are used again for the next task as long as they live.

    Args:
        function: What to do with a task; it is sent to the processes, so it must be importable.
        tasks: The tasks.
        jobs: Number of processes.
        timeout: Seconds that one task may take; None for any time.
        prepare: Called once in every process, before its first task.

    Yields:
        (task, result or failure) as each is finished. Leaving the loop, also by an exception, ends the processes.

    Raises:
        DnnTopologyError: The script that calls this has no main guard, so that every process would run it anew.
    """
    end_if_unguarded()
    waiting = deque(tasks)
    workers: set[_Worker[Task, Result]] = set()
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                worker = _Worker(function, prepare, timeout)
                workers.add(worker)
                worker.give(waiting.popleft())
            first = min(worker.deadline for worker in workers)
            wait(
                [end for worker in workers for end in (worker.pipe, worker.process.sentinel)],
                None if timeout is None else max(0.0, first - time.monotonic()),
            )
            for worker in [worker for worker in workers if worker.is_over()]:
                task, outcome = worker.outcome()
                if waiting and worker.process.is_alive():
                    worker.give(waiting.popleft())
                else:
                    workers.remove(worker)
                    worker.end()
                yield task, outcome
    finally:
        for worker in workers:
            worker.end()


class _Worker(Generic[Task, Result]):
    """A child process and the task that it has.

    Args:
        function: What to do with a task; importable.
        prepare: Called once in the process, before its first task.
        timeout: Seconds that one task may take; None for any time.
    """

    def __init__(
        self, function: Callable[[Task], Result], prepare: Callable[[], None] | None, timeout: float | None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, prepare))
        self.timeout = timeout
        self.deadline = float("inf")
        self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        """Start a task; of the first one, the time to start the process counts too."""
        self.task = task
        self.deadline = time.monotonic() + (float("inf") if self.timeout is None else self.timeout)
        with contextlib.suppress(OSError):  # a process that is already dead shows by its sentinel
            self.pipe.send(task)

    def is_over(self) -> bool:
        """Return whether the task came to an end: an answer, the death of the process, or the time limit."""
        return self.pipe.poll() or not self.process.is_alive() or time.monotonic() >= self.deadline

    def outcome(self) -> tuple[Task, Result | Failure]:
        """Return the task and what became of it; ends a process that took too long.

        Raises:
            DnnTopologyError: The process ran the caller's script instead.
        """
        if self.pipe.poll():
            with contextlib.suppress(EOFError, OSError):
                answer: Result | Failure = self.pipe.recv()
                return self.task, answer
        if self.process.is_alive() and time.monotonic() >= self.deadline:
            self.end()
            return self.task, Failure("timeout", f"it took longer than {self.timeout:g} s")
        self.process.join()
        if self.process.exitcode == UNGUARDED:
            raise DnnTopologyError(
                f"{_script()} starts processes, each of which runs it from its first line: put what it does under "
                '`if __name__ == "__main__":` and run it again'
            )
        return self.task, Failure("killed", _cause_of_death(self.process.exitcode))

    def end(self) -> None:
        """End the process and everything that it started."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _script() -> str:
    """Return the name of the script that runs here."""
    return str(getattr(sys.modules.get("__main__"), "__file__", None) or "this script")


def _cause_of_death(status: int | None) -> str:
    """Return why a process ended, as far as its exit status tells."""
    if status == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory"
    if status is not None and status < 0:
        return f"its process crashed ({signal.strsignal(-status)})"
    return f"its process ended with status {status}"


def _serve(pipe: Connection, function: Callable[[Task], Result], prepare: Callable[[], None] | None) -> None:
    """Do tasks as they come; the body of a child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what ends
    _die_with_parent()
    threading.Thread(target=_follow_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    while True:
        pipe.send(attempt(function, pipe.recv()))


def attempt(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Return what a function gives for a task, or why it gives nothing."""
    try:
        return function(task)
    except DnnTopologyError as error:
        return Failure("refused", str(error))
    except MemoryError:
        return Failure("killed", "it ran out of memory")
    except BaseException as error:
        machine = of_the_machine(error) if isinstance(error, OSError) else None
        if machine is not None:
            return Failure("refused", str(machine))
        return Failure("fault", traceback.format_exc())


def _die_with_parent() -> None:
    """Let Linux end this process when its parent dies, whatever it is doing.

    A thread that waits for the parent's end, as elsewhere, cannot act while an engine's own code holds the
    interpreter, which may be for minutes. Without Linux, or where it is forbidden, that thread alone remains.
    By the parent Linux means the thread that started this process, which the loop over `isolated` does not outlive.
    """
    parent = multiprocessing.parent_process()
    if not sys.platform.startswith("linux") or parent is None:
        return
    ending_with_parent(signal.SIGKILL)()
    if os.getppid() != parent.pid:  # it died before
        os._exit(1)


def _follow_parent() -> None:
    """End with the parent, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
