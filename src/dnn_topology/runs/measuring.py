"""Measuring the epochs of a run from their checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.metrics import resolve_metric
from dnn_topology.homology.cavities import cavities
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import write_dipha
from dnn_topology.pipeline import Snapshot, fixed_groups, graph_named, measured_graphs, names_of_graphs
from dnn_topology.runs.measurements import RunMeasurement
from dnn_topology.runs.run import Run
from dnn_topology.settings import Resources, RunMeasureSettings, TraceSettings
from dnn_topology.work.epoch_tables import EpochsFailedError
from dnn_topology.work.expectation import named
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.homology.cavity import Cavities

BATCH = 100  # inputs that are recorded at a time


@dataclass(frozen=True, eq=False)
class EpochWork(Work[int, Mapping[str, Diagrams]]):
    """Measuring epochs: what `Ledger` finishes.

    Attributes:
        measurement: Of which run, with which settings.
        resources: What each job may use.
        graphs: The names of the graphs of each epoch.
        groups: The groups of neurons that are the same at every epoch, or None.
    """

    measurement: RunMeasurement
    resources: Resources
    graphs: Sequence[str]
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
        return measured_graphs(snapshot, groups=self.groups, compute=self.resources)

    def keep(self, epoch: int, result: Mapping[str, Diagrams]) -> None:
        """Write the diagrams of an epoch's graphs, ours and as DIPHA files."""
        for graph, diagrams in result.items():
            write_dipha(diagrams, self.measurement.dipha_file(epoch, graph))
            diagrams.save(self.measurement.diagrams_file(epoch, graph))

    def load(self, epoch: int) -> Mapping[str, Diagrams]:
        """Read the diagrams of an epoch's graphs."""
        return {graph: Diagrams.load(self.measurement.diagrams_file(epoch, graph)) for graph in self.graphs}


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
    measurement.claim()
    groups = groups_of(measurement, epochs)
    names = names_of_graphs(settings, groups)
    work = EpochWork(measurement, resources.of_each_job(len(epochs)), names, groups)
    ledger: Ledger[int, Mapping[str, Diagrams]] = Ledger(measurement.folder, work)
    outcomes = ledger.finish(epochs, resources, reports=reports)
    if outcomes.failed:
        raise EpochsFailedError(outcomes.failed)
    return measurement


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
    from dnn_topology.nets.data import batches, sample

    data = run.load_data()
    net = (run.load_net(data, weights)).to(run.device)
    inputs = sample(getattr(data, settings.graph_split), settings.n_inputs, seed=run.training.seed)
    return Snapshot(net, batches(inputs, batch_size=BATCH), settings, run.training.seed, run.device)


def traced(
    measurement: RunMeasurement, epoch: int | None, graph: str, trace: TraceSettings, *, threads: int | None
) -> Cavities:
    """Trace the cavities of a graph, made again from an epoch's checkpoint, None being the last that there is."""
    (epoch,) = measurement.run.trained(None if epoch is None else [epoch])[-1:]
    snapshot = snapshot_of(measurement.run, measurement.settings, epoch)
    made = graph_named(snapshot, graph, groups=groups_of(measurement, [epoch]))
    return cavities(made, **trace.keywords, threads=threads)


def groups_of(measurement: RunMeasurement, epochs: Sequence[int]) -> NDArray[np.intp] | None:
    """Return the groups of neurons that are the same at every epoch, or None for graphs that have none.

    They are made once, at the last of the epochs that are asked for first, and stay as they are when epochs follow.

    Raises:
        DnnTopologyError: The file of the groups is damaged.
    """
    if not measurement.settings.fixed_groups:
        return None
    files = sorted(measurement.folder.glob("epoch*_groups.npz"))
    if files:
        groups = store.read_arrays(files[0]).get("groups")
        if groups is None or groups.ndim != 1 or groups.dtype.kind not in "iu":
            raise DnnTopologyError(f"{files[0]} is damaged: it has no groups of neurons; {store.AGAIN}")
        return groups
    groups = fixed_groups(snapshot_of(measurement.run, measurement.settings, max(epochs)))
    assert groups is not None
    store.write_arrays(measurement.folder / f"epoch{max(epochs)}_groups.npz", {"groups": groups})
    return groups
