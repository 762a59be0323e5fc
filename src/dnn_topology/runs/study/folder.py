"""The files of a study: each cell has its own, whole or absent; the tables are made anew from them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.isolate import Failure

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.runs.study.cell import Cell, CellResult, Row


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study; see the package for its layout.

    Attributes:
        path: Where it is.
    """

    path: Path

    def result_file(self, cell: Cell) -> Path:
        """Return the file that says that a cell is finished, and what it gave."""
        return self.path / "cells" / f"{cell.name}.json"

    def failure_file(self, cell: Cell) -> Path:
        """Return the file that says why a cell has no result."""
        return self.path / "cells" / f"{cell.name}.failed.json"

    def diagrams_file(self, cell: Cell, epoch: int, draw: int = 0) -> Path:
        """Return the file of the diagrams of one epoch and draw of inputs."""
        return self.path / "diagrams" / f"{cell.name}_epoch{epoch}_draw{draw}.npz"

    def weights_file(self, cell: Cell, epoch: int) -> Path:
        """Return the file of the weights of one epoch."""
        return self.path / "weights" / f"{cell.name}_epoch{epoch}.pt"

    def is_finished(self, cell: Cell) -> bool:
        """Tell whether a cell has a result."""
        return self.result_file(cell).exists()

    def failure(self, cell: Cell) -> Failure | None:
        """Return why a cell has no result; None if it has one, or was not tried."""
        path = self.failure_file(cell)
        if self.is_finished(cell) or not path.exists():
            return None
        found = store.read_json(path)
        return Failure(found.get("kind", "fault"), str(found.get("reason", "")))

    def keep(self, cell: Cell, outcome: CellResult | Failure) -> None:
        """Write what became of a cell; the file that marks it as finished comes last.

        Raises:
            DnnTopologyError: A file cannot be written.
        """
        about = {"format": store.FORMAT, "settings": _settings(cell)}
        if isinstance(outcome, Failure):
            store.write_json(self.failure_file(cell), {**about, **asdict(outcome)})
            return
        for (epoch, draw), found in outcome.diagrams.items():
            found.save(self.diagrams_file(cell, epoch, draw))
        if outcome.weights:
            from dnn_topology.nets.train import save_weights

            for epoch, state in outcome.weights.items():
                save_weights(self.weights_file(cell, epoch), state)
        content = {**about, "seconds": outcome.seconds, "rows": list(outcome.rows)}
        store.write_json(self.result_file(cell), content)
        self.failure_file(cell).unlink(missing_ok=True)

    def result(self, cell: Cell) -> tuple[list[Row], float]:
        """Return the rows of a finished cell, and the seconds that it took.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        path = self.result_file(cell)
        content = store.read_json(path)
        try:
            return list(content["rows"]), float(content["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise DnnTopologyError(f"{path} is damaged ({error!r}); delete it and run again") from error

    def write_tables(self, cells: Sequence[Cell]) -> None:
        """Write study.csv, with the last row of every finished cell, and epochs.csv, with all; parquet if it can be.

        Raises:
            DnnTopologyError: A file is damaged or cannot be written.
        """
        import pandas as pd

        from dnn_topology.analysis.features import with_early

        found = [self.result(cell)[0] for cell in cells if self.is_finished(cell)]
        if not found:
            return
        rows = [row for rows in found for row in rows]
        numbers = [{key: float("nan") if value is None else value for key, value in row.items()} for row in rows]
        epochs = with_early(pd.DataFrame(numbers))
        self._write("study", epochs.drop_duplicates("cell", keep="last"))
        self._write("epochs", epochs)

    def _write(self, name: str, table: pd.DataFrame) -> None:
        """Write one table as CSV, and as parquet where pyarrow is installed."""
        store.write_table(self.path / f"{name}.csv", table)
        if importlib.util.find_spec("pyarrow"):
            with store.atomic(self.path / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, index=False)


def _settings(cell: Cell) -> dict[str, Any]:
    """Return all settings of a cell, for a reader of its file."""
    settings = asdict(cell)
    del settings["keep_weights"]
    return settings
