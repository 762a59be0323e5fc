"""What is finished is not done again, what is not whole is, and nothing that is finished is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.settings import Resources
from dnn_topology.work.isolate import Failure
from dnn_topology.work.ledger import Ledger, Outcomes, Work
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.reports import Reports

TASKS = ["a", "b", "c"]
ISOLATED = Resources(isolated=True)


@dataclass(frozen=True, eq=False)
class Shouts(Work[str, str]):
    """A text for every task; `done` says which were worked on."""

    folder: Path
    refused: Sequence[str] = ()
    interrupted_at: str | None = None
    done: list[str] = field(default_factory=list)
    enough: bool = True

    def name(self, task: str) -> str:
        return f"task-{task}"

    def files(self, task: str) -> Sequence[Path]:
        return [self.folder / f"{task}.txt", self.folder.parent / f"{task}-above.txt"]

    def do(self, task: str) -> str:
        if task == self.interrupted_at:
            raise KeyboardInterrupt
        if task in self.refused:
            raise DnnTopologyError(f"no {task} today")
        self.done.append(task)
        return f"whole {task}"

    def keep(self, task: str, result: str) -> None:
        for path in self.files(task):
            store.write_bytes(path, result.encode())

    def load(self, task: str) -> str:
        texts = {path.read_text() for path in self.files(task)}
        if texts != {f"whole {task}"}:
            raise DnnTopologyError("damaged")
        return texts.pop()

    def is_enough(self, task: str) -> bool:
        del task
        return self.enough


def shouts(folder: Path, **options: object) -> tuple[Shouts, Ledger[str, str]]:
    work = Shouts(folder / "results", **options)  # type: ignore[arg-type]
    return work, Ledger(work.folder, work)


def again(folder: Path, **options: object) -> list[str]:
    """Which tasks are done when the same folder is finished once more."""
    work, ledger = shouts(folder, **options)
    assert ledger.finish(TASKS).finished == tuple(TASKS)
    assert {task: work.load(task) for task in TASKS} == {task: f"whole {task}" for task in TASKS}
    return work.done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose tasks are all finished."""
    _, ledger = shouts(tmp_path)
    ledger.finish(TASKS)
    return tmp_path


def cut(path: Path) -> None:
    """Less of it, at the same time."""
    written = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-1])
    os.utime(path, ns=(written, written))


def change(path: Path) -> None:
    """Other content of the same size, at another time."""
    written = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(written + 1, written + 1))


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [cut, change, empty, Path.unlink]


def test_what_is_finished_is_handed_over_and_not_done_again(folder: Path) -> None:
    work, ledger = shouts(folder)
    handed: dict[str, str] = {}
    outcomes = ledger.finish(TASKS, reports=Reports(lambda task, result: handed.update({task: result})))
    assert work.done == []
    assert handed == {task: f"whole {task}" for task in TASKS}
    assert outcomes == Outcomes(finished=tuple(TASKS))


def test_of_more_tasks_only_the_new_ones_are_done(folder: Path) -> None:
    work, ledger = shouts(folder)
    ledger.finish(["d", *TASKS, "e"])
    assert work.done == ["d", "e"]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_longer_as_it_was_is_seen_said_and_made_again(
    folder: Path, damage: Callable[[Path], None], place: int
) -> None:
    work, ledger = shouts(folder)
    damage(work.files("b")[place])
    assert ledger.outcomes(TASKS) == Outcomes(finished=("a", "c"), left=("b",), damaged=("b",))
    said: list[str] = []
    ledger.finish(TASKS, reports=Reports(say=said.append))
    assert said == [f"not as they were written, so done again: task-b in {work.folder}"]
    assert work.done == ["b"]
    assert again(folder) == []


def test_a_file_that_was_copied_at_another_time_is_still_whole(folder: Path) -> None:
    work, _ = shouts(folder)
    os.utime(work.files("b")[0], (1, 1))
    assert again(folder) == []


