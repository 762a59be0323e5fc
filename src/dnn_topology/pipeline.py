"""The flow in one short file: a model and some inputs → signals → graphs → diagrams → numbers.

Everything that is measured goes this way: `measure` in a notebook, `track` over epochs, the epochs of a run, what early
stopping looks at, the networks of a study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.graph_types import divided_groups, graph_names, graphs_of_recording, selected_groups
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.cavities import Tight, cavities
from dnn_topology.homology.cavity import Cavities
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.neural_persistence import neural_persistence
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from dnn_topology.homology.tables import named_rows
from dnn_topology.recording.activations import Activations, record
from dnn_topology.recording.checkpoint_forms import put_weights
from dnn_topology.recording.inputs import take_batches
from dnn_topology.recording.layers import output_name, unwrapped
from dnn_topology.recording.state_dicts import StateDict, load_weights
from dnn_topology.settings import Compute, MeasureSettings, Nodes, settings_of, takes_settings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the shape of a model's correlations is.

    Attributes:
        diagrams: Birth and death of every cavity that counts; of the first graph where there are several, of the first
            draw where neurons were sampled.
        summary: One row of numbers per dimension; of several graphs, one per graph and dimension.
        draws: The diagrams of every draw where neurons were sampled, the first included; else empty. `intervals` makes
            a table of them.
        graphs: The diagrams of every graph by its name: "" for a single one, "part0", "sample0", "draw1", ….
        settings: What was measured.
        layers: Which layers were recorded, and as what: see `Activations`.

    A measurement keeps no graph. What `measure` returned knows the model and the batches, which are its caller's, and
    makes the graph again when its cavities are asked for.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> m = measure(model, inputs.split(50), max_dim=1, min_persistence=0.02)
        >>> m.diagrams.max_dim, m.settings.min_persistence, list(m.graphs)
        (1, 0.02, [''])
    """

    diagrams: Diagrams
    summary: pd.DataFrame
    draws: Sequence[Diagrams] = ()
    graphs: Mapping[str, Diagrams] = field(default_factory=dict)
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    layers: pd.DataFrame | None = None
    _snapshot: Snapshot | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model and its inputs where they are when a measurement is copied or sent elsewhere."""
        return {**vars(self), "_snapshot": None}

    @checked
    def cavities(
        self,
        *,
        dim: int = 1,
        top: int | None = 20,
        min_persistence: float | None = None,
        max_epsilon: float | None = None,
        tight: Tight = False,
        graph: str = "",
    ) -> Cavities:
        """Trace the cavities that were measured to their neurons, the longest-lived first.

        The measurement keeps no graph: the model, which must be as it was, is run on the same inputs once more.

        Args:
            dim: 1 for loops, 2 for voids.
            top: How many of the longest-lived; None for all.
            min_persistence: Only cavities that live longer than this, in ε; None for what was measured with.
            max_epsilon: Look no further than this scale; None for what was measured.
            tight: Whether to shorten each cycle: True, within its class at birth; "bar", among all that share its bar.
            graph: Which of several graphs: a key of `graphs`.

        Returns:
            The cavities.

        Raises:
            DnnTopologyError: The dimension was not computed, there is no such graph, the model has changed since, the
                batches can be gone through only once, the measurement does not come from `measure` or was sent from
                another process, or as for `cavities`.

        Example:
            >>> import torch
            >>> _ = torch.manual_seed(0)
            >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
            >>> m = measure(model, torch.randn(100, 4).split(50), max_dim=1)
            >>> m.cavities()[0].where
            '1'
        """
        settings = self.settings
        if dim > settings.max_dim:
            raise DnnTopologyError(
                f"dim={dim} was not measured, only dimensions up to {settings.max_dim}: measure with max_dim={dim}"
            )
        check_choice("graph", graph, self.graphs)
        return cavities(
            self._graph(graph),
            dim=dim,
            top=top,
            min_persistence=settings.min_persistence if min_persistence is None else min_persistence,
            max_epsilon=max_epsilon,
            essential="drop" if settings.essential == "drop" else "count",
            tight=tight,
        )

    def _graph(self, name: str) -> FunctionalGraph:
        """Return a graph that was measured, made again.

        Raises:
            DnnTopologyError: It cannot be made again, or is another one now.
        """
        from_scratch = "take dt.cavities(dt.functional_graph(dt.record(model, batches)))"
        if self._snapshot is None:
            raise DnnTopologyError(f"this measurement does not know its model and inputs: {from_scratch}")
        if iter(self._snapshot.batches) is self._snapshot.batches:
            raise DnnTopologyError(
                "the batches were a generator, which can be gone through only once: measure with a list of batches or "
                "a loader"
            )
        snapshot = replace(self._snapshot)
        made = next(graph for key, graph in graphs_of(snapshot, groups=fixed_groups(snapshot)) if key == name)
        if not _is_as_measured(made, self.graphs[name]):
            raise DnnTopologyError(f"the model or its inputs have changed since they were measured: {from_scratch}")
        return made


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model as it is now and the inputs that it is measured on: all that its graphs can be made of.

    Attributes:
        model: The model.
        batches: What `record` takes; gone through more than once by graphs that need weights or predictions.
        settings: What is measured.
        seed: Of everything that is drawn.
        device: Where to run; None for where the model is.
    """

    model: nn.Module
    batches: Iterable[Any]
    settings: MeasureSettings
    seed: int = 0
    device: torch.device | str | None = None

    @property
    def n_samples(self) -> int | None:
        """The number of inputs that are recorded."""
        per_sample = self.settings.graph_type == "per-sample"
        return self.settings.n_samples if per_sample else self.settings.n_inputs

    @cached_property
    def activations(self) -> Activations:
        """The signals that the graphs are made of."""
        return self.recorded(self.n_samples)

    def recorded(self, n_samples: int | None) -> Activations:
        """Return the signals of the nodes on the first inputs; None for all."""
        return self._record(self.settings.layers, n_samples, nodes=self.settings.recorded_nodes)

    def predicted(self, n_samples: int | None) -> NDArray[np.intp]:
        """Return the class (n_samples,) that the model gives each of the first inputs."""
        outputs = self._record((output_name(unwrapped(self.model)),), n_samples, nodes="unit").values
        return np.asarray(outputs.argmax(axis=1), dtype=np.intp)

    def labels(self, n_samples: int | None) -> NDArray[np.intp] | None:
        """Return the class (n_samples,) that each of the first inputs has, or None where batches have no labels."""
        taken = take_batches(self.batches, max_samples=n_samples, seed=self.seed)
        if not all(isinstance(batch, tuple | list) and len(batch) > 1 for batch in taken):
            return None
        return np.concatenate([np.asarray(batch[1]) for batch in taken])[:n_samples].astype(np.intp)

    def strengths(self) -> Any:
        """Return how strongly the weights connect every two nodes, (n_neurons, n_neurons), sparse."""
        from dnn_topology.recording.structure import structural_graph

        first = take_batches(self.batches, max_samples=1, seed=self.seed)[0]
        inputs = first[0] if isinstance(first, tuple | list) else first
        return structural_graph(
            self.model, inputs[:1].to(self._home), layers=self.settings.layers, nodes=self.settings.recorded_nodes
        )

    def neural_persistence(self) -> float:
        """Return the mean neural persistence of the model's layers; NaN where all weights are 0."""
        from dnn_topology.recording.weight_norms import weight_matrices

        return neural_persistence(weight_matrices(self.model))

    @property
    def _home(self) -> Any:
        """Where the model is."""
        return self.device or next(self.model.parameters()).device

    def _record(self, layers: Sequence[str] | None, n_samples: int | None, *, nodes: Nodes) -> Activations:
        return record(
            self.model,
            self.batches,
            layers=layers,
            nodes=nodes,
            max_samples=n_samples,
            seed=self.seed,
            device=self.device,
        )


