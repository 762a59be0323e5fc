"""The flow in one short file: a model and some inputs → signals → graphs → diagrams → numbers.

Everything that is measured goes this way: `measure` in a notebook, `track` over epochs, the epochs of a run, what early
stopping looks at, the networks of a study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from dnn_topology._calls import check_argument, checked
from dnn_topology._checks import DnnTopologyError, check_choice, check_seed, check_whole, shown
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.graph_types import (
    class_groups,
    class_numbers,
    divided_groups,
    graph_names,
    graphs_of_recording,
    layer_groups,
    selected_groups,
)
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.engines.forewarning import repeated
from dnn_topology.homology.neural_persistence import neural_persistence
from dnn_topology.homology.persistence import persistence
from dnn_topology.measurement import Breakdown, Measurement, measurement_of
from dnn_topology.progress import showing
from dnn_topology.recording.activations import Activations, record
from dnn_topology.recording.batches import as_batches, take_batches
from dnn_topology.recording.checkpoint_forms import put_weights
from dnn_topology.recording.inputs import labels_of
from dnn_topology.recording.layers import output_name, unwrapped
from dnn_topology.recording.state_dicts import StateDict, load_weights
from dnn_topology.settings import (
    USUAL_SAMPLES,
    By,
    Compute,
    MeasureSettings,
    Nodes,
    Usual,
    settings_of,
    takes_settings,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn
    from torch.utils.data import Dataset

    from dnn_topology.graphs.graph import FunctionalGraph


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
        """Return the class (n_samples,) that each of the first inputs has, or None where batches have no labels.

        Raises:
            DnnTopologyError: What batches have beside their inputs are no classes.
        """
        taken = take_batches(self.batches, max_samples=n_samples, seed=self.seed)
        labels = [labels_of(batch) for batch in taken]
        if any(of_batch is None for of_batch in labels):
            return None
        return class_numbers(labels)[:n_samples]

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


@dataclass(frozen=True, eq=False)
class _Remake:
    """Makes the graphs of a snapshot again, one by its name.

    Attributes:
        snapshot: The model, which must be as it was, and its inputs.
    """

    snapshot: Snapshot

    def __call__(self, name: str) -> FunctionalGraph:
        """Return a graph.

        Raises:
            DnnTopologyError: The inputs can be gone through only once.
        """
        if iter(self.snapshot.batches) is self.snapshot.batches:
            raise DnnTopologyError(
                "the batches were a generator, which can be gone through only once: measure with a list of batches or "
                "a loader"
            )
        snapshot = replace(self.snapshot)
        return graph_named(snapshot, name, groups=fixed_groups(snapshot))


def fixed_groups(snapshot: Snapshot) -> NDArray[np.intp] | None:
    """Return the groups of neurons, or of inputs, that stay the same at every epoch; None for graphs that have none.

    Raises:
        DnnTopologyError: `select_nodes` or by="class" is asked for and the batches have no labels, or a class has a
            single input.
    """
    settings = snapshot.settings
    if not settings.fixed_groups:
        return None
    if settings.by == "layer":
        return layer_groups(snapshot.activations)
    if settings.by == "class":
        return class_groups(snapshot.labels(settings.n_inputs))
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


def graph_named(snapshot: Snapshot, name: str, *, groups: NDArray[np.intp] | None = None) -> FunctionalGraph:
    """Return one graph of a snapshot.

    Args:
        snapshot: The model and its inputs.
        name: Its name, "" for a single one.
        groups: The fixed groups, of graphs that have them.

    Raises:
        DnnTopologyError: There is no graph of that name.
    """
    names = names_of_graphs(snapshot.settings, groups)
    if names == [""] and name:
        raise DnnTopologyError(f"there is a single graph, without a name, found graph={name!r}: leave it out")
    check_choice("graph", name, names)
    return next(graph for key, graph in graphs_of(snapshot, groups=groups) if key == name)


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
        Name → diagrams; those of per-sample graphs say the input's label and what the model takes it for, those of a
        layer or class which it is, that of the structural graph the neural persistence of the weights, in `provenance`.
    """
    settings = snapshot.settings
    measured = {name: diagrams_of(graph, settings, compute) for name, graph in graphs_of(snapshot, groups=groups)}
    facts = _facts(snapshot, [*measured])
    return {
        name: replace(diagrams, provenance={**diagrams.provenance, **facts[name]}) if name in facts else diagrams
        for name, diagrams in measured.items()
    }


