"""Grids of settings, as a TOML file has them: each a value, or a list of values that are combined with all others'."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from dnn_topology._checks import DnnTopologyError, check_type, nearest, shown


def n_combinations(grid: Mapping[str, Any]) -> int:
    """Return how many combinations a grid stands for, without making them."""
    return math.prod(len(value) for name, value in grid.items() if isinstance(value, list) and name != "layers")


def combinations(grid: Mapping[str, Any], hints: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the values of a grid.

    Args:
        grid: Setting → a value or a list of values.
        hints: Setting → its type.

    Raises:
        DnnTopologyError: A value is of another type, or a setting has none.

    Example:
        >>> [*combinations({"lr": [0.1, 0.2], "seed": 0}, {"lr": float, "seed": int})]
        [{'lr': 0.1, 'seed': 0}, {'lr': 0.2, 'seed': 0}]
    """
    axes = {name: values_of(name, value, hints[name]) for name, value in grid.items()}
    for chosen in itertools.product(*axes.values()):
        yield dict(zip(axes, chosen, strict=True))


def single_values(table: str, given: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that have one value each.

    Args:
        table: The name of the table, for the message.
        given: Setting → its value.
        hints: Setting → its type.

    Raises:
        DnnTopologyError: One has several, or a value is of another type.
    """
    values = {name: values_of(name, value, hints[name]) for name, value in given.items()}
    if several := [name for name, of_one in values.items() if len(of_one) != 1]:
        name = several[0]
        raise DnnTopologyError(f"{table} {name} takes one value for the whole study, found {shown(given[name])}")
    return {name: of_one[0] for name, of_one in values.items()}


def values_of(name: str, given: Any, hint: Any) -> list[Any]:
    """Return the values of a key, each of its type; layers are one value as a list of names.

    Raises:
        DnnTopologyError: One is of another, or there is none.
    """
    if name == "layers":
        given = [tuple(given)] if isinstance(given, list) else given
    values = given if isinstance(given, list) else [given]
    if not values:
        raise DnnTopologyError(f"{name} takes a value or a list of them, found none")
    for value in values:
        check_type(name, value, hint)
    return [float(value) if hint in (float, float | None) else value for value in values]


def check_keys(table: str, given: Mapping[str, Any], known: Any) -> None:
    """Check the keys of a table.

    Raises:
        DnnTopologyError: One is unknown; the message names the nearest.
    """
    for key in given:
        if key not in known:
            raise DnnTopologyError(f"unknown key {table}{shown(key)}: {nearest(key[:100], known)}")
