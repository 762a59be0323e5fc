"""The reduction of the Morse complex's boundary matrix, and the components of H0."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dnn_topology.homology.engines.morse.bits import (
    ONE,
    SIX,
    ZERO,
    Int32s,
    Int64s,
    Words,
    bit,
    highest,
    vertex_at,
)
from dnn_topology.homology.engines.morse.compiled import entry


def joining_edges(n_vertices: int, links: Int32s, critical: Int64s) -> NDArray[np.bool_]:
    """Return for each critical edge, in order, whether it joins two components: (k,), bool."""
    joins = np.zeros(len(critical), np.bool_)
    joining(np.arange(n_vertices), links, critical, joins)
    return joins


@entry
def joining(above: Int64s, links: Int32s, critical: Int64s, joins: NDArray[np.bool_]) -> None:
    """Find the edges that join two components, by union-find; `above` (n_vertices,) has each vertex alone at first."""
    for k in range(len(critical)):
        a, b = np.int64(links[critical[k], 0]), np.int64(links[critical[k], 1])
        while above[a] != a:
            above[a] = above[above[a]]
            a = above[a]
        while above[b] != b:
            above[b] = above[above[b]]
            b = above[b]
        if a != b:
            above[a] = b
            joins[k] = True


class Columns(NamedTuple):
    """Reduced columns.

    Attributes:
        lows: (n,), int64. The lowest row of each, -1 where it is zero.
        rows: int32. Their rows, one column after the other.
        begins: (n + 1,), int64. Where each begins.
        added: int32. The columns that were added to each, one list after the other.
        added_begins: (n + 1,), int64. Where each list begins.
    """

    lows: Int64s
    rows: Int32s
    begins: Int64s
    added: Int32s
    added_begins: Int64s


def reduce_columns(pool: Int32s, spans: Int64s, n_rows: int) -> Columns:
    """Reduce columns from left to right, as Edelsbrunner, Letscher and Zomorodian do, mod 2.

    Only rows of simplices that give birth stand in the columns: the lowest entry of a reduced column always is of such
    a row, so that the others, left out everywhere, decide nothing. The column at work is a set of bits, so that an
    entry is added or taken out in one step; a reduced column is kept as a list.

    Args:
        pool: Rows of all columns.
        spans: (n, 2), int64. Where each column begins and ends in the pool: rising rows.
        n_rows: Number of rows.

    Returns:
        The reduced columns.
    """
    n = len(spans)
    lows, owners = np.full(n, -1, np.int64), np.full(n_rows, -1, np.int64)
    begins, added_begins = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    work, state = np.zeros((n_rows >> 6) + 1, np.uint64), np.zeros(1, np.int64)
    rows, added = np.empty(2 * n_rows + 1024, np.int32), np.empty(2 * n_rows + 1024, np.int32)
    while reduce_on(pool, spans, lows, owners, rows, begins, added, added_begins, work, state):
        rows, added = np.concatenate([rows, rows]), np.concatenate([added, added])
    return Columns(lows, rows[: begins[-1]], begins, added[: added_begins[-1]], added_begins)


@entry
def reduce_on(  # noqa: C901  # one column after another, resumed where an array was full
    pool: Int32s,
    spans: Int64s,
    lows: Int64s,
    owners: Int64s,
    rows: Int32s,
    begins: Int64s,
    added: Int32s,
    added_begins: Int64s,
    work: Words,
    state: Int64s,
) -> bool:
    """Reduce columns from `state[0]` on; return True where `rows` or `added` is full, else False.

    `owners` (n_rows,) has of each row the column whose lowest it is, or -1; `work` is the column at work, empty between
    columns.
    """
    while state[0] < len(spans):
        c = state[0]
        n_rows, n_added, top, owner = begins[c], added_begins[c], np.int64(-1), np.int64(-1)
        for i in range(spans[c, 0], spans[c, 1]):
            row = np.uint64(pool[i])
            work[row >> SIX] ^= bit(row)
            top = np.int64(row >> SIX)
        while top >= 0:
            word = work[np.uint64(top)]
            if word == ZERO:
                top -= 1
                continue
            low = np.int64((np.uint64(top) << SIX) + highest(word))
            owner = owners[low]
            if owner < 0 or n_added == len(added):
                break
            added[n_added] = owner
            n_added += 1
            for i in range(begins[owner], begins[owner + 1]):
                row = np.uint64(rows[i])
                work[row >> SIX] ^= bit(row)
        is_full = n_added == len(added)
        for k in range(top + 1):
            word = work[np.uint64(k)]
            work[np.uint64(k)] = ZERO
            while word and not is_full:
                rows[n_rows] = np.int64(vertex_at(np.uint64(k), word))
                n_rows += 1
                word &= word - ONE
                is_full = n_rows == len(rows)
        if is_full:
            return True
        if top >= 0:
            owners[low], lows[c] = c, low
        begins[c + 1], added_begins[c + 1] = n_rows, n_added
        state[0] = c + 1
    return False
