"""Saying beforehand that a computation will take more than a minute, and what would be faster."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import counted
from dnn_topology.homology.engines.census import Census, take_census
from dnn_topology.homology.engines.estimate import amount, bound, duration, estimate
from dnn_topology.progress import is_silenced

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.engines.planner import Plan

LONG = 60.0  # seconds from which a computation is worth a warning


class LongComputationWarning(UserWarning):
    """What has just begun will take more than a minute."""


@dataclass
class _Whole:
    """Work that several graphs are a part of, of which is warned once.

    Attributes:
        times: Number of its graphs.
        said: [True] once it was warned.
    """

    times: int = 1
    said: list[bool] = field(default_factory=lambda: [False])


_whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)


@contextmanager
def repeated(times: int) -> Iterator[None]:
    """Say that so many graphs alike are measured in the block, of which is warned once, with the time of all.

    Args:
        times: The number; within another such block it multiplies.

    Yields:
        Nothing.
    """
    outer = _whole.get() or _Whole()
    token = _whole.set(_Whole(outer.times * times, outer.said))
    try:
        yield
    finally:
        _whole.reset(token)


def forewarn(graph: FunctionalGraph, plan: Plan, *, max_dim: int, census: Census | None = None) -> None:
    """Warn if carrying out a plan, as often as it is to be, should take more than a minute.

    Nothing is said where a run or a command tells how long it takes, nor twice of the same work.

    Args:
        graph: The graph that the plan is for.
        plan: How it will be computed.
        max_dim: The highest dimension.
        census: What is known of the graph; taken only where a bound from the number of edges is above a minute.

    Warns:
        LongComputationWarning: With the figures of the estimate and what would take less than a minute.
    """
    whole = _whole.get() or _Whole()
    if is_silenced() or whole.said[0] or not graph.n_edges:
        return
    least = LONG / max(whole.times, 1)
    if estimate(graph, plan, max_dim=max_dim, census=census or bound(graph, max_dim)).seconds <= least:
        return
    census = census or take_census(graph)
    needed = estimate(graph, plan, max_dim=max_dim, census=census)
    if needed.seconds <= least:
        return
    whole.said[0] = True
    each = f", and {counted(whole.times, 'graph')} about {duration(needed.seconds * whole.times)}"
    warnings.warn(
        f"persistence up to H{max_dim} of {graph.n_nodes} nodes and {graph.n_edges} edges will take about "
        f"{duration(needed.seconds)} and {amount(needed.memory)}{each if whole.times > 1 else ''}: "
        f"{_faster(graph, plan, max_dim, census, least)}",
        LongComputationWarning,
        stacklevel=_levels_inside(),
    )


def _faster(graph: FunctionalGraph, plan: Plan, max_dim: int, census: Census, least: float) -> str:
    """Return what would take less than a minute in all: one change at a time."""

    def fits(known: Census, dim: int = max_dim) -> bool:
        return estimate(graph, plan, max_dim=dim, census=known).seconds <= least

    options = []
    scales = np.linspace(0, graph.max_epsilon, 21)[1:-1]
    smaller = [scale for scale in scales if fits(take_census(graph, max_epsilon=float(scale)))]
    if smaller and max(smaller) >= 0.01:
        options.append(f"max_epsilon={np.floor(max(smaller) * 100) / 100:g}")
    dims = [dim for dim in range(max_dim) if fits(census, dim)]
    if dims:
        options.append(f"max_dim={max(dims)}")
    shares = [share for share in np.linspace(0, 1, 51)[1:-1] if fits(census.scaled(float(share)))]
    if shares:
        options.append(f"sample_nodes={int(max(shares) * graph.n_nodes)}")
    if not options:
        return "no smaller scale, dimension or sample of nodes alone takes less than a minute; take fewer graphs"
    return f"{' or '.join(options)} would take less than a minute{' in all' if least < LONG else ''}"


def _levels_inside() -> int:
    """Return how many frames lie between the warning and the line of the user's that led to it."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("dnn_topology"):
        frame, levels = frame.f_back, levels + 1
    return levels
