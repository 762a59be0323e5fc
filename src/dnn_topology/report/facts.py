"""What a page says of a run in words and tables: sentences, what was left out, settings, the command."""

from __future__ import annotations

import platform
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology._version import __version__
from dnn_topology.settings import RunMeasureSettings, TrainSettings

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.report.tracing import Traced
    from dnn_topology.runs.measurements import RunMeasurement

NAMES = {0: "components", 1: "loops", 2: "voids"}
NODE = {  # what a node is, by what the nodes of a graph are
    "neurons": "neuron",
    "groups": "group of neurons",
    "centroids": "neuron that stands for a cluster",
    "nodes": "node",
}
ALL_NODES = {"structural", "per-sample"}  # types of graph that leave no constant neuron out
NOT_FLAGS = {"trial", "seed", "weights", "data_source", "data_digest"}  # of a training; the first two are said apart
TOOLS = ("torch", "numpy", "matplotlib", "Jinja2")


def percent(share: float) -> str:
    """Return a share as text."""
    return f"{100 * share:.1f} %"


def distance(settings: RunMeasureSettings) -> str:
    """Return what the distance of two nodes is, in words."""
    if settings.graph_type == "structural":
        return "of two neurons in the graph of the weights"
    if settings.graph_type == "per-sample":
        scale = (
            "each layer put on a scale from 0 to 1"
            if settings.sample_scale == "layer"
            else "all on one scale from 0 to 1, on which log-probabilities are joined to all hidden neurons, "
            "whatever the input"
        )
        return f"d = 1 − |difference| of what two neurons answer to one input, {scale}"
    of_groups = (settings.graph_type == "grouped" and settings.parted_by != "channels") or settings.subsplit
    signals = "of the mean signals of two groups of neurons" if of_groups else "of two neurons' signals"
    return f"d = 1 − |correlation| {signals}" if settings.metric == "pearson" else f"{signals} ({settings.metric})"


def sentences(
    measurement: RunMeasurement,
    table: pd.DataFrame,
    history: pd.DataFrame | None,
    traced: Traced | None,
    *,
    dim: int,
) -> list[str]:
    """Return three sentences of numbers: how the training went, what its shape did, and where the cavities lie.

    Args:
        measurement: What was measured.
        table: The table of the epochs.
        history: How the training went, or None.
        traced: The cavities of the last epoch, or None where they were not traced.
        dim: Dimension of the cavities.
    """
    rows = table[table["dim"] == dim].sort_values("epoch")
    return [
        _trained(measurement.run.training, history),
        _changed(rows, measurement.settings, NAMES[dim]),
        _lying(traced, NAMES[dim]) if traced else _together(rows, history),
    ]


def _trained(training: TrainSettings, history: pd.DataFrame | None) -> str:
    """Return how the training went."""
    if history is None or history.empty:
        return f"{training.net} on {training.dataset}; how its training went is not known."
    last = history.iloc[-1]
    return (
        f"After {int(last['epoch'])} epochs of training on {training.dataset}, {training.net} classifies "
        f"{percent(last['test_accuracy'])} of the test images correctly, and {percent(last['train_accuracy'])} of the "
        "training images."
    )


def _changed(rows: pd.DataFrame, settings: RunMeasureSettings, name: str) -> str:
    """Return what the first and the last epoch differ in."""
    first, last = rows.iloc[0], rows.iloc[-1]
    total = int(last["count"] + last["essential"])
    text = (
        f"At epoch {int(last['epoch'])}, the graph of {int(last['n_nodes']):,} nodes has {_highest(last, name)} "
        f"({_means(last)})"
        if total
        else f"At epoch {int(last['epoch'])}, no {name} that live longer than ε {settings.min_persistence:g} were found"
    )
    if len(rows) < 2:
        return f"{text}."
    before = int(first["count"] + first["essential"])
    then = f"{_highest(first, name)} ({_means(first)})" if before else "none"
    return f"{text}; at epoch {int(first['epoch'])} there were {then}."


def _highest(row: pd.Series[Any], name: str) -> str:
    """Return the peak of a Betti curve in words."""
    return f"at most {int(row['betti_max'])} {name} alive at once, at ε {row['peak_epsilon']:.3f}"


def _means(row: pd.Series[Any]) -> str:
    """Return mean life and midlife in words."""
    if not row["count"]:
        return "all alive at the end, so that none has a life or midlife"
    return f"mean life {row['life']:.3f}, mean midlife {row['midlife']:.3f}, in ε"


def _lying(traced: Traced, name: str) -> str:
    """Return where the longest-lived cavities of an epoch lie."""
    where = Counter(one.where for one in traced.cavities)
    across = where.pop("across", 0)
    if not traced.cavities:
        return f"None of its {name} lives long enough to be traced to its {traced.cavities.nodes_are}."
    within = ", ".join(f"{count} in {layer}" for layer, count in where.most_common())
    longest = traced.cavities[0]
    death = "is alive at the end" if longest.is_essential else f"dies at {longest.death:.3f}"
    return (
        f"Of the {len(traced.cavities)} longest-lived {name} of epoch {traced.epoch}, {sum(where.values())} lie within "
        f"one layer{f' ({within})' if within else ''} and {across} across layers; the longest-lived runs through "
        f"{len(longest.neurons)} {traced.cavities.nodes_are}, is born at ε {longest.birth:.3f} and {death}."
    )


