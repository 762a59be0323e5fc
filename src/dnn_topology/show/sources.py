"""What pictures are made of: diagrams, a measurement, a group of such, or several of them with their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams, HasDiagrams, diagrams_of
from dnn_topology.homology.distances import check_comparable

Source = Diagrams | HasDiagrams
Group = tuple[Diagrams, ...]
Sources = Source | Mapping[Any, Source | Iterable[Source]] | Iterable[Source | Mapping[int, Source]]
EPOCH = re.compile(r"epoch (\d+)")
NOTHING = "there is no curve to draw: pass diagrams, a measurement, or several by their labels"


def labelled(sources: Sources) -> dict[str, Group]:
    """Return groups of diagrams by the labels of their curves.

    Args:
        sources: Diagrams or a measurement; a list of them, which is one group; label or epoch → one or a list of them,
            as a measurement by layer or class is; or a list of what `track` returns, which gives a group per epoch
            that all have.

    Returns:
        Label → its diagrams, one or several: "" for what has no label, "epoch 3" for an epoch. A measurement of
        several draws of neurons is a group of its draws.

    Raises:
        DnnTopologyError: It is nothing of that kind, or empty, or a group is of unlike diagrams.

    Example:
        >>> one = Diagrams([[]], max_epsilon=0.3)
        >>> list(labelled(one)), list(labelled({1: one, "mine": [one, one]}))
        ([''], ['epoch 1', 'mine'])
        >>> [len(group) for group in (*labelled([one, one]).values(), *labelled([{0: one}, {0: one}]).values())]
        [2, 2]
    """
    several: Mapping[Any, Any]
    given: Any = sources
    if isinstance(given, Mapping):
        several = given
    elif is_several(given):
        members = list(given)
        tracks = members and all(isinstance(one, Mapping) and not hasattr(one, "diagrams") for one in members)
        several = by_epoch(members) if tracks else {"": members} if members else {}
    else:
        several = {"": given}
    if not several:
        raise DnnTopologyError(NOTHING)
    return {
        f"epoch {key}" if isinstance(key, int) else str(key): members_of(one, str(key)) for key, one in several.items()
    }


def members_of(source: Any, label: str = "") -> Group:
    """Return the diagrams of a group: one, the draws of a measurement, or those of a list.

    Raises:
        DnnTopologyError: There is something else among them, nothing, or diagrams of another kind.
    """
    if not is_several(source):
        draws: Sequence[Diagrams] = getattr(source, "draws", ())
        return tuple(draws) if len(draws) > 1 else (diagrams_of(source),)
    group = tuple(diagrams_of(one) for one in source)
    if not group:
        raise DnnTopologyError(NOTHING)
    for number, one in enumerate(group[1:], start=2):
        check_comparable(group[0], one, f"number {number}{f' of {label!r}' if label else ''}")
    return group


def by_epoch(tracks: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Return the epochs that all of several trials have, each with the trials' own.

    Raises:
        DnnTopologyError: There is none.
    """
    shared = [epoch for epoch in tracks[0] if all(epoch in track for track in tracks)]
    if not shared:
        raise DnnTopologyError("there is no curve to draw: the trials have no epoch in common")
    return {epoch: [track[epoch] for track in tracks] for epoch in shared}


def is_several(source: Any) -> bool:
    """Return whether something holds several sources without labels, and is not one itself."""
    one = isinstance(source, Diagrams | Mapping | str | bytes | range) or hasattr(source, "diagrams")
    one = one or hasattr(source, "resolve_conj")  # a tensor
    return isinstance(source, Iterable) and getattr(source, "ndim", 1) != 0 and not one


def epochs_of(labels: Iterable[str]) -> list[int] | None:
    """Return the epochs that labels name; None unless all do."""
    matches = [EPOCH.fullmatch(label) for label in labels]
    return [int(match[1]) for match in matches if match] if all(matches) else None


def filter_words(sources: Iterable[Diagrams]) -> str:
    """Return which cavities are drawn, in brackets on lines of their own; "" for all, or not the same everywhere."""
    filters = {(source.min_persistence, source.essential) for source in sources}
    if len(filters) != 1:
        return ""
    ((least, essential),) = filters
    longer = [f"living longer than {least:g}"] if least else []
    alive = {"count": [], "drop": ["dying before the end"], "clip": ["ended at max_epsilon"]}[essential]
    words = ",\n".join(longer + alive)  # on one line they would not fit beside the axis of a low picture
    return f"\n(cavities {words})" if words else ""
