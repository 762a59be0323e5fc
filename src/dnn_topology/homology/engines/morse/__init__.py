"""Our own engine: H0 to H3, exactly, by a Morse matching of the link of every edge.

One edge enters at a time, by length. With edge e = ab comes every simplex ab ∪ σ, σ a clique of its *link*, the common
neighbours of a and b so far; so what happens at e is the homology of a small set, and any acyclic matching inside the
link gives a Morse complex with the same diagrams (Forman 1998; Mischaikow and Nanda 2013): what is matched comes and
goes with one edge, so that its bars have length zero.

`order` sorts edges, `numbering` numbers vertices, `ranks` finds the rank of an edge. `matching` matches a link by sets
of bits (`sets`, `blocks`, `bits`), `sweep` goes over the edges, in large graphs within `windows`. `descent`, `flow` and
`ways` find what critical simplices flow through, `rows` and `pairing` pair births with deaths (`components` those of
H0), `levels` dimension by dimension, `persistent` makes bars. `stretches` cuts all this into `tasks` for several
threads. `lifting` lifts cycles of edges and triangles, which `annotation` and `shortest` shorten. `memory` has all that
concerns large pages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.engines import distribution_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.engines.morse.persistent import Bars, Reduced

logger = logging.getLogger(__name__)
HIGHEST = 3  # the highest dimension that links are matched deep enough for
COMPILING = (0.5, 5.0, 8.0, 12.0)  # seconds, by dimension, on one core


@dataclass(frozen=True)
class Morse:
    """Our own engine; see `Engine`."""

    about = "our own, H0 to H3, what `auto` takes; compiled once (MIT)"
    install = "pip install numba"
    _compiled: ClassVar[set[int]] = set()

    def version(self) -> str | None:
        """Return Numba's version."""
        return distribution_version("numba")

    def is_compiled(self, max_dim: int) -> bool:
        """Return whether the machine code for a dimension is in this process or on disk."""
        if max_dim not in self._compiled:
            from dnn_topology.homology.engines.morse.persistent import is_compiled

            if not is_compiled(max_dim):
                return False
            self._compiled.add(max_dim)
        return True

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Compute persistence of the Morse complex; see `Engine.compute`.

        Raises:
            DnnTopologyError: The dimension is above 3.
        """
        self.compile(max_dim)
        from dnn_topology.homology.engines.morse.persistent import paired_bars, reduce_graph

        reduced = reduce_graph(graph, max_dim=max_dim, threads=threads)
        return [bars.points for bars in paired_bars(reduced, graph.n_nodes)]

    def pairs(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> tuple[Reduced, list[Bars]]:
        """Compute persistence with the edges at which bars begin and end; see `Bars`.

        Args:
            graph: The graph; its distances become births and deaths, divided by two.
            max_dim: The highest dimension, at most 3.
            threads: How many threads may be used.

        Returns:
            What cycles are lifted from, and the bars of each dimension.

        Raises:
            DnnTopologyError: The dimension is above 3.
        """
        self.compile(max_dim)
        from dnn_topology.homology.engines.morse.persistent import paired_bars, reduce_graph

        reduced = reduce_graph(graph, max_dim=max_dim, threads=threads, cycles=True)
        return reduced, paired_bars(reduced, graph.n_nodes)

    def compile(self, max_dim: int) -> None:
        """Compile what a dimension needs, unless that is done; the machine code is kept on disk for other processes.

        Raises:
            DnnTopologyError: The dimension is above 3.
        """
        check_dimension(max_dim)
        if self.is_compiled(max_dim):
            return
        from dnn_topology.homology.engines.morse.persistent import reduce_graph

        logger.info("compiling the engine for H%d, once: about %.0f s", max_dim, COMPILING[max_dim])
        reduce_graph(_octahedra(), max_dim=max_dim, threads=1)
        self._compiled.add(max_dim)


def check_dimension(max_dim: int) -> None:
    """Refuse what links are not matched deep enough for.

    Raises:
        DnnTopologyError: The dimension is above 3.
    """
    if max_dim > HIGHEST:
        raise DnnTopologyError(f"engine 'morse' computes up to max_dim {HIGHEST}, found {max_dim}: take engine='auto'")


def _octahedra() -> FunctionalGraph:
    """Return a small graph with something to do in every dimension: a cross-polytope, edges of many lengths."""
    from dnn_topology.graphs.graph import FunctionalGraph

    distances = np.random.default_rng(0).uniform(0.1, 0.9, (10, 10))
    distances = np.triu(distances, 1) + np.triu(distances, 1).T
    pairs = np.arange(0, 10, 2)
    distances[pairs, pairs + 1] = distances[pairs + 1, pairs] = np.inf
    return FunctionalGraph.from_distances(distances)
