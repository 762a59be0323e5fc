"""Tables of a training's epochs, each kept in a file of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from dnn_topology import store
from dnn_topology.settings import Resources
from dnn_topology.work.epochs import finish_epochs
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports
from dnn_topology.work.stamps import Stamp

RESULTS = "epoch*.csv"


@dataclass(frozen=True, eq=False)
class EpochTables(Work[int, pd.DataFrame]):
    """One table per epoch, of the inputs themselves and of draws of them.

    Attributes:
        run: The training, which has a `folder` and says which epochs are `trained`.
        settings: What is looked at; its `results` tell one folder from another.
        draws: Number of bootstrap draws of the inputs, besides the inputs themselves.
        resources: What it may use.
        place: Where the folder is; None for that of the training.
        columns: The quantities.
        stem: Name of the first folder.
        usual: What an older version's folder does not name.
    """

    run: Any
    settings: Any
    draws: int = 0
    resources: Resources = Resources()  # noqa: RUF009  # frozen, and a constant
    place: Path | None = None
    columns: ClassVar[Collection[str]]
    stem: ClassVar[str]
    usual: ClassVar[Any]

    @property
    def folder(self) -> Path:
        """Where the quantities lie."""
        return self._stamp.home(self.place or self.run.folder, self.stem)

    def quantities(
        self,
        epochs: Sequence[int],
        *,
        reports: Reports[int, pd.DataFrame] | None = None,
    ) -> dict[int, pd.DataFrame]:
        """Return the quantities of some epochs; what was measured before is not measured again.

        Args:
            epochs: Which epochs.
            reports: Who is told of each epoch and its table; None for nobody.

        Returns:
            Epoch → one row per draw, `draw` and the quantities; the first row is of the inputs themselves.

        Raises:
            DnnTopologyError: An epoch has no checkpoint, or a file is damaged.
            EpochsFailedError: Epochs failed in processes of their own; the others are finished.
        """
        epochs = self.run.trained(epochs)
        self._stamp.claim(self.folder)
        reports = reports or Reports()
        self.prepare(reports.say)
        tables: dict[int, pd.DataFrame] = {}
        work = replace(self, resources=self.resources.of_each_job(len(epochs)))
        told = reports.after(tables.__setitem__)
        finish_epochs(self.folder, work, epochs, self.resources, reports=told)
        return {epoch: tables[epoch].head(self.draws + 1) for epoch in epochs}

    def prepare(self, say: Callable[[str], None]) -> None:  # of loops there is nothing to make beforehand
        """Make what all epochs need, and say what of it was no longer as it was written."""

    def unfinished(self, epochs: Sequence[int], *, draws: int = 0) -> list[int]:
        """Return the epochs whose quantities, of so many draws, are still to be measured."""
        ledger: Ledger[int, pd.DataFrame] = Ledger(self.folder, replace(self, draws=draws))
        return [*ledger.outcomes(epochs).left]

    def expected_seconds(self, epochs: Sequence[int], say: Callable[[str], None]) -> float:
        """Return roughly how many seconds it will take to measure some epochs, from the last of them."""
        self.prepare(say)
        started = time.monotonic()
        replace(self, draws=0).do(epochs[-1])
        return (time.monotonic() - started) * len(epochs) * (self.draws + 1) / self.resources.jobs

    def name(self, epoch: int) -> str:
        """Return an epoch's name in the manifest."""
        return f"epoch{epoch}"

    def files(self, epoch: int) -> Sequence[Path]:
        """Return the file of an epoch's quantities."""
        return [self.folder / f"epoch{epoch}.csv"]

    def keep(self, epoch: int, result: pd.DataFrame) -> None:
        """Write the quantities of an epoch."""
        store.write_table(self.files(epoch)[0], result)

    def load(self, epoch: int) -> pd.DataFrame:
        """Read the quantities of an epoch.

        Raises:
            DnnTopologyError: The file is damaged.
        """
        (path,) = self.files(epoch)
        return store.read_table(path, columns={"draw": int, **dict.fromkeys(self.columns, float)})

    def is_enough(self, epoch: int) -> bool:
        """Return whether an epoch has all the draws that are asked for."""
        return len(self.load(epoch)) > self.draws

    @property
    def _stamp(self) -> Stamp:
        """What tells these quantities from those of other settings."""
        return Stamp(self.settings.results, RESULTS, self.usual.results)
