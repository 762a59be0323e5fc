"""How far a study is: counts, a table by axis, the time used and expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnn_topology.runs.study.cell import Cell
from dnn_topology.runs.study.folder import StudyFolder
from dnn_topology.runs.study.grid import Study
from dnn_topology.runs.study.running import Outcomes, outcomes


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        outcomes: Its cells, finished, failed and left.
        used: Seconds of work that the finished cells took, in all.
        expected: Seconds of work of those left, if they take as long as their like; None while none is finished.
    """

    outcomes: Outcomes
    used: float
    expected: float | None

    def by(self, axis: str) -> list[tuple[str, int, int, int]]:
        """Return, for each value of a setting, the value and how many cells are finished, failed and left."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        groups: Sequence[Sequence[Cell]] = (self.outcomes.finished, [*self.outcomes.failed], self.outcomes.left)
        for place, cells in enumerate(groups):
            for cell in cells:
                counts[str(cell.settings[axis])][place] += 1
        return [(value, *numbers) for value, numbers in sorted(counts.items())]  # type: ignore[misc]


def progress_of(study: Study, folder: StudyFolder) -> Progress:
    """Return how far a study is.

    Raises:
        DnnTopologyError: A file of it is damaged.
    """
    found = outcomes(study, folder)
    seconds = {cell: folder.result(cell)[1] for cell in found.finished}
    return Progress(found, sum(seconds.values()), expected_seconds(seconds, found.left))


def expected_seconds(seconds: dict[Cell, float], left: Sequence[Cell]) -> float | None:
    """Return the seconds of work that cells will take: per epoch as those of their network and data set, or as all.

    Args:
        seconds: Finished cell → how long it took.
        left: The cells to come.

    Returns:
        The sum, or None while nothing is known.
    """
    if not seconds:
        return 0.0 if not left else None
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    for cell, taken in seconds.items():
        rates[cell.training.net, cell.training.dataset].append(taken / (cell.epochs + 1))
    everywhere = float(np.mean([rate for each in rates.values() for rate in each]))
    return sum(
        (cell.epochs + 1) * float(np.mean(rates.get((cell.training.net, cell.training.dataset), [everywhere])))
        for cell in left
    )
