"""Tasks on several threads: each begins when those that it needs are done, of several that can the first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import NamedTuple


class Task(NamedTuple):
    """What is to be done, and the names of the tasks that must be done before."""

    run: Callable[[], object]
    needs: frozenset[Hashable] = frozenset()


def carry_out(tasks: Mapping[Hashable, Task], threads: int) -> None:
    """Carry out tasks, on so many threads, this one among them.

    Args:
        tasks: Name → task, the most urgent first. What is needed is among them, and nothing needs itself.
        threads: How many threads.

    Raises:
        BaseException: What a task has raised; no other is begun then.
    """
    team = _Team(tasks)
    if threads == 1:
        team.work()
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(team.work) for _ in range(threads - 1)]
        try:
            team.work()
        finally:
            team.stop()
    for other in others:
        other.result()


class _Team:
    """The tasks that nobody has begun, and those that are done."""

    def __init__(self, tasks: Mapping[Hashable, Task]) -> None:
        self.waiting, self.done = dict(tasks), set[Hashable]()
        self.change = Condition()

    def work(self) -> None:
        """Take one task after the other, until there is none to begin."""
        while item := self._take():
            name, task = item
            try:
                task.run()
            except BaseException:
                self.stop()
                raise
            with self.change:
                self.done.add(name)
                self.change.notify_all()

    def stop(self) -> None:
        """Begin no more tasks."""
        with self.change:
            self.waiting.clear()
            self.change.notify_all()

    def _take(self) -> tuple[Hashable, Task] | None:
        """Wait for a task that can be begun, and take it; None if none is left."""
        with self.change:
            while self.waiting:
                for name, task in self.waiting.items():
                    if task.needs <= self.done:
                        del self.waiting[name]
                        return name, task
                self.change.wait()
        return None
