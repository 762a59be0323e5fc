"""How far diagrams are from each other: bottleneck and Wasserstein distances, through GUDHI."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice
from dnn_topology._packages import pip_install
from dnn_topology.homology.diagrams import Diagrams, HasDiagrams, diagrams_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

DistanceName = Literal["bottleneck", "wasserstein"]
SMALLEST = float(np.finfo(np.float64).tiny)
METRICS: tuple[DistanceName, ...] = ("bottleneck", "wasserstein")


@checked
def distance(
    a: Diagrams | HasDiagrams,
    b: Diagrams | HasDiagrams,
    *,
    dim: int = 1,
    metric: DistanceName = "bottleneck",
    order: float = 1.0,
    essential: Literal["clip", "drop"] = "clip",
) -> float:
    """Return how far the cavities of two diagrams are from each other, in ε.

    Every cavity of one is matched with one of the other or with the diagonal, at the cost of the larger of the two
    changes, of birth and of death. The bottleneck distance is the least possible largest cost; the Wasserstein distance
    of order q the least possible (Σ cost^q)^(1/q).

    Cavities that are alive at max_epsilon have no death that is known, and their numbers differ, so that an infinite
    death would leave every distance infinite. They are taken to die at max_epsilon ("clip") or left out ("drop").

    Args:
        a: Diagrams, or a measurement. The points that are given count.
        b: The other, with the same max_epsilon, dimensions and filter.
        dim: Dimension of the cavities.
        metric: "bottleneck" or "wasserstein", which needs the package POT.
        order: q ≥ 1, of the Wasserstein distance alone.
        essential: What becomes of cavities alive at the end.

    Returns:
        The distance: 0 for the same points, in whatever order.

    Raises:
        DnnTopologyError: The diagrams end at other scales, or have other dimensions or filters; or POT is missing.

    Source:
        Cohen-Steiner, Edelsbrunner and Harer, Stability of persistence diagrams, Discrete & Computational Geometry
        2007: the bottleneck distance is at most half the largest change of a distance d of the graph, a change in ε.

    Example:
        >>> one = Diagrams([[], [(0.1, 0.2)]], max_epsilon=0.3)
        >>> moved = Diagrams([[], [(0.1, 0.23), (0.2, 0.22)]], max_epsilon=0.3)
        >>> round(distance(one, moved), 3), round(distance(one, moved, metric="wasserstein"), 3)
        (0.03, 0.04)
    """
    first, second = diagrams_of(a), diagrams_of(b)
    check_choice("metric", metric, METRICS)
    check_choice("essential", essential, ("clip", "drop"))
    check_at_least("order", order, 1)
    check_comparable(first, second, "b", other="a")
    return _between(_points(first, dim, essential), _points(second, dim, essential), metric, order)


@checked
def distances(
    diagrams: Mapping[Any, Diagrams | HasDiagrams],
    *,
    dim: int = 1,
    metric: DistanceName = "bottleneck",
    order: float = 1.0,
    essential: Literal["clip", "drop"] = "clip",
) -> pd.DataFrame:
    """Return how far every two of several diagrams are from each other, such as those of the epochs of `track`.

    Args:
        diagrams: Label or epoch → diagrams, or a measurement.
        dim: As for `distance`.
        metric: As for `distance`.
        order: As for `distance`.
        essential: As for `distance`.

    Returns:
        (n, n), float64, symmetric, 0 on the diagonal, with the labels as index and columns.

    Raises:
        DnnTopologyError: There is nothing, or as for `distance`.

    Example:
        >>> epochs = {e: Diagrams([[], [(0.1, 0.2 + e / 100)]], max_epsilon=0.3) for e in (0, 1, 4)}
        >>> distances(epochs).round(3).to_numpy().tolist()
        [[0.0, 0.01, 0.04], [0.01, 0.0, 0.03], [0.04, 0.03, 0.0]]
    """
    if not diagrams:
        raise DnnTopologyError("diagrams is empty: pass epoch → diagrams, as `track` returns")
    check_choice("metric", metric, METRICS)
    check_choice("essential", essential, ("clip", "drop"))
    check_at_least("order", order, 1)
    sources = {label: diagrams_of(one) for label, one in diagrams.items()}
    (first_label, first), *others = sources.items()
    for label, one in others:
        check_comparable(first, one, str(label), other=str(first_label))
    points = [_points(one, dim, essential) for one in sources.values()]
    matrix = np.zeros((len(points), len(points)))
    for i, j in zip(*np.triu_indices(len(points), k=1), strict=True):
        matrix[i, j] = matrix[j, i] = _between(points[i], points[j], metric, order)
    return pd.DataFrame(matrix, index=list(sources), columns=list(sources))


def check_comparable(first: Diagrams, second: Diagrams, name: str, *, other: str = "the first") -> None:
    """Check that two diagrams are of the same kind, so that a difference is one of the networks.

    Args:
        first: One.
        second: The other.
        name: What the second is called in the message.
        other: What the first is called.

    Raises:
        DnnTopologyError: They end at other scales, have other dimensions, or went through other filters.
    """
    if first.max_epsilon != second.max_epsilon:
        raise DnnTopologyError(
            f"{name} ends at max_epsilon={second.max_epsilon:g} and {other} at {first.max_epsilon:g}: measure both up "
            "to the same, or cut the longer, diagrams.cut(max_epsilon=…)"
        )
    if first.max_dim != second.max_dim:
        raise DnnTopologyError(
            f"{name} has dimensions up to {second.max_dim} and {other} up to {first.max_dim}: compute both with the "
            "same max_dim"
        )
    filters = [(one.min_persistence, one.essential) for one in (second, first)]
    if filters[0] != filters[1]:
        words = [f"min_persistence={least:g}, essential={essential!r}" for least, essential in filters]
        raise DnnTopologyError(
            f"{name} went through the filter {words[0]} and {other} through {words[1]}: filter both alike, "
            "diagrams.filtered(…)"
        )


def _points(diagrams: Diagrams, dim: int, essential: str) -> NDArray[np.float64]:
    """Return the finite points of one dimension, those of classes alive at the end ended or left out."""
    points = diagrams.select(dim)
    if essential == "drop":
        return points[np.isfinite(points[:, 1])]
    ended = np.minimum(points, diagrams.max_epsilon)
    return ended[ended[:, 1] > ended[:, 0]]


def _between(first: NDArray[np.float64], second: NDArray[np.float64], metric: str, order: float) -> float:
    """Return the distance of two sets of points.

    Raises:
        DnnTopologyError: POT is missing.
    """
    if metric == "bottleneck":
        import gudhi

        between = float(gudhi.bottleneck_distance(first, second))
        return between if between >= SMALLEST else 0.0  # GUDHI's 0 is the smallest positive number
    if importlib.util.find_spec("ot") is None:  # what GUDHI computes it with
        raise DnnTopologyError(
            f"metric='wasserstein' needs the package POT: {pip_install('POT')}, or take metric='bottleneck'"
        )
    from gudhi.wasserstein import wasserstein_distance

    return float(wasserstein_distance(first, second, order=order, internal_p=np.inf))
