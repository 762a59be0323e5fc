"""Work on the epochs of a training: what is not finished of it, and what is said of epochs that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dnn_topology._checks import DnnTopologyError
from dnn_topology.settings import Resources
from dnn_topology.work.expectation import named
from dnn_topology.work.isolate import Failure
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports

Result = TypeVar("Result")


class EpochsFailedError(DnnTopologyError):
    """Some epochs could not be worked on; what the others gave is kept.

    Args:
        failures: Epoch → why.

    Attributes:
        failures: Epoch → why.
    """

    def __init__(self, failures: Mapping[int, Failure]) -> None:
        self.failures = dict(failures)
        reasons = dict.fromkeys(failure.last_line for failure in failures.values())
        advice = "" if self.mendable else "; what is finished is kept: lower max_epsilon or max_dim and run again"
        super().__init__(f"not measured: {named(sorted(failures))}: {'; '.join(reasons)}{advice}")

    @property
    def mendable(self) -> bool:
        """Whether every failure is a mistake that the user can mend, and says how."""
        return all(failure.kind == "refused" for failure in self.failures.values())


def finish_epochs(
    folder: Path,
    work: Work[int, Result],
    epochs: Sequence[int],
    resources: Resources,
    *,
    reports: Reports[int, Result] | None = None,
) -> None:
    """Do what is not finished of some epochs.

    Args:
        folder: Where the manifest and the notes of failures lie.
        work: What is done.
        epochs: The epochs.
        resources: Where, and how many at a time.
        reports: Who is told of each epoch and what it gave; None for nobody.

    Raises:
        DnnTopologyError: As for `Ledger.finish`.
        EpochsFailedError: Epochs failed in processes of their own; the others are finished.
    """
    outcomes = Ledger(folder, work).finish(epochs, resources, reports=reports)
    if outcomes.failed:
        raise EpochsFailedError(outcomes.failed)
