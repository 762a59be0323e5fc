"""`nets`, `datasets`, `layers`, `engines` and `estimate`: what there is, and what measuring it would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, markdown_table, print_table
from dnn_topology.settings import TrainSettings

if TYPE_CHECKING:
    import pandas as pd


def nets(*, markdown: bool = False) -> None:
    """List the named networks, with the number of nodes that each gives.

    Args:
        markdown: Print the table of the README.
    """
    from dnn_topology.nets.catalogue import list_nets

    _print(list_nets(), markdown=markdown)


def datasets(*, markdown: bool = False) -> None:
    """List the named data sets.

    Args:
        markdown: Print the table of the README.
    """
    from dnn_topology.nets.catalogue import list_data_sets

    _print(list_data_sets(), markdown=markdown)


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
    data = run.load_data()
    model = run.load_net(data, checkpoint)
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
    import pandas as pd

    from dnn_topology.estimating import estimate_snapshot
    from dnn_topology.homology.engines.estimate import amount, duration
    from dnn_topology.runs.measuring import snapshot_with
    from dnn_topology.runs.run import Run

    measured, compute = opt.plain(settings), machine.using(resources)
    if run is None and (checkpoint is not None or not (named.folder / "settings.json").exists()):
        training = TrainSettings(net=named.net, dataset=named.dataset, trial=named.trial, seed=named.trial)
        there = Run(named.folder, training, machine.data_dir, machine.place)
        weights: dict[str, Path | None] = {"given" if checkpoint else "untrained": checkpoint}
    else:
        there = named.open(run, machine)
        weights = {str(epoch): there.checkpoint(epoch) for epoch in there.trained(epochs)}
    rows = []
    for epoch, path in weights.items():
        estimated = estimate_snapshot(snapshot_with(there, measured, path), compute)
        for name, needed in estimated.graphs.items():
            counts = ", ".join(f"{count:.2g}" for count in needed.simplices[2:])
            sizes = (f"{epoch} {name}".strip(), str(needed.n_nodes), str(needed.n_edges))
            how = str(estimated.plans[name]) if verbose else estimated.plans[name].engine
            rows.append((*sizes, counts, amount(needed.memory), duration(needed.seconds), how))
    header = ["epoch", "neurons", "edges", "triangles, tetrahedra, …", "memory", "time", "engine"]
    print_table(pd.DataFrame(rows, columns=header))


def cavities(
    run: Path,
    /,
    *,
    epoch: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    trace: opt.TraceFlags = opt.TRACE,
    cavity: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    measurement: str | None = None,
    graph: str = "",
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
        out: Write the table as CSV too, with the neurons around each cavity.
    """
    from dnn_topology.runs.measurements import find_measurement
    from dnn_topology.runs.measuring import traced

    there = find_measurement(opt.Named().open(run, machine), name=measurement)
    several = traced(there, epoch, graph, opt.plain(trace), threads=machine.nproc)
    if cavity is None:
        print_table(several.to_frame().drop(columns=["cycle", "tight"]).round(4))
    else:
        answer(repr(several[cavity]), *map(str, several[cavity].neurons))
    if out is not None:
        several.save(out)
        answer(out)


def _print(table: pd.DataFrame, *, markdown: bool) -> None:
    """Print a table on standard output."""
    if markdown:
        answer(markdown_table(table))
    else:
        print_table(table)
