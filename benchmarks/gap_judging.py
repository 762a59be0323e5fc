"""The judgement of benchmarks/gap.py: what the gaps of networks trained afterwards were foretold to be."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from gap_rounds import LARGE, RAW, ROUNDS, Round, parted

from dnn_topology.analysis.feature_sets import EARLY, FEATURE_SETS, PURITY, TOPOLOGICAL, TRAINING
from dnn_topology.analysis.gap import GapModel, OutsideRangeWarning
from dnn_topology.analysis.gap.folds import FOLDS, fold_labels, left_out
from dnn_topology.analysis.gap.methods import METHODS, fitted
from dnn_topology.analysis.gap.model import FAR
from dnn_topology.analysis.gap.scores import TAIL, bootstrap_means, interval_of_units
from dnn_topology.analysis.gap.table import design, expanded
from dnn_topology.analysis.gap.table import hardly_learned as is_hardly_trained

MEAN = "predict the mean"
SETS: dict[str, tuple[str, ...]] = {
    MEAN: (),
    **FEATURE_SETS,
    "asd + train": (*TOPOLOGICAL["asd"], *FEATURE_SETS["training"]),
    # What "leave-one-out" knows of the data without asking the network; made after the fourth round was judged.
    "leave-one-out, without the network": ("train_accuracy", "loo_accuracy"),
    # What the first rounds froze. Of a loss that runs off a line makes nonsense; of its logarithm it does not.
    RAW: (*PURITY, *TRAINING, *(EARLY + name for name in TRAINING)),
}
CONFIDENCE = 0.9
FROZEN = "what each had frozen"
STEADY = (
    "leave-one-out",
    "purity+training",
    "perturbation+purity+training",
)  # what all rounds together are also read by
DRAWS = 2000  # of networks, for an interval


def choice(known: pd.DataFrame) -> pd.DataFrame:
    """Return the error of every set and method on the networks that everything was chosen on, with parts left out.

    What orders them is the mean, with a data set and with an architecture left out, of the error over the mean's.
    """
    rows = []
    for method in METHODS:
        for name, columns in SETS.items():
            errors = {fold: _left_out_errors(known, columns, fold, method).mean() for fold in FOLDS}
            rows.append({"features": name, "method": method, **errors})
    table = pd.DataFrame(rows)
    mean = table[table["features"] == MEAN].iloc[0]
    table["of the mean's"] = np.mean([table[fold] / mean[fold] for fold in ("architecture", "data set")], axis=0)
    return table.sort_values("of the mean's", ignore_index=True)


def predictions(known: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the gaps of a round's networks as models foretell them that are fitted on the earlier ones."""
    about = {"fold": each.grid, "cell": judged["cell"], "gap": judged["gap"]}
    tables = []
    for method in METHODS:
        foretold = {name: _foretold(known, judged, expanded(known, columns), method) for name, columns in SETS.items()}
        tables.append(pd.DataFrame({**about, "method": method, **foretold}))
    return pd.concat(tables, ignore_index=True)


