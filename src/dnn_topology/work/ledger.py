"""What of some work is finished, and the rest of it: the one way in which anything here resumes.

A folder keeps the results of tasks that were done with the same settings. `manifest.json` in it says of every finished
task which files it left, with their sizes and digests, so that a file that was cut, changed or deleted afterwards is
seen and its task done again; `<TASK>.failed.json` says why a task has no result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.settings import Resources
from dnn_topology.work.isolate import Failure
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.reports import Reports
from dnn_topology.work.workers import work_through

Task = TypeVar("Task")
Result = TypeVar("Result")


class Work(ABC, Generic[Task, Result]):
    """What is done to tasks, and where their results lie."""

    @abstractmethod
    def name(self, task: Task) -> str:
        """Return what tells a task from the others of its folder, as part of a file's name."""

    @abstractmethod
    def files(self, task: Task) -> Sequence[Path]:
        """Return the files that a finished task leaves."""

    @abstractmethod
    def do(self, task: Task) -> Result:
        """Do a task, on whatever machine, writing nothing."""

    @abstractmethod
    def keep(self, task: Task, result: Result) -> None:
        """Write the files of a task, in the process that asked for it."""

    @abstractmethod
    def load(self, task: Task) -> Result:
        """Read the result of a task from its files.

        Raises:
            DnnTopologyError: One is damaged.
        """

    def is_enough(self, task: Task) -> bool:
        """Return whether the whole files of a task hold all that is asked for."""
        del task
        return True


@dataclass(frozen=True)
class Outcomes(Generic[Task]):
    """What there is of some tasks.

    Attributes:
        finished: Those with a result.
        failed: Those with a reason why they have none.
        left: Those that were not tried, or are being tried.
        damaged: Those of which there are files that are not all there, or no longer what was written; they are left
            too.
    """

    finished: tuple[Task, ...] = ()
    failed: dict[Task, Failure] = field(default_factory=dict)
    left: tuple[Task, ...] = ()
    damaged: tuple[Task, ...] = ()


@dataclass(frozen=True, eq=False)
class Ledger(Generic[Task, Result]):
    """A folder of results, task by task.

    Attributes:
        folder: Where the manifest and the notes of failures lie.
        work: What is done.
    """

    folder: Path
    work: Work[Task, Result]

    def failure_file(self, task: Task) -> Path:
        """Return the file that says why a task has no result."""
        return self.folder / f"{self.work.name(task)}.failed.json"

    def outcomes(self, tasks: Sequence[Task]) -> Outcomes[Task]:
        """Return what there is of some tasks, every file looked at."""
        manifest = Manifest(self.folder)
        finished, failed, left, damaged = [], {}, [], []
        for task in tasks:
            if self._is_finished(task, manifest):
                finished.append(task)
            elif (failure := self.failure(task)) is not None:
                failed[task] = failure
            else:
                left.append(task)
                name, files = self.work.name(task), self.work.files(task)
                known = manifest.knows(
                    name
                )  # else an older version left it, which kept other files, or a killed process
                if not manifest.is_whole(name, files) if known else any(path.exists() for path in files):
                    damaged.append(task)
        return Outcomes(tuple(finished), failed, tuple(left), tuple(damaged))

    def failure(self, task: Task) -> Failure | None:
        """Return why a task has no result, if that was noted."""
        path = self.failure_file(task)
        if not path.exists():
            return None
        try:
            return store.read_record(path, Failure, strict=False)
        except DnnTopologyError:
            return None  # a damaged note: the task is tried again

    def finish(
        self,
        tasks: Sequence[Task],
        resources: Resources | None = None,
        *,
        retry_failed: bool = True,
        reports: Reports[Task, Result] | None = None,
    ) -> Outcomes[Task]:
        """Do what is not finished of some tasks, keeping each result as soon as it is there.

        Args:
            tasks: The tasks.
            resources: Where, and how many at a time; None for here, one by one.
            retry_failed: Whether tasks that failed before are tried again.
            reports: Who is told how it goes; None for nobody.

        Returns:
            What there is at the end.

        Raises:
            DnnTopologyError: A file cannot be written, a task that is done in this process cannot be, or there is no
                reaching the cluster.
        """
        resources, reports = resources or Resources(), reports or Reports()
        before = self.outcomes(tasks)
        if before.damaged:
            names = " ".join(self.work.name(task) for task in before.damaged)
            reports.say(f"not as they were written, so done again: {names} in {self.folder}")
        for task in before.finished if reports.anybody else ():
            reports.on_result(task, self.work.load(task))
        wanted = {*before.left, *(before.failed if retry_failed else ())}
        todo = [task for task in tasks if task in wanted]
        if todo:
            store.check_writable(self.folder)
        with closing(work_through(self.work.do, todo, resources, say=reports.say)) as results:  # type: ignore[type-var]
            for task, outcome in results:
                with store.uninterrupted():
                    self._keep(task, outcome)
                if isinstance(outcome, Failure):
                    reports.on_failure(task, outcome)
                else:
                    reports.on_result(task, outcome)
        return self.outcomes(tasks) if todo else before

    def _keep(self, task: Task, outcome: Result | Failure) -> None:
        """Write what became of a task; the manifest, which says that it is finished, comes last."""
        if isinstance(outcome, Failure):
            store.write_json(self.failure_file(task), {"task": self.work.name(task), **asdict(outcome)})
            return
        self.work.keep(task, outcome)
        Manifest(self.folder).record(self.work.name(task), self.work.files(task))
        self.failure_file(task).unlink(missing_ok=True)

    def _is_finished(self, task: Task, manifest: Manifest) -> bool:
        """Return whether a task has a result that is whole; one of an older version, without a manifest, is read."""
        name, files = self.work.name(task), self.work.files(task)
        if manifest.knows(name):
            return manifest.is_whole(name, files) and self.work.is_enough(task)
        if not all(path.exists() for path in files):
            return False
        try:
            self.work.load(task)
        except DnnTopologyError:
            return False
        with suppress(DnnTopologyError):  # a folder that is for reading only
            manifest.record(name, files)
        return self.work.is_enough(task)