def _facts(snapshot: Snapshot, names: Sequence[str]) -> dict[str, dict[str, int | float | str]]:
    """Return what is known of graphs by their names: of which layer, class or input they are."""
    settings = snapshot.settings
    if settings.by is not None:
        numbers = {name: int(name.removeprefix(settings.by)) for name in names if name}
        if settings.by == "class":
            return {name: {"class": number} for name, number in numbers.items()}
        layers = list(snapshot.activations.neurons["layer"].cat.categories)
        return {name: {"layer": layers[number]} for name, number in numbers.items()}
    if settings.graph_type == "structural":
        return {"": {"neural_persistence": snapshot.neural_persistence()}}
    if settings.graph_type != "per-sample":
        return {}
    labels, predicted = snapshot.labels(settings.n_samples), snapshot.predicted(settings.n_samples)
    about: list[dict[str, int | float | str]] = [{"predicted": int(each)} for each in predicted]
    if labels is not None:
        about = [{"label": int(label), **each} for label, each in zip(labels, about, strict=True)]
    return dict(zip(names, about, strict=True))


@overload
def measure(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    by: By,
    seed: int = 0,
    device: torch.device | str | None = None,
    max_samples: int | None = 1000,
    progress: bool = True,
    **options: Any,
) -> Breakdown: ...


@overload
def measure(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    by: None = None,
    settings: MeasureSettings | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    max_samples: int | None = 1000,
    progress: bool = True,
    **options: Any,
) -> Measurement: ...


@takes_settings(MeasureSettings, Compute)
@checked
def measure(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    settings: MeasureSettings | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    max_samples: int | None = USUAL_SAMPLES,
    progress: bool = True,
    **options: Any,
) -> Measurement:
    """Record a model on some inputs, build its graphs, compute their cavities and summarise them.

    Args:
        model: Any module; it is left as it was found.
        batches: Any iterable of batches: tensors, mappings, or sequences whose first item is one, such as (inputs,
            labels). Training inputs keep the method's promise not to look at test data. by="class" needs labels: the
            second item of each batch, or one called "labels".
        settings: What to measure, in one object, in place of the single options.
        seed: Of everything that is drawn.
        device: Where to run; by default where the model is.
        max_samples: Another name of `n_inputs`, of which one is given: the first so many inputs are used; None for all.
        progress: Whether to show, in a terminal or a notebook, how far it is once it has taken two seconds.
        **options: Fields of `MeasureSettings` and `Compute`.

    Returns:
        The diagrams and their summary; only the cavities that count are in them. With `by`, a `Breakdown`: the same of
        the whole network, and a mapping from each layer or class to its own.

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
        >>> by_layer = measure(model, inputs.split(50), max_dim=1, by="layer")
        >>> [(name, part.diagrams.n_nodes) for name, part in by_layer.items()]
        [('1', 30), ('output', 2)]
    """
    chosen, compute = measure_options(settings, options, max_samples)
    snapshot = Snapshot(model, _again(batches, chosen, seed), chosen, seed, device)
    with showing("measuring", enabled=progress):
        groups = fixed_groups(snapshot)
        with repeated(len(names_of_graphs(chosen, groups))):
            graphs = measured_graphs(snapshot, groups=groups, compute=compute)
    return measurement_of(graphs, chosen, snapshot.activations.layers, _Remake(replace(snapshot)))


