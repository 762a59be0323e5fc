"""RedZeD: reduction to zero differentials (Kapulkin and Kershaw, 2026, arXiv:2606.06310).

It wants the distance of every pair without inf, so a missing edge is written as a number above the threshold; and it
rounds to float32, so it is given ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._packages import pip_install
from dnn_topology.homology.engines import distribution_version
from dnn_topology.homology.engines.ranks import Ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True)
class Redzed:
    """RedZeD; see `Engine`."""

    about = "H0 and H1, and H2 of small dense graphs; memory grows with the square of the nodes (MIT)"

    @property
    def install(self) -> str:
        """How it is had."""
        return pip_install("redzed-tda")

    def version(self) -> str | None:
        """Return RedZeD's version."""
        return distribution_version("redzed-tda")

    def compute(
        self,
        graph: FunctionalGraph,
        *,
        max_dim: int,
        threads: int,  # noqa: ARG002  # it knows only one
    ) -> list[NDArray[np.float64]]:
        """Compute persistence on the distances of all pairs; see `Engine.compute`."""
        import redzed_tda

        ranks = Ranks(graph)
        pairs = np.full(graph.n_pairs, len(ranks) + 1.0)  # in scipy's `pdist` order
        rows = graph.rows.astype(np.int64)
        pairs[rows * (2 * graph.n_nodes - rows - 3) // 2 + graph.cols - 1] = ranks.values
        bars = redzed_tda.rips(pairs, maxdim=max_dim, threshold=float(len(ranks)))
        return [ranks.distances(points) for points in bars]
