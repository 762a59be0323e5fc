"""The folder of a study: what `Ledger` finishes of its cells, and the tables that are made of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.runs.run import Run
from dnn_topology.runs.study.cell import CellResult, run_cell
from dnn_topology.runs.training import TrainingFiles
from dnn_topology.settings.cells import Cell, Row, digest_of
from dnn_topology.work.expectation import expected_seconds
from dnn_topology.work.ledger import Ledger, Outcomes, Work
from dnn_topology.work.manifest import MANIFEST, Manifest
from dnn_topology.work.reports import Reports
from dnn_topology.work.stamps import SETTINGS

if TYPE_CHECKING:
    from dnn_topology.runs.study.grid import Study
    from dnn_topology.settings import Resources


@dataclass(frozen=True)
class _Timed:
    """What the file of a cell says of how long it took."""

    seconds: float


@dataclass(frozen=True)
class _CellFile(_Timed):
    """What the file of a cell says, besides its settings."""

    rows: list[Row]


@dataclass(frozen=True)
class StudyFolder(Work[Cell, CellResult]):
    """The folder of a study; see the package for its layout.

    Attributes:
        path: Where it is.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.
    """

    path: Path
    data_dir: Path | None = None

    @property
    def ledger(self) -> Ledger[Cell, CellResult]:
        """What of it is finished."""
        return Ledger(self.path / "cells", self)

    def diagrams_file(self, cell: Cell, epoch: int, draw: int = 0) -> Path:
        """Return the file of the diagrams of one epoch and draw of inputs."""
        return self.path / "diagrams" / f"{cell.name}_epoch{epoch}_draw{draw}.npz"

    def run_of(self, cell: Cell) -> Run:
        """Return the run that holds a cell's weights, if they are kept."""
        return Run(self.path / "weights" / cell.name, cell.training, self.data_dir)

    def finish(
        self,
        study: Study,
        resources: Resources,
        *,
        retry_failed: bool = False,
        reports: Reports[Cell, CellResult] | None = None,
    ) -> Outcomes[Cell]:
        """Run the cells that are not finished, keep each as it is, and write the tables.

        Args:
            study: The study.
            resources: Where, and how many cells at a time.
            retry_failed: Whether cells that failed before are tried again.
            reports: Who is told of each cell that is finished, and what it gave; None for nobody.

        Returns:
            What there is at the end.

        Raises:
            DnnTopologyError: A file is damaged or cannot be written, or there is no reaching the cluster.
        """
        store.sweep(self.path)
        there = self.ledger.outcomes(study.cells)
        todo = {*there.left, *(there.failed if retry_failed else ())}
        wanted = [cell for cell in study.cells if cell in todo]
        try:
            if wanted:
                self.ledger.finish(wanted, resources, retry_failed=retry_failed, reports=reports)
        finally:
            with store.uninterrupted():
                there = self.ledger.outcomes(study.cells) if wanted else there
                self.write_tables(there.finished)
        return there

    def name(self, cell: Cell) -> str:
        """Return a cell's name in the manifest."""
        return cell.name

    def files(self, cell: Cell) -> Sequence[Path]:
        """Return the files of a finished cell."""
        drawn = [self.diagrams_file(cell, epoch, draw) for epoch in cell.measured for draw in range(cell.draws)]
        weights = [self.run_of(cell).checkpoint(epoch) for epoch in cell.measured] if cell.keep_weights else []
        return [*drawn, *weights, self._result_file(cell)]

    def do(self, cell: Cell) -> CellResult:
        """Train and measure a cell."""
        return run_cell(cell, data_dir=self.data_dir)

    def keep(self, cell: Cell, result: CellResult) -> None:
        """Write what a cell gave."""
        for (epoch, draw), diagrams in result.diagrams.items():
            diagrams.save(self.diagrams_file(cell, epoch, draw))
        if result.weights:
            self._keep_weights(cell, result)
        about = {"format": store.FORMAT, "settings": _all_settings(cell), "seconds": result.seconds}
        store.write_json(self._result_file(cell), {**about, "rows": list(result.rows)})

    def load(self, cell: Cell) -> CellResult:
        """Read what a cell gave, weights aside.

        Raises:
            DnnTopologyError: A file is damaged.
        """
        content = self._read(cell)
        files = {
            (epoch, draw): self.diagrams_file(cell, epoch, draw)
            for epoch in cell.measured
            for draw in range(cell.draws)
        }
        return CellResult(content.rows, {at: Diagrams.load(path) for at, path in files.items()}, content.seconds)

    def seconds(self, cells: Sequence[Cell]) -> dict[Cell, float]:
        """Return how long finished cells took."""
        return {cell: store.read_record(self._result_file(cell), _Timed, strict=False).seconds for cell in cells}

    def expected(self, seconds: Mapping[Cell, float], left: Sequence[Cell]) -> float | None:
        """Return how many seconds of work cells will take, as finished ones took; None while nothing is known."""
        return expected_seconds(seconds, left, amount=attrgetter("steps"), like=attrgetter("kind"))

    def write_tables(self, cells: Sequence[Cell]) -> None:
        """Write study.csv, with the last row of every cell, and epochs.csv, with all; parquet if it can be.

        Nothing is written while they are those that were made of these cells' files.

        Args:
            cells: Those that are finished.

        Raises:
            DnnTopologyError: A file is damaged or cannot be written.
        """
        made, name = Manifest(self.path), f"tables of {digest_of(cells)}"
        forms = {"csv": store.write_table, "parquet": store.write_parquet}
        if not importlib.util.find_spec("pyarrow"):
            del forms["parquet"]
        files = [self.path / f"{table}.{form}" for table in ("study", "epochs") for form in forms]
        whole = [self.ledger.folder / MANIFEST, *files]
        if not cells or made.is_whole(name, whole):
            return
        import pandas as pd

        from dnn_topology.analysis.features import with_early

        rows: list[Row] = [row for cell in cells for row in self._read(cell).rows]
        numbers = [{key: float("nan") if value is None else value for key, value in row.items()} for row in rows]
        epochs = with_early(pd.DataFrame(numbers))
        last = epochs.drop_duplicates("cell", keep="last")
        for path in files:
            forms[path.suffix[1:]](path, last if path.stem == "study" else epochs)
        made.record_if_writable(name, whole)

    def _read(self, cell: Cell) -> _CellFile:
        """Return what the file of a cell says.

        Raises:
            DnnTopologyError: It is damaged.
        """
        path = self._result_file(cell)
        content = store.read_record(path, _CellFile, strict=False)
        if (wrong := cell.what_is_wrong(content.rows)) is not None:
            raise DnnTopologyError(f"{path} is damaged: {wrong}; {store.AGAIN}")
        return content

    def _result_file(self, cell: Cell) -> Path:
        """Return the file that says what a cell gave."""
        return self.path / "cells" / f"{cell.name}.json"

    def _keep_weights(self, cell: Cell, result: CellResult) -> None:
        """Write the weights of a cell as the folder of a run, which every command opens."""
        run = self.run_of(cell)
        files = TrainingFiles(run)
        for state in result.weights.values():
            files.keep_weights(state)
        files.keep_history(result.weights[max(result.weights)])
        store.write_json(run.folder / SETTINGS, {"format": store.FORMAT, **asdict(cell.training)})


def _all_settings(cell: Cell) -> dict[str, Any]:
    """Return all settings of a cell, for a reader of its file."""
    about = {"epochs": cell.epochs, "measured": cell.measured, "draws": cell.draws}
    return {"training": asdict(cell.training), **about, "topology": cell.settings.results}
