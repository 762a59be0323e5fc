"""How far some work is, and how long the rest of it will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from dnn_topology._checks import counted
from dnn_topology.homology.engines.estimate import duration
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


def announcement(
    outcomes: Outcomes[Task], todo: Sequence[Task], expected: float | None, *, of: str, amount: str, jobs: int
) -> str:
    """Return how much of some work is done and how much there is to do, on one line.

    Args:
        outcomes: What there was before.
        todo: The tasks to come.
        expected: Seconds of work that they will take, if that is known.
        of: What a task is, in the plural.
        amount: How much work they are, in words.
        jobs: How many are done at a time.
    """
    n_tasks = sum(map(len, (outcomes.finished, outcomes.failed, outcomes.left)))
    tasks = counted(n_tasks, of.removesuffix("s"))
    before = f"{tasks}, {len(outcomes.finished)} finished, {len(outcomes.failed)} failed before"
    if not todo:
        return before
    if expected is None:
        time = "; how long that takes is known after the first"
    else:
        shared = f", {duration(expected / jobs)} with --jobs {jobs}" if jobs > 1 else ""
        time = f", about {duration(expected)} of work{shared}"
    return f"{before}: {len(todo)} to do, {amount}{time}"


def status_lines(outcomes: Outcomes[Task], seconds: Mapping[Task, float], expected: float | None) -> list[str]:
    """Return how far some work is, as lines.

    Args:
        outcomes: What there is.
        seconds: Finished task → how long it took.
        expected: Seconds of work that what is left will take, if that is known.
    """
    n_finished, n_failed, n_left = map(len, (outcomes.finished, outcomes.failed, outcomes.left))
    unknown = "unknown until one is finished"
    return [
        f"{n_finished} finished, {n_failed} failed, {n_left} running or left of {n_finished + n_failed + n_left}",
        f"time used {duration(sum(seconds.values()))}, expected for what is left "
        f"{unknown if expected is None else duration(expected)} (of work, on one job)",
    ]


def listed(epochs: Sequence[int]) -> str:
    """Return epochs as text."""
    return " ".join(map(str, epochs)) or "none"


def named(epochs: Sequence[int]) -> str:
    """Return epochs as text that says what they are: "epoch 3", "epochs 1 2"."""
    return f"epoch{'s' * (len(epochs) != 1)} {listed(epochs)}"
