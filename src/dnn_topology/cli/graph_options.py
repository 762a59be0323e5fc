"""The flags that say which graph is built, with the original's names for graphs and partitions."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.cli.options import TOPOLOGY
from dnn_topology.graphs.graph_types import OPTIONS, PARTITIONS, GraphKind, GraphType, Partition

GRAPH_TYPES: dict[str, GraphType] = {
    **{name: name for name in OPTIONS},
    "functional_big_networks": "grouped",
    "functional_big_networks_per_partition": "partitioned",
    "functional_persample": "per-sample",
}
PARTITION_NAMES: dict[str, Partition] = {
    **{name: name for name in PARTITIONS},
    "hardcoded": "chunks",
    "hardcoded_from_structure": "channels",
    "dynamic": "metis",
    "dynamic_from_structure": "structure-metis",
}

GraphTypeOption = Annotated[
    str,
    typer.Option(
        "--graph-type",
        help="'functional': neurons; 'grouped': groups of neurons; 'partitioned': a graph per part of the neurons; "
        "'per-sample': a graph per input. Or the original's names.",
        rich_help_panel=TOPOLOGY,
    ),
]
PartitionOption = Annotated[
    str | None,
    typer.Option(
        "--partition",
        help="Groups or parts: 'chunks' of a layer, 'channels', 'metis' parts of the graph of strong correlations, "
        "'structure-metis' parts of the weights' graph (default: chunks, for 'partitioned' metis). Or the original's "
        "names.",
        rich_help_panel=TOPOLOGY,
    ),
]
Split = Annotated[
    int,
    typer.Option(min=0, help="Neurons per chunk, or number of METIS parts.", rich_help_panel=TOPOLOGY),
]
Subsplit = Annotated[
    int,
    typer.Option(
        min=0, help="METIS groups that are the nodes of each part's graph (0: its neurons).", rich_help_panel=TOPOLOGY
    ),
]
Thresholds = Annotated[
    str | None,
    typer.Option(
        metavar="T …",
        help="Write the Betti numbers of the graph that joins |correlation| ≥ T (with --filtration density: the share "
        "T of all pairs) to betti_numbers.csv. METIS joins what is above the first T (default 0.5).",
        rich_help_panel=TOPOLOGY,
    ),
]
NSamples = Annotated[
    int, typer.Option(min=1, help="Inputs that get a graph of their own (per-sample).", rich_help_panel=TOPOLOGY)
]
SelectNodes = Annotated[
    int,
    typer.Option(
        min=0,
        max=1,
        help="1: only the tenth of the neurons that best tells right from wrong predictions (per-sample).",
        rich_help_panel=TOPOLOGY,
    ),
]
MetricOption = Annotated[
    str,
    typer.Option(
        "--metric",
        help="Of two signals: pearson, spearman, distance-correlation, or your own package.module:function "
        "from signals (n_samples, n) to distances (n, n).",
        rich_help_panel=TOPOLOGY,
    ),
]


def graph_kind(
    *,
    graph_type: str,
    partition: str | None,
    split: int,
    subsplit: int,
    thresholds: list[float] | None,
    n_samples: int,
    select_nodes: int,
    metric: str,
) -> GraphKind:
    """Return what the flags say of the graph, checked before any work starts."""
    kind = GRAPH_TYPES[check_choice("--graph-type", graph_type, GRAPH_TYPES)]
    if partition is None:
        parted = "metis" if kind == "partitioned" else "chunks"
    else:
        parted = PARTITION_NAMES[check_choice("--partition", partition, PARTITION_NAMES)]
    by_metis = kind in {"grouped", "partitioned"} and (parted == "metis" or subsplit > 0)
    return GraphKind(
        graph_type=kind,
        partition=cast("Partition", parted),
        split=split,
        subsplit=subsplit,
        threshold=thresholds[0] if thresholds and by_metis else GraphKind.threshold,
        n_samples=n_samples,
        select_nodes=bool(select_nodes),
        metric=metric,
    )


def threshold_numbers(text: str | None, *, filtration: str, max_epsilon: float) -> list[float] | None:
    """Return the numbers of --thresholds.

    Args:
        text: Numbers separated by spaces or commas, or None.
        filtration: What they are: |correlation| ("nominal") or the share of pairs ("density").
        max_epsilon: The end of the filtration, which they must not lie beyond.

    Returns:
        The numbers as given, or None for None.

    Raises:
        DnnTopologyError: Something is no number in [0, 1], or asks for longer edges than the filtration has.

    Example:
        >>> threshold_numbers("0.5 1.0", filtration="nominal", max_epsilon=0.3)
        [0.5, 1.0]
    """
    if text is None:
        return None
    try:
        found = [float(item) for item in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if not found or not all(0 <= item <= 1 for item in found):
        raise DnnTopologyError(f"--thresholds takes numbers in [0, 1] such as '0.5 0.9', found {text!r}")
    least = 1 - 2 * max_epsilon
    if filtration == "nominal" and min(found) < least - 1e-12:
        raise DnnTopologyError(
            f"--thresholds {min(found):g} joins neurons at ε {(1 - min(found)) / 2:g}, beyond --max-epsilon "
            f"{max_epsilon:g}: take thresholds from {least:g}, or a larger --max-epsilon"
        )
    return found
