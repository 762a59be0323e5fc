"""Tables in CSV, and written as parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.store.problems import AGAIN, UnreadableError, readable_errors
from dnn_topology.store.writing import atomic, write_bytes

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 2000  # of a table that are believed
MOST_FIELDS = 2**20  # of a small table that are believed
EXACT = 2.0**53  # below it a float is the whole number that was written


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index, in one step. Floats keep every digit."""
    write_bytes(path, table.to_csv(index=False).encode())


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table as parquet, without its index, in one step; that takes the package pyarrow."""
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path, remedy: str = AGAIN, *, columns: Mapping[str, type] | None = None) -> pd.DataFrame:
    """Read a table of CSV.

    Args:
        path: The file.
        remedy: What to do where it is none, for the message.
        columns: Columns that it must have → int, or float, whose empty fields are NaN. Others are passed over.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no table, or has not these columns.
    """
    import pandas as pd

    with readable_errors("read", path):
        content = path.read_bytes()
    lines = content.splitlines()
    most = max((line.count(b",") for line in lines), default=0)
    n_announced = lines[0].count(b",") * len(lines) if lines else 0
    if most > MOST_COLUMNS or n_announced > max(MOST_FIELDS, 2 * len(content)):  # every field has a comma
        raise DnnTopologyError(f"{path} is no table in CSV (its lines have not the columns of the first): {remedy}")
    # Until pandas 3.1 a number is read to its last digit only where that is asked for; since then to ask is deprecated.
    exact: Literal["round_trip"] | None = None if _release(pd.__version__) >= (3, 1) else "round_trip"
    try:
        table = pd.read_csv(io.BytesIO(content), low_memory=False, float_precision=exact)
    except (ValueError, OverflowError, MemoryError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DnnTopologyError(f"{path} is no table in CSV ({reason}): {remedy}") from error
    if columns is None:
        return table
    try:
        return pd.DataFrame({name: _column(table, name, kind) for name, kind in columns.items()})
    except UnreadableError as error:
        raise DnnTopologyError(f"{path} is damaged ({error}): {remedy}") from error


def _release(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _column(table: pd.DataFrame, name: str, kind: type) -> pd.Series[Any]:
    """Return a column of a table, as numbers.

    Raises:
        UnreadableError: There is none, or not of such numbers.
    """
    import numpy as np

    if name not in table:
        raise UnreadableError(f"it has no column {name}")
    column = table[name]
    if column.dtype.kind not in "iuf" and len(column):
        raise UnreadableError(f"column {name} must hold numbers, found {shown(column.iloc[0])}")
    values = column.to_numpy(dtype=np.float64)
    if kind is int and not (np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < EXACT)).all():
        raise UnreadableError(f"column {name} must hold whole numbers")
    if np.isinf(values).any():
        raise UnreadableError(f"column {name} holds a number that is not finite")
    return column.astype(np.int64 if kind is int else np.float64)
