"""A comparison as tables of text, every number rounded by its uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from dnn_topology.analysis.comparison.comparing import Comparison

# summary → what it is called in a table, with its unit
UNITS = {
    "life": "life λ (ε)",
    "midlife": "midlife μ (ε)",
    "betti_max": "peak (cavities)",
    "peak_epsilon": "peak at (ε)",
    "count": "finite cavities",
    "essential": "alive at the end",
    "peak_density": "peak at (density)",
    "integral": "area (ε)",
    "total_persistence": "total life (ε)",
    "entropy": "entropy (nats)",
}


def decimals(uncertainty: float, *, digits: int = 2) -> int:
    """Return the decimals that a number deserves whose uncertainty is given, of which two digits are kept.

    Example:
        >>> decimals(0.0123), decimals(4.56), decimals(123.0)
        (3, 1, -1)
    """
    if not math.isfinite(uncertainty) or uncertainty <= 0:
        return 4
    return min(digits - 1 - math.floor(math.log10(uncertainty)), 9)


def rounded(value: float, places: int) -> str:
    """Return a number with so many decimals; with fewer than none, its last digits are zeros.

    Example:
        >>> rounded(0.0416, 3), rounded(1234.5, -2)
        ('0.042', '1200')
    """
    return f"{round(value, places):.{max(places, 0)}f}"


def plus_minus(value: float, lower: float, upper: float) -> str:
    """Return a number with half its interval, rounded by that; "" for one that is not defined.

    Example:
        >>> plus_minus(0.041234, 0.0400, 0.0424), plus_minus(12.0, math.nan, math.nan), plus_minus(math.nan, 0, 0)
        ('0.0412 ± 0.0012', '12', '')
    """
    if math.isnan(value):
        return ""
    half = (upper - lower) / 2
    if not half > 0:
        return f"{value:.4g}"
    places = decimals(half)
    return f"{rounded(value, places)} ± {rounded(half, places)}"


def between(value: float, lower: float, upper: float) -> str:
    """Return a number with its interval, rounded by that; "" for one that is not defined.

    Example:
        >>> between(-0.0312, -0.041, -0.021), between(0.5, math.nan, math.nan)
        ('-0.031 [-0.041, -0.021]', '0.5')
    """
    if math.isnan(value):
        return ""
    if math.isnan(lower) or math.isnan(upper) or not upper > lower:
        return f"{value:.4g}"
    places = decimals((upper - lower) / 2)
    return f"{rounded(value, places)} [{rounded(lower, places)}, {rounded(upper, places)}]"


def p_value(p: float) -> str:
    """Return a p-value with two digits; "" for none."""
    return "" if math.isnan(p) else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def report_of_groups(comparison: Comparison) -> pd.DataFrame:
    """Return the table of `Comparison.report`."""
    keys = ["epoch", "dim", "summary"]
    labels = list(dict.fromkeys(comparison.groups["group"]))
    described = {label: part.set_index(keys) for label, part in comparison.groups.groupby("group", sort=False)}
    pairs = [(str(one["first"]), str(one["second"])) for one in comparison.tests.to_dict("records")]
    rows = []
    for key in dict.fromkeys(zip(*(comparison.groups[name] for name in keys), strict=True)):
        row: dict[str, Any] = {"epoch": str(key[0]), "H": str(key[1]), "summary": UNITS[key[2]]}
        for label in labels:
            numbers = described[label].loc[key]
            row[label] = plus_minus(numbers["mean"], numbers["lower"], numbers["upper"])
        for first, second in pairs:
            row |= _difference(comparison.summaries, (first, second), key, named=len(pairs) > 1)
        rows.append(row)
    return _without_epoch(pd.DataFrame(rows), comparison)


def report_of_curves(comparison: Comparison) -> pd.DataFrame:
    """Return the table of `Comparison.curve_report`."""
    rows = [
        {
            "groups": f"{row['first']} – {row['second']}",
            "epoch": str(row["epoch"]),
            "H": str(row["dim"]),
            "largest difference of β": f"{row['difference']:.3g}",
            "at ε": "" if math.isnan(row["epsilon"]) else f"{row['epsilon']:.3f}",
            "p": p_value(row["p"]),
            "p corrected": p_value(row["p_corrected"]),
            "beyond chance at ε": ", ".join(f"{low:.3f}–{high:.3f}" for low, high in row["where"]),
        }
        for row in comparison.curves.to_dict("records")
    ]
    return _without_epoch(pd.DataFrame(rows), comparison)


def _difference(table: pd.DataFrame, pair: tuple[str, str], key: Any, *, named: bool) -> dict[str, str]:
    """Return the cells of a summary of two groups."""
    chosen = table[(table["first"] == pair[0]) & (table["second"] == pair[1])].set_index(["epoch", "dim", "summary"])
    numbers = chosen.loc[key]
    suffix = f" {pair[0]} – {pair[1]}" if named else ""
    return {
        f"difference{suffix}": between(numbers["difference"], numbers["lower"], numbers["upper"]),
        f"Hedges' g{suffix}": between(numbers["effect"], numbers["effect_lower"], numbers["effect_upper"]),
        f"p{suffix}": p_value(numbers["p"]),
        f"p corrected{suffix}": p_value(numbers["p_corrected"]),
    }


def _without_epoch(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Return a table without its epochs where trials have none."""
    only = set(comparison.groups["epoch"]) == {0}
    return table.drop(columns="epoch") if only and "epoch" in table else table