DAMAGED_MANIFESTS = {
    "deleted": None,
    "empty": b"",
    "cut": b'{"format": 1, "finished": {"task-a": {"a.txt"',
    "of no task": b'{"format": 1}',
    "no object": b"[]",
    "a list": b'{"finished": ["task-a"]}',
    "a number": b'{"finished": 3}',
    "lists of tasks": b'{"finished": {"task-a": ["a.txt"], "task-b": 3, "task-c": null}}',
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", DAMAGED_MANIFESTS.values(), ids=DAMAGED_MANIFESTS)
def test_without_a_manifest_that_can_be_read_whole_results_are_kept_and_others_made_again(
    folder: Path, content: bytes | None
) -> None:
    work, _ = shouts(folder)
    path = work.folder / "manifest.json"
    path.unlink() if content is None else path.write_bytes(content)
    cut(work.files("b")[0])
    assert again(folder) == ["b"]
    assert again(folder) == []


@pytest.mark.parametrize("entry", [{}, {"size": 7}, {"size": 7, "time": 1}, {"size": "7"}, [], None])
def test_an_entry_that_is_damaged_says_nothing_is_whole(folder: Path, entry: object) -> None:
    work, _ = shouts(folder)
    path = work.folder / "manifest.json"
    content = json.loads(path.read_text())
    content["finished"]["task-b"]["b.txt"] = entry
    path.write_text(json.dumps(content))
    assert again(folder) == ["b"]


def test_results_of_a_version_without_a_manifest_are_adopted(folder: Path) -> None:
    work, _ = shouts(folder)
    (work.folder / "manifest.json").unlink()
    assert again(folder) == []
    assert Manifest(work.folder).is_whole("task-a", work.files("a"))
    change(work.files("a")[0])
    assert again(folder) == ["a"]


def test_results_of_a_version_that_kept_fewer_files_are_said_to_be_made_again(folder: Path) -> None:
    (folder / "results" / "manifest.json").unlink()
    work, ledger = shouts(folder)
    work.files("a")[-1].unlink()
    said: list[str] = []
    ledger.finish(TASKS, reports=Reports(say=said.append))
    assert said == [f"not as they were written, so done again: task-a in {work.folder}"]
    assert work.done == ["a"]


def test_whole_files_that_do_not_hold_enough_are_made_again_and_are_not_called_damaged(folder: Path) -> None:
    work, ledger = shouts(folder, enough=False)
    assert ledger.outcomes(TASKS) == Outcomes(left=tuple(TASKS))
    said: list[str] = []
    ledger.finish(TASKS, reports=Reports(say=said.append))
    assert work.done == TASKS
    assert not said


def test_a_failure_in_another_process_is_noted_with_its_reason_and_the_others_are_finished(tmp_path: Path) -> None:
    _, ledger = shouts(tmp_path, refused=["b"])
    told: list[tuple[str, Failure]] = []
    outcomes = ledger.finish(TASKS, ISOLATED, reports=Reports(on_failure=lambda task, why: told.append((task, why))))
    why = Failure("refused", "no b today")
    assert outcomes == Outcomes(finished=("a", "c"), failed={"b": why})
    assert told == [("b", why)]
    assert ledger.failure("b") == why


def test_a_task_that_failed_is_tried_again_only_if_that_is_asked_for(tmp_path: Path) -> None:
    shouts(tmp_path, refused=["b"])[1].finish(TASKS, ISOLATED)
    work, ledger = shouts(tmp_path)
    assert [*ledger.finish(TASKS, retry_failed=False).failed] == ["b"]
    assert work.done == []
    assert again(tmp_path) == ["b"]
    assert not ledger.failure_file("b").exists()


@pytest.mark.parametrize("note", [b"", b"{", b"{}", b"[]", b'{"kind": "refused"}'])
def test_a_task_whose_note_of_failure_is_damaged_is_tried_again(tmp_path: Path, note: bytes) -> None:
    _, ledger = shouts(tmp_path)
    store.write_bytes(ledger.failure_file("b"), note)
    assert ledger.finish(TASKS, retry_failed=False).finished == tuple(TASKS)


def test_a_task_that_cannot_be_done_in_this_process_is_an_error_and_those_before_it_stay(tmp_path: Path) -> None:
    _, ledger = shouts(tmp_path, refused=["b"])
    with pytest.raises(DnnTopologyError, match="no b today"):
        ledger.finish(TASKS)
    assert ledger.outcomes(TASKS) == Outcomes(finished=("a",), left=("b", "c"))


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    _, ledger = shouts(tmp_path, interrupted_at="c")
    with pytest.raises(KeyboardInterrupt):
        ledger.finish(TASKS)
    assert ledger.outcomes(TASKS) == Outcomes(finished=("a", "b"), left=("c",))
    assert again(tmp_path) == ["c"]


def test_files_without_their_line_in_the_manifest_are_looked_at_before_they_are_believed(tmp_path: Path) -> None:
    """What a process leaves that is killed between the files of a task and the manifest, or before."""
    work, _ = shouts(tmp_path)
    work.keep("a", "whole a")
    work.keep("b", "half b")
    work.keep("c", "whole c")
    work.files("c")[1].unlink()
    assert again(tmp_path) == ["b", "c"]


def test_a_folder_for_reading_only_gives_its_results(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _: object) -> NoReturn:
        raise DnnTopologyError(f"cannot write {path}")

    monkeypatch.setattr(store, "write_bytes", refuse)
    assert again(folder) == []
    (folder / "results" / "manifest.json").unlink()
    assert again(folder) == []


def test_two_that_work_on_one_folder_lose_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = Manifest(tmp_path), Manifest(tmp_path)
    paths = {name: tmp_path / f"{name}.txt" for name in TASKS}
    for name, path in paths.items():
        path.write_text(name)
    first.record("a", [paths["a"]])
    second.record("b", [paths["b"]])
    first.record("c", [paths["c"]])
    assert all(Manifest(tmp_path).is_whole(name, [path]) for name, path in paths.items())


def test_what_another_finishes_meanwhile_is_finished(tmp_path: Path) -> None:
    work, ledger = shouts(tmp_path)
    _, other = shouts(tmp_path)

    def meanwhile(task: str, _: str) -> None:
        if task == "a":
            other.finish(["c"])

    ledger.finish(TASKS[:2], reports=Reports(meanwhile))
    assert ledger.outcomes(TASKS).finished == tuple(TASKS)
    assert work.done == ["a", "b"]
    assert again(tmp_path) == []
