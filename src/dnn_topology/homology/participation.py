"""How much each neuron takes part in the cavities of a graph, and how much of them lies within and across layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_whole
from dnn_topology.graphs.nodes import Neuron, NodesAre, neurons_of, nodes_are
from dnn_topology.homology.cavities import Tight, cavities
from dnn_topology.homology.cavity import ACROSS, UNKNOWN, Cavities

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph


@checked_fields
@dataclass(frozen=True, eq=False)
class Participation:
    """How much each neuron takes part in cavities.

    Attributes:
        neurons: One row per node of the graph: ``node``, ``layer``, ``index``, and for each dimension k
            ``cavities_Hk``, the number of cavities whose cycle it is in, and ``life_Hk``, their total life in ε.
        layers: One row per dimension and set of layers: ``dim``, ``layers``, the layers that cavities have nodes of,
            as text "conv1 + fc1", ``where`` ("within" one layer or "across" several), the number of ``cavities`` that
            have nodes of just these, their total ``life`` in ε, and the share of either in all of the dimension,
            ``share_of_cavities`` and ``share_of_life``.
        nodes_are: What the nodes are: "neurons", "groups", "centroids" or "nodes".
        dims: The dimensions.
        shapes: Layer → the shape in which its neurons lie, where that is known.
    """

    neurons: pd.DataFrame
    layers: pd.DataFrame
    nodes_are: NodesAre
    dims: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]
    _nodes: tuple[Neuron, ...]

    @checked
    def highest(self, n: int, *, dim: int = 1, by: Literal["life", "cavities"] = "life") -> tuple[Neuron, ...]:
        """Return the nodes that take part most.

        Args:
            n: How many.
            dim: In cavities of which dimension.
            by: By the total life of their cavities, or by their number.

        Returns:
            The nodes, the first taking part most; of equal ones those of lower number come first. `ablate` takes them.

        Raises:
            DnnTopologyError: The dimension was not looked at, or there are fewer nodes.
        """
        if dim not in self.dims:
            raise DnnTopologyError(f"dim must be one of {self.dims}, found {dim}: ask for dims=({dim},)")
        if not 0 <= n <= len(self._nodes):
            raise DnnTopologyError(f"n must be at most {len(self._nodes)}, the number of nodes, found {n}")
        order = np.argsort(-self.neurons[f"{by}_H{dim}"].to_numpy(), kind="stable")
        return tuple(self._nodes[node] for node in order[:n])

    @checked
    def share_within(self, dim: int = 1) -> float:
        """Return the share of the total life of cavities that lie within one layer; NaN without any cavity.

        Raises:
            DnnTopologyError: Cavities of that dimension were not looked at.
        """
        if dim not in self.dims:
            raise DnnTopologyError(f"dim must be one of {self.dims}, found {dim}: ask for dims=({dim},)")
        rows = self.layers[self.layers["dim"] == dim]
        return float(rows.loc[rows["where"] == "within", "share_of_life"].sum()) if len(rows) else float("nan")


@checked
def participation(
    graph: FunctionalGraph,
    *,
    dims: Sequence[int] = (1,),
    min_persistence: float = 0.0,
    max_epsilon: float | None = None,
    essential: Literal["count", "drop"] = "count",
    tight: Tight = False,
    threads: int | None = None,
) -> Participation:
    """Say of every neuron in how many cavities' cycles it is, and how long these live.

    A cavity has many cycles, of which `cavities` gives one; so a neuron that takes part in none may be in another
    cycle of the same cavity. Short ones say more: see `tight`.

    Args:
        graph: The functional graph.
        dims: Dimensions of the cavities, 1 and 2.
        min_persistence: Only cavities that live longer than this, in ε.
        max_epsilon: Look no further than this scale; None for that of the graph.
        essential: Cavities alive at the end: "count" their life until there, or "drop" them.
        tight: Whether each cycle is shortened first; "bar" does so most, and for loops fast. See `cavities`.
        threads: Threads to use; None for one per core.

    Returns:
        The tables.

    Raises:
        DnnTopologyError: As for `cavities`.

    Example:
        >>> from dnn_topology import FunctionalGraph
        >>> apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
        >>> ring = FunctionalGraph.from_distances(np.minimum(apart, 6 - apart) * 0.2)
        >>> participation(ring).neurons["cavities_H1"].tolist()
        [1, 1, 1, 1, 1, 1]
    """
    chosen = tuple(dict.fromkeys(check_whole("dims", dim, 1) for dim in dims))
    if not chosen:
        raise DnnTopologyError("dims must name a dimension, such as (1,), found none")
    nodes = neurons_of(graph, range(graph.n_nodes))
    table = pd.DataFrame(
        {
            "node": np.arange(graph.n_nodes),
            "layer": [UNKNOWN if neuron.layer is None else neuron.layer for neuron in nodes],
            "index": [neuron.node if neuron.index is None else neuron.index for neuron in nodes],
        }
    )
    layers = []
    for dim in chosen:
        several = cavities(
            graph,
            dim=dim,
            top=None,
            min_persistence=min_persistence,
            max_epsilon=max_epsilon,
            essential=essential,
            tight=tight,
            threads=threads,
        )
        members = [one.vertices for one in several]
        joined = np.concatenate([*members, np.empty(0, np.int64)])
        lives = np.repeat([one.life for one in several], [len(each) for each in members])
        table[f"cavities_H{dim}"] = np.bincount(joined, minlength=graph.n_nodes)
        table[f"life_H{dim}"] = np.bincount(joined, weights=lives, minlength=graph.n_nodes)
        layers.append(_layer_table(several))
    return Participation(table, pd.concat(layers, ignore_index=True), nodes_are(graph), chosen, graph.shapes, nodes)


def _layer_table(several: Cavities) -> pd.DataFrame:
    """Return one row per set of layers that cavities have nodes of, those of longest total life first."""
    rows = pd.DataFrame(
        {
            "layers": [" + ".join(one.layers) for one in several],
            "where": [ACROSS if one.where == ACROSS else "within" for one in several],
            "life": [one.life for one in several],
        }
    )
    table = rows.groupby(["layers", "where"], as_index=False, sort=False).agg(
        cavities=("life", "size"), life=("life", "sum")
    )
    table = table.sort_values("life", ascending=False, kind="stable")
    table["share_of_cavities"] = table["cavities"] / max(len(rows), 1)
    table["share_of_life"] = table["life"] / (rows["life"].sum() or 1.0)
    table.insert(0, "dim", several.dim)
    return table
