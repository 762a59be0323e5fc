"""Which simplices on the way are critical, and which of these give birth: those have a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnn_topology.homology.engines.morse.bits import Int32s, Int64s
from dnn_topology.homology.engines.morse.compiled import entry
from dnn_topology.homology.engines.morse.ways import Ways


def critical_codes(critical: Int32s, dim: int, n: int) -> Int64s:
    """Return the codes of critical simplices of dimension dim + 1; see `descent`."""
    if dim == 1:
        return critical[:, 1].astype(np.int64)
    beside = np.sort(critical[:, 1:3], axis=1).astype(np.int64)
    return beside[:, 0] * n + beside[:, 1]


def rows_met(ways: Ways, edges: Int64s, codes: Int64s, positive: NDArray[np.bool_]) -> Int32s:
    """Return the row of each simplex on the way: -1 for a critical one without, -2 for one that is not critical."""
    row_of = np.where(positive, np.cumsum(positive) - 1, -1).astype(np.int32)
    rows = np.full(len(ways.codes), -2, np.int32)
    met = np.flatnonzero(ways.arrows[:, 0] == ways.arrows[:, 1])
    by_name = np.lexsort((codes, edges))
    wanted = met[np.lexsort((ways.codes[met], ways.edges[met]))]
    matched = np.empty(len(wanted), np.int32)
    names = np.column_stack([ways.edges[wanted], ways.codes[wanted]])
    match_names(edges[by_name], codes[by_name], names, row_of[by_name], matched)
    rows[wanted] = matched
    return rows


@entry
def match_names(edges: Int64s, codes: Int64s, names: Int64s, values: Int32s, matched: Int32s) -> None:
    """Write for each name (edge, code) the value of the equal one among edges and codes, or -1; both lists rise."""
    i = 0
    for k in range(len(names)):
        while i < len(edges) and (edges[i] < names[k, 0] or (edges[i] == names[k, 0] and codes[i] < names[k, 1])):
            i += 1
        is_there = i < len(edges) and edges[i] == names[k, 0] and codes[i] == names[k, 1]
        matched[k] = values[i] if is_there else -1
