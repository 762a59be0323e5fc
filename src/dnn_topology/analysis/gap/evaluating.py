"""All predictors of the gap on the same folds: what each is worth, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnn_topology._checks import check_choice
from dnn_topology.analysis.features import FEATURE_SETS
from dnn_topology.analysis.gap.folds import FOLDS, fold_labels, left_out
from dnn_topology.analysis.gap.methods import METHODS
from dnn_topology.analysis.gap.scores import bootstrap_means, conditional_information, kendall, r2_by_halves
from dnn_topology.analysis.gap.table import check_table, networks, usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN = "predict the mean"
BASELINES: dict[str, tuple[str, ...]] = {
    MEAN: (),
    "train loss": ("train_loss",),
    "train accuracy": ("train_accuracy",),
    "Frobenius norm": ("log_frobenius",),
    "spectral norm": ("log_spectral",),
    "neural persistence": ("neural_persistence",),
}
SHUFFLED = " (gaps shuffled)"
HYPERPARAMETERS = (
    "net",
    "dataset",
    "width",
    "depth",
    "dropout",
    "weight_decay",
    "train_size",
    "permute_labels",
    "lr",
    "batch_size",
)
DRAWS = 2000
TAIL = 0.025


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well gaps were foretold.

    Attributes:
        scores: One row per `fold` and `predictor`: `mae` in points with its 95 % bootstrap interval over networks
            (`mae_lower`, `mae_upper`); for the fold "sample" also `r2` and `r2_std` of 5×2 cross-validation, Kendall's
            `tau` and the conditional mutual information `cmi` of the left-out predictions.
        differences: One row per fold, predictor and baseline: `difference` of their `mae` (negative: the predictor is
            better) with its paired bootstrap interval (`lower`, `upper`).
        predictions: One row per row judged: `cell`, `gap`, and the left-out prediction of each predictor (fold
            "sample").
        n_rows: Rows judged.
        n_networks: Networks that they are of.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame
    predictions: pd.DataFrame
    n_rows: int
    n_networks: int

    def report(self) -> pd.DataFrame:
        """Return the scores as text: errors in points with their intervals; what is not known is left empty."""
        import pandas as pd

        shown = self.scores[["fold", "predictor"]].rename(columns={"fold": "left out"}).astype(str)
        ends = zip(self.scores["mae"], self.scores["mae_lower"], self.scores["mae_upper"], strict=True)
        shown["error"] = [
            f"{error:.1f}" + ("" if pd.isna(low) else f" [{low:.1f}, {high:.1f}]") for error, low, high in ends
        ]
        for name, title in (("r2", "R² (5×2)"), ("tau", "Kendall τ"), ("cmi", "CMI")):
            shown[title] = ["" if pd.isna(value) else f"{value:.2f}" for value in self.scores[name]]
        return shown


def pooled(table: pd.DataFrame, *, lowest: float = 1.0, highest: float = 100.0) -> pd.DataFrame:
    """Return the rows that the original's protocol keeps: all epochs together, gaps between 1 and 100 points."""
    return table[table["gap"].between(lowest, highest)].reset_index(drop=True)


def evaluate_gap(
    table: pd.DataFrame,
    *,
    predictors: Mapping[str, Sequence[str]] | None = None,
    baselines: Mapping[str, Sequence[str]] | None = None,
    by_row: bool = False,
    method: str = "linear",
    seed: int = 0,
) -> Evaluation:
    """Predict every gap without the network that it is of, by each predictor on the same folds.

    Args:
        table: One row per network, or per network (`cell`) and epoch, with `gap` in points, the columns of the
            predictors, `net` and `dataset`.
        predictors: Name → columns; None for `FEATURE_SETS` and those of "asd" with train loss and accuracy.
        baselines: The same of what they have to beat; None for those of `BASELINES` whose columns are there.
        by_row: The original's protocol: other epochs of the same network may be in the fit.
        method: What the gap is of the features, for predictors and baselines alike: "linear", ridge regression, or
            "gaussian-process".
        seed: Of the halves, the bootstrap and the shuffle.

    Returns:
        The evaluation. As a control, every predictor is also fitted on shuffled gaps; what is left then is chance.

    Raises:
        DnnTopologyError: Columns are missing, rows too few, or the method is unknown.
    """
    check_choice("method", method, METHODS)
    predictors = _default_predictors(table) if predictors is None else predictors
    if baselines is None:
        baselines = {name: columns for name, columns in BASELINES.items() if _there(table, columns)}
    everything = {**baselines, **predictors}
    rows = usable(table, list(dict.fromkeys(name for columns in everything.values() for name in columns)))
    rows = rows.reset_index(drop=True)
    gaps, groups = rows["gap"].to_numpy(dtype=np.float64), networks(rows)
    predictions: dict[str, object] = {"cell": rows.get("cell", pd.Series(range(len(rows)))), "gap": gaps}
    scores, differences = list[dict[str, object]](), list[dict[str, object]]()
    for fold in _possible(rows):
        labels = fold_labels(rows, fold, by_row=by_row)
        foretold = {name: left_out(rows, columns, labels, method=method) for name, columns in everything.items()}
        errors = pd.DataFrame({name: np.abs(one - gaps) for name, one in foretold.items()})
        draws = bootstrap_means(errors.to_numpy(), groups, n=DRAWS, seed=seed)
        spread = pd.DataFrame(draws, columns=errors.columns)
        scores += [{"fold": fold, **_error(errors[name], spread[name])} for name in everything]
        differences += [
            {"fold": fold, **_difference(errors, spread, name, other)} for name in predictors for other in baselines
        ]
        if fold == "sample":
            predictions |= foretold
            orders = [
                _order(rows, columns, foretold[name], by_row=by_row, seed=seed, method=method)
                for name, columns in everything.items()
            ]
            scores = [{**score, **order} for score, order in zip(scores, orders, strict=True)]
    scores += [
        _control(rows, name, columns, by_row=by_row, seed=seed, method=method) for name, columns in predictors.items()
    ]
    return Evaluation(
        pd.DataFrame(scores),
        pd.DataFrame(differences),
        pd.DataFrame(predictions),
        len(rows),
        len(np.unique(groups)),
    )


