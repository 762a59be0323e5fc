"""All predictors of the gap on the same folds: what each is worth, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import check_choice
from dnn_topology.analysis.feature_sets import FEATURE_SETS, OTHERS, TOPOLOGICAL
from dnn_topology.analysis.gap.folds import FOLDS, fold_labels, left_out
from dnn_topology.analysis.gap.methods import METHODS
from dnn_topology.analysis.gap.scores import (
    TAIL,
    bootstrap_means,
    conditional_information,
    interval_of_units,
    kendall,
    r2_by_halves,
    shuffled_networks,
)
from dnn_topology.analysis.gap.table import check_table, expanded, is_copied, networks, source_column, usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN = "predict the mean"
BASELINES: dict[str, tuple[str, ...]] = {
    MEAN: (),
    "train loss": (FEATURE_SETS["training"][0],),
    "train accuracy": ("train_accuracy",),
    "Frobenius norm": ("log_frobenius",),
    "spectral norm": ("log_spectral",),
    "neural persistence": ("neural_persistence",),
    **OTHERS,
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
SHUFFLES = {"linear": 10, "gaussian-process": 4}  # of the gaps, for the control
ADDED = ("fold", "units", "predictor", "strongest", "difference", "lower", "upper", "partial_r2")
SCORES = (
    *("fold", "units", "predictor", "mae", "mae_lower", "mae_upper"),
    *("r2", "r2_std", "tau", "tau_chance", "cmi"),
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well gaps were foretold.

    Attributes:
        scores: One row per `fold` and `predictor`: `mae` in points with its 95 % interval (`mae_lower`, `mae_upper`),
            bootstrapped over networks, or, where an architecture or a data set is left out, Student's over the `units`
            that were; for the fold "sample" also `r2` and `r2_std` of 5×2 cross-validation, Kendall's `tau` of the
            left-out predictions and `tau_chance`, what it is with gaps shuffled, for it is below 0 by chance (of a
            Gaussian process for predictors alone, since it takes long), and the conditional mutual information `cmi`.
            Rows of shuffled gaps have means over shuffles, and for an interval what all but a twentieth of the shuffles
            lie between.
        differences: One row per fold, predictor and baseline: `difference` of their `mae` (negative: the predictor is
            better) with its paired interval (`lower`, `upper`).
        added: One row per fold and predictor: what it adds to the `strongest` baseline of that fold. `difference` of
            the error of both together and of that baseline alone (negative: it adds something) with its paired interval
            (`lower`, `upper`), and `partial_r2`, the share of the baseline's squared error that it takes away.
        predictions: One row per `fold` and row judged: `cell`, `gap`, and the left-out prediction of each predictor and
            baseline.
        n_rows: Rows judged.
        n_networks: Networks that they are of.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame
    added: pd.DataFrame
    predictions: pd.DataFrame
    n_rows: int
    n_networks: int

    def headline(self) -> pd.DataFrame:
        """Return as text what each set of features adds to what is strongest without it."""
        shown = self.added[["fold", "predictor", "strongest"]].rename(columns={"fold": "left out", "predictor": "adds"})
        ends = self.added[["difference", "lower", "upper"]].to_numpy()
        shown["error changes by"] = [f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]" for mean, low, high in ends]
        shown["partial R²"] = [f"{value:.2f}" for value in self.added["partial_r2"]]
        return shown

    def report(self) -> pd.DataFrame:
        """Return the scores as text: errors in points with their intervals; what is not known is left empty."""
        import pandas as pd

        shown = self.scores[["fold", "predictor"]].rename(columns={"fold": "left out"}).astype(str)
        many = [
            f" (of {units})" if fold != "sample" else "" for fold, units in self.scores[["fold", "units"]].to_numpy()
        ]
        shown["left out"] += many
        ends = zip(self.scores["mae"], self.scores["mae_lower"], self.scores["mae_upper"], strict=True)
        shown["error"] = [
            f"{error:.1f}" + ("" if pd.isna(low) else f" [{low:.1f}, {high:.1f}]") for error, low, high in ends
        ]
        for name, title in (("r2", "R² (5×2)"), ("tau", "Kendall τ"), ("tau_chance", "τ by chance"), ("cmi", "CMI")):
            shown[title] = ["" if pd.isna(value) else f"{value:.2f}" for value in self.scores[name]]
        return shown


@checked
def pooled(table: pd.DataFrame, *, lowest: float = 1.0, highest: float = 100.0) -> pd.DataFrame:
    """Return the rows that the original's protocol keeps: all epochs together, gaps between 1 and 100 points."""
    return table[table["gap"].between(lowest, highest)].reset_index(drop=True)


