"""How good predictions of the gap are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.analysis.gap.folds import halves
from dnn_topology.analysis.gap.methods import fitted
from dnn_topology.analysis.gap.table import design, networks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TAIL = 0.025  # of a 95 % interval
MOST_CONDITIONS = 2  # hyperparameters held fixed at once, as in PGDL


def bootstrap_means(values: NDArray[np.float64], groups: NDArray[np.intp], *, n: int, seed: int) -> NDArray[np.float64]:
    """Return (n, …) means of values (n_rows, …) over draws of groups with replacement, all rows of a group at once."""
    n_groups = groups.max() + 1
    sums = np.zeros((n_groups, *values.shape[1:]))
    np.add.at(sums, groups, values)
    counts = np.bincount(groups, minlength=n_groups)
    drawn = np.random.default_rng(seed).integers(n_groups, size=(n, n_groups))
    total = counts[drawn].sum(axis=1).reshape(n, *([1] * (values.ndim - 1)))
    means: NDArray[np.float64] = sums[drawn].sum(axis=1) / total
    return means


def interval_of_units(values: NDArray[np.float64], units: NDArray[np.intp]) -> tuple[float, float]:
    """Return the ends of a 95 % interval for the mean of values (n_rows,) over units like those that there are.

    It is Student's, of the units' means: three data sets say little of a fourth, however many networks each has.

    Args:
        values: One per row.
        units: (n_rows,) which unit a row is of, from 0 on.
    """
    from scipy.stats import t

    means = np.bincount(units, weights=values) / np.bincount(units)
    margin = float(t.ppf(1 - TAIL, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))
    return float(values.mean()) - margin, float(values.mean()) + margin


def shuffled_networks(gaps: NDArray[np.float64], groups: NDArray[np.intp], *, seed: int) -> NDArray[np.float64]:
    """Return gaps (n_rows,) with every network given those of another, its rows in their order.

    Rows that are shuffled one by one would hide it if rows of one network leaked into the fit.

    Args:
        gaps: One per row.
        groups: (n_rows,) which network a row is of, from 0 on.
        seed: Of the shuffle.
    """
    rows = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    shuffled = np.empty_like(gaps)
    for to, source in zip(rows, np.random.default_rng(seed).permutation(len(rows)), strict=True):
        others = rows[source]
        shuffled[to] = gaps[others[np.arange(len(to)) * len(others) // len(to)]]
    return shuffled


def r2_by_halves(
    table: pd.DataFrame, columns: Sequence[str], *, by_row: bool, seed: int, method: str = "linear"
) -> NDArray[np.float64]:
    """Return (10,) the R² of 5×2 cross-validation; the rows of one network stay in one half unless `by_row`."""
    from sklearn.metrics import r2_score

    features, gaps = design(table, columns), table["gap"].to_numpy(dtype=np.float64)
    groups = np.arange(len(table)) if by_row else networks(table)
    scores = []
    for known, judged in halves(groups, seed=seed):
        model = fitted(method, features[known], gaps[known])
        scores.append(r2_score(gaps[judged], model.predict(features[judged])))
    return np.array(scores)


def kendall(predicted: NDArray[np.float64], gaps: NDArray[np.float64]) -> float:
    """Return Kendall's τ_b; NaN where one of the two is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(predicted, gaps).statistic) if np.ptp(predicted) and np.ptp(gaps) else float("nan")


def conditional_information(predicted: NDArray[np.float64], gaps: NDArray[np.float64], settings: pd.DataFrame) -> float:
    """Return how much the order of predictions says of the order of gaps beyond what hyperparameters say, in [0, 1].

    Over pairs of networks that agree in a set S of at most two hyperparameters: the mutual information of "which is
    predicted larger" and "which is larger", over the entropy of the latter; the least over all S counts. Unlike in the
    competition, predictions that order more pairs wrongly than rightly are worth 0: a network's left-out prediction
    from features that say nothing is the mean of the others, which falls as its own gap rises.

    Pairs that are predicted equal count half as either.

    Args:
        predicted: (n,).
        gaps: (n,); pairs of equal gaps are passed over.
        settings: (n, n_hyperparameters): those that vary.

    Returns:
        The score; NaN where no two networks can be compared.

    Source:
        Jiang et al., NeurIPS 2020 competition: predicting generalization in deep learning, arXiv:2012.07976.
    """
    first, second = np.triu_indices(len(gaps), k=1)
    differ = gaps[first] != gaps[second]
    first, second = first[differ], second[differ]
    larger = (1 + np.sign(predicted[first] - predicted[second])) / 2
    truly = gaps[first] > gaps[second]
    if not len(larger):
        return float("nan")
    if np.where(truly, larger, 1 - larger).mean() <= 0.5:
        return 0.0
    codes = {name: settings[name].factorize(use_na_sentinel=False)[0] for name in settings.columns}
    scores = [
        _information(larger, truly, [codes[name] for name in held], first, second)
        for size in range(MOST_CONDITIONS + 1)
        for held in combinations(codes, size)
    ]
    known = [score for score in scores if not np.isnan(score)]
    return min(known) if known else float("nan")


def _information(
    larger: NDArray[np.float64],
    truly: NDArray[np.bool_],
    held: Sequence[NDArray[np.intp]],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> float:
    """Return I(larger; truly | values of `held`) / H(truly | values of `held`) over pairs that agree in them.

    `larger` is 1, 0, or ½ where the two are predicted equal.
    """
    agree = np.ones(len(first), dtype=bool)
    where = np.zeros(len(first), dtype=np.intp)
    for code in held:
        agree &= code[first] == code[second]
        where = where * (code.max() + 1) + code[first]
    # Each pair counts in both directions, so that which of the two comes first plays no part.
    where = np.tile(np.unique(where[agree], return_inverse=True)[1], 2)
    guess = np.concatenate([larger[agree], 1 - larger[agree]])
    truth = np.concatenate([truly[agree], ~truly[agree]])
    if not len(where):
        return float("nan")
    counts = np.zeros((where.max() + 1, 2, 2))
    for place, weight in ((0, 1 - guess), (1, guess)):
        np.add.at(counts[:, place], (where, truth.astype(int)), weight)
    shares = counts.sum(axis=(1, 2)) / counts.sum()
    joint = counts / counts.sum(axis=(1, 2), keepdims=True)
    information = _entropy(joint.sum(axis=2)) + _entropy(joint.sum(axis=1)) - _entropy(joint.reshape(len(joint), 4))
    unknown = float(shares @ _entropy(joint.sum(axis=1)))
    return float(max(0.0, shares @ information)) / unknown if unknown > 0 else float("nan")


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -Σ p log p along the last axis."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: NDArray[np.float64] = -(shares * logs).sum(axis=-1)
    return entropy