def _default_predictors(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the sets of features whose columns are there, and one of them with what training says.

    Raises:
        DnnTopologyError: There is none.
    """
    known = {**FEATURE_SETS, "asd + train": (*FEATURE_SETS["asd"], "train_loss", "train_accuracy")}
    there = {name: columns for name, columns in known.items() if _there(table, columns)}
    if not there:
        check_table(table, FEATURE_SETS["lambda-mu"])  # says what is missing
    return there


def _possible(rows: pd.DataFrame) -> list[str]:
    """Return the folds that these rows can be parted into: not one architecture or data set alone."""
    return [
        fold for fold, column in FOLDS.items() if fold == "sample" or (column in rows and rows[column].nunique() > 1)
    ]


def _error(errors: pd.Series[float], spread: pd.Series[float]) -> dict[str, object]:
    """Return the mean absolute error of one predictor and its interval."""
    low, high = spread.quantile([TAIL, 1 - TAIL])
    return {"predictor": errors.name, "mae": errors.mean(), "mae_lower": low, "mae_upper": high}


def _difference(errors: pd.DataFrame, spread: pd.DataFrame, name: str, other: str) -> dict[str, object]:
    """Return how much smaller the error of one predictor is than another's, on the same draws of networks."""
    low, high = (spread[name] - spread[other]).quantile([TAIL, 1 - TAIL])
    apart = (errors[name] - errors[other]).mean()
    return {"predictor": name, "baseline": other, "difference": apart, "lower": low, "upper": high}


def _control(
    rows: pd.DataFrame, name: str, columns: Sequence[str], *, by_row: bool, seed: int, method: str
) -> dict[str, object]:
    """Return what a predictor is worth on shuffled gaps: nothing, unless something is wrong."""
    shuffled = rows.assign(gap=np.random.default_rng(seed).permutation(rows["gap"].to_numpy(dtype=np.float64)))
    labels = fold_labels(shuffled, "sample", by_row=by_row)
    wrong = np.abs(left_out(shuffled, columns, labels, method=method) - shuffled["gap"].to_numpy(dtype=np.float64))
    r2 = r2_by_halves(shuffled, columns, by_row=by_row, seed=seed, method=method)
    return {
        "fold": "sample",
        "predictor": name + SHUFFLED,
        "mae": wrong.mean(),
        "r2": float(r2.mean()),
        "r2_std": float(r2.std(ddof=1)),
    }


def _order(
    rows: pd.DataFrame,
    columns: Sequence[str],
    predicted: NDArray[np.float64],
    *,
    by_row: bool,
    seed: int,
    method: str,
) -> dict[str, float]:
    """Return R², and what the predictions say of the order of gaps; of no features nothing, since they are the mean."""
    r2 = r2_by_halves(rows, columns, by_row=by_row, seed=seed, method=method)
    numbers = {"r2": float(r2.mean()), "r2_std": float(r2.std(ddof=1))}
    if not columns:
        return numbers
    gaps = rows["gap"].to_numpy(dtype=np.float64)
    varying = [name for name in HYPERPARAMETERS if name in rows and rows[name].nunique(dropna=False) > 1]
    return {
        **numbers,
        "tau": kendall(predicted, gaps),
        "cmi": conditional_information(predicted, gaps, rows[varying]),
    }


def _there(table: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Return whether a table has these columns."""
    return {name.removesuffix("^2") for name in columns} <= set(table.columns)
