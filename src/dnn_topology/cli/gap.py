"""`gap`: foretell how much worse a network does on unseen data, and how far such predictions can be trusted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError, check_choice, counted
from dnn_topology.analysis.feature_sets import BEST_METHOD, BEST_SET, FEATURE_SETS
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table, say

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.analysis.gap import GapModel
    from dnn_topology.runs.run import Run

EARLY_EPOCH = "early_epoch"
Method = Literal["linear", "gaussian-process"]
Out = Annotated[Path | None, Parameter(alias="-o")]


def fit(
    table: Path,
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("gap_model.json"),
    features: str = BEST_SET,
    method: Method = BEST_METHOD,
) -> None:
    """Fit a model of the gap on a table of measured networks.

    Args:
        table: One row per network, as `study` leaves it.
        out: Where the model goes.
        features: One of the sets that the page on the gap lists, such as leave-one-out, lambda-mu or asd.
        method: What the gap is of the features.
    """
    from dnn_topology.analysis.gap import GapModel

    check_choice("features", features, FEATURE_SETS)
    model = GapModel.fit(_read(table), features=features, method=method)
    model.save(out)
    middle = model.errors[len(model.errors) // 2]
    answer(
        f"{model.learned}, in points, from {model.n_networks} networks",
        f"each foretold without itself: half of the errors are at most {middle:.1f} points",
        out,
    )


def predict(
    run: Annotated[Path | None, Parameter(name=("RUN", "--run"))] = None,
    *,
    model: Path | None = None,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    epoch: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    checkpoint: opt.Checkpoint = None,
    seed: int = 0,
    confidence: float = 0.9,
    out: Out = None,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
) -> None:
    """Foretell the gap and the test accuracy of one network, from training inputs alone.

    Args:
        run: The folder of a run, trial0.
        model: What `gap fit` left (default: the model of this project's study of small networks).
        epoch: Which checkpoint of the run (default: the last).
        checkpoint: Weights from elsewhere: one of a run's, whose images and labels are taken, or of a network --net
            trained on all of --dataset.
        seed: Of the draws of inputs.
        confidence: Share of networks whose gap should lie in the interval.
        out: Write the numbers too, as a table.
    """
    import pandas as pd

    from dnn_topology import store
    from dnn_topology.analysis.gap import GapModel

    if (run is None) == (checkpoint is None):
        raise DnnTopologyError("name either the RUN or the --checkpoint whose gap to foretell")
    known = GapModel.of_study() if model is None else GapModel.load(model)
    there, weights, trained, early = _weights(run, named, checkpoint, epoch, known, machine)
    row = _measured(there, weights, early, known, seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        foretold = known.predict(row, confidence=confidence).iloc[0]
    answer(
        f"{weights}: gap {foretold['gap']:.1f} points ({confidence:.0%} interval {foretold['lower']:.1f} to "
        f"{foretold['upper']:.1f})",
        f"train accuracy {row['train_accuracy'][0]:.3f}, so test accuracy {foretold['test_accuracy']:.3f} "
        f"({foretold['test_accuracy_lower']:.3f} to {foretold['test_accuracy_upper']:.3f}), without looking at test "
        "data",
    )
    for warning in caught:
        say(f"dnn-topology: warning: {warning.message}")
    if out is not None:
        folder = str(there.folder) if weights.resolve().is_relative_to(there.folder.resolve()) else ""
        about = pd.DataFrame({"run": [folder], "checkpoint": [str(weights)], "epoch": [trained]})
        store.write_table(out, pd.concat([about, row, foretold.to_frame().T.reset_index(drop=True)], axis=1))
        answer(out)


def evaluate(
    table: Path,
    /,
    *,
    out: Out = None,
    by_row: bool = False,
    method: Method = "linear",
    seed: int = 0,
    form: opt.Form = "text",
) -> None:
    """Foretell every network's gap without it, and compare with what is known of it anyway, on the same folds.

    Args:
        table: One row per network, as `study` leaves it.
        out: Where results go (default: beside the table).
        by_row: The original's protocol: other epochs of a network may be in the fit.
        method: What the gap is of the features.
        seed: Of the halves and the bootstrap.
        form: Print the table as text, md, latex or csv.
    """
    from dnn_topology import store
    from dnn_topology.analysis.gap import evaluate_gap, pooled
    from dnn_topology.show.gap import plot_predictors
    from dnn_topology.show.report import save_figure

    if by_row and method != "linear":
        raise DnnTopologyError("--by-row leaves out rows one by one, which takes hours with --method gaussian-process")
    networks = _read(table)
    judged = evaluate_gap(pooled(networks) if by_row else networks, by_row=by_row, method=method, seed=seed)
    of = f"{counted(judged.n_networks, 'network')}, {counted(judged.n_rows, 'row')}"
    answer(f"{of}; mean absolute error in points, [95 % interval]", beside=form)
    for shown in (judged.headline(), judged.report()) if form == "text" else (judged.report(),):
        print_table(shown, form)
    folder = table.parent if out is None else out
    stem = f"gap_{table.stem}{'_by_row' if by_row else ''}{'' if method == 'linear' else '_process'}"
    paths = {name: folder / f"{stem}_{name}.csv" for name in ("scores", "differences", "added", "predictions")}
    for name, path in paths.items():
        store.write_table(path, getattr(judged, name))
    picture = networks[["cell", "dataset"]].drop_duplicates("cell") if {"cell", "dataset"} <= {*networks} else None
    predictions = judged.predictions if picture is None else judged.predictions.merge(picture, on="cell", how="left")
    pictures = save_figure(plot_predictors(predictions, by_row=by_row), folder / stem, formats=["png"])
    answer(*paths.values(), *pictures, beside=form)


def _weights(
    folder: Path | None,
    named: opt.Named,
    checkpoint: Path | None,
    epoch: int | None,
    model: GapModel,
    machine: opt.Machine,
) -> tuple[Run, Path, int | None, Path | None]:
    """Return the run, the weights whose gap is foretold, of which epoch, and an early one's if the model looks at it.

    Raises:
        DnnTopologyError: There are no such weights, or --epoch is given beside --checkpoint.
    """
    trained: int | None
    if checkpoint is None:
        run = named.open(folder, machine)
        trained = run.trained(None if epoch is None else [epoch])[-1]
        weights = run.checkpoint(trained)
    elif epoch is not None:
        raise DnnTopologyError("--checkpoint names the weights, and --epoch those of a RUN: give one of the two")
    else:
        run, weights = named.that_left(checkpoint, machine), checkpoint
        trained = next((one for one in run.epochs() if run.checkpoint(one).resolve() == weights.resolve()), None)
    if EARLY_EPOCH not in model.measured:
        return run, weights, trained, None
    if checkpoint is not None and trained is None:
        raise DnnTopologyError(
            f"the model also looks at epoch {model.measured[EARLY_EPOCH]} of a network's training: name its RUN"
        )
    (first,) = run.trained([model.measured[EARLY_EPOCH]])
    return run, weights, trained, run.checkpoint(first)


def _read(path: Path) -> pd.DataFrame:
    """Read a table of networks."""
    from dnn_topology.store import read_table
    from dnn_topology.work.near_runs import check_table

    check_table(path)
    table = read_table(path, "give the study.csv of a study")
    if table.empty:
        raise DnnTopologyError(f"{path} has no rows: give the study.csv of a study that has finished networks")
    return table


def _measured(run: Run, weights: Path, early: Path | None, model: GapModel, seed: int) -> pd.DataFrame:
    """Measure one network on training inputs, and early in its training, as those of the model were."""
    import pandas as pd

    from dnn_topology.analysis.features import MAX_EPSILON, TRAINING, with_early
    from dnn_topology.analysis.gap.table import parts_of
    from dnn_topology.nets.train import evaluate as accuracy_of
    from dnn_topology.runs.study.cell import measured_features
    from dnn_topology.settings import RunMeasureSettings
    from dnn_topology.settings.cells import measured_how

    how = {"n_inputs": 500, "max_epsilon": MAX_EPSILON, "nodes": "unit", "draws": 1, **model.measured}
    draws = int(how["draws"])
    settings = RunMeasureSettings(max_dim=1, **{name: how[name] for name in ("n_inputs", "max_epsilon", "nodes")})
    data, rows, parts = run.load_data(), [], parts_of(model.learned.columns)
    for number, path in enumerate([weights] if early is None else [early, weights], 1):
        net, about = run.load_net(path), {"epoch": number, "net": run.training.net, "dataset": run.training.dataset}
        features = measured_features(net, data, run.training, settings, parts=parts, draws=draws, seed=seed)[1]
        about |= dict(zip(TRAINING, accuracy_of(net, data.train), strict=True))
        rows.append({**about, **features, **measured_how(settings, draws=draws)})
    table = with_early(pd.DataFrame(rows).assign(cell=0)).tail(1).drop(columns=["cell", "epoch", EARLY_EPOCH])
    return table.assign(**{EARLY_EPOCH: model.measured[EARLY_EPOCH]} if early else {}).reset_index(drop=True)
