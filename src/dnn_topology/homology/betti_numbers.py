"""Betti numbers of the graph cut at one threshold, read off the diagrams of its whole filtration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnn_topology._checks import check_choice, check_fraction
from dnn_topology.homology.diagrams import diagrams_of

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams

FILTRATIONS = ("nominal", "density")


def betti_numbers(
    diagrams: Diagrams | HasDiagrams,
    thresholds: Sequence[float],
    *,
    filtration: Literal["nominal", "density"] = "nominal",
) -> pd.DataFrame:
    """Return the Betti numbers of the complex of cliques of a graph that joins strong correlations.

    Every cavity that is given counts, however short its life.

    Args:
        diagrams: What `persistence` returned, or a measurement.
        thresholds: With "nominal", neurons with |correlation| ≥ t are joined. With "density", the edges are added from
            the strongest on, those of one length at once, for as long as they are at most the share t of all pairs.
        filtration: What the thresholds are.

    Returns:
        One row per threshold and dimension: `threshold`, `epsilon` (the scale that it stands for), `dim`, `betti`.
        Where the graph ends before the threshold, at max_epsilon, `epsilon` and `betti` are missing.

    Raises:
        DnnTopologyError: A threshold lies outside [0, 1]; or "density", and the diagrams came without their graph.

    Source:
        The original's `badj_….csv`, its graphs cut at `--thresholds`.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> two_joined_at_r_07 = Diagrams([[(0, 0.15), (0, float("inf"))]], max_epsilon=0.3)
        >>> betti_numbers(two_joined_at_r_07, [0.8, 0.5])["betti"].tolist()
        [2, 1]
    """
    check_choice("filtration", filtration, FILTRATIONS)
    diagrams = diagrams_of(diagrams)
    rows = []
    for threshold in thresholds:
        check_fraction("threshold", threshold)
        epsilon = (1 - threshold) / 2 if filtration == "nominal" else _scale_of(diagrams, threshold)
        known = epsilon <= diagrams.max_epsilon + 1e-12
        for dim in range(diagrams.max_dim + 1):
            betti = int(diagrams.betti_curve(dim).at(min(epsilon, diagrams.max_epsilon))) if known else None
            rows.append((threshold, epsilon if known else np.nan, dim, betti))
    table = pd.DataFrame(rows, columns=["threshold", "epsilon", "dim", "betti"])
    return table.astype({"betti": "Int64"})


def _scale_of(diagrams: Diagrams, share: float) -> float:
    """Return the last scale at which a Betti number may change with at most this share joined; inf if it comes later.

    Between that scale and the one where the share is exceeded nothing is born and nothing dies.
    """
    joined = diagrams.density_at(diagrams.max_epsilon)
    if share > joined:
        return float("inf")
    assert diagrams.density is not None
    scales, shares = diagrams.density.T
    within = scales[shares <= share]
    return float(within[-1]) if len(within) else float("inf")