def fixed_groups(snapshot: Snapshot) -> NDArray[np.intp] | None:
    """Return the groups of neurons that stay the same at every epoch, or None for graphs that have none.

    Raises:
        DnnTopologyError: `select_nodes` is asked for and the batches have no labels.
    """
    settings = snapshot.settings
    if not settings.fixed_groups:
        return None
    correct = None
    if settings.select_nodes:
        labels = snapshot.labels(settings.n_inputs)
        if labels is None:
            raise DnnTopologyError("select_nodes=True needs labels: batches of (inputs, labels)")
        correct = snapshot.predicted(settings.n_inputs) == labels
    activations = snapshot.recorded(settings.n_inputs)
    if correct is not None:
        return selected_groups(activations, correct)
    return divided_groups(settings, activations, snapshot.strengths, seed=snapshot.seed)


def names_of_graphs(settings: MeasureSettings, groups: NDArray[np.intp] | None) -> list[str]:
    """Return the names of the graphs of one snapshot, given the fixed groups: "" for a single graph."""
    if settings.sample_nodes is None:
        return graph_names(settings, groups)
    return [f"draw{number}" if number else "" for number in range(settings.bootstrap)]


def graphs_of(
    snapshot: Snapshot, *, groups: NDArray[np.intp] | None = None, activations: Activations | None = None
) -> Iterator[tuple[str, FunctionalGraph]]:
    """Make the graphs of a snapshot, one at a time.

    Args:
        snapshot: The model and its inputs.
        groups: (n_neurons,): the fixed groups, of graphs that have them.
        activations: Other signals of the same neurons than the snapshot's own, such as a bootstrap draw of them.

    Yields:
        (name, graph); see `names_of_graphs`.
    """
    settings, device = snapshot.settings, None if snapshot.device is None else str(snapshot.device)
    signals = snapshot.activations if activations is None else activations
    if settings.sample_nodes is None:
        yield from graphs_of_recording(
            settings, signals, groups=groups, strengths=snapshot.strengths, device=device, seed=snapshot.seed
        )
        return
    for number, name in enumerate(names_of_graphs(settings, groups)):
        nodes = sample_nodes(signals, settings.sample_nodes, method=settings.sample_method, seed=snapshot.seed + number)
        yield name, functional_graph(nodes, max_epsilon=settings.max_epsilon, metric=settings.metric, device=device)


