"""Tables of several diagrams: of epochs, and of the several graphs of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.betti_numbers import betti_numbers
from dnn_topology.homology.summaries import summarize

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams


def epoch_table(diagrams: Mapping[int, Diagrams], *, graph: str = "") -> pd.DataFrame:
    """Return one row per epoch and dimension with the numbers of `summarize` and the sizes of the graph.

    Args:
        diagrams: Epoch → diagrams, filtered.
        graph: The name of the graph, if it is one of several of each epoch.

    Returns:
        Columns epoch, those of `summarize`, n_nodes, n_edges, n_constant, min_persistence. For one of several graphs
        a column with its number, `part` or `sample`, follows the epoch; a sample's label and what the network took
        it for come last.
    """
    tables = []
    for epoch, of_epoch in diagrams.items():
        table = _named(summarize(of_epoch), epoch, graph)
        table["n_nodes"] = of_epoch.n_nodes
        for size in ("n_edges", "n_constant"):
            table[size] = of_epoch.provenance.get(size)
        table["min_persistence"] = of_epoch.min_persistence
        for about in ("label", "predicted"):
            if about in of_epoch.provenance:
                table[about] = of_epoch.provenance[about]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def epoch_lines(table: pd.DataFrame, *, dim: int) -> str:
    """Return life and midlife per epoch as lines.

    Args:
        table: What `epoch_table` returned.
        dim: Which dimension.

    Raises:
        DnnTopologyError: That dimension has no rows.
    """
    rows = table[table["dim"] == dim]
    if rows.empty:
        raise DnnTopologyError(f"dimension {dim} was not computed: take one of {sorted(set(table['dim']))}")
    lines = [f"H{dim}, cavities that live longer than {rows['min_persistence'].iloc[0]:g}, in ε:"]
    for row in rows.to_dict("records"):
        numbers = cast("dict[str, Any]", row)
        lines.append(
            f"  epoch {numbers['epoch']:>4}: life {numbers['life']:.4f}, midlife {numbers['midlife']:.4f}, "
            f"{numbers['count']} finite and {numbers['essential']} alive at the end, "
            f"at most {numbers['betti_max']} at once (ε {numbers['peak_epsilon']:.3f})"
            if numbers["count"] or numbers["essential"]
            else f"  epoch {numbers['epoch']:>4}: no cavity"
        )
    return "\n".join(lines)


def threshold_table(
    everything: Mapping[str, Mapping[int, Diagrams]],
    thresholds: Sequence[float],
    filtration: Literal["nominal", "density"],
) -> pd.DataFrame:
    """Return the Betti numbers at some thresholds, of every graph and epoch."""
    return pd.concat(
        _named(betti_numbers(diagrams, thresholds, filtration=filtration), epoch, graph)
        for graph, of_epochs in everything.items()
        for epoch, diagrams in of_epochs.items()
    )


def named_rows(table: pd.DataFrame, graph: str) -> pd.DataFrame:
    """Return a table of one of several graphs with its number in front, in a column `part` or `sample`."""
    kind = graph.rstrip("0123456789")
    if not kind:
        return table
    numbers = pd.DataFrame({kind: int(graph.removeprefix(kind))}, index=table.index)
    return pd.concat([numbers, table], axis=1)


def _named(table: pd.DataFrame, epoch: int, graph: str) -> pd.DataFrame:
    """Return a table of one graph with columns in front that say which: `epoch`, and `part` or `sample` if one is."""
    table = named_rows(table, graph)
    table.insert(0, "epoch", epoch)
    return table


def described_graphs(diagrams: Mapping[str, Diagrams], *, verbose: bool = False) -> str:
    """Return how many nodes and cavities the graphs of an epoch have, and how that was computed if it is asked for.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> described_graphs({"": Diagrams([[(0, 0.1), (0, 0.3)], [(0.1, 0.2)]], max_epsilon=0.4, n_nodes=2)})
        '2 nodes, cavities: 2 in H0, 1 in H1'
    """
    graphs = [*diagrams.values()]
    counts = ", ".join(f"{sum(len(one[dim]) for one in graphs)} in H{dim}" for dim in range(graphs[0].max_dim + 1))
    among = f" in {len(graphs)} graphs" if len(graphs) > 1 else ""
    plans = dict.fromkeys(str(one.provenance["plan"]) for one in graphs if "plan" in one.provenance)
    how = f" ({'; '.join(plans)})" if verbose and plans else ""
    return f"{sum(one.n_nodes or 0 for one in graphs)} nodes{among}, cavities: {counts}{how}"
