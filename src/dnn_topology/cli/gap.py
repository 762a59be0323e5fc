"""`gap`: foretell how much worse a network does on unseen data, and how far such predictions can be trusted."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import pandas as pd
import typer

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.analysis.features import FEATURE_SETS, MAX_EPSILON, with_early
from dnn_topology.cli import options as opt
from dnn_topology.cli.lists import print_table
from dnn_topology.cli.steps import run_at
from dnn_topology.runs import Experiment, Topology, Training, check_trained

if TYPE_CHECKING:
    from dnn_topology.analysis.gap import GapModel

app = typer.Typer(
    help="Foretell the generalisation gap from the topology of training inputs.",
    no_args_is_help=True,
    context_settings={"token_normalize_func": opt.normalise, "help_option_names": ["-h", "--help"]},
)
EARLY_EPOCH = "early_epoch"
Table = Annotated[Path, typer.Argument(metavar="TABLE.csv", help="One row per network, as `study` leaves it.")]
METHODS = ("linear", "gaussian-process")
Method = Annotated[str, typer.Option(help=f"What the gap is of the features: {' or '.join(METHODS)}.")]
Model = Annotated[Path, typer.Option("--model", metavar="MODEL.json", help="What `gap fit` left.")]


@app.command()
def fit(
    table: Table,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL.json", help="Where the model goes.")] = Path(
        "gap_model.json"
    ),
    features: Annotated[str, typer.Option(help=f"One of {', '.join(FEATURE_SETS)}.")] = "lambda-mu",
    method: Method = "linear",
) -> None:
    """Fit a model of the gap on a table of measured networks."""
    from dnn_topology.analysis.gap import GapModel

    check_choice("--features", features, FEATURE_SETS)
    check_choice("--method", method, METHODS)
    model = GapModel.fit(_read(table), features=features, method=method)
    model.save(out)
    typer.echo(f"{model.learned}, in points, from {model.n_networks} networks")
    middle = model.errors[len(model.errors) // 2]
    typer.echo(f"each foretold without itself: half of the errors are at most {middle:.1f} points")
    typer.echo(out)


@app.command()
def predict(
    model: Model,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder trial<T> of a run: its last checkpoint.")
    ] = None,
    epoch: Annotated[int | None, typer.Option(min=0, help="Of a run: another checkpoint.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights from elsewhere; with --net and --dataset.")
    ] = None,
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    seed: Annotated[int, typer.Option(help="Of the draws of inputs.")] = 0,
    confidence: Annotated[float, typer.Option(help="Share of networks whose gap should lie in the interval.")] = 0.9,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE.csv", help="Write the numbers too.")] = None,
    data_dir: opt.DataDir = None,
) -> None:
    """Foretell the gap and the test accuracy of one network, from training inputs alone.

    Raises:
        DnnTopologyError: Both a run and a checkpoint are named, or neither; or as for `GapModel.predict`.
    """
    from dnn_topology.analysis.gap import GapModel

    if (run is None) == (checkpoint is None):
        raise DnnTopologyError("name either the --run or the --checkpoint whose gap to foretell")
    known = GapModel.load(model)
    early = None
    if run is not None:
        experiment = run_at(run, data_dir=data_dir)
        epochs = check_trained(experiment, None if epoch is None else [epoch])
        checkpoint = experiment.checkpoint(epochs[-1])
        if EARLY_EPOCH in known.measured:
            (first,) = check_trained(experiment, [known.measured[EARLY_EPOCH]])
            early = experiment.checkpoint(first)
    elif EARLY_EPOCH in known.measured:
        raise DnnTopologyError(
            f"{model} also looks at epoch {known.measured[EARLY_EPOCH]} of a network's training: name its --run"
        )
    else:
        experiment = Experiment(Training(net=net, dataset=dataset), data_dir=data_dir)
    assert checkpoint is not None
    row = _measured(experiment, checkpoint, early, known, seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = known.predict(row, confidence=confidence).iloc[0]
    typer.echo(
        f"{checkpoint}: gap {found['gap']:.1f} points ({confidence:.0%} interval {found['lower']:.1f} to "
        f"{found['upper']:.1f})"
    )
    typer.echo(
        f"train accuracy {row['train_accuracy'][0]:.3f}, so test accuracy {found['test_accuracy']:.3f} "
        f"({found['test_accuracy_lower']:.3f} to {found['test_accuracy_upper']:.3f}), without looking at test data"
    )
    for warning in caught:
        typer.echo(f"dnn-topology: warning: {warning.message}", err=True)
    if out is not None:
        store.write_table(out, pd.concat([row, found.to_frame().T], axis=1))
        typer.echo(out)


@app.command()
def evaluate(
    table: Table,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where results go (default: beside the table).")
    ] = None,
    by_row: Annotated[
        bool,
        typer.Option("--by-row", help="The original's protocol: other epochs of a network may be in the fit."),
    ] = False,
    method: Method = "linear",
    seed: Annotated[int, typer.Option(help="Of the halves and the bootstrap.")] = 0,
) -> None:
    """Foretell every network's gap without it, and compare with what is known of it anyway, on the same folds.

    Raises:
        DnnTopologyError: The protocol and the method do not go together, or as for `evaluate_gap`.
    """
    from dnn_topology.analysis.gap import evaluate_gap, pooled
    from dnn_topology.show.gap import plot_gap
    from dnn_topology.show.report import save_figure

    check_choice("--method", method, METHODS)
    if by_row and method != "linear":
        raise DnnTopologyError("--by-row leaves out rows one by one, which takes hours with --method gaussian-process")
    networks = _read(table)
    found = evaluate_gap(pooled(networks) if by_row else networks, by_row=by_row, method=method, seed=seed)
    typer.echo(f"{found.n_networks} networks, {found.n_rows} rows; mean absolute error in points, [95 % interval]")
    columns = ["fold", "predictor", "mae", "mae_lower", "mae_upper", "r2", "tau", "cmi"]
    scores = cast("list[dict[str, Any]]", found.scores[columns].to_dict("records"))
    header = ("left out", "predictor", "error", "R² (5×2)", "Kendall τ", "CMI")
    print_table(header, [_shown(row) for row in scores])
    folder = table.parent if out is None else out
    stem = f"gap_{table.stem}{'_by_row' if by_row else ''}{'' if method == 'linear' else '_process'}"
    paths = {name: folder / f"{stem}_{name}.csv" for name in ("scores", "differences", "predictions")}
    for name, path in paths.items():
        store.write_table(path, getattr(found, name))
    picture = networks[["cell", "dataset"]].drop_duplicates("cell") if {"cell", "dataset"} <= {*networks} else None
    predictions = found.predictions if picture is None else found.predictions.merge(picture, on="cell", how="left")
    drawn = next(name for name in FEATURE_SETS if name in predictions)
    for path in [*paths.values(), *save_figure(plot_gap(predictions, predictor=drawn), folder / stem, formats=["png"])]:
        typer.echo(path)


def _read(path: Path) -> pd.DataFrame:
    """Read a table.

    Raises:
        DnnTopologyError: It is missing, or no table.
    """
    with store.readable_errors("read", path):
        text = path.open(encoding="utf-8")
    with text:
        try:
            table = pd.read_csv(text)
        except (ValueError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            reason = str(error).splitlines()[0]
            raise DnnTopologyError(f"{path} is no table in CSV ({reason}): give the study.csv of a study") from error
    if table.empty:
        raise DnnTopologyError(f"{path} has no rows: give the study.csv of a study that has finished networks")
    return table


def _measured(experiment: Experiment, checkpoint: Path, early: Path | None, model: GapModel, seed: int) -> pd.DataFrame:
    """Measure one network on training inputs, and early in its training, as those of the model were."""
    from dnn_topology.nets.train import evaluate as accuracy_of
    from dnn_topology.recording.state_dicts import load_weights
    from dnn_topology.runs.study.cell import measured_draws, measured_how
    from dnn_topology.runs.study.readings import readings

    how = {"n_inputs": 500, "max_epsilon": MAX_EPSILON, "nodes": "unit", "draws": 1, **model.measured}
    topology = Topology(
        max_epsilon=how["max_epsilon"], max_dim=1, n_inputs=how["n_inputs"], nodes=cast(Any, how["nodes"])
    )
    data = experiment.load_data()
    net = experiment.build_net(data)
    rows = []
    for epoch, weights in enumerate([checkpoint] if early is None else [early, checkpoint], 1):
        load_weights(weights, net)
        drawn = measured_draws(net, data, topology, draws=how["draws"], seed=seed)
        _, accuracy = accuracy_of(net, data.train)
        how_measured = measured_how(topology, draws=how["draws"])
        rows.append({"epoch": epoch, "train_accuracy": accuracy, **readings(net, drawn), **how_measured})
    table = with_early(pd.DataFrame(rows).assign(cell=0)).tail(1).drop(columns=["cell", "epoch", EARLY_EPOCH])
    return table.assign(**{EARLY_EPOCH: model.measured[EARLY_EPOCH]} if early else {}).reset_index(drop=True)


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a row of scores as text; what is not known is left empty."""
    interval = "" if math.isnan(row["mae_lower"]) else f" [{row['mae_lower']:.1f}, {row['mae_upper']:.1f}]"
    scores = (f"{row[name]:.2f}".replace("nan", "") for name in ("r2", "tau", "cmi"))
    return (str(row["fold"]), str(row["predictor"]), f"{row['mae']:.1f}{interval}", *scores)
