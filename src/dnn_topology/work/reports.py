"""What is told about resumable work while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from dnn_topology import progress
from dnn_topology._machine import CannotWriteError
from dnn_topology.work.isolate import Failure

Task = TypeVar("Task")
Result = TypeVar("Result")


def _nothing(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Reports(Generic[Task, Result]):
    """Whom to tell what; by default nobody.

    Attributes:
        on_result: Called with every task and its result, as it is found or finished.
        on_failure: Called with every task that fails in another process, and why.
        say: Called with what else there is to know: that results were damaged, that a cluster has no worker.
    """

    on_result: Callable[[Task, Result], None] = _nothing
    on_failure: Callable[[Task, Failure], None] = _nothing
    say: Callable[[str], None] = _nothing

    @property
    def anybody(self) -> bool:
        """Whether somebody wants to know of results."""
        return self.on_result is not _nothing

    def after(self, take: Callable[[Task, Result], None]) -> Reports[Task, Result]:
        """Return reports in which somebody else is told of every result first."""

        def both(task: Task, result: Result) -> None:
            take(task, result)
            self.on_result(task, result)

        return replace(self, on_result=both)


@contextmanager
def reported(
    what: str, total: int, *, title: Callable[[Any], str], described: Callable[[Any], str], done: int = 0
) -> Iterator[Reports[Any, Any]]:
    """Show how far some work is, task by task: a bar on a terminal, plain lines elsewhere.

    Args:
        what: The work, in a word.
        total: Number of tasks.
        title: Of a task.
        described: What a result says, in few words.
        done: Number of tasks that were finished before and are not told of.

    Yields:
        Whom to tell.
    """
    with progress.progress(what, total=total, done=done) as step:
        yield Reports(
            lambda task, result: step(f"{title(task)}: {described(result)}"),
            lambda task, why: step(f"{title(task)} failed: {why.last_line}"),
            progress.say,
        )


@contextmanager
def there_or_written() -> Iterator[None]:
    """Let pictures and pages stay as they are in a folder that is for reading only; tables in it are looked at.

    Yields:
        Nothing.

    Raises:
        CannotWriteError: Something is not there, is a table that says something else, or the disk is full.
    """
    try:
        yield
    except CannotWriteError as error:
        if error.full or error.path.suffix == ".csv" or not error.path.exists():
            raise
        progress.say(f"{error.path.parent} is for reading only: all is measured, and what lies there stays as it is")
