"""Which rows and columns of a table a model of the gap can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.analysis.feature_sets import (
    CATEGORY,
    EARLY,
    EVERY,
    FEATURE_SETS,
    LEAST_LOSS,
    LEAVE_ONE_OUT,
    LOGARITHM,
    PARTS,
    PERTURBATION,
    PURITY,
    SAMPLE_TREE,
    SETTINGS,
    TOPOLOGICAL,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# What must be alike in all rows, because it changes the features of one and the same network.
MEASURED = ("n_inputs", "max_epsilon", "nodes", "draws", "graph_split")
EARLY_EPOCH = "early_epoch"  # must be alike too where features are of that epoch
PURITY_INPUT = PURITY[0]  # the share of neighbouring inputs that have one label
SHARES = LEAVE_ONE_OUT  # of the training inputs
ROUND_OFF = 1e-6
SPARE = 5  # rows more than features that a fit needs


def check_table(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a table has these columns, as numbers, measured on training inputs and all alike.

    Args:
        table: One row per network, or per network and epoch.
        columns: Names of features; "life^2" is made from the column "life", "log(train_loss)" from "train_loss" and
            "net=lenet" from "net".

    Raises:
        DnnTopologyError: It has not; the message says what to do.
    """
    import pandas as pd

    if "dim" in table.columns:
        raise DnnTopologyError(
            "the table has a row per dimension (column 'dim'), as `summarize` makes it, and not per network: give the "
            "numbers of `gap_features(diagrams)` as a row"
        )
    plain = dict.fromkeys(source_column(name) for name in columns)
    missing = [name for name in plain if name not in table.columns]
    if missing:
        able = [one for one, of_set in FEATURE_SETS.items() if {*map(source_column, of_set)} <= set(table.columns)]
        remedy = f"it has those of {', '.join(able)}" if able else nearest(missing[0], map(str, table.columns))
        raise DnnTopologyError(
            f"the table has no column {missing[0]!r} ({len(missing)} of {len(plain)} are missing): {remedy} "
            "(`dnn-topology study` and `gap_features` give these columns, those of earlier versions fewer)"
        )
    if twice := [name for name in plain if [*table.columns].count(name) > 1]:
        raise DnnTopologyError(f"the table has several columns {twice[0]!r}: leave one of them")
    numbers = {source_column(name) for name in columns if CATEGORY not in name}
    words = [name for name in plain if name in numbers and not pd.api.types.is_any_real_numeric_dtype(table[name])]
    if words and len(table):
        column = table[words[0]]
        raise DnnTopologyError(
            f"column {words[0]!r} must hold numbers, found {column.iloc[0]!r} in a column of {column.dtype}: convert "
            "it, as by pd.to_numeric"
        )
    if "graph_split" in table and set(table["graph_split"]) != {"train"}:
        raise DnnTopologyError(
            "the table was measured on test inputs (column graph_split), and a gap that is foretold from test data is "
            "none: measure on training inputs"
        )
    for name in measured_columns(columns):
        if name in table and table[name].nunique() > 1:
            raise DnnTopologyError(
                f"networks were measured in different ways (column {name}: {sorted(set(table[name]))}), which changes "
                "features more than networks do: take rows of one way"
            )


def check_shares(table: pd.DataFrame) -> None:
    """Check that a table has rows, and that shares of training inputs, where it has them, lie in [0, 1].

    Raises:
        DnnTopologyError: It has not, as where they are in per cent.
    """
    if table.empty:
        raise DnnTopologyError("the table has no rows: give one per network whose gap to foretell")
    for name in (each for each in SHARES if each in table):
        outside = ~table[name].between(-ROUND_OFF, 1 + ROUND_OFF) & table[name].notna()
        if outside.any():
            raise DnnTopologyError(
                f"{name} must be a share of the training inputs, in [0, 1], found {table[name][outside].iloc[0]:g}: "
                "divide per cent by 100"
            )


def measured_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that say how features were measured."""
    return (*MEASURED, EARLY_EPOCH) if any(source_column(name).startswith(EARLY) for name in columns) else MEASURED


def source_column(name: str) -> str:
    """Return the column of a table that a feature is made from."""
    return without_logarithm(name).removesuffix("^2").split(CATEGORY)[0]


def parts_of(columns: Sequence[str]) -> set[str]:
    """Return which of `PARTS`, the costly ones of a network's features, some features are of, now or early."""
    asked = {source_column(name) for name in columns}
    of_graph = {source_column(name) for of_set in TOPOLOGICAL.values() for name in of_set}
    members = {"graph": of_graph, "inputs": {*PERTURBATION, *SAMPLE_TREE}}
    return {part for part in PARTS if not asked.isdisjoint(members[part])}


