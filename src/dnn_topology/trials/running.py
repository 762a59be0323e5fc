"""Several trials of one command: trained side by side where that is asked for, measured, described as a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dnn_topology.runs.measurements import RunMeasurement
from dnn_topology.settings import CompareSettings
from dnn_topology.trials.comparing import write_comparison
from dnn_topology.trials.groups import RunGroups
from dnn_topology.trials.training import Watched, train_trials, unwatched

if TYPE_CHECKING:
    from pathlib import Path

    from dnn_topology.analysis.comparison import Comparison
    from dnn_topology.runs.run import Run
    from dnn_topology.settings import Resources, RunMeasureSettings


def run_trials(
    runs: Sequence[Run],
    finish: Callable[[int], object],
    settings: RunMeasureSettings | None,
    *,
    epochs: int | None,
    save_epochs: Sequence[int],
    save_every: int,
    resources: Resources,
    watched: Watched = unwatched,
) -> tuple[Comparison, list[Path]] | None:
    """Train and measure trials.

    Args:
        runs: The trials, which differ in the seed alone.
        finish: Called with the number of each: trains what is left of it, and measures it.
        settings: What is measured, for the comparison; None for nothing.
        epochs: The last epoch, where trainings may go side by side if there are jobs or a cluster; else None.
        save_epochs: As for `train_trials`.
        save_every: As for `train_trials`.
        resources: Where, and how many at a time.
        watched: As for `train_trials`.

    Returns:
        The description of the group and the paths of its tables and pictures; None where nothing is measured.

    Raises:
        DnnTopologyError: A trial could not be trained or measured.
    """
    if epochs is not None and (resources.jobs > 1 or resources.scheduler):
        train_trials(
            runs,
            epochs=epochs,
            save_epochs=save_epochs,
            save_every=save_every,
            resources=resources,
            watched=watched,
        )
    for number in range(len(runs)):
        finish(number)
    if settings is None:
        return None
    title = f"{runs[0].training.net} on {runs[0].training.dataset}"
    groups = RunGroups({title: [RunMeasurement.of(run, settings) for run in runs]})
    counted = CompareSettings(min_persistence=settings.min_persistence, essential=settings.essential)
    return write_comparison(groups, counted, runs[0].original_folder / "trials")
