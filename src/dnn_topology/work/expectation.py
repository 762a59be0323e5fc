"""How far some work is, and how long the rest of it will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from dnn_topology.work.ledger import Outcomes

Task = TypeVar("Task")


def counts_by(outcomes: Outcomes[Task], value: Callable[[Task], object]) -> list[tuple[str, int, int, int]]:
    """Return, for each value that tasks have, the value and how many tasks are finished, failed and left."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    groups: Sequence[Sequence[Task]] = (outcomes.finished, [*outcomes.failed], outcomes.left)
    for place, tasks in enumerate(groups):
        for task in tasks:
            counts[str(value(task))][place] += 1
    return [(text, *numbers) for text, numbers in sorted(counts.items())]  # type: ignore[misc]


def expected_seconds(
    seconds: Mapping[Task, float],
    left: Sequence[Task],
    *,
    amount: Callable[[Task], float],
    like: Callable[[Task], Hashable],
) -> float | None:
    """Return the seconds of work that tasks will take: per amount as those like them, or as all.

    Args:
        seconds: Finished task → how long it took.
        left: The tasks to come.
        amount: How much work a task is.
        like: What tasks have in common that take as long.

    Returns:
        The sum, or None while nothing is known.
    """
    if not seconds:
        return None if left else 0.0
    rates: dict[Hashable, list[float]] = defaultdict(list)
    for task, taken in seconds.items():
        rates[like(task)].append(taken / amount(task))
    everywhere = float(np.mean([rate for each in rates.values() for rate in each]))
    return sum(amount(task) * float(np.mean(rates.get(like(task), [everywhere]))) for task in left)