def _together(rows: pd.DataFrame, history: pd.DataFrame | None) -> str:
    """Return how accuracy and topology change together."""
    if history is None:
        return "There is no accuracy to lay beside these numbers."
    both = rows.merge(history[["epoch", "test_accuracy"]], on="epoch")
    usable = both[["midlife", "test_accuracy"]].dropna()
    if len(usable) < 3 or usable.nunique().min() < 2:
        return f"{len(usable)} epochs with both numbers are too few to say how accuracy and midlife change together."
    rank = float(usable["midlife"].corr(usable["test_accuracy"], method="spearman"))
    return (
        f"Over {len(usable)} measured epochs, test accuracy and mean midlife change together with a rank correlation "
        f"(Spearman) of {rank:.2f}."
    )


def left_out(
    measurement: RunMeasurement,
    unfiltered: Diagrams,
    traced: Traced | None,
    *,
    epoch: int,
    graph: str,
) -> list[tuple[str, str]]:
    """Return what is not in the numbers and pictures of an epoch, as (what, how much).

    Args:
        measurement: What was measured.
        unfiltered: The epoch's diagrams, all of them.
        traced: Its traced cavities, or None.
        epoch: The epoch.
        graph: The name of the graph that is shown.
    """
    settings = measurement.settings
    assert unfiltered.n_essential is not None
    dims = range(len(unfiltered))
    short = [
        int(len(unfiltered.select(k)) - len(unfiltered.filtered(min_persistence=settings.min_persistence).select(k)))
        for k in dims
    ]
    dead = unfiltered.provenance.get("n_constant")
    what_became = {"count": "counted", "drop": "left out", "clip": f"ended at ε {settings.max_epsilon:g}"}
    rows = [
        (
            f"Nodes that never change (dead), epoch {epoch}",
            f"{dead}, {'left out of the graph' if settings.constant == 'drop' else 'nodes without edges'}"
            if dead is not None
            else "not known",
        ),
        ("Neurons that are no nodes of their own", _no_nodes(settings, graph)),
        ("Inputs", _inputs(settings, unfiltered, graph)),
        (
            f"Short-lived cavities (life ≤ {settings.min_persistence:g} in ε)",
            ", ".join(f"H{k} {n:,}" for k, n in enumerate(short)),
        ),
        (
            f"Essential cavities, alive at ε {settings.max_epsilon:g}",
            f"{', '.join(f'H{k} {n:,}' for k, n in enumerate(unfiltered.n_essential))}: "
            f"{what_became[settings.essential]}; no mean life or midlife is taken of what does not die",
        ),
        (f"Dimensions above H{settings.max_dim}", "not computed"),
    ]
    if settings.graph_type in ALL_NODES:
        del rows[0]
    of_signals = settings.graph_type not in {"structural", "per-sample"}
    if settings.metric == "pearson" and of_signals and unfiltered.density is not None:
        share = float(unfiltered.density[-1, 1])
        rows.append(
            (
                f"Pairs with |r| < {1 - 2 * settings.max_epsilon:g}",
                f"{percent(1 - share)} of all pairs: the filtration ends before they are joined",
            )
        )
    if traced:
        rows.append(
            (
                f"{NAMES[traced.cavities.dim].capitalize()} not traced, epoch {epoch}",
                f"{traced.cavities.n_cavities - len(traced.cavities):,} of {traced.cavities.n_cavities:,}: "
                f"the {len(traced.cavities)} longest-lived are",
            )
        )
    return rows


def _no_nodes(settings: RunMeasureSettings, graph: str) -> str:
    """Return which neurons are not in a graph by themselves."""
    if settings.sample_nodes:
        draws = f", {settings.bootstrap} draws" if settings.bootstrap > 1 else ""
        return f"all but a sample: {settings.sample_nodes} nodes stand for all ({settings.sample_method}{draws})"
    if settings.graph_type == "grouped" and settings.parted_by == "channels":
        return "units of feature maps: a channel is a node, by its mean over the map"
    if settings.graph_type == "grouped":
        return f"all: groups of them are the nodes, by their mean signals (partition {settings.parted_by})"
    if settings.graph_type == "partitioned":
        nodes = "; in it groups of neurons are the nodes, by their mean signals" if settings.subsplit else ""
        return f"those of other parts than {graph} (partition {settings.parted_by}){nodes}"
    if settings.by == "layer" and graph:
        return "those of other layers"
    if settings.select_nodes:
        return "all but the tenth that best tells right from wrong predictions"
    return "none: every neuron is" if settings.graph_type in ALL_NODES else "none: every neuron that varies is"


