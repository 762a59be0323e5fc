"""The components of H0: which of the critical edges join two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dnn_topology._compiled import entry
from dnn_topology.homology.engines.morse.bits import Int32s, Int64s


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
