"""`run`, `train` and `topology`: from a name to a folder of results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.analysis.early_stopping import StoppingRule
from dnn_topology.cli import graph_options as graphs
from dnn_topology.cli import options as opt
from dnn_topology.cli.steps import measure_and_leave, opened, resources_of, topology_of, train_with_progress
from dnn_topology.cli.stopping import EarlyStop, EarlyStopQuantity, MinDelta, Patience, stopping_of
from dnn_topology.runs import Experiment, Topology, Training, check_trained, file_digest


def run(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    train: Annotated[
        int, typer.Option(min=0, max=1, help="1: train; 0: use the checkpoints there.", rich_help_panel=opt.MODEL)
    ] = 1,
    checkpoint: opt.Checkpoint = None,
    no_train: Annotated[
        bool,
        typer.Option("--no-train", help="Measure the network as it is: epoch 0 alone.", rich_help_panel=opt.MODEL),
    ] = False,
    build_graph: Annotated[
        int, typer.Option(min=0, max=1, help="1: measure topology; 0: only train.", rich_help_panel=opt.MODEL)
    ] = 1,
    n_epochs_train: opt.Epochs = 10,
    lr: opt.LearningRate = 0.01,
    batch_size: opt.BatchSize = 128,
    seed: opt.Seed = None,
    save_every: opt.SaveEvery = 1,
    permute_labels: opt.PermuteLabels = 0.0,
    binarize_labels: opt.BinarizeLabels = -1,
    data_subset: opt.DataSubset = 1.0,
    train_size: opt.TrainSize = 0,
    weight_decay: opt.WeightDecay = 5e-4,
    width: opt.Width = None,
    depth: opt.Depth = None,
    dropout: opt.Dropout = None,
    early_stop: EarlyStop = None,
    early_stop_quantity: EarlyStopQuantity = StoppingRule.quantity,
    patience: Patience = StoppingRule.patience,
    min_delta: MinDelta = StoppingRule.min_delta,
    epochs_test: Annotated[
        str | None,
        typer.Option(
            metavar="'N N …'",
            help="Epochs to measure, besides 0 (default: 1 2 5 10 20 50 … and the last).",
            rich_help_panel=opt.TOPOLOGY,
        ),
    ] = None,
    max_epsilon: opt.MaxEpsilon = 0.3,
    max_dim: opt.MaxDim = None,
    upper_dim: opt.UpperDim = None,
    nodes: opt.NodesOption = "unit",
    layers: opt.Layers = None,
    constant: opt.Constant = "drop",
    graph_split: opt.GraphSplit = "train",
    n_inputs: opt.NInputs = 1000,
    graph_type: graphs.GraphTypeOption = "functional",
    partition: graphs.PartitionOption = None,
    split: graphs.Split = 0,
    subsplit: graphs.Subsplit = 0,
    thresholds: graphs.Thresholds = None,
    n_samples: graphs.NSamples = 5,
    select_nodes: graphs.SelectNodes = 0,
    metric: graphs.MetricOption = "pearson",
    engine: opt.EngineOption = "auto",
    dipha: opt.DiphaPath = None,
    sample_nodes: opt.SampleNodes = None,
    sample_method: opt.SampleMethod = "uniform",
    bootstrap: opt.Bootstrap = 1,
    min_persistence: opt.MinPersistence = 0.02,
    essential: opt.EssentialOption = "count",
    filtration: opt.FiltrationOption = "nominal",
    smooth: opt.Smooth = False,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    jobs: opt.Jobs = 1,
    nproc: opt.Nproc = None,
    timeout: opt.Timeout = None,
    memory_limit: opt.MemoryLimit = None,
    verbose: opt.Verbose = False,
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
    resume: opt.Resume = True,
    kl: Annotated[int, typer.Option(help="Read by no program of the original.", rich_help_panel=opt.COMPATIBLE)] = 0,
    scale: Annotated[
        str, typer.Option(help="Read by no program of the original.", rich_help_panel=opt.COMPATIBLE)
    ] = "linear",
) -> None:
    """Train a network, measure the topology of several epochs, and leave tables and pictures.

    Running the same command again goes on where it stopped and redoes nothing that is finished.
    """
    del kl, scale, resume
    cut = graphs.threshold_numbers(thresholds, filtration=filtration, max_epsilon=max_epsilon)
    kind = graphs.graph_kind(
        graph_type=graph_type,
        partition=partition,
        split=split,
        subsplit=subsplit,
        thresholds=cut,
        n_samples=n_samples,
        select_nodes=select_nodes,
        metric=metric,
    )
    n_epochs_train = 0 if no_train else n_epochs_train
    training = Training(
        net=net,
        dataset=dataset,
        trial=trial,
        seed=trial if seed is None else seed,
        lr=lr,
        batch_size=batch_size,
        data_subset=data_subset,
        binarize_labels=binarize_labels,
        permute_labels=permute_labels,
        weights=None if checkpoint is None else file_digest(checkpoint),
        weight_decay=weight_decay,
        train_size=train_size,
        width=width,
        depth=depth,
        dropout=dropout,
    )
    topology = topology_of(
        max_epsilon, max_dim, upper_dim, nodes, layers, constant, graph_split, n_inputs, opt.engine_name(engine, dipha)
    )
    topology = _sampled(replace(topology, graph=kind), sample_nodes, sample_method, bootstrap)
    shown = _shown(filtration, smooth, min_persistence, essential)
    epochs = sorted({0, *(opt.numbers("--epochs-test", epochs_test) or _default_epochs(n_epochs_train))})
    if train:
        _check_reached(epochs, n_epochs_train)
    resources = resources_of(nproc, jobs, timeout, memory_limit)
    experiment = Experiment(training, save_path, data_dir, opt.device(device), checkpoint)
    stopping = stopping_of(
        experiment,
        topology,
        resources,
        early_stop=early_stop,
        quantity=early_stop_quantity,
        patience=patience,
        min_delta=min_delta,
        save_every=save_every,
        trains=bool(train),
    )
    if train:
        train_with_progress(
            experiment,
            epochs=n_epochs_train,
            save_epochs=epochs,
            save_every=save_every,
            should_stop=stopping.should_stop if stopping else None,
        )
        epochs = stopping.leave(epochs) if stopping else epochs
    else:
        experiment = opened(experiment)
    if build_graph:
        measure_and_leave(
            experiment, topology, epochs, shown, drawn=epochs, thresholds=cut, resources=resources, verbose=verbose
        )


def train(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    checkpoint: opt.Checkpoint = None,
    n_epochs_train: opt.Epochs = 10,
    lr: opt.LearningRate = 0.01,
    batch_size: opt.BatchSize = 128,
    seed: opt.Seed = None,
    save_every: opt.SaveEvery = 1,
    permute_labels: opt.PermuteLabels = 0.0,
    binarize_labels: opt.BinarizeLabels = -1,
    data_subset: opt.DataSubset = 1.0,
    train_size: opt.TrainSize = 0,
    weight_decay: opt.WeightDecay = 5e-4,
    width: opt.Width = None,
    depth: opt.Depth = None,
    dropout: opt.Dropout = None,
    early_stop: EarlyStop = None,
    early_stop_quantity: EarlyStopQuantity = StoppingRule.quantity,
    patience: Patience = StoppingRule.patience,
    min_delta: MinDelta = StoppingRule.min_delta,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    nproc: opt.Nproc = None,
    resume: opt.Resume = True,
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
) -> None:
    """Train a network and keep its weights, without measuring anything."""
    del resume
    training = Training(
        net=net,
        dataset=dataset,
        trial=trial,
        seed=trial if seed is None else seed,
        lr=lr,
        batch_size=batch_size,
        data_subset=data_subset,
        binarize_labels=binarize_labels,
        permute_labels=permute_labels,
        weights=None if checkpoint is None else file_digest(checkpoint),
        weight_decay=weight_decay,
        train_size=train_size,
        width=width,
        depth=depth,
        dropout=dropout,
    )
    resources = resources_of(nproc)
    experiment = Experiment(training, save_path, data_dir, opt.device(device), checkpoint)
    stopping = stopping_of(
        experiment,
        Topology(),
        resources,
        early_stop=early_stop,
        quantity=early_stop_quantity,
        patience=patience,
        min_delta=min_delta,
        save_every=save_every,
    )
    train_with_progress(
        experiment,
        epochs=n_epochs_train,
        save_epochs=(),
        save_every=save_every,
        should_stop=stopping.should_stop if stopping else None,
    )
    if stopping:
        stopping.leave([])
    typer.echo(experiment.trial_folder / "history.csv")


def topology(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    epochs: Annotated[
        str | None,
        typer.Option(metavar="N N …", help="Epochs to measure (default: every checkpoint).", rich_help_panel=opt.MODEL),
    ] = None,
    max_epsilon: opt.MaxEpsilon = 0.3,
    max_dim: opt.MaxDim = None,
    upper_dim: opt.UpperDim = None,
    nodes: opt.NodesOption = "unit",
    layers: opt.Layers = None,
    constant: opt.Constant = "drop",
    graph_split: opt.GraphSplit = "train",
    n_inputs: opt.NInputs = 1000,
    graph_type: graphs.GraphTypeOption = "functional",
    partition: graphs.PartitionOption = None,
    split: graphs.Split = 0,
    subsplit: graphs.Subsplit = 0,
    thresholds: graphs.Thresholds = None,
    n_samples: graphs.NSamples = 5,
    select_nodes: graphs.SelectNodes = 0,
    metric: graphs.MetricOption = "pearson",
    engine: opt.EngineOption = "auto",
    dipha: opt.DiphaPath = None,
    sample_nodes: opt.SampleNodes = None,
    sample_method: opt.SampleMethod = "uniform",
    bootstrap: opt.Bootstrap = 1,
    min_persistence: opt.MinPersistence = 0.02,
    essential: opt.EssentialOption = "count",
    filtration: opt.FiltrationOption = "nominal",
    smooth: opt.Smooth = False,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    jobs: opt.Jobs = 1,
    nproc: opt.Nproc = None,
    timeout: opt.Timeout = None,
    memory_limit: opt.MemoryLimit = None,
    verbose: opt.Verbose = False,
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
) -> None:
    """Measure the topology of checkpoints that a training left, and leave tables and pictures."""
    wanted = opt.numbers("--epochs", epochs)
    cut = graphs.threshold_numbers(thresholds, filtration=filtration, max_epsilon=max_epsilon)
    kind = graphs.graph_kind(
        graph_type=graph_type,
        partition=partition,
        split=split,
        subsplit=subsplit,
        thresholds=cut,
        n_samples=n_samples,
        select_nodes=select_nodes,
        metric=metric,
    )
    chosen = topology_of(
        max_epsilon, max_dim, upper_dim, nodes, layers, constant, graph_split, n_inputs, opt.engine_name(engine, dipha)
    )
    chosen = _sampled(replace(chosen, graph=kind), sample_nodes, sample_method, bootstrap)
    shown = _shown(filtration, smooth, min_persistence, essential)
    resources = resources_of(nproc, jobs, timeout, memory_limit)
    named = Training(net=net, dataset=dataset, trial=trial)
    experiment = opened(Experiment(named, save_path, data_dir, opt.device(device)))
    wanted = check_trained(experiment, wanted)
    measure_and_leave(experiment, chosen, wanted, shown, thresholds=cut, resources=resources, verbose=verbose)


def _sampled(topology: Topology, sample_nodes: int | None, sample_method: str, bootstrap: int) -> Topology:
    """Return what is measured, with what the flags ask of a sample of neurons."""
    from dnn_topology.graphs.node_sampling import METHODS

    check_choice("--sample-method", sample_method, METHODS)
    return replace(topology, sample_nodes=sample_nodes, sample_method=cast(Any, sample_method), bootstrap=bootstrap)


def _shown(filtration: str, smooth: bool, min_persistence: float, essential: str) -> dict[str, Any]:
    """Return what the flags say of pictures and tables, checked before any work starts."""
    from dnn_topology.homology.diagrams import ESSENTIAL
    from dnn_topology.show.plots import FILTRATIONS

    check_choice("--filtration", filtration, FILTRATIONS)
    check_choice("--essential", essential, ESSENTIAL)
    return {
        "filtration": filtration,
        "smooth": smooth,
        "min_persistence": min_persistence,
        "essential": essential,
    }


def _check_reached(epochs: list[int], last: int) -> None:
    """Check that the epochs to measure will be trained.

    Raises:
        DnnTopologyError: The last one lies beyond the last epoch of training.
    """
    if epochs[-1] > last:
        raise DnnTopologyError(
            f"--epochs-test asks for epoch {epochs[-1]}, but --n-epochs-train ends at {last}: raise it"
        )


def _default_epochs(last: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, 50, … up to the last epoch, and that one."""
    steps = (factor * 10**power for power in range(len(str(last))) for factor in (1, 2, 5))
    return sorted({last, *(step for step in steps if step <= last)})