def errors(foretold: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the mean errors of a round with their 95 % intervals over networks, and beside them the mean's error."""
    rows = []
    for method, table in foretold.groupby("method", sort=False):
        apart = table[[*SETS]].sub(table["gap"], axis=0).abs().to_numpy()
        for group, members in each.groups(judged).items():
            n = int(members.sum())
            drawn = bootstrap_means(apart[members], np.arange(n), n=DRAWS, seed=0)
            below = np.quantile(drawn - drawn[:, [[*SETS].index(MEAN)]] / 2, [TAIL, 1 - TAIL], axis=0)
            low, high = np.quantile(drawn, [TAIL, 1 - TAIL], axis=0)
            means = apart[members].mean(axis=0)
            rows += [
                {
                    "round": each.grid,
                    "features": name,
                    "method": method,
                    "group": group,
                    "n": n,
                    "mae": means[place],
                    "lower": low[place],
                    "upper": high[place],
                    "of the mean's": means[place] / means[[*SETS].index(MEAN)],
                    "above half, lower": below[0, place],
                    "above half, upper": below[1, place],
                }
                for place, name in enumerate(SETS)
            ]
    return pd.DataFrame(rows)


def differences(foretold: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return by how much every other set errs more than the frozen features, by the same method on the same rows."""
    table = foretold[foretold["method"] == each.method]
    apart = table[[*SETS]].sub(table["gap"], axis=0).abs()
    rows = []
    for name in (name for name in SETS if name != each.features):
        more = (apart[name] - apart[each.features]).to_numpy()
        for group, members in each.groups(judged).items():
            drawn = bootstrap_means(more[members], np.arange(int(members.sum())), n=DRAWS, seed=0)
            low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
            about: dict[str, Any] = {"round": each.grid, "features": name, "than": each.features, "group": group}
            rows.append({**about, "difference": more[members].mean(), "lower": low, "upper": high})
    return pd.DataFrame(rows)


def hardly_learned(foretold: pd.DataFrame, known: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the errors on networks that `gap predict` says have hardly learned, and on the others.

    That this sets them apart was seen after the second round, and fixed with the third.
    """
    table = foretold[foretold["method"] == each.method]
    apart = table[[*SETS]].sub(table["gap"], axis=0).abs()
    hardly = is_hardly_trained(judged)
    rows = []
    for group, members in (("hardly learned", hardly), ("the others", ~hardly)):
        about: dict[str, Any] = {"round": each.grid, "group": group, "n": int(members.sum())}
        about["before"] = int((is_hardly_trained(known) == (group == "hardly learned")).sum())
        rows.append(about | {name: apart[name][members].mean() for name in dict.fromkeys((*STEADY, "training", MEAN))})
    return pd.DataFrame(rows)


def coverage(known: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return for how many of a round's networks the intervals of `gap predict` hold, of those with every feature."""
    features = each.features if each.features in FEATURE_SETS else STEADY[1]
    model = GapModel.fit(known, features=features, method=each.method)
    judged = judged[np.isfinite(design(judged, model.learned.columns)).all(axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)
        said = model.predict(judged, confidence=CONFIDENCE)
    inside = judged["gap"].between(said["lower"], said["upper"])
    about = {"round": each.grid, "features": features, "method": each.method, "n": len(judged)}
    about["confidence"] = CONFIDENCE
    margin = (said["upper"] - said["lower"]).mean() / 2
    return pd.DataFrame(
        [{**about, "margin": margin, "inside": inside.mean(), "outside": (said["outside"] > FAR).sum()}]
    )


def together(foretold: pd.DataFrame, last: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of what each round had frozen, of two sets and of the mean over the networks of all rounds."""
    parts = []
    for each in ROUNDS:
        judged = parted(last, each)[1]
        own = foretold[(foretold["fold"] == each.grid) & (foretold["method"] == each.method)]
        columns = [each.features, *STEADY, MEAN]
        apart = own[columns].sub(own["gap"], axis=0).abs().set_axis([FROZEN, *STEADY, MEAN], axis=1)
        groups = {name: members for name, members in each.groups(judged).items() if name in LARGE}
        parts += [apart[members].assign(group=name) for name, members in groups.items()]
    rows = []
    whole = pd.concat(parts, ignore_index=True)
    for name, (group, part) in itertools.product((FROZEN, *STEADY), whole.groupby("group", sort=False)):
        drawn = bootstrap_means(part[[name, MEAN]].to_numpy(), np.arange(len(part)), n=DRAWS, seed=0)
        low, high = np.quantile(drawn[:, 0], [TAIL, 1 - TAIL])
        below = np.quantile(drawn[:, 0] - drawn[:, 1] / 2, [TAIL, 1 - TAIL])
        mine, mean = part[name].mean(), part[MEAN].mean()
        about = {
            "features": name,
            "group": group,
            "n": len(part),
            "mae": mine,
            "lower": low,
            "upper": high,
            "the mean's": mean,
        }
        share = {"of the mean's": mine / mean, "above half, lower": below[0], "above half, upper": below[1]}
        rows.append({**about, **share})
    return pd.DataFrame(rows)


def within(judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the errors with a data set, and with an architecture, of a round left out, fitted on its other networks.

    The intervals are Student's, over data sets or architectures: they hold for others like them.
    """
    rows = []
    for fold in ("data set", "architecture"):
        units = fold_labels(judged, fold)
        mean = _left_out_errors(judged, (), fold, each.method)
        for name, columns in SETS.items():
            apart = _left_out_errors(judged, columns, fold, each.method)
            low, high = interval_of_units(apart, units)
            below = interval_of_units(apart - mean / 2, units)
            about: dict[str, Any] = {"round": each.grid, "fold": fold, "parts": len(np.unique(units))}
            about |= {"features": name, "method": each.method, "n": len(judged), "mae": apart.mean()}
            about |= {"lower": low, "upper": high, "of the mean's": apart.mean() / mean.mean()}
            rows.append({**about, "above half, lower": below[0], "above half, upper": below[1]})
    return pd.DataFrame(rows)


def unfitted(judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the errors of the training accuracy less the agreement, in points, to which nothing is fitted."""
    foretold = 100 * (judged["train_accuracy"] - judged["loo_agreement"])
    apart = (foretold - judged["gap"]).to_numpy()
    rows = []
    for group, members in each.groups(judged).items():
        there = members & np.isfinite(apart)
        about: dict[str, Any] = {"round": each.grid, "group": group, "n": int(there.sum())}
        rows.append({**about, "mae": np.abs(apart[there]).mean(), "bias": apart[there].mean()})
    return pd.DataFrame(rows)


def over_architectures(foretold: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return the mean errors on a round's new architectures, with Student's intervals over architectures.

    Those of `errors` hold for architectures like exactly these in these shares; these for others like them.
    """
    new = judged["net"].isin(each.new_nets).to_numpy()
    units = np.unique(judged["net"][new], return_inverse=True)[1]
    rows = []
    if len(each.new_nets) > 2:
        table = foretold[foretold["method"] == each.method][new]
        apart = table[[*SETS]].sub(table["gap"], axis=0).abs()
        for name in (each.features, MEAN):
            low, high = interval_of_units(apart[name].to_numpy(), units)
            below = interval_of_units((apart[name] - apart[MEAN] / 2).to_numpy(), units)
            about: dict[str, Any] = {"round": each.grid, "features": name, "method": each.method}
            about |= {"units": len(each.new_nets), "mae": apart[name].mean(), "lower": low, "upper": high}
            rows.append({**about, "above half, lower": below[0], "above half, upper": below[1]})
    return pd.DataFrame(rows)


def topology_adds(known: pd.DataFrame, judged: pd.DataFrame, each: Round) -> pd.DataFrame:
    """Return by how much the error of the frozen features changes on a round where the neurons' graph joins them."""
    columns = expanded(known, SETS[each.features])
    gaps = judged["gap"].to_numpy()
    foretold = _foretold(known, judged, columns, each.method)
    alone = np.abs(foretold - gaps)
    rows = []
    for name, more in TOPOLOGICAL.items():
        both = tuple(dict.fromkeys((*columns, *more)))
        # A network without a loop is foretold what it is without the graph.
        together = _foretold(known, judged, both, each.method, otherwise=foretold)
        change = np.abs(together - gaps) - alone
        for group, members in each.groups(judged).items():
            drawn = bootstrap_means(change[members], np.arange(int(members.sum())), n=DRAWS, seed=0)
            low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
            about: dict[str, Any] = {"round": each.grid, "adds": name, "to": each.features, "group": group}
            rows.append({**about, "difference": change[members].mean(), "lower": low, "upper": high})
    return pd.DataFrame(rows)


def _left_out_errors(table: pd.DataFrame, columns: tuple[str, ...], fold: str, method: str) -> np.ndarray:
    """Return the errors with parts left out; a network of which a feature is not known is foretold the mean."""
    chosen = expanded(table, columns)
    there = np.isfinite(design(table, chosen)).all(axis=1)
    foretold = left_out(table, (), fold_labels(table, fold))
    part = table[there].reset_index(drop=True)
    foretold[there] = left_out(part, chosen, fold_labels(part, fold), method=method)
    return np.abs(foretold - table["gap"].to_numpy())


def _foretold(
    known: pd.DataFrame,
    judged: pd.DataFrame,
    columns: tuple[str, ...],
    method: str,
    otherwise: np.ndarray | None = None,
) -> np.ndarray:
    """Return the gaps of networks that a fit on others foretells, and `otherwise` where a feature is not known.

    Without `otherwise` that is the mean of the others' gaps.
    """
    values, asked = design(known, columns), design(judged, columns)
    there, answered = (np.isfinite(each).all(axis=1) for each in (values, asked))
    gaps = known["gap"].to_numpy(dtype=np.float64)
    foretold = np.full(len(judged), gaps.mean()) if otherwise is None else otherwise.copy()
    if answered.any():
        foretold[answered] = fitted(method, values[there], gaps[there]).predict(asked[answered])
    return foretold
