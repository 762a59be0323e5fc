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

from dnn_topology._compiled import entry, kernel
from dnn_topology.homology.engines.morse.bits import SIX, ZERO, Int32s, Int64s, Whole, Words, bit, highest
from dnn_topology.homology.engines.morse.ways import Ways

LISTS = 4  # the longest lists that the pool has room for at first: enough mostly, and one more than it must have
TWELVE = np.uint64(12)  # a term shifted right by this is the number of the mark of its word
# Where an annotation stands: how much of the pool is used, the next column and simplex, the next arrow to that, -1 for
# its first, and the simplex of this edge to turn back to, or -1.
USED, COLUMN, NUMBER, ARROW, BACK = range(5)


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
        sums: (n,), int32. Of each simplex on the way where in the pool the list is of what has been handed to it and
            not handed on.
        pool: int32. Lists: how many terms, then these, falling. The first is the empty one.
        owners: (n_rows,), int32. The column with which each row dies, or -1.
        columns: (n_columns,), int32. Like `sums`, of the boundaries of the critical simplices.
        lows: (n_columns,), int64. The row that dies with each column, or -1.
        words: (k,), uint64. The list at work as a set of bits; empty between lists.
        marks: (k / 64,), uint64. Which words may have bits.
        state: (5,), int64. See `USED`.
    """

    sums: Int32s
    pool: Int32s
    owners: Int32s
    columns: Int32s
    lows: Int64s
    words: Words
    marks: Words
    state: Int64s


def annotate(ways: Ways, edges: Int64s, numbers: Int64s, *, track: bool) -> Columns:
    """Annotate the boundaries of critical simplices.

    Args:
        ways: The simplices on the way, and where the arrows to them come from.
        edges: (n_columns,), int64. The last edges of the critical simplices, rising.
        numbers: (n_rows,), int64. Which of the simplices on the way each row is, or -1.
        track: Whether to keep what is added to each column.

    Returns:
        The columns.
    """
    n_rows, n_columns = len(numbers), len(edges)
    n_tracked = n_columns if track else 0
    n_terms = n_rows + n_tracked
    n_words = (n_terms >> 6) + 1
    pool = np.zeros(2 * n_rows + 64 * n_words * LISTS, np.int32)
    pool[1 : 2 * n_rows : 2], pool[2 : 2 * n_rows + 1 : 2] = 1, n_tracked + np.arange(n_rows)
    sums = np.zeros(len(ways.edges), np.int32)
    met = np.flatnonzero(numbers >= 0)
    sums[numbers[met]] = 1 + 2 * met
    work = Annotations(
        sums,
        pool,
        np.full(n_rows, -1, np.int32),
        np.zeros(n_columns, np.int32),
        np.full(n_columns, -1, np.int64),
        np.zeros(n_words, np.uint64),
        np.zeros((n_terms >> 12) + 1, np.uint64),
        np.array([2 * n_rows + 1, 0, len(sums) - 1, -1, -1]),
    )
    while go_up(ways, edges, work, n_tracked):
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
def add(work: Annotations, head: Whole, other: Whole, n_tracked: Whole) -> Whole:
    """Return where in the pool the sum of two lists is; where one is empty, the other serves."""
    if head == 0:
        return other
    toggle_list(work, head)
    toggle_list(work, other)
    return take_list(work, n_tracked)


@kernel
def has_room(work: Annotations) -> bool:
    """Return whether the pool has room for any list."""
    return bool(work.state[USED] + 1 + 64 * len(work.words) <= len(work.pool))


@kernel
def without_dead(work: Annotations, head: Whole, n_tracked: Whole) -> Whole:
    """Return where in the pool a list is with each row that is dead replaced; mostly nothing is left of it."""
    for i in range(head + 1, head + 1 + work.pool[head]):
        row = np.int64(work.pool[i]) - n_tracked
        if row >= 0 and work.owners[row] >= 0:
            toggle_list(work, head)
            return take_list(work, n_tracked)
    return head


@kernel
def hand_on(ways: Ways, x: Whole, work: Annotations, n_tracked: Whole) -> bool:
    """Add the list of a simplex to those that arrows lead to it from; return False where the pool is full."""
    state, n_columns = work.state, len(work.columns)
    arrow = state[ARROW]
    if arrow < 0:
        if not has_room(work):
            return False
        work.sums[x] = without_dead(work, np.int64(work.sums[x]), n_tracked)
        arrow = np.int64(ways.heads[x]) if work.sums[x] else np.int64(-1)
    while arrow >= 0:
        if not has_room(work):
            state[ARROW] = arrow
            return False
        source = np.int64(ways.sources[arrow])
        if source < 0:
            column = n_columns + source
            work.columns[column] = add(work, np.int64(work.columns[column]), np.int64(work.sums[x]), n_tracked)
        else:
            work.sums[source] = add(work, np.int64(work.sums[source]), np.int64(work.sums[x]), n_tracked)
            if source > x:  # of the same edge, and has had its turn
                state[BACK] = max(state[BACK], source)
        arrow = np.int64(ways.nexts[arrow])
    work.sums[x], state[ARROW] = 0, -1
    return True


@entry
def go_up(ways: Ways, edges: Int64s, work: Annotations, n_tracked: Whole) -> bool:
    """Annotate column after column, and before each the simplices that it needs; return True where the pool is full.

    What a simplex has been handed it hands on, once all of its edges and of those before have had their turn. Within an
    edge a simplex may be handed something after its turn; then the turn comes back to it when all have had one.
    """
    state, of_simplices = work.state, ways.edges
    x = state[NUMBER]
    for c in range(state[COLUMN], len(edges)):
        while x >= 0 and of_simplices[x] <= edges[c]:
            if work.sums[x] and not hand_on(ways, x, work, n_tracked):
                state[NUMBER], state[COLUMN] = x, c
                return True
            if state[BACK] >= 0 and (x == 0 or of_simplices[x - 1] != of_simplices[x]):
                x, state[BACK] = state[BACK], -1
            else:
                x -= 1
        if not has_room(work):
            state[NUMBER], state[COLUMN] = x, c
            return True
        toggle_list(work, np.int64(work.columns[c]))
        if n_tracked:
            work.words[c >> 6] ^= bit(np.uint64(c))
            work.marks[c >> 12] |= bit(np.uint64(c) >> SIX)
        head = take_list(work, n_tracked)
        work.columns[c] = head
        row = np.int64(work.pool[head + 1]) - n_tracked
        if head and row >= 0:
            work.lows[c], work.owners[row] = row, c
    state[COLUMN] = len(edges)
    return False
