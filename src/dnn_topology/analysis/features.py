"""The numbers of a diagram that a model of the generalisation gap looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.feature_sets import EARLY, FEATURE_SETS, SPREAD, TRAINING
from dnn_topology.homology.summaries import summarize
from dnn_topology.settings import MIN_PERSISTENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.settings import Essential

__all__ = ["EARLY", "FEATURE_SETS", "MAX_EPSILON", "SPREAD", "TRAINING", "gap_features", "with_early"]

MAX_EPSILON = 0.4  # the scale up to which the CVPR 2020 paper looks

@checked
def gap_features(
    diagrams: Diagrams, *, min_persistence: float = MIN_PERSISTENCE, essential: Essential = "drop"
) -> dict[str, float]:
    """Return what a model of the gap may look at, by name.

    Args:
        diagrams: Of H0 and H1 at least, up to ε 0.4 in the paper.
        min_persistence: Only points that live longer than this count, in ε.
        essential: What becomes of classes alive at max_epsilon; the paper's means are over those that die.

    Returns:
        * ``life``, ``midlife``: λ and μ of H1, in ε;
        * ``h0_death_mean``, ``h0_death_std``, ``h1_birth_mean``, …: means and standard deviations (n in the
          denominator) of births and deaths, in ε;
        * ``h1_points_per_node``, ``h1_essential_per_node``, ``h1_betti_max_per_node``: counts over the number of
          nodes (NaN if that is unknown). They grow with fewer inputs: compare networks measured on as many only;
        * ``h1_peak_epsilon``, ``h1_peak_density``: where the H1 Betti curve has its first maximum.

        A mean of nothing is NaN.

    Raises:
        DnnTopologyError: The diagrams have no H1.

    Source:
        Corneanu et al., Computing the testing error without a testing set, CVPR 2020 (life, midlife); Ballester et
        al., Predicting the generalization gap in neural networks using topological data analysis, Neurocomputing
        2024 (means and standard deviations).

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> features = gap_features(Diagrams([[(0, 0.1), (0, 0.3)], [(0.1, 0.2)]], max_epsilon=0.4, n_nodes=2))
        >>> [round(features[name], 3) for name in ("life", "midlife", "h0_death_mean", "h1_points_per_node")]
        [0.1, 0.15, 0.2, 0.5]
    """
    if diagrams.max_dim < 1:
        raise DnnTopologyError("features of the gap need H1, and there is H0 alone: compute with max_dim=1")
    counted = diagrams.filtered(min_persistence=min_persistence, essential=essential)
    table = summarize(counted)
    loops = table.to_dict("records")[1]
    nodes = float(diagrams.n_nodes) if diagrams.n_nodes else float("nan")
    features = {"life": loops["life"], "midlife": loops["midlife"]}
    for dim, names in ((0, ("death",)), (1, ("birth", "death"))):
        points = counted.select(dim)
        finite = points[points[:, 1] < float("inf")]
        for name in names:
            values = finite[:, 0 if name == "birth" else 1]
            features |= {f"h{dim}_{name}_mean": _mean(values), f"h{dim}_{name}_std": _std(values)}
    return {
        **{name: float(value) for name, value in features.items()},
        "h1_points_per_node": loops["count"] / nodes,
        "h1_essential_per_node": loops["essential"] / nodes,
        "h1_betti_max_per_node": loops["betti_max"] / nodes,
        "h1_peak_epsilon": float(loops["peak_epsilon"]),
        "h1_peak_density": float(loops["peak_density"]),
    }


def with_early(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of networks and epochs with what each network's features were early in training.

    Args:
        table: One row per network (`cell`) and measured `epoch`, with the columns of "asd", train_loss and
            train_accuracy, or some of them.

    Returns:
        The same rows with `early_epoch`, the first measured epoch after 0 (0 if there is no other), and the features at
        that epoch as `early_…`.

    Example:
        >>> rows = pd.DataFrame({"cell": "a", "epoch": [0, 5, 60], **dict.fromkeys(SPREAD, [1.0, 2.0, 3.0])})
        >>> with_early(rows)[["early_epoch", "early_h1_birth_mean"]].to_numpy().tolist()
        [[5.0, 2.0], [5.0, 2.0], [5.0, 2.0]]
    """
    first = table.assign(untrained=table["epoch"] == 0).sort_values(["untrained", "epoch"]).drop_duplicates("cell")
    early = first.set_index("cell")[["epoch", *(name for name in (*SPREAD, *TRAINING) if name in table)]].add_prefix(
        EARLY
    )
    return table.join(early, on="cell")


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean, or NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def _std(values: NDArray[np.float64]) -> float:
    """Return the standard deviation, or NaN of nothing."""
    return float(values.std()) if len(values) else float("nan")
