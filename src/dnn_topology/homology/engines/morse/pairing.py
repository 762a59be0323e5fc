"""From boundaries to pairs: the annotation of every simplex on the way, and of every critical one that may kill.

The *annotation* of a simplex is what it flows to, a chain of critical simplices one dimension lower, modulo the
boundaries that are there when the simplex comes (Busaryev and others 2012, who annotate all simplices).
Edges are gone through upwards. Where a critical simplex comes whose boundary has an annotation that is not zero, the
youngest class of it dies, and is from then on replaced, wherever it is met, by the rest of that annotation.

Exact because the annotation of a boundary is that boundary with boundaries added that come before it: what the standard
reduction of columns from left to right does, in another order, and the pairs do not depend on the order. Fast because
hardly a class is alive at a time: nearly all annotations are empty, where boundaries have dozens of terms.

Only simplices that give birth count as terms, the *rows*: the youngest of a reduced boundary always gives birth, so
that the others, left out everywhere, decide nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnn_topology.homology.engines.morse.bits import SIX, ZERO, Int32s, Int64s, Whole, Words, bit, highest
from dnn_topology.homology.engines.morse.compiled import entry, kernel
from dnn_topology.homology.engines.morse.ways import Ways

LISTS = 4  # the longest lists that the pool has room for at first: enough mostly, and one more than it must have
TWELVE = np.uint64(12)  # a term shifted right by this is the number of the mark of its word
USED, COLUMN, NUMBER = range(3)  # where an annotation stands: how much of the pool is used, the next column and simplex


class Columns(NamedTuple):
    """The annotations of the boundaries of critical simplices.

    Attributes:
        lows: (n,), int64. The row that dies with each, its youngest; -1 where the annotation is zero.
        heads: (n,), int32. Where in `pool` its list is: how many terms it has, then these, falling.
        pool: int32.
        n_tracked: The terms below this number are columns, all that were added to a column, and itself; those from here
            on are rows. 0 where nobody wants to know what was added.
    """

    lows: Int64s
    heads: Int32s
    pool: Int32s
    n_tracked: int

    def rows(self, column: int) -> Int32s:
        """Return the rows of a column, falling."""
        terms = self._terms(column)
        return terms[terms >= self.n_tracked] - self.n_tracked

    def sums(self, column: int) -> Int32s:
        """Return the columns whose boundaries a tracked column is the sum of, falling."""
        terms = self._terms(column)
        return terms[terms < self.n_tracked]

    def _terms(self, column: int) -> Int32s:
        head = self.heads[column]
        return self.pool[head + 1 : head + 1 + self.pool[head]]


class Annotations(NamedTuple):
    """What is worked on; arrays that grow are replaced by longer ones.

    Attributes:
        heads: (n + 1,), int32. Of each simplex on the way where in the pool its list is, -1 while it has none.
        pool: int32. Lists: how many terms, then these, falling. The first is the empty one.
        owners: (n_rows,), int32. The column with which each row dies, or -1.
        columns: (n_columns,), int32. Like `heads`, of the boundaries of the critical simplices.
        lows: (n_columns,), int64. The row that dies with each column, or -1.
        words: (k,), uint64. The list at work as a set of bits; empty between lists.
        marks: (k / 64,), uint64. Which words may have bits.
        stack: (n + 1,), int32. Simplices that wait for others.
        state: (3,), int64. See `USED`.
    """

    heads: Int32s
    pool: Int32s
    owners: Int32s
    columns: Int32s
    lows: Int64s
    words: Words
    marks: Words
    stack: Int32s
    state: Int64s


def annotate(ways: Ways, edges: Int64s, rows: Int32s, n_rows: int, *, track: bool) -> Columns:
    """Annotate the boundaries of critical simplices.

    Args:
        ways: Where the simplices on the way, and the faces of critical ones, lead.
        edges: (n_columns,), int64. The last edges of the critical simplices, rising.
        rows: (n,), int32. Of the simplices on the way: the row of a critical one, -1 for one without, -2 for
            those that are not critical.
        n_rows: Number of rows.
        track: Whether to keep what is added to each column.

    Returns:
        The columns.
    """
    n, n_columns = len(rows), len(edges)
    n_tracked = n_columns if track else 0
    n_terms = n_rows + n_tracked
    n_words = (n_terms >> 6) + 1
    pool = np.zeros(2 * n_rows + 64 * n_words * LISTS, np.int32)
    pool[1 : 2 * n_rows : 2], pool[2 : 2 * n_rows + 1 : 2] = 1, n_tracked + np.arange(n_rows)
    heads = np.where(rows >= 0, 1 + 2 * rows, rows + 1).astype(np.int32)
    # A column needs the simplices that come with its edge or before: those from this number on.
    firsts = n - np.searchsorted(ways.edges[::-1], edges, side="right")
    work = Annotations(
        heads,
        pool,
        np.full(n_rows, -1, np.int32),
        np.zeros(n_columns, np.int32),
        np.full(n_columns, -1, np.int64),
        np.zeros(n_words, np.uint64),
        np.zeros((n_terms >> 12) + 1, np.uint64),
        np.empty(n + 1, np.int32),
        np.array([2 * n_rows + 1, 0, n - 1]),
    )
    while go_up(ways.arrows, ways.targets, ways.faces, firsts, work, n_tracked):
        work = work._replace(pool=np.concatenate([work.pool, np.zeros_like(work.pool)]))
    return Columns(work.lows, work.columns, work.pool[: work.state[USED]], n_tracked)


@kernel
def toggle_list(work: Annotations, head: Whole) -> None:
    """Add a list to the one at work."""
    pool = work.pool
    for i in range(head + 1, head + 1 + pool[head]):
        term = np.uint64(pool[i])
        work.words[term >> SIX] ^= bit(term)
        work.marks[term >> TWELVE] |= bit(term >> SIX)


@kernel
def take_list(work: Annotations, n_tracked: Whole) -> Whole:
    """Put the list at work into the pool, each row that is dead replaced; return where it is, 0 if it is empty."""
    pool, head = work.pool, work.state[USED]
    used = head + 1
    for i in range(len(work.marks)):
        m = np.uint64(len(work.marks) - 1 - i)
        while work.marks[m]:
            k = (m << SIX) + highest(work.marks[m])
            word = work.words[k]
            if word == ZERO:
                work.marks[m] &= ~bit(k)
                continue
            term = (k << SIX) + highest(word)
            row = np.int64(term) - n_tracked
            owner = np.int64(work.owners[row]) if row >= 0 else -1
            if owner >= 0:
                toggle_list(work, np.int64(work.columns[owner]))
            else:
                work.words[k] &= ~bit(term)
                pool[used] = term
                used += 1
    if used == head + 1:
        return np.int64(0)
    pool[head], work.state[USED] = used - head - 1, used
    return head


@kernel
def add_up(targets: Int32s, begin: Whole, end: Whole, work: Annotations, n_tracked: Whole) -> Whole:
    """Add the annotations of some targets; where at most one is not empty, its list serves.

    Args:
        targets: (n_arrows,), int32. The simplex that each arrow leads to, -1 where it vanishes.
        begin: The first.
        end: The first that is left out.
        work: Lists.
        n_tracked: How many columns are tracked; terms from here on are rows.

    Returns:
        Where in the pool the sum is, or -1 where a target is not annotated yet.
    """
    n_lists, last = 0, np.int64(0)
    for t in range(begin, end):
        if targets[t] >= 0:
            head = np.int64(work.heads[targets[t]])
            if head < 0:
                return np.int64(-1)
            if head > 0:
                n_lists += 1
                last = head
    if n_lists < 2:
        return last
    for t in range(begin, end):
        if targets[t] >= 0:
            toggle_list(work, np.int64(work.heads[targets[t]]))
    return take_list(work, n_tracked)


@kernel
def annotate_simplex(arrows: Int32s, targets: Int32s, x: Whole, work: Annotations, n_tracked: Whole) -> bool:
    """Annotate a simplex, and those that it leads to and that are not yet; return False where the pool is full.

    A simplex leads to others of the same edge, too, which may have lower numbers: those that wait stand on a stack.
    """
    stack, depth = work.stack, 1
    stack[0] = x
    while depth:
        if not has_room(work):
            return False
        x = np.int64(stack[depth - 1])
        head = add_up(targets, np.int64(arrows[x, 0]), np.int64(arrows[x, 1]), work, n_tracked)
        if head >= 0:
            work.heads[x] = head
            depth -= 1
            continue
        t = np.int64(arrows[x, 0])
        while targets[t] < 0 or work.heads[targets[t]] >= 0:
            t += 1
        stack[depth] = targets[t]
        depth += 1
    return True


@kernel
def has_room(work: Annotations) -> bool:
    """Return whether the pool has room for any list."""
    return bool(work.state[USED] + 1 + 64 * len(work.words) <= len(work.pool))


@entry
def go_up(arrows: Int32s, targets: Int32s, faces: Int32s, firsts: Int64s, work: Annotations, n_tracked: Whole) -> bool:
    """Annotate column after column, and before each the simplices that it needs; return True where the pool is full."""
    x = work.state[NUMBER]
    for c in range(work.state[COLUMN], len(firsts)):
        while x >= firsts[c]:
            if work.heads[x] < 0 and not annotate_simplex(arrows, targets, x, work, n_tracked):
                break
            x -= 1
        work.state[NUMBER], work.state[COLUMN] = x, c
        if x >= firsts[c] or not has_room(work):
            return True
        for t in range(faces[c, 0], faces[c, 1]):
            if targets[t] >= 0:
                toggle_list(work, np.int64(work.heads[targets[t]]))
        if n_tracked:
            work.words[c >> 6] ^= bit(np.uint64(c))
            work.marks[c >> 12] |= bit(np.uint64(c) >> SIX)
        head = take_list(work, n_tracked)
        work.columns[c] = head
        row = np.int64(work.pool[head + 1]) - n_tracked
        if head and row >= 0:
            work.lows[c], work.owners[row] = row, c
    work.state[COLUMN] = len(firsts)
    return False