def diagrams_of(graph: FunctionalGraph, settings: MeasureSettings, compute: Compute | None = None) -> Diagrams:
    """Return the diagrams of a graph, those of a part without a living neuron being empty."""
    compute = compute or Compute()
    if graph.n_nodes:
        diagrams = persistence(graph, max_dim=settings.max_dim, **compute.of_persistence)
    else:
        points = [np.empty((0, 2))] * (settings.max_dim + 1)
        nothing_joined = np.array([[0.0, 0.0], [graph.max_epsilon, 0.0]])
        sizes = {"n_edges": 0, "n_constant": graph.n_constant}
        diagrams = Diagrams(points, graph.max_epsilon, 0, nothing_joined, sizes)
    named: Diagrams = replace(diagrams, provenance={**diagrams.provenance, "graph_type": settings.graph_type})
    return named


def measured_graphs(
    snapshot: Snapshot, *, groups: NDArray[np.intp] | None = None, compute: Compute | None = None
) -> dict[str, Diagrams]:
    """Measure every graph of a snapshot; nothing is filtered out.

    Args:
        snapshot: The model and its inputs.
        groups: The fixed groups, of graphs that have them.
        compute: What computing may use.

    Returns:
        Name → diagrams; those of per-sample graphs say the input's label and what the model takes it for, that of the
        structural graph the neural persistence of the weights, in `provenance`.
    """
    settings = snapshot.settings
    measured = {name: diagrams_of(graph, settings, compute) for name, graph in graphs_of(snapshot, groups=groups)}
    if settings.graph_type == "structural":
        beside = {"neural_persistence": snapshot.neural_persistence()}
        return {name: replace(one, provenance={**one.provenance, **beside}) for name, one in measured.items()}
    if settings.graph_type != "per-sample":
        return measured
    labels, predicted = snapshot.labels(settings.n_samples), snapshot.predicted(settings.n_samples)
    about: list[dict[str, int]] = [{"predicted": int(each)} for each in predicted]
    if labels is not None:
        about = [{"label": int(label), **each} for label, each in zip(labels, about, strict=True)]
    return {
        name: replace(diagrams, provenance={**diagrams.provenance, **facts})
        for (name, diagrams), facts in zip(measured.items(), about, strict=True)
    }


@takes_settings(MeasureSettings, Compute)
@checked
def measure(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    settings: MeasureSettings | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    max_samples: int | None = 1000,
    **options: Any,
) -> Measurement:
    """Record a model on some inputs, build its graphs, compute their cavities and summarise them.

    Args:
        model: Any module; it is left as it was found.
        batches: Any iterable of batches: tensors, mappings, or sequences whose first item is one, such as (inputs,
            labels). Training inputs keep the method's promise not to look at test data.
        settings: What to measure, in one object, in place of the single options.
        seed: Of everything that is drawn.
        device: Where to run; by default where the model is.
        max_samples: The same as `n_inputs`: the first so many inputs are used; None for all.
        **options: Fields of `MeasureSettings` and `Compute`.

    Returns:
        The diagrams and their summary; only the cavities that count are in them.

    Raises:
        DnnTopologyError: An argument is wrong; the message says which, and what to do.
        TypeError: There is no such option.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> m = measure(model, inputs.split(50), max_dim=1)
        >>> list(m.summary["dim"])
        [0, 1]
    """
    chosen, compute = measure_options(settings, {"n_inputs": max_samples, **options})
    snapshot = Snapshot(model, _again(batches, chosen, seed), chosen, seed, device)
    graphs = measured_graphs(snapshot, groups=fixed_groups(snapshot), compute=compute)
    layers = snapshot.activations.layers
    return replace(measurement(graphs, chosen), layers=layers, _snapshot=replace(snapshot))


