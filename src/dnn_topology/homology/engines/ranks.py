"""Distances replaced by their ranks: the way around what libraries do to numbers.

Persistence only asks which edge comes before which. So an engine may be given ranks 1, 2, 3, … and its answer be
translated back, which makes an engine exact that computes in float32 (giotto-ph, redzed, ripser.py) and keeps one from
reading an edge of length 0 as a missing one (ripser.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

FLOAT32_INTEGERS = 2**24  # every whole number up to here is a float32


class Ranks:
    """The ranks of a graph's distances, from 1; 0 stands for the birth of a node.

    Args:
        graph: The graph.

    Attributes:
        values: (n_edges,), float32. The rank of each edge; equal distances have equal ranks.

    Raises:
        DnnTopologyError: There are more different distances than float32 can number.
    """

    def __init__(self, graph: FunctionalGraph) -> None:
        order = np.argsort(graph.distances)
        rising = graph.distances[order]
        is_new = np.diff(rising, prepend=-1.0) > 0
        distances = rising[is_new]
        if len(distances) >= FLOAT32_INTEGERS:
            raise DnnTopologyError(
                f"the graph has {len(distances)} different distances and this engine can tell {FLOAT32_INTEGERS - 1} "
                "apart: lower max_epsilon or take engine='gudhi'"
            )
        self.values = np.empty(len(order), dtype=np.float32)
        self.values[order] = np.cumsum(is_new)
        self._distances = np.concatenate([[0.0], distances])

    def __len__(self) -> int:
        return len(self._distances) - 1

    def distances(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (k, 2) rows of ranks as rows of distances; inf stays inf."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        alive = np.isinf(points)
        bars: NDArray[np.float64] = self._distances[np.where(alive, 0, points).astype(np.intp)]
        bars[alive] = np.inf
        return bars[bars[:, 1] > bars[:, 0]]
