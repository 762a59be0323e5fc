"""`nets`, `datasets`, `layers`, `engines` and `estimate`: what there is, and what measuring it would take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table
from dnn_topology.settings import TrainSettings


def nets(*, markdown: bool = False) -> None:
    """List the named networks, with the number of nodes that each gives.

    Args:
        markdown: Print the table of the documentation.
    """
    from dnn_topology.nets.catalogue import list_nets

    print_table(list_nets(), "names" if markdown else "text")


def datasets(*, markdown: bool = False) -> None:
    """List the named data sets.

    Args:
        markdown: Print the table of the documentation.
    """
    from dnn_topology.nets.catalogue import list_data_sets

    print_table(list_data_sets(), "names" if markdown else "text")


def layers(
    *,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    checkpoint: opt.Checkpoint = None,
    layers: tuple[str, ...] | None = None,
    binarize_labels: int = -1,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """List what can be recorded in a network, in the order of the forward pass, and how many nodes each layer gives.

    Args:
        checkpoint: Weights from elsewhere, to see whether they fit.
        layers: Only these, by name or glob.
        binarize_labels: Of a network that tells one class from the rest: that class.
    """
    from dnn_topology.recording.listing import EVERYTHING, described_layers
    from dnn_topology.runs.run import Run

    training = TrainSettings(net=named.net, dataset=named.dataset, binarize_labels=binarize_labels)
    run = Run.named(training, named.save_path, data_dir=machine.data_dir)
    model, data = run.load_net(checkpoint), run.load_data()
    wanted = [EVERYTHING] if layers is None else layers
    print_table(described_layers(model, data.train[[0, 1]][0], layers=wanted))


def engines() -> None:
    """List the engines that compute persistence: which are installed, and what each is good at."""
    import pandas as pd

    from dnn_topology.homology.engines import ENGINES, get_engine

    rows = []
    for name in ENGINES:
        engine = get_engine(name)
        version = engine.version()
        rows.append((name, version or "not installed", engine.about, "" if version else engine.install))
    print_table(pd.DataFrame(rows, columns=["engine", "version", "good at (licence)", "to install"]))


def estimate(
    run: Path | None = None,
    /,
    *,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    checkpoint: opt.Checkpoint = None,
    epochs: Annotated[tuple[int, ...] | None, Parameter(group=opt.FIRST)] = None,
    settings: opt.MeasureFlags = opt.MEASURE,
    resources: opt.ResourceFlags = opt.SHARED,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    verbose: bool = False,
) -> None:
    """Say what `topology` with the same flags would take, without computing persistence.

    Where nothing is trained yet, the untrained network is estimated.

    Args:
        run: The folder of a run, trial0, that `run`, `train` or a study left.
        checkpoint: Estimate the network with the weights in this file.
        epochs: Epochs (default: every checkpoint).
        verbose: Say how each epoch would be computed.
    """
    from dnn_topology.estimating import estimate_snapshot, estimate_table
    from dnn_topology.runs.measuring import snapshot_with
    from dnn_topology.runs.run import Run

    measured, compute = opt.plain(settings), machine.using(resources)
    if run is None and (checkpoint is not None or not (named.folder / "settings.json").exists()):
        plain = Run(named.folder, named.training, machine.data_dir, machine.place)
        there = plain if checkpoint is None else named.that_left(checkpoint, machine)
        weights: dict[str, Path | None] = {"given" if checkpoint else "untrained": checkpoint}
    else:
        there = named.open(run, machine)
        weights = {str(epoch): there.checkpoint(epoch) for epoch in there.trained(epochs)}
    epochs_estimated = {
        epoch: estimate_snapshot(snapshot_with(there, measured, path), compute) for epoch, path in weights.items()
    }
    print_table(estimate_table(epochs_estimated, verbose=verbose))


def cavities(
    run: Path,
    /,
    *,
    epoch: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    trace: opt.TraceFlags = opt.TRACE,
    cavity: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    measurement: str | None = None,
    graph: str = "",
    form: opt.Form = "text",
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """List the longest-lived cavities of an epoch that was measured, and the layers of their neurons.

    Args:
        run: The folder of a run, trial0.
        epoch: Which epoch (default: the last that has a checkpoint).
        cavity: Print only the neurons of this one, by its number; of a loop in order around it.
        measurement: Which of several measurements: the name of its folder.
        graph: Which of several graphs of the epoch: part0, sample0, draw1, ….
        form: Print the table as text, md, latex or csv.
        out: Write the table as CSV too, with the neurons around each cavity.
    """
    from dnn_topology.runs.measurements import find_measurement
    from dnn_topology.runs.measuring import traced

    there = find_measurement(opt.Named().open(run, machine), name=measurement)
    several = traced(there, epoch, graph, opt.plain(trace), threads=machine.nproc)
    if cavity is None:
        print_table(several.to_frame().drop(columns=["cycle", "tight"]).round(4), form)
    else:
        answer(repr(several[cavity]), *map(str, several[cavity].neurons))
    if out is not None:
        several.save(out)
        answer(out)
