"""What pictures are made of: diagrams, a measurement, or several of them with their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams, HasDiagrams, diagrams_of

Source = Diagrams | HasDiagrams
Sources = Source | Mapping[Any, Source] | Iterable[Source]
EPOCH = re.compile(r"epoch (\d+)")


def labelled(sources: Sources) -> dict[str, Diagrams]:
    """Return diagrams by the labels of their curves.

    Args:
        sources: Diagrams or a measurement; a mapping of label or epoch → such, as a measurement by layer or class is;
            or several of them, which are numbered.

    Returns:
        Label → diagrams: "" for one alone, "epoch 3" for an epoch.

    Raises:
        DnnTopologyError: It is nothing of that kind, or empty.

    Example:
        >>> one = Diagrams([[]], max_epsilon=0.3)
        >>> list(labelled(one)), list(labelled({1: one, "mine": one})), list(labelled([one, one]))
        ([''], ['epoch 1', 'mine'], ['1', '2'])
    """
    several: Mapping[Any, Any]
    given: Any = sources
    if isinstance(given, Mapping):  # a measurement by layer too, which has diagrams of the whole besides
        several = {f"epoch {key}" if isinstance(key, int) else str(key): one for key, one in given.items()}
    elif isinstance(given, Diagrams) or hasattr(given, "diagrams"):
        several = {"": given}
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        several = {str(number): one for number, one in enumerate(given, start=1)}
    else:
        several = {"": given}
    if not several:
        raise DnnTopologyError("there is no curve to draw: pass diagrams, a measurement, or several by their labels")
    return {label: diagrams_of(one) for label, one in several.items()}


def epochs_of(labels: Iterable[str]) -> list[int] | None:
    """Return the epochs that labels name; None unless all do."""
    matches = [EPOCH.fullmatch(label) for label in labels]
    return [int(match[1]) for match in matches if match] if all(matches) else None


def filter_words(sources: Iterable[Diagrams]) -> str:
    """Return which cavities are drawn, in brackets; "" where all are, or not the same everywhere."""
    filters = {(source.min_persistence, source.essential) for source in sources}
    if len(filters) != 1:
        return ""
    ((least, essential),) = filters
    longer = [f"living longer than {least:g}"] if least else []
    alive = {"count": [], "drop": ["dying before the end"], "clip": ["ended at max_epsilon"]}[essential]
    return f" ({', '.join(['cavities ' + (longer + alive)[0], *(longer + alive)[1:]])})" if longer + alive else ""