def measure_options(settings: MeasureSettings | None, options: Mapping[str, Any]) -> tuple[MeasureSettings, Compute]:
    """Return what is measured, and what computing may use, of the options of `measure`.

    Raises:
        DnnTopologyError: A value is out of range.
        TypeError: There is no such option.
    """
    known = {*MeasureSettings.__dataclass_fields__, *Compute.__dataclass_fields__}
    if unknown := sorted(set(options) - known):
        raise TypeError(f"measure() has no option {unknown[0]!r}")
    return settings or settings_of(options, MeasureSettings), settings_of(options, Compute)


def measurement(graphs: Mapping[str, Diagrams], settings: MeasureSettings) -> Measurement:
    """Return what was measured with its numbers, the cavities that do not count left out.

    Args:
        graphs: Name → diagrams, unfiltered.
        settings: What was measured, and which cavities count.
    """
    counted = {
        name: diagrams.filtered(min_persistence=settings.min_persistence, essential=settings.essential)
        for name, diagrams in graphs.items()
    }
    first = next(iter(counted.values()))
    if settings.sample_nodes is not None:
        return Measurement(first, summarize(first), tuple(counted.values()), counted, settings)
    tables = [named_rows(summarize(diagrams), name) for name, diagrams in counted.items()]
    return Measurement(first, pd.concat(tables, ignore_index=True), (), counted, settings)


@checked
def track(
    model: nn.Module, batches: Iterable[Any], states: Mapping[int, StateDict | Path | str], **options: Any
) -> dict[int, Measurement]:
    """Measure a model at several epochs, on the same inputs.

    Neurons that are parted or chosen once are so at the last of the epochs.

    Args:
        model: The network; its own weights are put back at the end.
        batches: As for `measure`; gone through once per epoch, so no one-shot iterator.
        states: Epoch → its state dict, or the path of a checkpoint.
        **options: Those of `measure`.

    Returns:
        Epoch → measurement, in the order of `states`.

    Raises:
        DnnTopologyError: A state does not fit the model, or as for `measure`.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> measured = track(model, inputs.split(50), {0: model.state_dict(), 1: model.state_dict()}, max_dim=1)
        >>> list(measured), bool(measured[0].diagrams == measured[1].diagrams)
        ([0, 1], True)
    """
    seed, device = options.pop("seed", 0), options.pop("device", None)
    options = {"n_inputs": options.pop("max_samples", 1000), **options}
    settings, compute = measure_options(options.pop("settings", None), options)
    snapshot = Snapshot(model, batches, settings, seed, device)
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    groups = None
    measurements = {}
    try:
        for epoch in sorted(states, reverse=True) if settings.fixed_groups else states:
            _put(states[epoch], model, epoch)
            now = replace(snapshot)
            groups = fixed_groups(now) if groups is None else groups
            measurements[epoch] = measurement(measured_graphs(now, groups=groups, compute=compute), settings)
    finally:
        model.load_state_dict(own)
    return {epoch: measurements[epoch] for epoch in states}


def _is_as_measured(graph: FunctionalGraph, measured: Diagrams) -> bool:
    """Return whether a graph has as many edges as one that was measured, at all its scales, up to round-off."""
    if graph.n_nodes != measured.n_nodes or measured.density is None:
        return False
    epsilon, shares = measured.density.T
    few = 3 / max(graph.n_pairs, 1)  # edges that another order of summation may move across a scale
    return bool(np.allclose(graph.density(epsilon), shares, rtol=1e-3, atol=few))


def _put(state: StateDict | Path | str, model: nn.Module, epoch: int) -> None:
    """Put the weights of an epoch into a model.

    Raises:
        DnnTopologyError: They do not fit.
    """
    if isinstance(state, Path | str):
        load_weights(Path(state), model)
        return
    put_weights(state, model, source=f"the state of epoch {epoch}")


def _again(batches: Iterable[Any], settings: MeasureSettings, seed: int) -> Iterable[Any]:
    """Return batches that can be gone through as often as the graphs need."""
    if settings.graph_type == "functional":
        return batches
    return take_batches(batches, max_samples=settings.n_inputs, seed=seed)
