"""`engines` and `estimate`: what can compute persistence here, and what that will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnn_topology.cli import options as opt
from dnn_topology.cli.lists import print_table
from dnn_topology.cli.steps import opened, topology_of
from dnn_topology.homology.engines import ENGINES, get_engine
from dnn_topology.homology.engines.estimate import amount, duration
from dnn_topology.homology.engines.estimate import estimate as estimated
from dnn_topology.homology.engines.planner import prepare
from dnn_topology.runs import Experiment, Training, check_trained, epoch_graphs, use_threads


def engines() -> None:
    """List the engines that compute persistence: which are installed, and what each is good at."""
    rows = []
    for name in ENGINES:
        engine = get_engine(name)
        version = engine.version()
        rows.append((name, version or "not installed", engine.about, "" if version else engine.install))
    print_table(("engine", "version", "good at (licence)", "to install"), rows)


def estimate(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    epochs: Annotated[
        str | None,
        typer.Option(metavar="N N …", help="Epochs (default: every checkpoint).", rich_help_panel=opt.MODEL),
    ] = None,
    max_epsilon: opt.MaxEpsilon = 0.3,
    max_dim: opt.MaxDim = None,
    upper_dim: opt.UpperDim = None,
    nodes: opt.NodesOption = "unit",
    layers: opt.Layers = None,
    constant: opt.Constant = "drop",
    graph_split: opt.GraphSplit = "train",
    n_inputs: opt.NInputs = 1000,
    engine: opt.EngineOption = "auto",
    dipha: opt.DiphaPath = None,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    nproc: opt.Nproc = None,
    verbose: opt.Verbose = False,
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
) -> None:
    """Say what `topology` with the same flags would take, without computing persistence."""
    wanted = opt.numbers("--epochs", epochs)
    engine = opt.engine_name(engine, dipha)
    topology = topology_of(max_epsilon, max_dim, upper_dim, nodes, layers, constant, graph_split, n_inputs, engine)
    use_threads(nproc)
    named = Training(net=net, dataset=dataset, trial=trial)
    experiment = opened(Experiment(named, save_path, data_dir, opt.device(device)))
    rows = []
    for epoch in check_trained(experiment, wanted):
        (graph,) = epoch_graphs(experiment, topology, epoch).values()
        lean, plan, census = prepare(graph, max_dim=topology.max_dim, engine=topology.engine, threads=nproc)
        found = estimated(lean, plan, max_dim=topology.max_dim, census=census)
        counts = ", ".join(f"{count:.2g}" for count in found.simplices[2:])
        how = str(plan) if verbose else plan.engine
        sizes = (str(size) for size in (epoch, graph.n_nodes, graph.n_edges))
        rows.append((*sizes, counts, amount(found.memory), duration(found.seconds), how))
    print_table(("epoch", "neurons", "edges", "triangles, tetrahedra, …", "memory", "time", "engine"), rows)
