from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.runs.study.cell import CellResult
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study
from dnn_topology.settings import Resources
from dnn_topology.settings.cells import Cell
from dnn_topology.store import read_table
from dnn_topology.work.expectation import counts_by, expected_seconds
from dnn_topology.work.isolate import Failure
from dnn_topology.work.ledger import Outcomes

DIAGRAMS = Diagrams([np.array([[0, 0.1]])], max_epsilon=0.4)


def made(cell: Cell) -> CellResult:
    """A result that can be told from those of other cells, without training."""
    rows = [{**cell.columns, "epoch": epoch, "h1_life": None if epoch == 0 else 0.1} for epoch in cell.measured]
    return CellResult(
        rows, {(epoch, draw): DIAGRAMS for epoch in cell.measured for draw in range(cell.draws)}, seconds=3.0
    )


class Runner:
    """Gives made results, counts, and fails, or stops, where it is told to.

    Args:
        failing: Seeds of the cells that fail.
        stop_after: After how many cells Ctrl-C comes.
    """

    def __init__(self, failing: Sequence[int] = (), stop_after: int | None = None) -> None:
        self.failing, self.stop_after, self.ran = failing, stop_after, list[Cell]()

    def __call__(
        self, _: object, cells: Sequence[Cell], *__: object, **___: object
    ) -> Iterator[tuple[Cell, CellResult | Failure]]:
        for cell in reversed(cells):  # as they happen to be finished
            if len(self.ran) == self.stop_after:
                raise KeyboardInterrupt
            self.ran.append(cell)
            failed = cell.training.seed in self.failing
            yield cell, Failure("refused", "too bad") if failed else made(cell)


def run_study(study: Study, folder: StudyFolder, runner: Runner, *, retry_failed: bool = False) -> Outcomes[Cell]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnn_topology.work.ledger.work_through", runner)
        return folder.finish(study, Resources(), retry_failed=retry_failed)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "study_small")


def test_an_interrupted_study_goes_on_without_redoing_losing_or_doubling_a_cell(
    study: Study, folder: StudyFolder
) -> None:
    first, second = Runner(stop_after=3), Runner()
    with pytest.raises(KeyboardInterrupt):
        run_study(study, folder, first)
    assert len(pd.read_csv(folder.path / "study.csv")) == 3
    run_study(study, folder, second)
    assert [*second.ran] == [cell for cell in study.cells if cell not in first.ran]
    assert pd.read_csv(folder.path / "study.csv")["cell"].tolist() == [cell.name for cell in study.cells]
    third = Runner()
    run_study(study, folder, third)
    assert third.ran == []


