"""Sweep and flow over stretches of edges, from the last to the first, on several threads.

A sweep can begin anywhere, so threads match the links of stretches of their own. The flow leads downwards only: it goes
through a stretch as soon as that is matched, while those before it are still being matched.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s
from dnn_topology.homology.engines.morse.matching import TRIANGLES
from dnn_topology.homology.engines.morse.order import Order, rank_table
from dnn_topology.homology.engines.morse.sweep import Room, Tables, match_links
from dnn_topology.homology.engines.morse.ways import Search, Ways

PER_THREAD = 6  # stretches: enough of them that no thread waits long for another
FEW = 100_000  # edges, up to which one thread is as fast as several
WORK = 2.5  # the work on all edges up to one grows like its rank to this power, on real graphs

Stretch = tuple[int, int]  # the first edge, and the first that is left out


def match_and_flow(order: Order, *, max_dim: int, threads: int) -> tuple[list[Int32s], list[Ways]]:
    """Match all links, and collect the ways from all critical simplices.

    Args:
        order: The edges; their apexes are filled in.
        max_dim: 1, 2 or 3, the highest dimension whose homology is asked for.
        threads: How many threads may be used.

    Returns:
        Of each dimension from 2 to max_dim + 1, the critical simplices (see `Tables.triangles`) and their ways.
    """
    searches: list[Search] = []
    parts: list[tuple[Int32s, ...]] = []
    for stretch, tables in _matched(order, _cut(len(order.links), threads), max_dim, threads):
        searches = searches or _searches(order, max_dim)  # now that other threads are matching the next stretches
        for search in searches:
            search.go_through(stretch, tables)
        parts.append(tables[TRIANGLES : TRIANGLES + max_dim])
    none = np.empty((0, 4), np.int32)
    critical = [np.concatenate([none, *(part[k] for part in parts[::-1])]) for k in range(max_dim)]
    return critical, [search.ways() for search in searches or _searches(order, max_dim)]


def _searches(order: Order, max_dim: int) -> list[Search]:
    """Return a search for each dimension from 1, before its first stretch."""
    ranks = rank_table(order)
    return [Search(order, ranks, dim) for dim in range(1, max_dim + 1)]


def _cut(n_edges: int, threads: int) -> list[Stretch]:
    """Return stretches of about equal work, the last edges first."""
    n_parts = 1 if threads == 1 or n_edges < FEW else PER_THREAD * threads
    cuts = (n_edges * np.linspace(0, 1, n_parts + 1) ** (1 / WORK)).astype(int).tolist()
    return [(begin, end) for begin, end in pairwise(cuts) if begin < end][::-1]


def _matched(order: Order, stretches: list[Stretch], max_dim: int, threads: int) -> Iterator[tuple[Stretch, Tables]]:
    """Yield stretches, in order, with what matching their links left.

    The thread that asks is one of the threads: while the next stretch is not ready, it takes one that none has begun.
    """
    rooms: list[Room] = []

    def match(stretch: Stretch) -> Tables:
        try:
            room = rooms.pop()
        except IndexError:
            room = Room(order)
        tables = match_links(order, room, stretch, max_dim)
        rooms.append(room)
        return tables

    if threads == 1 or len(stretches) <= 1:
        yield from ((stretch, match(stretch)) for stretch in stretches)
        return
    own: dict[int, Tables] = {}
    with ThreadPoolExecutor(threads - 1) as pool:
        futures: list[Future[Tables]] = [pool.submit(match, stretch) for stretch in stretches]
        try:
            for k, stretch in enumerate(stretches):
                while k not in own and not futures[k].done():
                    mine = next((j for j in range(k, len(stretches)) if j not in own and futures[j].cancel()), None)
                    if mine is None:
                        break
                    own[mine] = match(stretches[mine])
                yield stretch, own.pop(k) if k in own else futures[k].result()
        finally:
            pool.shutdown(cancel_futures=True)