@checked
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
        predictors: Name → columns; None for `FEATURE_SETS` and those of "asd" with train loss and accuracy, "asd-early"
            only where an early epoch was measured.
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
    predictors = _expanded(table, _default_predictors(table) if predictors is None else predictors)
    baselines = _expanded(table, _default_baselines(table) if baselines is None else baselines)
    everything = {**baselines, **predictors}
    needed = list(dict.fromkeys(name for columns in everything.values() for name in columns))
    rows = usable(table, needed, n_fitted=max(map(len, everything.values()))).reset_index(drop=True)
    gaps, groups = rows["gap"].to_numpy(dtype=np.float64), networks(rows)
    cells, predictions = rows.get("cell", pd.Series(range(len(rows)))), list[pd.DataFrame]()
    scores, differences, added = list[dict[str, object]](), list[dict[str, object]](), list[dict[str, object]]()
    for fold in _possible(rows):
        labels = fold_labels(rows, fold, by_row=by_row)
        foretold = {name: left_out(rows, columns, labels, method=method) for name, columns in everything.items()}
        predictions.append(pd.DataFrame({"fold": fold, "cell": cells, "gap": gaps, **foretold}))
        errors = pd.DataFrame({name: np.abs(one - gaps) for name, one in foretold.items()})
        sure = _Sureness(groups if fold == "sample" else labels, seed, few=fold != "sample")
        about = {"fold": fold, "units": sure.n_units}
        scores += [{**about, **_error(errors[name], sure)} for name in everything]
        differences += [
            {**about, **_difference(errors, sure, name, other)} for name in predictors for other in baselines
        ]
        if known := {name: columns for name, columns in baselines.items() if columns}:
            strongest = min(known, key=lambda name: float(np.mean(errors[name].to_numpy())))
            for name, columns in predictors.items():
                both = tuple(dict.fromkeys((*known[strongest], *columns)))
                together = left_out(rows, both, labels, method=method) - gaps
                about_both = {**about, "predictor": name, "strongest": strongest}
                added.append({**about_both, **_added(together, foretold[strongest] - gaps, sure)})
        if fold == "sample":
            orders = [
                _order(rows, columns, foretold[name], by_row=by_row, seed=seed, method=method)
                for name, columns in everything.items()
            ]
            scores = [{**score, **order} for score, order in zip(scores, orders, strict=True)]
    controls = {
        name: _control(rows, columns, by_row=by_row, seed=seed, method=method)
        for name, columns in (everything if method == "linear" else predictors).items()
        if columns
    }
    for score in scores:
        if score["fold"] == "sample" and score["predictor"] in controls:
            score["tau_chance"] = controls[str(score["predictor"])]["tau"]
    about = {"fold": "sample", "units": len(np.unique(groups))}
    scores += [{**about, "predictor": name + SHUFFLED, **controls[name]} for name in predictors]
    return Evaluation(
        pd.DataFrame(scores).reindex(columns=SCORES),
        pd.DataFrame(differences),
        pd.DataFrame(added, columns=ADDED),
        pd.concat(predictions, ignore_index=True),
        len(rows),
        len(np.unique(groups)),
    )


