"""Our own engine: H0 to H3, exactly, by a Morse matching of the link of every edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.engines import distribution_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

HIGHEST = 3  # the highest dimension that links are matched deep enough for


@dataclass(frozen=True)
class Morse:
    """Our own engine; see `Engine`."""

    about = "our own, H0 to H3; compiled once, by Numba"
    install = "pip install numba"

    def version(self) -> str | None:
        """Return Numba's version."""
        return distribution_version("numba")

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Compute persistence of the Morse complex; see `Engine.compute`.

        Raises:
            DnnTopologyError: The dimension is above 3.
        """
        if max_dim > HIGHEST:
            raise DnnTopologyError(
                f"engine 'morse' computes up to max_dim {HIGHEST}, found {max_dim}: take engine='auto'"
            )
        from dnn_topology.homology.engines.morse.persistent import bars, reduce_graph

        return bars(reduce_graph(graph, max_dim=max_dim, threads=threads), graph.n_nodes, max_dim=max_dim)
