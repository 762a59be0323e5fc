"""Which simplices on the way are the critical ones that give birth: those have a row."""

from __future__ import annotations

import numpy as np

from dnn_topology._compiled import entry
from dnn_topology.homology.engines.morse.bits import Int32s, Int64s
from dnn_topology.homology.engines.morse.ways import Ways


def critical_codes(critical: Int32s, dim: int, n: int) -> Int64s:
    """Return the codes of critical simplices of dimension dim + 1; see `descent`."""
    if dim == 1:
        return critical[:, 1].astype(np.int64)
    beside = np.sort(critical[:, 1:3], axis=1).astype(np.int64)
    return beside[:, 0] * n + beside[:, 1]


def numbers_met(ways: Ways, edges: Int64s, codes: Int64s) -> Int64s:
    """Return the number of simplices on the way, given by last edges, rising, and codes; -1 where it is not there."""
    numbers = np.full(len(edges), -1, np.int64)
    find_numbers(ways.edges, ways.codes, edges, codes, numbers)
    return numbers


@entry
def find_numbers(met: Int32s, met_codes: Int64s, edges: Int64s, codes: Int64s, numbers: Int64s) -> None:
    """Write the numbers; see `numbers_met`."""
    x = len(met) - 1
    for k in range(len(edges)):
        while x >= 0 and met[x] < edges[k]:
            x -= 1
        y = x
        while y >= 0 and met[y] == edges[k]:
            if met_codes[y] == codes[k]:
                numbers[k] = y
            y -= 1
