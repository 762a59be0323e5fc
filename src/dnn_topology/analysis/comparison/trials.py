"""Groups of trials, each with the diagrams of one or more epochs, brought to what can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams, HasDiagrams, diagrams_of
from dnn_topology.homology.distances import check_comparable

Trial = Diagrams | HasDiagrams | Mapping[int, Diagrams | HasDiagrams]


@dataclass(frozen=True)
class Trials:
    """Groups whose trials have the same epochs, dimensions, filter and end of the filtration.

    Attributes:
        groups: Label → the trials of a group; a trial is epoch → diagrams.
        epochs: The epochs that every trial has; 0 where trials are no mappings of epochs.
        left_out: The epochs that only some trials have.
    """

    groups: Mapping[str, Sequence[Mapping[int, Diagrams]]]
    epochs: tuple[int, ...]
    left_out: tuple[int, ...]

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[Trial]] | Iterable[Iterable[Trial]]) -> Trials:
        """Return the trials of groups.

        Args:
            groups: Label → the trials of a group; or groups without labels, which are called A, B, ….

        Raises:
            DnnTopologyError: There is no trial, a trial is none, or trials are of unlike diagrams.
        """
        named = groups if isinstance(groups, Mapping) else {_letter(n): group for n, group in enumerate(groups)}
        made = {str(label): [_trial(one, label) for one in _members(group, label)] for label, group in named.items()}
        trials = [trial for group in made.values() for trial in group]
        if not trials:
            raise DnnTopologyError("groups holds no trial: pass label → a list of diagrams, measurements or tracks")
        shared = set.intersection(*(set(trial) for trial in trials))
        if not shared:
            raise DnnTopologyError("groups have no epoch in common: measure the same epochs of every trial")
        first = trials[0][min(shared)]
        for label, group in made.items():
            for number, trial in enumerate(group, start=1):
                for epoch in sorted(shared):
                    check_comparable(first, trial[epoch], f"trial {number} of {label!r}")
        left_out = set.union(*(set(trial) for trial in trials)) - shared
        return cls(made, tuple(sorted(shared)), tuple(sorted(left_out)))

    @property
    def n_dims(self) -> int:
        """The number of dimensions that were computed."""
        return len(next(iter(self.groups.values()))[0][self.epochs[0]])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every two groups."""
        return list(combinations(self.groups, 2))


def _members(group: Any, label: object) -> list[Any]:
    """Return the trials of a group; a single one is a group of one.

    Raises:
        DnnTopologyError: It is no list, or empty.
    """
    if isinstance(group, Diagrams | Mapping) or hasattr(group, "diagrams"):
        return [group]
    if isinstance(group, str | bytes) or getattr(group, "ndim", 1) == 0 or not isinstance(group, Iterable):
        raise DnnTopologyError(f"group {label!r} must be a list of trials, found a {type(group).__name__}")
    members = list(group)
    if not members:
        raise DnnTopologyError(f"group {label!r} is empty: leave it out, or add its trials")
    return members


def _trial(source: Any, label: object) -> dict[int, Diagrams]:
    """Return a trial as epoch → diagrams.

    Raises:
        DnnTopologyError: It is neither diagrams nor such a mapping.
    """
    if not isinstance(source, Mapping):
        return {0: diagrams_of(source)}
    wrong = [key for key in source if isinstance(key, bool) or not isinstance(key, int)]
    if wrong or not source:
        what = f"the key {wrong[0]!r}" if wrong else "nothing"
        raise DnnTopologyError(f"a trial of group {label!r} must be epoch → diagrams, found {what}")
    return {epoch: diagrams_of(one) for epoch, one in source.items()}


def _letter(number: int) -> str:
    """Return A, B, …, Z, AA, … as the label of a group."""
    before, place = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + place)
