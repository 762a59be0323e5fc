"""The flow in one short file: a model and some inputs → signals → graph → diagrams → numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnn_topology._checks import check_sampling
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import Method
from dnn_topology.homology.bootstrap import draws
from dnn_topology.homology.diagrams import Diagrams, Essential
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from dnn_topology.recording.activations import record
from dnn_topology.recording.signals import Nodes
from dnn_topology.recording.state_dicts import StateDict, load_weights

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import nn

    from dnn_topology.graphs.metrics import Metric


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the shape of a model's correlations is.

    Attributes:
        diagrams: Birth and death of every cavity; of the first draw where neurons were sampled.
        summary: One row of numbers per dimension; see `summarize`.
        draws: The diagrams of every draw where neurons were sampled, the first included; else empty. `intervals` makes
            a table of them.
    """

    diagrams: Diagrams
    summary: pd.DataFrame
    draws: Sequence[Diagrams] = ()


def measure(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    layers: Sequence[str] | None = None,
    nodes: Nodes = "unit",
    max_samples: int | None = 1000,
    seed: int = 0,
    device: torch.device | str | None = None,
    constant: Literal["drop", "isolate"] = "drop",
    metric: Metric = "pearson",
    sample_nodes: int | None = None,
    sample_method: Method = "uniform",
    bootstrap: int = 1,
    max_dim: int = 2,
    max_epsilon: float = 0.3,
    engine: str = "auto",
    threads: int | None = None,
    memory_limit: float | None = None,
    min_persistence: float = 0.0,
    essential: Essential = "count",
) -> Measurement:
    """Record a model on some inputs, build its functional graph, compute its cavities and summarise them.

    Args:
        model: Any module; see `record`.
        batches: Any iterable of batches; see `record`. Training inputs keep the method's promise not to look at
            test data.
        layers: See `record`.
        nodes: See `record`.
        max_samples: See `record`.
        seed: See `record`.
        device: See `record` and `functional_graph`.
        constant: See `functional_graph`.
        metric: See `functional_graph`.
        sample_nodes: Measure so many nodes that stand for all neurons; None for all neurons.
        sample_method: See `topology.nodes.sample_nodes`.
        bootstrap: Number of draws of them, draw b with the seed `seed + b`.
        max_dim: See `persistence`.
        max_epsilon: See `functional_graph`.
        engine: See `persistence`.
        threads: See `persistence`.
        memory_limit: See `persistence`.
        min_persistence: See `summarize`.
        essential: See `summarize`.

    Returns:
        The diagrams and their summary.

    Raises:
        DnnTopologyError: An argument is wrong; the message says which, and what to do.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> m = measure(model, inputs.split(50), max_dim=1)
        >>> list(m.summary["dim"])
        [0, 1]
    """
    check_sampling(sample_nodes, bootstrap, constant)
    activations = record(model, batches, layers=layers, nodes=nodes, max_samples=max_samples, seed=seed, device=device)
    where = None if device is None else str(device)
    if sample_nodes is None:
        graph = functional_graph(activations, max_epsilon=max_epsilon, constant=constant, metric=metric, device=where)
        found = [persistence(graph, max_dim=max_dim, engine=engine, threads=threads, memory_limit=memory_limit)]
    else:
        found = [
            *draws(
                activations,
                sample_nodes,
                repeats=bootstrap,
                method=sample_method,
                seed=seed,
                max_dim=max_dim,
                max_epsilon=max_epsilon,
                metric=metric,
                device=where,
                engine=engine,
                threads=threads,
                memory_limit=memory_limit,
            )
        ]
    summary = summarize(found[0], min_persistence=min_persistence, essential=essential)
    return Measurement(found[0], summary, () if sample_nodes is None else tuple(found))


def track(
    model: nn.Module, batches: Iterable[Any], states: Mapping[int, StateDict | Path], **options: Any
) -> dict[int, Measurement]:
    """Measure a model at several epochs, on the same inputs.

    Args:
        model: The network; its own weights are put back at the end.
        batches: As for `measure`; gone through once per epoch, so no one-shot iterator.
        states: Epoch → its state dict, or the path of a checkpoint that a run left.
        **options: Those of `measure`.

    Returns:
        Epoch → measurement, in the order of `states`.

    Raises:
        DnnTopologyError: A state does not fit the model, or as for `measure`.
    """
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    measurements = {}
    try:
        for epoch, state in states.items():
            if isinstance(state, Path):
                load_weights(state, model)
            else:
                model.load_state_dict(state)
            measurements[epoch] = measure(model, batches, **options)
    finally:
        model.load_state_dict(own)
    return measurements
