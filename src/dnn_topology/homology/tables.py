"""Tables of several diagrams: of epochs, and of the several graphs of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.homology.betti_numbers import betti_numbers
from dnn_topology.homology.summaries import summarize

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.settings import MeasureSettings

WHOLE = "(all)"  # what stands in the column of layers or classes for all neurons on all inputs


def counting(diagrams: Mapping[int, Diagrams], settings: MeasureSettings) -> dict[int, Diagrams]:
    """Return diagrams, by epoch or by draw, with only the cavities that count with some settings."""
    how: Any = {"min_persistence": settings.min_persistence, "essential": settings.essential}
    return {key: of_key.filtered(**how) for key, of_key in diagrams.items()}


def epoch_table(diagrams: Mapping[int, Diagrams], *, graph: str = "") -> pd.DataFrame:
    """Return one row per epoch and dimension with the numbers of `summarize` and the sizes of the graph.

    Args:
        diagrams: Epoch → diagrams, filtered.
        graph: The name of the graph, if it is one of several of each epoch.

    Returns:
        Columns epoch, those of `summarize`, n_nodes, n_edges, n_constant, min_persistence. For one of several graphs
        a column with its number, `part`, `sample` or `class`, or the name of the `layer`, follows the epoch; a sample's
        label and what the network took it for, or the neural persistence of the weights, come last.
    """
    tables = []
    for epoch, of_epoch in diagrams.items():
        table = _named(summarize(of_epoch), epoch, graph, of_epoch)
        table["n_nodes"] = of_epoch.n_nodes
        for size in ("n_edges", "n_constant"):
            table[size] = of_epoch.provenance.get(size)
        table["min_persistence"] = of_epoch.min_persistence
        for about in ("label", "predicted", "neural_persistence"):
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
        raise DnnTopologyError(f"dimension {dim} was not computed: take dim={max(table['dim'])}, or measure again")
    lines = [f"H{dim}, cavities that live longer than {rows['min_persistence'].iloc[0]:g}, in ε:"]
    for row in rows.to_dict("records"):
        numbers = cast("dict[str, Any]", row)
        parts = []
        if numbers["count"]:
            parts.append(f"life {numbers['life']:.4f}, midlife {numbers['midlife']:.4f}")
        if numbers["count"] or numbers["essential"]:
            parts.append(f"{numbers['count']} finite and {numbers['essential']} alive at the end")
        if numbers["betti_max"]:
            parts.append(f"at most {numbers['betti_max']} at once (ε {numbers['peak_epsilon']:.3f})")
        lines.append(f"  epoch {numbers['epoch']:>4}: {', '.join(parts) or 'no cavity'}")
    return "\n".join(lines)


def epoch_report(table: pd.DataFrame, *, dim: int) -> pd.DataFrame:
    """Return life, midlife and the others per epoch as a table of text for a paper; what is not defined is left empty.

    Args:
        table: What `epoch_table` returned.
        dim: Which dimension.
    """
    columns = {
        "epoch": ("epoch", "d"),
        "life": ("life λ (ε)", ".4f"),
        "midlife": ("midlife μ (ε)", ".4f"),
        "count": ("finite cavities", "d"),
        "essential": ("alive at the end", "d"),
        "betti_max": ("peak (cavities)", "d"),
        "peak_epsilon": ("peak at (ε)", ".3f"),
    }
    rows = table[table["dim"] == dim]
    return pd.DataFrame(
        {
            title: ["" if pd.isna(value) else format(value, form) for value in rows[name]]
            for name, (title, form) in columns.items()
        }
    )


def before_and_after(topology: pd.DataFrame, history: pd.DataFrame, last: int) -> tuple[str, str]:
    """Return two sentences on what a training did to the loops of a network.

    Args:
        topology: What `epoch_table` returned, with epoch 0 and the last.
        history: Columns epoch, test_accuracy.
        last: The last epoch.
    """
    loops = topology[topology["dim"] == 1].set_index("epoch")
    before, after = cast("Any", loops.loc[0]), cast("Any", loops.loc[last])
    accuracy = 100 * float(history.set_index("epoch")["test_accuracy"][last])
    now, then = after["peak_epsilon"], before["peak_epsilon"]
    compared = "smaller" if now < then else "larger" if now > then else "the same"
    return (
        f"In the untrained network the number of loops among correlated neurons peaks at ε {then:.2f}; after {last} "
        f"epochs, at {accuracy:.0f} % test accuracy, it peaks at ε {now:.2f}, that is at {compared} distances.",
        f"Their midlife went from {before['midlife']:.3f} to {after['midlife']:.3f} and their life from "
        f"{before['life']:.3f} to {after['life']:.3f} (in ε, cavities that live longer than "
        f"{after['min_persistence']:g}).",
    )


def threshold_table(
    everything: Mapping[str, Mapping[int, Diagrams]],
    thresholds: Sequence[float],
    filtration: Literal["nominal", "density"],
) -> pd.DataFrame:
    """Return the Betti numbers at some thresholds, of every graph and epoch."""
    return pd.concat(
        _named(betti_numbers(diagrams, thresholds, filtration=filtration), epoch, graph, diagrams)
        for graph, of_epochs in everything.items()
        for epoch, diagrams in of_epochs.items()
    )


def named_rows(table: pd.DataFrame, graph: str, *, label: Any = None) -> pd.DataFrame:
    """Return a table of one of several graphs with its number in front, in a column `part`, `sample`, ….

    Args:
        table: Of one graph.
        graph: Its name: "" for a single graph, "part3", "layer0", ….
        label: What stands in the column instead of the number: the name of a layer.
    """
    kind = graph.rstrip("0123456789")
    if not kind:
        return table
    number = int(graph.removeprefix(kind)) if label is None else label
    return pd.concat([pd.DataFrame({kind: number}, index=table.index), table], axis=1)


def _named(table: pd.DataFrame, epoch: int, graph: str, diagrams: Diagrams) -> pd.DataFrame:
    """Return a table of one graph with columns in front that say which: `epoch`, and `part`, `layer`, … if one is."""
    table = named_rows(table, graph, label=diagrams.provenance.get("layer"))
    table.insert(0, "epoch", epoch)
    return table


def described_graphs(diagrams: Mapping[str, Diagrams], *, verbose: bool = False, edges: bool = False) -> str:
    """Return how many nodes and cavities the graphs of an epoch have.

    Args:
        diagrams: Name → diagrams.
        verbose: Say how that was computed, too.
        edges: Say how many edges there are, where that is known.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> described_graphs({"": Diagrams([[(0, 0.1), (0, 0.3)], [(0.1, 0.2)]], max_epsilon=0.4, n_nodes=2)})
        '2 nodes, cavities: 2 in H0, 1 in H1'
    """
    graphs = [one for one in diagrams.values() if not {"layer", "class"} & set(one.provenance)] or [*diagrams.values()]
    n_parts = len(diagrams) - len(graphs)
    counts = ", ".join(f"{sum(len(one[dim]) for one in graphs)} in H{dim}" for dim in range(graphs[0].max_dim + 1))
    plans = dict.fromkeys(str(one.provenance["plan"]) for one in graphs if "plan" in one.provenance)
    how = f" ({'; '.join(plans)})" if verbose and plans else ""
    sizes = []
    if all(one.n_nodes is not None for one in graphs):
        sizes.append(counted(sum(one.n_nodes or 0 for one in graphs), "node"))
    if edges and all("n_edges" in one.provenance for one in graphs):
        sizes.append(counted(sum(int(one.provenance["n_edges"]) for one in graphs), "edge"))
    if len(graphs) > 1:
        sizes = [f"{', '.join(sizes)} in {len(graphs)} graphs".lstrip()]
    beside = f"; and {counted(n_parts, 'part')} alone" if n_parts else ""
    why = f" ({graphs[0].note})" if all(one.note for one in graphs) else ""
    return f"{', '.join([*sizes, f'cavities: {counts}'])}{beside}{why}{how}"
