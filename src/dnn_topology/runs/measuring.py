"""Measuring epochs, each in a process of its own if need be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import psutil

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import write_dipha
from dnn_topology.homology.engines.estimate import FREE_SHARE, GIB
from dnn_topology.homology.persistence import persistence
from dnn_topology.isolate import Failure, isolated
from dnn_topology.runs.graphs import Topology, fixed_groups, graph_names, graphs_of, snapshot_of
from dnn_topology.runs.layout import Experiment, check_trained, listed

if TYPE_CHECKING:
    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True)
class Resources:
    """What measuring may use; none of it changes a result.

    Attributes:
        jobs: How many epochs are measured at the same time, each in a process of its own if there are several.
        isolated: Whether a single job has a process of its own too, so that its death is not that of the caller.
        threads: Threads of each job; None leaves the libraries' own choice.
        timeout: Seconds that one epoch may take in a process of its own; None for any time.
        memory_limit: GiB that persistence may take in all; None for 80 % of what is free.
    """

    jobs: int = 1
    isolated: bool = False
    threads: int | None = None
    timeout: float | None = None
    memory_limit: float | None = None

    def __post_init__(self) -> None:
        check_at_least("jobs", self.jobs, 1)
        for name, value in (("timeout", self.timeout), ("memory_limit", self.memory_limit)):
            if value is not None and not value > 0:
                raise DnnTopologyError(f"{name} must be positive, found {value}")


class EpochsFailedError(DnnTopologyError):
    """Some epochs could not be measured; what the others gave is kept.

    Args:
        failures: Epoch → why.

    Attributes:
        failures: Epoch → why.
    """

    def __init__(self, failures: Mapping[int, Failure]) -> None:
        self.failures = dict(failures)
        reasons = dict.fromkeys(failure.reason.strip().splitlines()[-1] for failure in failures.values())
        advice = "" if self.mendable else "; what is finished is kept: lower --max-epsilon or --max-dim and run again"
        super().__init__(f"not measured: epochs {listed(sorted(failures))}: {'; '.join(reasons)}{advice}")

    @property
    def mendable(self) -> bool:
        """Whether every failure is a mistake that the user can mend, and says how."""
        return all(failure.kind == "refused" for failure in self.failures.values())


def measure_epochs(
    experiment: Experiment,
    topology: Topology,
    epochs: Sequence[int],
    *,
    resources: Resources | None = None,
    on_epoch: Callable[[int, Mapping[str, Diagrams]], None] | None = None,
    on_failure: Callable[[int, Failure], None] | None = None,
) -> None:
    """Compute and store the diagrams of some epochs from their checkpoints; finished ones are not redone.

    Args:
        experiment: The training.
        topology: What to measure.
        epochs: Which epochs.
        resources: How many processes, threads, and so on; None for the defaults.
        on_epoch: Called with each epoch and its diagrams, by the names of its graphs, as they are finished or found.
        on_failure: Called with each epoch that failed in a process of its own, and why.

    Raises:
        DnnTopologyError: An epoch has no checkpoint, the folder was made with other settings, or a file is damaged.
        EpochsFailedError: Epochs failed in processes of their own; the others are finished.
    """
    resources = resources or Resources()
    check_trained(experiment, epochs)
    settings = asdict(topology)
    del settings["engine"]  # it does not change the result
    settings |= settings.pop("graph")
    store.claim(experiment.topology_folder(topology.max_epsilon), settings, results="epoch*.npz")
    names = graph_names(topology, fixed_groups(experiment, topology, epochs))
    todo = []
    for epoch in epochs:
        files = {name: experiment.diagrams_file(epoch, topology.max_epsilon, name) for name in names}
        if not all(file.exists() for file in files.values()):
            todo.append(epoch)
        elif on_epoch:
            on_epoch(epoch, {name: Diagrams.load(file) for name, file in files.items()})
    failed: dict[int, Failure] = {}
    for epoch, outcome in _measured(experiment, topology, todo, resources):
        note = experiment.failure_file(epoch, topology.max_epsilon)
        if isinstance(outcome, Failure):
            failed[epoch] = outcome
            store.write_json(note, {"epoch": epoch, **asdict(outcome)})
            if on_failure:
                on_failure(epoch, outcome)
        else:
            note.unlink(missing_ok=True)
            if on_epoch:
                on_epoch(epoch, outcome)
    if failed:
        raise EpochsFailedError(failed)


def _measured(
    experiment: Experiment, topology: Topology, epochs: Sequence[int], resources: Resources
) -> Iterator[tuple[int, dict[str, Diagrams] | Failure]]:
    """Measure epochs, here one by one or in fresh processes.

    Yields:
        (epoch, diagrams or failure) as each is finished.

    Raises:
        DnnTopologyError: An epoch failed here.
    """
    jobs = min(resources.jobs, len(epochs))
    if jobs <= 1 and not resources.isolated:
        for epoch in epochs:
            yield epoch, _measure_epoch(experiment, topology, resources, epoch)
        return
    if jobs > 1:  # what is free must do for all of them
        limit = resources.memory_limit or FREE_SHARE * psutil.virtual_memory().available / GIB
        resources = replace(resources, memory_limit=limit / jobs)
    yield from isolated(
        partial(_measure_epoch, experiment, topology, resources),
        epochs,
        jobs=jobs,
        timeout=resources.timeout,
        prepare=partial(use_threads, resources.threads),
    )


def _measure_epoch(experiment: Experiment, topology: Topology, resources: Resources, epoch: int) -> dict[str, Diagrams]:
    """Measure one epoch and store its graphs' diagrams; the npz is written last and marks a graph as finished."""
    kind, snapshot = topology.graph, snapshot_of(experiment, topology, epoch)
    about = snapshot.predictions(kind.n_samples) if kind.graph_type == "per-sample" else itertools.repeat({})
    measured = {}
    for (name, graph), facts in zip(graphs_of(experiment, topology, epoch, snapshot), about, strict=False):
        found = _diagrams(graph, topology, resources)
        found = replace(found, provenance={**found.provenance, "graph_type": kind.graph_type, **facts})
        write_dipha(found, experiment.dipha_file(epoch, topology.max_epsilon, name))
        found.save(experiment.diagrams_file(epoch, topology.max_epsilon, name))
        measured[name] = found
    return measured


def _diagrams(graph: FunctionalGraph, topology: Topology, resources: Resources) -> Diagrams:
    """Return the diagrams of a graph, those of a part without a living neuron being empty."""
    if graph.n_nodes:
        return persistence(
            graph,
            max_dim=topology.max_dim,
            engine=topology.engine,
            threads=resources.threads,
            memory_limit=resources.memory_limit,
        )
    points = [np.empty((0, 2))] * (topology.max_dim + 1)
    sizes = {"n_edges": 0, "n_constant": graph.n_constant}
    nothing_joined = np.array([[0.0, 0.0], [graph.max_epsilon, 0.0]])
    return Diagrams(points, graph.max_epsilon, 0, nothing_joined, sizes)


def use_threads(threads: int | None) -> None:
    """Set the number of threads of torch and of the libraries under NumPy and SciPy; None leaves their choice."""
    if threads is None:
        return
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
