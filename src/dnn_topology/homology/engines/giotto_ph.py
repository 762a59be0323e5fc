"""giotto-ph: a parallel Ripser, under the AGPL: imported only when it is asked for by name.

It computes in float32, so it is given ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnn_topology._packages import pip_install
from dnn_topology.homology.engines import distribution_version
from dnn_topology.homology.engines.capacity import check_simplex_index
from dnn_topology.homology.engines.ranks import Ranks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True)
class GiottoPH:
    """giotto-ph; see `Engine`."""

    about = "several cores; a peer to compare with (AGPL: never chosen unless named)"

    @property
    def install(self) -> str:
        """How it is had."""
        return pip_install("giotto-ph")

    def version(self) -> str | None:
        """Return giotto-ph's version."""
        return distribution_version("giotto-ph")

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Compute persistence of the ranks; see `Engine.compute`.

        Raises:
            DnnTopologyError: The simplices of so many nodes cannot be numbered in the 55 bits that it has for that.
        """
        check_simplex_index(graph, max_dim=max_dim, bits=55, engine="giotto-ph")
        from gph import ripser_parallel
        from scipy.sparse import coo_matrix

        ranks = Ranks(graph)
        edges = coo_matrix((ranks.values, (graph.rows, graph.cols)), shape=(graph.n_nodes, graph.n_nodes))
        bars = ripser_parallel(edges, maxdim=max_dim, metric="precomputed", n_threads=threads)["dgms"]
        return [ranks.distances(points) for points in bars]
