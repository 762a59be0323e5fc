"""Boundaries in the Morse complex, second half: what arrives from each simplex on the way, added up from below.

What arrives is a set of rows (critical simplices that give birth), kept as a rising list in one pool.
"""

from __future__ import annotations

import numpy as np

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole
from dnn_topology.homology.engines.morse.compiled import entry, kernel
from dnn_topology.homology.engines.morse.ways import Ways


@kernel
def add_list(sums: Int32s, which: Whole, length: Whole, pool: Int32s, begin: Whole, end: Whole) -> Whole:
    """Write the symmetric difference of two rising lists into the other row of `sums`; return its length.

    Args:
        sums: (2, n_rows).
        which: Row of the first list.
        length: Its length.
        pool: Holds the second list.
        begin: Where that begins.
        end: Where it ends.
    """
    i, j, k, to = 0, begin, 0, 1 - which
    while i < length and j < end:
        x, y = sums[which, i], pool[j]
        sums[to, k] = min(x, y)
        k += x != y
        i += x <= y
        j += y <= x
    while i < length:
        sums[to, k] = sums[which, i]
        i += 1
        k += 1
    while j < end:
        sums[to, k] = pool[j]
        j += 1
        k += 1
    return k


@kernel
def add_up(
    targets: Int32s, begin: Whole, end: Whole, spans: Int64s, pool: Int32s, used: Whole, sums: Int32s
) -> tuple[Whole, Whole, Whole]:
    """Add what arrives from the targets begin … end - 1; where at most one of them is not zero, its list is shared.

    Args:
        targets: (n_arrows,), int32. The simplex that an arrow leads to, -1 where it vanishes.
        begin: The first.
        end: The first that is left out.
        spans: (n, 2), int64. Where in the pool the list of each simplex begins and ends.
        pool: Lists of rows. If it is too short, the sum is not written.
        used: How much of the pool is used.
        sums: (2, n_rows) to work in.

    Returns:
        Where the sum begins and ends in the pool, and how much of that is used then, which may be too much.
    """
    n_lists, last = 0, 0
    for t in range(begin, end):
        x = targets[t]
        if x >= 0 and spans[x, 1] > spans[x, 0]:
            n_lists += 1
            last = x
    if n_lists == 0:
        return np.int64(0), np.int64(0), used
    if n_lists == 1:
        return spans[last, 0], spans[last, 1], used
    length, which = 0, 0
    for t in range(begin, end):
        x = targets[t]
        if x >= 0 and spans[x, 1] > spans[x, 0]:
            length = add_list(sums, which, length, pool, spans[x, 0], spans[x, 1])
            which = 1 - which
    if used + length <= len(pool):
        for i in range(length):
            pool[used + i] = sums[which, i]
    return used, used + length, used + length


def add_ways(ways: Ways, rows: Int32s, n_rows: int) -> tuple[Int32s, Int64s]:
    """Add up what arrives at critical simplices.

    Args:
        ways: Where simplices lead.
        rows: (n,), int32. Of the simplices on the way: the row of a critical one, -1 for one that needs none, -2 for
            those that are not critical.
        n_rows: Number of rows.

    Returns:
        A pool of rows, and for each critical simplex where in it its boundary, a rising list, begins and ends.
    """
    n, n_critical = len(rows), len(ways.faces)
    spans, boundaries = np.full((n, 2), -1, np.int64), np.empty((n_critical, 2), np.int64)
    pool, sums, stack = np.empty(2 * n + 1024, np.int32), np.empty((2, n_rows), np.int32), np.empty(n + 1, np.int32)
    state = np.array([n - 1, 0, 0])
    while go_up(ways.arrows, ways.targets, rows, spans, pool, sums, stack, state) or add_faces(
        ways.targets, ways.faces, spans, boundaries, pool, sums, state
    ):
        pool = np.concatenate([pool, pool])
    return pool, boundaries


@entry
def go_up(
    arrows: Int64s,
    targets: Int32s,
    rows: Int32s,
    spans: Int64s,
    pool: Int32s,
    sums: Int32s,
    stack: Int32s,
    state: Int64s,
) -> bool:
    """Add up what arrives, from the last simplex to the first; return True where the pool is full, else False.

    A simplex leads to others of the same edge, too, which may have lower numbers: those that wait stand on a stack.
    """
    first, used = state[0], state[1]
    while first >= 0:
        stack[0], depth = first, 1 if spans[first, 0] < 0 else 0
        while depth:
            x = np.int64(stack[depth - 1])
            if used == len(pool):
                state[0], state[1] = first, used
                return True
            if rows[x] > -2:
                spans[x, 0], spans[x, 1] = used, used
                if rows[x] >= 0:
                    pool[used] = rows[x]
                    used += 1
                    spans[x, 1] = used
                depth -= 1
                continue
            waits = False
            for t in range(arrows[x, 0], arrows[x, 1]):
                if targets[t] >= 0 and spans[targets[t], 0] < 0:
                    stack[depth] = targets[t]
                    depth += 1
                    waits = True
                    break
            if waits:
                continue
            begin, end, after = add_up(targets, arrows[x, 0], arrows[x, 1], spans, pool, used, sums)
            if after > len(pool):
                state[0], state[1] = first, used
                return True
            spans[x, 0], spans[x, 1], used = begin, end, after
            depth -= 1
        first -= 1
    state[0], state[1] = first, used
    return False


@entry
def add_faces(
    targets: Int32s, faces: Int64s, spans: Int64s, boundaries: Int64s, pool: Int32s, sums: Int32s, state: Int64s
) -> bool:
    """Add up what arrives from the faces of each critical simplex; return True where the pool is full, else False."""
    c, used = state[2], state[1]
    while c < len(faces):
        begin, end, after = add_up(targets, faces[c, 0], faces[c, 1], spans, pool, used, sums)
        if after > len(pool):
            break
        boundaries[c, 0], boundaries[c, 1], used = begin, end, after
        c += 1
    state[2], state[1] = c, used
    return bool(c < len(faces))


@entry
def match_names(edges: Int64s, codes: Int64s, names: Int64s, values: Int32s, matched: Int32s) -> None:
    """Write for each name (edge, code) the value of the equal one among edges and codes, or -1; both lists rise."""
    i = 0
    for k in range(len(names)):
        while i < len(edges) and (edges[i] < names[k, 0] or (edges[i] == names[k, 0] and codes[i] < names[k, 1])):
            i += 1
        is_there = i < len(edges) and edges[i] == names[k, 0] and codes[i] == names[k, 1]
        matched[k] = values[i] if is_there else -1
