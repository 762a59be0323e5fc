"""Large graphs of few edges: our own engine looks through a row of bits per edge, where GUDHI lists few simplices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.homology.engines.census import Census
from dnn_topology.homology.engines.cost import COSTS

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph

# Seconds, read off clusters of 10 to 400 points in the plane and in space, 10,000 to 150,000 in all.
PER_BIT = 4.5e-11  # of our own engine, for a node in a triangle and an edge
PER_TRIANGLE = {1: 0.1e-6}  # of GUDHI, for a triangle that there may be; above H1 it is that of `COSTS`
GAIN = 0.8  # GUDHI is taken where it takes at most this share of the time
LARGE = 8192  # nodes; fewer have short rows


def is_sparse(graph: FunctionalGraph, *, max_dim: int) -> bool:
    """Return whether GUDHI is faster than our own engine, since the graph has many nodes and few triangles.

    Both sides err for our own engine: of its time only that of the rows counts, which grows with the nodes that are in
    triangles; GUDHI's is that of the most triangles there may be, as many at an edge as its ends have neighbours.

    Args:
        graph: The graph.
        max_dim: The highest dimension.
    """
    if graph.n_nodes <= LARGE or max_dim < 1:
        return False
    degrees = np.bincount(np.concatenate([graph.rows, graph.cols]), minlength=graph.n_nodes)
    n_triangles = float(np.minimum(degrees[graph.rows], degrees[graph.cols]).sum()) / 3
    listing = COSTS["gudhi"].seconds(Census(graph.n_nodes, graph.n_edges, n_triangles, 0.0), max_dim=max_dim, threads=1)
    listing += PER_TRIANGLE.get(max_dim, 0.0) * n_triangles
    least = listing / (GAIN * PER_BIT * max(graph.n_edges, 1))  # nodes in triangles, from which it is
    if np.count_nonzero(degrees >= 2) < least:
        return False
    from dnn_topology.homology.engines.morse.numbering import row_length  # which loads Numba

    return row_length(graph) >= least
