"""Measuring the epochs of a run from their checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology import progress
from dnn_topology.graphs.metrics import resolve_metric
from dnn_topology.homology.cavities import cavities
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import write_dipha
from dnn_topology.pipeline import Snapshot, fixed_groups, graph_named, measured_graphs, names_of_graphs
from dnn_topology.runs.measurements import RunMeasurement, stamp_of
from dnn_topology.runs.run import Run, epochs_in
from dnn_topology.settings import Compute, Resources, RunMeasureSettings, TraceSettings
from dnn_topology.work.epochs import finish_epochs
from dnn_topology.work.expectation import named
from dnn_topology.work.index_arrays import IndexArrays
from dnn_topology.work.ledger import Work
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.reports import Reports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.homology.cavity import Cavities


@dataclass(frozen=True, eq=False)
class EpochWork(Work[int, Mapping[str, Diagrams]]):
    """Measuring epochs: what `Ledger` finishes.

    Attributes:
        measurement: Of which run, with which settings.
        compute: What each job may use.
        groups: The groups that are the same at every epoch, or None.
    """

    measurement: RunMeasurement
    compute: Compute
    groups: NDArray[np.intp] | None = None

    def name(self, epoch: int) -> str:
        """Return an epoch's name in the manifest."""
        return f"epoch{epoch}"

    def files(self, epoch: int) -> Sequence[Path]:
        """Return the files of an epoch's graphs."""
        files = (self.measurement.dipha_file, self.measurement.diagrams_file)
        return [file(epoch, graph) for graph in self.graphs for file in files]

    def do(self, epoch: int) -> Mapping[str, Diagrams]:
        """Measure the graphs of an epoch."""
        snapshot = snapshot_of(self.measurement.run, self.measurement.settings, epoch)
        return measured_graphs(snapshot, groups=self.groups, compute=self.compute)

    def keep(self, epoch: int, result: Mapping[str, Diagrams]) -> None:
        """Write the diagrams of an epoch's graphs, ours and as DIPHA files."""
        for graph, diagrams in result.items():
            write_dipha(diagrams, self.measurement.dipha_file(epoch, graph))
            diagrams.save(self.measurement.diagrams_file(epoch, graph))

    def load(self, epoch: int) -> Mapping[str, Diagrams]:
        """Read the diagrams of an epoch's graphs."""
        return {graph: Diagrams.load(self.measurement.diagrams_file(epoch, graph)) for graph in self.graphs}

    @property
    def graphs(self) -> Sequence[str]:
        """The names of the graphs of each epoch."""
        return names_of_graphs(self.measurement.settings, self.groups)


def measure_epochs(
    run: Run,
    settings: RunMeasureSettings,
    epochs: Sequence[int],
    *,
    resources: Resources | None = None,
    reports: Reports[int, Mapping[str, Diagrams]] | None = None,
) -> RunMeasurement:
    """Compute and store the diagrams of some epochs from their checkpoints; finished ones are not redone.

    Args:
        run: The training.
        settings: What to measure.
        epochs: Which epochs.
        resources: Where, how many at a time, and so on; None for here, one by one.
        reports: Who is told of each epoch and its diagrams, by the names of its graphs; None for nobody.

    Returns:
        What was measured, and where it lies.

    Raises:
        DnnTopologyError: An epoch has no checkpoint, or a file is damaged.
        EpochsFailedError: Epochs failed in processes of their own; the others are finished.
    """
    resources = resources or Resources()
    resolve_metric(settings.metric)
    epochs = run.trained(epochs)
    measurement = RunMeasurement.of(run, settings)
    stamp_of(settings).claim(measurement.folder)
    groups = groups_of(measurement, epochs, resources)
    work = EpochWork(measurement, resources.of_each_job(len(epochs)), groups)
    finish_epochs(measurement.folder, work, epochs, resources, reports=reports)
    return measurement


def groups_of(
    measurement: RunMeasurement, epochs: Sequence[int], resources: Resources | None = None
) -> NDArray[np.intp] | None:
    """Return the groups that are the same at every epoch, or None for graphs that have none.

    They are made once, at the last of the epochs that are asked for first, and stay as they are when epochs follow.
    """
    if not measurement.settings.fixed_groups:
        return None
    work, manifest = group_arrays(measurement), Manifest(measurement.folder)
    known = {epoch for epoch in measurement.run.epochs() if manifest.knows(work.name(epoch))}  # its file may be lost
    epoch = min(known | epochs_in(measurement.folder, r"epoch(\d+)_groups\.npz"), default=max(epochs))
    finish_epochs(measurement.folder, work, [epoch], resources or Resources(), reports=Reports(say=progress.say))
    return work.load(epoch)


def group_arrays(measurement: RunMeasurement) -> IndexArrays:
    """Return how the groups that are the same at every epoch are made and read."""
    return IndexArrays(measurement.folder, "epoch{}_groups", "groups", partial(_made_groups, measurement), _are_groups)


def _made_groups(measurement: RunMeasurement, epoch: int) -> NDArray[np.intp]:
    """Part neurons, or choose neurons or inputs, with the network of an epoch."""
    groups = fixed_groups(snapshot_of(measurement.run, measurement.settings, epoch))
    assert groups is not None
    return groups


def _are_groups(array: NDArray[np.intp]) -> bool:
    """Return whether an array may be the groups of neurons, or chosen neurons or inputs."""
    return array.ndim == 1


def measured_on_the_spot(there: RunMeasurement, epochs: Sequence[int], say: Callable[[str], None]) -> Sequence[int]:
    """Measure those of some epochs that have a checkpoint and no diagrams, and say which have neither.

    Returns:
        Those that have diagrams now; all if none has, for `load` to complain.
    """
    measured = {epoch for graph in there.graphs() for epoch in there.epochs(graph)}
    trained = set() if there.is_original else set(there.run.epochs())
    if now := sorted({*epochs} & trained - measured):
        say(f"measured on the spot: {named(now)}, which have a checkpoint and had no diagrams")
        measure_epochs(there.run, there.settings, now)
    drawn = [epoch for epoch in epochs if epoch in measured | trained]
    if drawn and (lost := sorted({*epochs} - {*drawn})):
        say(f"left out: {named(lost)}, which have neither diagrams nor a checkpoint")
    return drawn or epochs


def snapshot_of(run: Run, settings: RunMeasureSettings, epoch: int) -> Snapshot:
    """Return the network of an epoch and the inputs that it is measured on."""
    return snapshot_with(run, settings, run.checkpoint(epoch))


def snapshot_with(run: Run, settings: RunMeasureSettings, weights: Path | None) -> Snapshot:
    """Return the network of a run with the weights of a file, or untrained, and the inputs that it is measured on."""
    from dnn_topology.nets.draws import drawn_inputs

    seed, part = run.training.seed, getattr(run.load_data(), settings.graph_split)
    inputs = drawn_inputs(part, settings.n_inputs, seed=seed)
    return Snapshot(run.load_net(weights), inputs, settings, seed, run.device)


def traced(
    measurement: RunMeasurement, epoch: int | None, graph: str, trace: TraceSettings, *, threads: int | None
) -> Cavities:
    """Trace the cavities of a graph, made again from an epoch's checkpoint, None being the last that there is."""
    (epoch,) = measurement.run.trained(None if epoch is None else [epoch])[-1:]
    groups = groups_of(measurement, [epoch])
    made = graph_named(snapshot_of(measurement.run, measurement.settings, epoch), graph, groups=groups)
    return cavities(made, **trace.keywords, threads=threads)