def _inputs(settings: RunMeasureSettings, diagrams: Diagrams, graph: str) -> str:
    """Return on which inputs a graph was made."""
    if settings.graph_type == "structural":
        return "none: the graph is of the weights alone"
    drawn = f"of the {settings.graph_split} split, drawn with the seed of the run"
    said = diagrams.provenance
    if settings.graph_type != "per-sample":
        of_class = f", those of class {said['class']} among them" if "class" in said else ""
        return f"{settings.n_inputs:,} inputs {drawn}{of_class}"
    label = f"label {said['label']}, " if "label" in said else ""
    return f"a single one, number {graph.removeprefix('sample')} {drawn}: {label}taken for {said['predicted']}"


def settings_tables(measurement: RunMeasurement, last: Diagrams) -> dict[str, list[tuple[str, str, bool]]]:
    """Return every setting and version, as title → (name, value, whether it is not the usual one).

    Args:
        measurement: What was measured.
        last: The diagrams of the last epoch, which say how they were computed.
    """
    measured = measurement.settings
    parted = (
        "partition",
        measured.parted_by,
        measured.parted_by != measured.usual_partition,
    )  # as a folder of results always says it
    return {
        "Training": _rows(measurement.run.training, TrainSettings()),
        "Measurement": [parted if row[0] == "partition" else row for row in _rows(measured, RunMeasureSettings())],
        "Computed with": [
            (name.replace("_", " "), str(value), False) for name, value in sorted(last.provenance.items())
        ],
        "This page": [
            ("dnn-topology", __version__, False),
            ("Python", platform.python_version(), False),
            *((name, metadata.version(name), False) for name in TOOLS),
        ],
    }


def _rows(settings: Any, usual: Any) -> list[tuple[str, str, bool]]:
    """Return the fields of settings with their values."""
    return [(name, _text(value), value != getattr(usual, name)) for name, value in asdict(settings).items()]


def _text(value: Any) -> str:
    """Return the value of a setting as text."""
    return "–" if value is None else " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def command(measurement: RunMeasurement, history: pd.DataFrame | None) -> str:
    """Return the command that trains and measures the same again.

    Args:
        measurement: What was measured.
        history: How the training went; it says how long.
    """
    training, settings = measurement.run.training, measurement.settings
    epochs = measurement.epochs(measurement.graphs()[0])
    words = ["dnn-topology", "run", "--net", training.net, "--dataset", training.dataset]
    words += ["--n-epochs-train", str(int(history["epoch"].iloc[-1]) if history is not None else max(epochs))]
    words += ["--epochs-test", *map(str, epochs), "--trial", str(training.trial)]
    if training.seed != training.trial:
        words += ["--seed", str(training.seed)]
    if training.weights:
        words += ["--checkpoint", "INITIAL_WEIGHTS"]
    named = {*NOT_FLAGS, "net", "dataset"}
    words += _flags(training, TrainSettings(), named)
    if settings.graph_type not in {"grouped", "partitioned"}:
        settings = replace(settings, partition=None)  # which a folder of results names even where nothing is parted
    words += _flags(settings, RunMeasureSettings(), set())
    return shlex.join(words)


def _flags(settings: Any, usual: Any, without: set[str]) -> list[str]:
    """Return settings that are not the usual ones as flags."""
    words = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in without or value == getattr(usual, field.name) or value is None:
            continue
        values: Sequence[Any] = value if isinstance(value, tuple) else [] if value is True else [value]
        words += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    return words


def layer_table(traced: Traced) -> pd.DataFrame:
    """Return one row per layer: its neurons, those in the graph, its edges, and the cavities that run through it.

    Args:
        traced: An epoch whose cavities were traced.

    Returns:
        Columns layer, kind, neurons (None where that is not known), in_graph (its nodes), joined_within and
        joined_across (pairs of nodes joined at the end of the filtration, both of the layer or one), cavities (of those
        traced, how many have a node in it), cavities_within (how many have no other), nodes_in_cavities (how many of
        its nodes are in any).
    """
    graph, of_epoch = traced.graph, traced.cavities
    assert graph.neurons is not None
    of_node = graph.neurons["layer"].astype(str).to_numpy()
    known: Mapping[str, Any] = (
        {} if traced.layers is None else {row["layer"]: row for _, row in traced.layers.iterrows()}
    )
    within = of_node[graph.rows] == of_node[graph.cols]
    rows = []
    for layer in dict.fromkeys([*known, *of_node]):
        mine = of_node == layer
        neurons = int(known[layer]["neurons"]) if layer in known else None
        touching = mine[graph.rows] | mine[graph.cols]
        through = {neuron.node for one in of_epoch for neuron in one.neurons if neuron.layer == layer}
        rows.append(
            {
                "layer": layer,
                "kind": known[layer]["kind"] if layer in known else "",
                "neurons": neurons,
                "in_graph": int(mine.sum()),
                "joined_within": int((touching & within).sum()),
                "joined_across": int((touching & ~within).sum()),
                "cavities": sum(layer in one.layers for one in of_epoch),
                "cavities_within": sum(one.where == layer for one in of_epoch),
                "nodes_in_cavities": len(through),
            }
        )
    return pd.DataFrame(rows)
