"""ripser.py: what most people use today, here to compare with.

Its sparse input takes a stored 0 for a missing edge and rounds to float32, so it is given ranks.
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
class Ripser:
    """ripser.py; see `Engine`."""

    about = "widely used; a peer to compare with (MIT)"

    @property
    def install(self) -> str:
        """How it is had."""
        return pip_install("ripser")

    def version(self) -> str | None:
        """Return ripser.py's version."""
        return distribution_version("ripser")

    def compute(
        self,
        graph: FunctionalGraph,
        *,
        max_dim: int,
        threads: int,  # noqa: ARG002  # it knows only one
    ) -> list[NDArray[np.float64]]:
        """Compute persistence of the ranks; see `Engine.compute`.

        Raises:
            DnnTopologyError: The simplices of so many nodes cannot be numbered in the 55 bits that it has for that.
        """
        check_simplex_index(graph, max_dim=max_dim, bits=55, engine="ripser")  # beyond, its C++ aborts the interpreter
        import ripser
        from scipy.sparse import coo_matrix

        ranks = Ranks(graph)
        edges = coo_matrix((ranks.values, (graph.rows, graph.cols)), shape=(graph.n_nodes, graph.n_nodes))
        bars = ripser.ripser(edges, maxdim=max_dim, thresh=float(len(ranks)), distance_matrix=True)["dgms"]
        return [ranks.distances(points) for points in bars]
