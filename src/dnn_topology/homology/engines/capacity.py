"""Engines that number simplices in a fixed number of bits, and what then is too large for them."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph


def check_simplex_index(graph: FunctionalGraph, *, max_dim: int, bits: int, engine: str) -> None:
    """Refuse a graph on whose nodes there could be more simplices than an engine can number.

    Simplices that close the highest cavities have max_dim + 2 vertices, and are numbered among all that there could be.

    Args:
        graph: The graph.
        max_dim: The highest dimension.
        bits: How many bits a number has.
        engine: Name of the engine, for the message.

    Raises:
        DnnTopologyError: It is too large.
    """
    if comb(graph.n_nodes, max_dim + 2) >= 2**bits:
        raise DnnTopologyError(
            f"engine {engine!r} numbers simplices in {bits} bits, too few for max_dim {max_dim} on {graph.n_nodes} "
            "nodes: take engine='auto', or a lower max_dim"
        )
