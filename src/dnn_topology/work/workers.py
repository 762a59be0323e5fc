"""Where work is done: in this process, in child processes of this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from dnn_topology.progress import silenced
from dnn_topology.settings import Resources
from dnn_topology.work.computer import use_threads
from dnn_topology.work.isolate import Failure, isolated

Task = TypeVar("Task")
Result = TypeVar("Result")


def work_through(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    resources: Resources,
    *,
    say: Callable[[str], None] | None = None,
) -> Iterator[tuple[Task, Result | Failure]]:
    """Do some work on every task.

    Args:
        work: What to do with a task; importable, since other processes do it, and writing no files, since they may be
            on other machines.
        tasks: The tasks.
        resources: Where, and how many at a time.
        say: Called with what the user should know while nothing is finished.

    Yields:
        (task, result or failure) as each is finished. Leaving the loop, also by an exception, ends the others.

    Raises:
        DnnTopologyError: A task that is done in this process cannot be, or there is no reaching the cluster.
    """
    silent: Callable[[Task], Result] = partial(_in_silence, work)
    if resources.scheduler is not None:
        from dnn_topology.work.cluster import on_cluster

        yield from on_cluster(silent, tasks, scheduler=resources.scheduler, say=say)
    elif resources.isolated or min(resources.jobs, len(tasks)) > 1:
        prepare = partial(use_threads, resources.of_each_job(len(tasks)).threads)
        yield from isolated(silent, tasks, jobs=resources.jobs, timeout=resources.timeout, prepare=prepare)
    else:
        for task in tasks:
            yield task, silent(task)


def _in_silence(work: Callable[[Task], Result], task: Task) -> Result:
    """Do a task without the library's own bars and warnings: whoever gave it tells how far it is."""
    with silenced():
        return work(task)
