"""Folders of runs as groups: those that differ in the seed alone are trials of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.runs.measurements import RunMeasurement, find_measurement
from dnn_topology.runs.run import HISTORY, Run
from dnn_topology.settings import Essential, TrainSettings
from dnn_topology.work.stamps import SETTINGS

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.homology.diagrams import Diagrams

BY_SEED = ("trial", "seed", "data_source")  # in which trials of a group may differ
DRAWN = ("data_subset", "train_size", "binarize_labels", "permute_labels")  # what makes the data depend on the seed


@dataclass(frozen=True)
class RunGroups:
    """Runs in groups, measured with the same settings.

    Attributes:
        measurements: Label → what was measured of the trials of a group, in the order of their seeds.
    """

    measurements: Mapping[str, Sequence[RunMeasurement]]

    @classmethod
    def read(
        cls, folders: Sequence[Path], *, max_epsilon: float | None = None, measurement: str | None = None
    ) -> RunGroups:
        """Read what was measured of some runs.

        Args:
            folders: Folders of runs, or of several trials of one network and data set.
            max_epsilon: As for `find_measurement`.
            measurement: As for `find_measurement`.

        Returns:
            The groups, in the order in which their first runs were named.

        Raises:
            DnnTopologyError: A folder is no run, has nothing that was measured, or was measured with other settings;
                or two of one group have the same seed, so that one is a copy of the other.
        """
        runs = {folder.resolve(): Run.open(folder) for named in folders for folder in _trials_in(Path(named))}
        if not runs:
            raise DnnTopologyError("name the folders of the runs to compare, trial0 and others")
        grouped: dict[tuple[tuple[str, Any], ...], list[RunMeasurement]] = {}
        for run in runs.values():
            of_run = find_measurement(run, max_epsilon=max_epsilon, name=measurement)
            grouped.setdefault(_kind(run.training), []).append(of_run)
        groups = [sorted(group, key=lambda one: one.run.training.seed) for group in grouped.values()]
        _check_alike([one for group in groups for one in group])
        for group in groups:
            _check_seeds(group)
        return cls(dict(zip(_labels([group[0].run.training for group in groups]), groups, strict=True)))

    def tracks(
        self, *, epochs: Sequence[int] | None = None, min_persistence: float, essential: Essential
    ) -> dict[str, list[dict[int, Diagrams]]]:
        """Return label → the trials, each epoch → its filtered diagrams.

        Args:
            epochs: Which epochs; None for all that were measured.
            min_persistence: Only cavities that live longer count.
            essential: What becomes of those alive at the end.

        Raises:
            DnnTopologyError: An epoch was not measured, or a file is damaged.
        """
        how: Any = {"min_persistence": min_persistence, "essential": essential}
        return {
            label: [{epoch: one.filtered(**how) for epoch, one in trial.load(epochs).items()} for trial in group]
            for label, group in self.measurements.items()
        }

    def histories(self) -> dict[str, list[pd.DataFrame]] | None:
        """Return how the trainings went; None where one has no history."""
        runs = {label: [one.run for one in group] for label, group in self.measurements.items()}
        if not all((run.folder / HISTORY).exists() for group in runs.values() for run in group):
            return None
        return {label: [run.history() for run in group] for label, group in runs.items()}


def _trials_in(folder: Path) -> list[Path]:
    """Return a folder of a run, or those of the trials that lie in it, by their numbers."""
    inside = [path.parent for path in folder.glob(f"trial*/{SETTINGS}") if path.parent.name[5:].isdecimal()]
    if (folder / SETTINGS).exists() or not inside:
        return [folder]  # what is no run, `Run.open` says
    return sorted(inside, key=lambda path: int(path.name[5:]))


def _kind(training: TrainSettings) -> tuple[tuple[str, Any], ...]:
    """Return what trials of one group have in common."""
    drawn = any(getattr(training, name) != getattr(TrainSettings(), name) for name in DRAWN)
    left_out = {*BY_SEED, "data_digest"} if drawn else {*BY_SEED}
    return tuple((name, value) for name, value in asdict(training).items() if name not in left_out)


def _labels(trainings: Sequence[TrainSettings]) -> list[str]:
    """Return what groups are called: what tells them apart, or else what they are."""
    rows = [dict(_kind(training)) for training in trainings]
    names = [name for name in rows[0] if len({row.get(name) for row in rows}) > 1]
    told = [name for name in names if name != "data_digest"] or names
    if not told:
        return [f"{training.net} on {training.dataset}" for training in trainings]
    return [", ".join(f"{name} {row.get(name)}" for name in told) for row in rows]


def _check_alike(measurements: Sequence[RunMeasurement]) -> None:
    """Check that runs were measured alike, with one graph per epoch.

    Raises:
        DnnTopologyError: They were not; the message names the first setting that differs.
    """
    first = measurements[0]
    for one in measurements:
        if one.graphs() != [""]:
            raise DnnTopologyError(f"{one.folder} has several graphs per epoch, and runs are compared by one")
        settings, usual = one.settings.results, first.settings.results
        differing = [name for name in settings if settings[name] != usual[name]]
        if differing:
            name = differing[0]
            raise DnnTopologyError(
                f"{one.folder} was measured with {name}={shown(settings[name])} and {first.folder} with "
                f"{name}={shown(usual[name])}: measure both alike, or choose with measurement="
            )


def _check_seeds(group: Sequence[RunMeasurement]) -> None:
    """Check that the trials of a group have seeds of their own.

    Raises:
        DnnTopologyError: Two have the same.
    """
    seeds: dict[int, Path] = {}
    for one in group:
        seed = one.run.training.seed
        if seed in seeds:
            raise DnnTopologyError(
                f"{seeds[seed]} and {one.run.folder} are one training twice, with seed {seed}: name one of the two"
            )
        seeds[seed] = one.run.folder
