"""Predictions for networks that the fit has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.gap.methods import fitted
from dnn_topology.analysis.gap.table import design, networks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# name → the column whose values are left out one by one
FOLDS = {"sample": "cell", "architecture": "net", "data set": "dataset"}
REPEATS = 5
PARTS = 20  # a Gaussian process, slow to fit, is fitted so many times at most


def fold_labels(table: pd.DataFrame, fold: str, *, by_row: bool = False) -> NDArray[np.intp]:
    """Return (n_rows,) which part each row belongs to; one part is left out at a time.

    Args:
        table: The rows.
        fold: One of `FOLDS`.
        by_row: For "sample": leave out single rows, though other epochs of the same network stay.

    Raises:
        DnnTopologyError: There is one part only.
    """
    if fold == "sample":
        labels = np.arange(len(table)) if by_row else networks(table)
    else:
        if FOLDS[fold] not in table:
            raise DnnTopologyError(f"leaving out one {fold} at a time needs a column {FOLDS[fold]!r}")
        labels = np.unique(table[FOLDS[fold]].astype(str), return_inverse=True)[1]
    if len(np.unique(labels)) < 2:
        raise DnnTopologyError(f"leaving out one {fold} at a time needs two at least, found one")
    return labels


def left_out(
    table: pd.DataFrame, columns: Sequence[str], labels: NDArray[np.intp], *, method: str = "linear"
) -> NDArray[np.float64]:
    """Return (n_rows,) the gap of each row, predicted by a fit on rows of other labels: all of them for a line.

    A Gaussian process over more than 20 labels leaves out a twentieth of them at a time.
    """
    features, gaps = design(table, columns), table["gap"].to_numpy(dtype=np.float64)
    if not columns:
        # The mean of all the others, in one step.
        sums, counts = np.bincount(labels, weights=gaps), np.bincount(labels)
        means: NDArray[np.float64] = (gaps.sum() - sums) / (len(gaps) - counts)
        return means[labels]
    foretold = np.empty(len(gaps))
    parts = _parts(labels) if method == "gaussian-process" else labels
    for part in np.unique(parts):
        out = parts == part
        foretold[out] = fitted(method, features[~out], gaps[~out]).predict(features[out])
    return foretold


def _parts(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return (n_rows,) the part that each row is left out with, at most `PARTS` of them, a label in one part."""
    names, places = np.unique(labels, return_inverse=True)
    part = np.random.default_rng(0).permutation(len(names)) % PARTS
    return np.asarray(part[places], dtype=np.intp)


def halves(groups: NDArray[np.intp], *, seed: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield the ten (fitted, judged) halves of 5×2 cross-validation as masks (n_rows,); groups stay together.

    Source:
        Dietterich, Approximate statistical tests for comparing supervised classification learning algorithms, Neural
        Computation 1998.
    """
    rng = np.random.default_rng(seed)
    n_groups = groups.max() + 1
    for _ in range(REPEATS):
        first = np.isin(groups, rng.permutation(n_groups)[: n_groups // 2])
        yield first, ~first
        yield ~first, first