def _expanded(table: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return sets of features with their columns written out for a table."""
    return {name: tuple(expanded(table, columns)) for name, columns in sets.items()}


def _default_predictors(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the sets of features whose columns are there, and one of them with what training says.

    Raises:
        DnnTopologyError: There is none.
    """
    known = {**TOPOLOGICAL, "asd + train": (*FEATURE_SETS["asd"], *FEATURE_SETS["training"][:2])}
    there = {name: columns for name, columns in known.items() if _there(table, columns)}
    if "asd-early" in there and is_copied(table, there["asd-early"]):
        del there["asd-early"]
    if not there:
        check_table(table, FEATURE_SETS["lambda-mu"])  # says what is missing
    return there


def _default_baselines(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return what a table has of what topology has to beat; none of it a copy of what it is beside."""
    there = {name: columns for name, columns in BASELINES.items() if _there(table, columns)}
    return {
        name: columns
        for name, columns in there.items()
        if not columns or (expanded(table, columns) and not is_copied(table, columns))
    }


def _possible(rows: pd.DataFrame) -> list[str]:
    """Return the folds that these rows can be parted into: not one architecture or data set alone."""
    return [
        fold for fold, column in FOLDS.items() if fold == "sample" or (column in rows and rows[column].nunique() > 1)
    ]


@dataclass(frozen=True)
class _Sureness:
    """How sure a mean over rows is.

    Attributes:
        units: (n_rows,) which unit each row is of, from 0 on: what other draws would be of.
        seed: Of the bootstrap.
        few: Whether units are so few that a bootstrap of them says too much.
    """

    units: NDArray[np.intp]
    seed: int
    few: bool

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.units.max()) + 1

    def interval(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return the ends of a 95 % interval for the mean of values (n_rows,)."""
        if self.few:
            return interval_of_units(values, self.units)
        low, high = np.quantile(bootstrap_means(values, self.units, n=DRAWS, seed=self.seed), [TAIL, 1 - TAIL])
        return float(low), float(high)


def _error(errors: pd.Series[float], sure: _Sureness) -> dict[str, object]:
    """Return the mean absolute error of one predictor and its interval."""
    values: Any = errors.to_numpy(dtype=np.float64)
    low, high = sure.interval(values)
    return {"predictor": errors.name, "mae": errors.mean(), "mae_lower": max(0.0, low), "mae_upper": high}


def _difference(errors: pd.DataFrame, sure: _Sureness, name: str, other: str) -> dict[str, object]:
    """Return how much smaller the error of one predictor is than another's, on the same units."""
    apart: NDArray[np.float64] = np.asarray(errors[name] - errors[other], dtype=np.float64)
    low, high = sure.interval(apart)
    return {"predictor": name, "baseline": other, "difference": apart.mean(), "lower": low, "upper": high}


def _added(together: NDArray[np.float64], alone: NDArray[np.float64], sure: _Sureness) -> dict[str, object]:
    """Return how much smaller errors become where a predictor joins a baseline."""
    apart = np.abs(together) - np.abs(alone)
    low, high = sure.interval(apart)
    taken = 1 - float(np.sum(together**2) / np.sum(alone**2)) if np.any(alone) else float("nan")
    return {"difference": apart.mean(), "lower": low, "upper": high, "partial_r2": taken}


def _control(rows: pd.DataFrame, columns: Sequence[str], *, by_row: bool, seed: int, method: str) -> dict[str, object]:
    """Return what a predictor is worth where networks have others' gaps: nothing, unless something is wrong."""
    gaps, groups = rows["gap"].to_numpy(dtype=np.float64), networks(rows)
    labels = fold_labels(rows, "sample", by_row=by_row)
    errors, taus, r2 = list[float](), list[float](), list[float]()
    for shuffle in range(SHUFFLES[method]):
        others = rows.assign(gap=shuffled_networks(gaps, groups, seed=seed + shuffle))
        foretold, truth = left_out(others, columns, labels, method=method), others["gap"].to_numpy(dtype=np.float64)
        errors.append(float(np.abs(foretold - truth).mean()))
        taus.append(kendall(foretold, truth))
        r2.append(float(r2_by_halves(others, columns, by_row=by_row, seed=seed + shuffle, method=method).mean()))
    low, high = np.quantile(errors, [TAIL, 1 - TAIL])
    spread = {"mae": np.mean(errors), "mae_lower": low, "mae_upper": high}
    return {**spread, "r2": np.mean(r2), "r2_std": np.std(r2, ddof=1), "tau": np.mean(taus)}


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
    return {source_column(name) for name in columns} <= set(table.columns)
