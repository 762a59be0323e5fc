"""What a computation should cost, in seconds and bytes, from a census: what the planner and the estimates go by.

The constants were read off single runs on the graphs of `benchmarks/graphs.py`: they tell a second from an hour. On
other graphs and machines they are no more than a first guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnn_topology.homology.engines.census import Census


@dataclass(frozen=True)
class Cost:
    """What one engine costs.

    Attributes:
        start: Seconds for every call.
        per_edge: Seconds per edge.
        per_simplex: Seconds per simplex of the highest dimension whose homology is computed, from H2 on.
        parallel: Share of the time per simplex that a second, third, … thread each saves, relative to the first.
        pair_bytes: Bytes per pair of nodes: of a dense matrix; of our own engine, of nodes in triangles.
        edge_bytes: Bytes per edge.
        simplex_bytes: Bytes per simplex of the highest dimension.
        thread_pair_bytes: Bytes per thread and pair of nodes among which a link is looked for.
        lists: Whether the simplices of all lower dimensions are listed.
        dense: What H3 takes more, instead of the simplices of dimension 3: seconds and bytes per triangle, times the
            share of the pairs of nodes that are joined. None where it takes as much for each simplex as H2.
    """

    start: float
    per_edge: float
    per_simplex: float
    parallel: float
    pair_bytes: float
    edge_bytes: float
    simplex_bytes: float
    thread_pair_bytes: float = 0.0
    lists: bool = True
    dense: tuple[float, float] | None = None

    def seconds(self, census: Census, *, max_dim: int, threads: int) -> float:
        """Return the estimated time."""
        seconds, _ = self._simplices(census, max_dim)
        return self.start + self.per_edge * census.n_edges + seconds / (1 + self.parallel * (threads - 1))

    def memory(self, census: Census, *, max_dim: int, threads: int) -> float:
        """Return the estimated peak memory in bytes, beyond that of the graph."""
        lower = sum(census.n_simplices(dim) for dim in range(2, max_dim)) if self.lists else 0.0
        n_linked = census.n_nodes if census.n_linked is None else census.n_linked
        n_held = n_linked if census.n_held is None else census.n_held
        return (
            self.pair_bytes * n_linked**2
            + threads * self.thread_pair_bytes * n_held**2
            + self.edge_bytes * census.n_edges
            + LISTED_BYTES * lower
            + self._simplices(census, max_dim)[1]
        )

    def _simplices(self, census: Census, max_dim: int) -> tuple[float, float]:
        """Return the seconds and bytes that simplices take."""
        if self.dense is None or max_dim < 3:
            n = top_simplices(census, max_dim=max_dim)
            return self.per_simplex * n, self.simplex_bytes * n
        n = census.n_triangles
        n_dense = n * 2 * census.n_edges / max(census.n_nodes, 1) ** 2
        seconds, n_bytes = self.dense
        return self.per_simplex * n + seconds * n_dense, self.simplex_bytes * n + n_bytes * n_dense


LISTED_BYTES = 24  # of a simplex below the highest dimension, all of which are listed
COSTS = {
    "morse": Cost(0.005, 0.15e-6, 0.005e-6, 0.6, 0.004, 160, 0.5, 0.125, lists=False, dense=(0.35e-6, 100)),
    "gudhi": Cost(0.005, 0.5e-6, 0.65e-6, 0.0, 0, 40, 8),
    "holos": Cost(0.030, 0.8e-6, 0.40e-6, 0.6, 0, 250, 10),
    "redzed": Cost(0.050, 0.1e-6, 0.52e-6, 0.0, 20, 16, 10),
    "ripser": Cost(0.010, 0.8e-6, 3.0e-6, 0.0, 0, 60, 24),
    "giotto-ph": Cost(0.010, 0.8e-6, 1.5e-6, 0.6, 0, 60, 20),
    "dipha": Cost(0.500, 5.0e-6, 60e-6, 0.6, 0, 400, 600),
}


def top_simplices(census: Census, *, max_dim: int) -> float:
    """Return the estimated number of simplices of the highest dimension, whose columns are reduced."""
    return census.n_simplices(max(max_dim, 2)) if max_dim >= 2 else 0.0
