"""Which rows and columns of a table a model of the gap can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.analysis.features import EARLY

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# What must be alike in all rows, because it changes the features of one and the same network.
MEASURED = ("n_inputs", "max_epsilon", "nodes", "draws", "graph_split")
EARLY_EPOCH = "early_epoch"  # must be alike too where features are of that epoch
SPARE = 5  # rows more than features that a fit needs


def check_table(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a table has these columns, as numbers, measured on training inputs and all alike.

    Args:
        table: One row per network, or per network and epoch.
        columns: Names of features; one that ends in "^2" is made from its column.

    Raises:
        DnnTopologyError: It has not; the message says what to do.
    """
    import pandas as pd

    if "dim" in table.columns:
        raise DnnTopologyError(
            "the table has a row per dimension (column 'dim'), as `summarize` makes it, and not per network: give the "
            "numbers of `gap_features(diagrams)` as a row"
        )
    plain = dict.fromkeys(name.removesuffix("^2") for name in columns)
    missing = [name for name in plain if name not in table.columns]
    if missing:
        raise DnnTopologyError(
            f"the table has no column {missing[0]!r} ({len(missing)} of {len(plain)} are missing): "
            f"{nearest(missing[0], map(str, table.columns))} `dnn-topology study` makes such tables"
        )
    words = [name for name in plain if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise DnnTopologyError(f"column {words[0]!r} must hold numbers, found {table[words[0]].iloc[0]!r}")
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


def measured_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that say how features were measured."""
    return (*MEASURED, EARLY_EPOCH) if any(name.startswith(EARLY) for name in columns) else MEASURED


def design(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return the features (n_rows, n_columns), float64, squares included."""
    values = [
        table[name.removesuffix("^2")].to_numpy(dtype=np.float64) ** (2 if name.endswith("^2") else 1)
        for name in columns
    ]
    return np.column_stack(values) if columns else np.zeros((len(table), 0))


def usable(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows in which the gap and every feature are known, if they are enough to fit on.

    Raises:
        DnnTopologyError: There are too few.
    """
    check_table(table, [*columns, "gap"])
    check_early(table, columns)
    known = table.iloc[np.flatnonzero(np.isfinite(design(table, [*columns, "gap"])).all(axis=1))]
    if len(known) < len(columns) + SPARE:
        raise DnnTopologyError(
            f"{len(known)} rows are too few to fit {len(columns)} features ({len(table) - len(known)} more have a gap "
            f"or feature that is not known): give at least {len(columns) + SPARE}"
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
            "'asd-early' says nothing of its own; measure one, such as [topology] epochs = [5, 20] of a study, or "
            "take 'asd'"
        )


def is_copied(table: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Return whether features early in training are those at the end once more, in every row."""
    early = [name for name in columns if name.startswith(EARLY)]
    now = [name.removeprefix(EARLY) for name in early]
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