def without_logarithm(name: str) -> str:
    """Return the feature that another is the logarithm of, and one that is none as it is."""
    before, after = LOGARITHM.split("{}")
    return name.removeprefix(before).removesuffix(after) if name.startswith(before) else name


def expanded(table: pd.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """Return columns with "net=*" replaced by one for every network of the table, and settings that vary alone.

    Args:
        table: What a model is fitted on.
        columns: Those of a set of features; all of them where the table does not have them.
    """
    names = list[str]()
    for name in columns:
        source = source_column(name)
        varies = source not in table or table[source].nunique(dropna=False) > 1
        if name.endswith(EVERY) and source in table:
            names += [f"{source}{CATEGORY}{value}" for value in sorted(table[source].astype(str).unique()) if varies]
        elif name not in SETTINGS or varies:
            names.append(name)
    return tuple(names)


def design(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return the features (n_rows, n_columns), float64, squares, logarithms and categories included."""
    return np.column_stack([_values(table, name) for name in columns]) if columns else np.zeros((len(table), 0))


def _values(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return one feature (n_rows,): a column, its square or its logarithm, or whether it is of a category."""
    column, category, value = name.partition(CATEGORY)
    if category:
        return np.asarray(table[column].astype(str) == value, dtype=np.float64)
    values: NDArray[np.float64] = table[source_column(name)].to_numpy(dtype=np.float64)
    if name != without_logarithm(name):
        return np.asarray(np.log(np.maximum(values, LEAST_LOSS)))
    return values**2 if name.endswith("^2") else values


def hardly_learned(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return (n_rows,) which networks know fewer of their training labels than neighbouring inputs share.

    The nearest neighbours, of which no network knows anything, would tell more labels. Of rows without `train_accuracy`
    or `purity_input` nothing is known.
    """
    if not {"train_accuracy", PURITY_INPUT} <= set(table):
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(table["train_accuracy"] < table[PURITY_INPUT], dtype=np.bool_)


def usable(table: pd.DataFrame, columns: Sequence[str], *, n_fitted: int | None = None) -> pd.DataFrame:
    """Return the rows in which the gap and every feature are known, if they are enough to fit on.

    Args:
        table: One row per network, or per network and epoch.
        columns: Names of features.
        n_fitted: Number of features that are fitted at once; None for all of them.

    Raises:
        DnnTopologyError: There are too few.
    """
    check_table(table, [*columns, "gap"])
    check_early(table, columns)
    known = table.iloc[np.flatnonzero(np.isfinite(design(table, [*columns, "gap"])).all(axis=1))]
    n_fitted = len(columns) if n_fitted is None else n_fitted
    if len(known) < n_fitted + SPARE:
        raise DnnTopologyError(
            f"{len(known)} rows are too few to fit {n_fitted} features ({len(table) - len(known)} more have a gap "
            f"or feature that is not known): give at least {n_fitted + SPARE}"
        )
    return known


def check_early(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that features early in training are not those at the end once more.

    Raises:
        DnnTopologyError: They are, in every row.
    """
    if is_copied(table, columns):
        raise DnnTopologyError(
            "features early in training are a copy of those at the end in every row: no early epoch was measured, so "
            "they say nothing of their own; measure one, such as [topology] epochs = [5, 20] of a study, or take a set "
            "without them, such as 'purity' or 'asd'"
        )


def is_copied(table: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Return whether features early in training are those at the end once more, in every row."""
    early = [source for source in map(source_column, columns) if source.startswith(EARLY)]
    now = [source.removeprefix(EARLY) for source in early]
    if not early or not set(now) <= set(table):
        return False
    return np.array_equal(design(table, early), design(table, now), equal_nan=True)


def check_varying(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that every feature tells networks apart.

    Raises:
        DnnTopologyError: One is the same in every row.
    """
    spread = np.ptp(design(table, columns), axis=0)
    if constant := [name for name, width in zip(columns, spread, strict=True) if not width]:
        raise DnnTopologyError(f"feature {constant[0]!r} is the same in every row: leave it out, or add other networks")


def networks(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return (n_rows,) which network each row is of: rows of one `cell` belong together; without it each is its own."""
    if "cell" not in table:
        return np.arange(len(table))
    places: NDArray[np.intp] = np.unique(table["cell"].astype(str), return_inverse=True)[1]
    return places