def measure_options(
    settings: MeasureSettings | None, options: Mapping[str, Any], max_samples: int | None = USUAL_SAMPLES
) -> tuple[MeasureSettings, Compute]:
    """Return what is measured, and what computing may use, of the options of `measure`.

    Raises:
        DnnTopologyError: A value is out of range, or something is said twice.
        TypeError: There is no such option.
    """
    known = {*MeasureSettings.__dataclass_fields__, *Compute.__dataclass_fields__}
    if unknown := sorted(set(options) - known):
        raise TypeError(f"measure() has no option {unknown[0]!r}")
    said = {name: value for name, value in options.items() if name in MeasureSettings.__dataclass_fields__}
    if not isinstance(max_samples, Usual):
        if max_samples is not None:
            check_whole("max_samples", max_samples, 2)
        if "n_inputs" in said:
            raise DnnTopologyError(
                f"max_samples and n_inputs are two names of one number, found {shown(max_samples)} and "
                f"{shown(said['n_inputs'])}: give one of them"
            )
        said["max_samples"] = max_samples
    if settings is None:
        n_inputs = None if max_samples is None else int(max_samples)
        return settings_of({"n_inputs": n_inputs, **options}, MeasureSettings), settings_of(options, Compute)
    if said:
        name = next(iter(said))
        field = "n_inputs" if name == "max_samples" else name
        raise DnnTopologyError(
            f"{name} is given beside settings, which say what is measured: leave one of the two out, or take settings="
            f"dataclasses.replace(settings, {field}=…)"
        )
    return settings, settings_of(options, Compute)


@checked
def track(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    states: Mapping[int, StateDict | Path | str],
    *,
    progress: bool = True,
    **options: Any,
) -> dict[int, Measurement]:
    """Measure a model at several epochs, on the same inputs.

    Neurons that are parted or chosen once are so at the last of the epochs.

    Args:
        model: The network; its own weights are put back at the end.
        batches: As for `measure`; gone through once per epoch, so no one-shot iterator.
        states: Epoch → its state dict, or the path of a checkpoint.
        progress: Whether to show, in a terminal or a notebook, how far it is once it has taken two seconds.
        **options: Those of `measure`.

    Returns:
        Epoch → measurement, in the order of `states`; with `by`, breakdowns.

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
    seed, device = check_seed(options.pop("seed", 0)), options.pop("device", None)
    _check_place(device)
    max_samples = options.pop("max_samples", USUAL_SAMPLES)
    settings, compute = measure_options(options.pop("settings", None), options, max_samples)
    again = _again(batches, settings, seed) if settings.by == "class" else as_batches(batches)
    snapshot = Snapshot(model, again, settings, seed, device)
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    groups = None
    measurements = {}
    try:
        with showing("measuring epochs", total=len(states), enabled=progress) as step, repeated(len(states)):
            for epoch in sorted(states, reverse=True) if settings.fixed_groups else states:
                _put(states[epoch], model, epoch)
                now = replace(snapshot)
                groups = fixed_groups(now) if groups is None else groups
                with repeated(len(names_of_graphs(settings, groups))):
                    graphs = measured_graphs(now, groups=groups, compute=compute)
                measurements[epoch] = measurement_of(graphs, settings, now.activations.layers)
                step()
    finally:
        model.load_state_dict(own)
    return {epoch: measurements[epoch] for epoch in states}


def _check_place(device: Any) -> None:
    """Check that a device is one, or the name of one, or None.

    Raises:
        DnnTopologyError: It is not.
    """
    import torch

    check_argument("device", device, torch.device | str | None)


def _put(state: StateDict | Path | str, model: nn.Module, epoch: int) -> None:
    """Put the weights of an epoch into a model.

    Raises:
        DnnTopologyError: They do not fit.
    """
    if isinstance(state, Path | str):
        load_weights(Path(state), model)
        return
    if not isinstance(state, Mapping):
        raise DnnTopologyError(
            f"the state of epoch {epoch} must be a state dict or the path of a checkpoint, found {shown(state)}"
        )
    put_weights(state, model, source=f"the state of epoch {epoch}")


def _again(batches: Iterable[Any] | Dataset[Any], settings: MeasureSettings, seed: int) -> Iterable[Any]:
    """Return batches that can be gone through as often as the graphs need."""
    if settings.graph_type == "functional" and settings.by != "class":
        return as_batches(batches)
    return take_batches(batches, max_samples=settings.n_inputs, seed=seed)
