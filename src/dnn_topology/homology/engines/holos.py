"""Holos: a Ripser in Rust with threads, for sparse graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._packages import pip_install
from dnn_topology.homology.engines import distribution_version
from dnn_topology.homology.engines.capacity import check_simplex_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True)
class Holos:
    """Holos; see `Engine`."""

    about = "H2 and H3 on several cores (MIT or Apache-2.0)"

    @property
    def install(self) -> str:
        """How it is had."""
        return pip_install("holos-tda")

    def version(self) -> str | None:
        """Return holos' version."""
        return distribution_version("holos-tda")

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Compute persistence on the edges, as Python triples; see `Engine.compute`.

        Raises:
            DnnTopologyError: The simplices of so many nodes cannot be numbered in 64 bits.
        """
        check_simplex_index(graph, max_dim=max_dim, bits=64, engine="holos")
        import holos_tda

        edges = zip(graph.rows.tolist(), graph.cols.tolist(), graph.distances.tolist(), strict=True)
        bars = np.array(holos_tda.rips_sparse(graph.n_nodes, edges, max_dim=max_dim, threads=threads), dtype=np.float64)
        dims, points = np.split(bars.reshape(-1, 3), [1], axis=1)
        return [points[dims[:, 0] == dim] for dim in range(max_dim + 1)]