def test_the_tables_are_those_of_an_uninterrupted_study(study: Study, folder: StudyFolder, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_study(study, folder, Runner(stop_after=1))
    run_study(study, folder, Runner())
    whole = StudyFolder(tmp_path / "whole")
    run_study(study, whole, Runner())
    for name in ("study.csv", "epochs.csv"):
        assert (folder.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_the_last_measured_epoch_goes_to_study_csv_and_all_to_epochs_csv(study: Study, folder: StudyFolder) -> None:
    run_study(study, folder, Runner())
    assert pd.read_csv(folder.path / "study.csv")["epoch"].tolist() == [2] * 4
    every = pd.read_csv(folder.path / "epochs.csv")
    assert every["epoch"].tolist() == [0, 2] * 4
    assert np.isnan(every["h1_life"]).tolist() == [True, False] * 4
    assert Diagrams.load(folder.diagrams_file(study.cells[0], 2)) == DIAGRAMS


def test_parquet_holds_what_csv_holds(study: Study, folder: StudyFolder) -> None:
    pytest.importorskip("pyarrow")
    run_study(study, folder, Runner())
    for name in ("study", "epochs"):
        written = read_table(folder.path / f"{name}.csv")
        pd.testing.assert_frame_equal(pd.read_parquet(folder.path / f"{name}.parquet"), written)


def test_a_cell_that_fails_is_kept_with_its_reason_and_tried_again_only_when_asked(
    study: Study, folder: StudyFolder
) -> None:
    found = run_study(study, folder, Runner(failing=[1]))
    assert len(found.finished) == 2
    assert [*found.failed.values()] == [Failure("refused", "too bad")] * 2
    again = Runner()
    run_study(study, folder, again)
    assert again.ran == []
    found = run_study(study, folder, again, retry_failed=True)
    assert len(again.ran) == 2
    assert len(found.finished) == 4
    assert not [*folder.path.rglob("*.failed.json")]


def test_a_grid_that_grows_finds_what_is_finished(study: Study, folder: StudyFolder) -> None:
    run_study(Study("small", study.cells[:2]), folder, Runner())
    runner = Runner()
    run_study(study, folder, runner)
    assert set(runner.ran) == set(study.cells[2:])
    run_study(Study("small", study.cells[1:2]), folder, Runner())
    assert pd.read_csv(folder.path / "study.csv")["cell"].tolist() == [study.cells[1].name]
    assert len(folder.ledger.outcomes(study.cells).finished) == 4


def test_a_killed_writer_leaves_a_cell_to_be_done_again(study: Study, folder: StudyFolder) -> None:
    """The file that says finished is written last, so diagrams without it are no result."""
    cell = study.cells[0]
    DIAGRAMS.save(folder.diagrams_file(cell, 2))
    assert cell in folder.ledger.outcomes(study.cells).left


def test_a_damaged_or_lost_file_of_a_cell_is_seen_and_the_cell_done_again(study: Study, folder: StudyFolder) -> None:
    run_study(study, folder, Runner())
    cell = study.cells[0]
    for path in folder.files(cell):
        for change in (lambda path: path.write_bytes(b"{}"), lambda path: path.write_bytes(b""), Path.unlink):
            change(path)
            runner = Runner()
            assert len(run_study(study, folder, runner).finished) == 4
            assert runner.ran == [cell]


def test_the_tables_of_a_finished_study_are_made_anew_only_when_they_or_its_cells_are_others(
    study: Study, folder: StudyFolder
) -> None:
    run_study(study, folder, Runner())
    table = folder.path / "study.csv"
    written, content = table.stat().st_mtime_ns, table.read_bytes()
    run_study(study, folder, Runner())
    assert table.stat().st_mtime_ns == written
    run_study(replace(study, cells=study.cells[:3]), folder, Runner())
    assert len(pd.read_csv(table)) == 3
    run_study(study, folder, Runner())
    assert table.read_bytes() == content
    table.write_bytes(content[:-1])
    run_study(study, folder, Runner())
    assert table.read_bytes() == content
    table.unlink()
    run_study(study, folder, Runner())
    assert table.read_bytes() == content


def expected(seconds: Mapping[Cell, float], left: Sequence[Cell]) -> float | None:
    return expected_seconds(seconds, left, amount=lambda cell: cell.steps, like=lambda cell: cell.kind)


def test_the_progress_counts_cells_by_each_axis_and_expects_time_as_their_like_took(
    study: Study, folder: StudyFolder
) -> None:
    assert expected({}, study.cells) is None
    with pytest.raises(KeyboardInterrupt):
        run_study(study, folder, Runner(failing=[1], stop_after=3))
    there = folder.ledger.outcomes(study.cells)
    assert (len(there.finished), len(there.failed), len(there.left)) == (1, 2, 1)
    assert counts_by(there, lambda cell: cell.value("width")) == [("0.1", 0, 1, 1), ("0.2", 1, 1, 0)]
    seconds = folder.seconds(there.finished)
    assert sum(seconds.values()) == expected(seconds, there.left) == 3.0
    assert expected(seconds, [replace(there.left[0], epochs=5)]) == pytest.approx(6.0)
