"""How much a summary depends on which neurons or inputs were drawn: the numbers of many draws, and their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_draws
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import Method, sample_nodes
from dnn_topology.homology.filter_keywords import filter_keywords
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize

if TYPE_CHECKING:
    from dnn_topology.graphs.metrics import Metric
    from dnn_topology.homology.diagrams import Diagrams, HasDiagrams
    from dnn_topology.recording.activations import Activations
    from dnn_topology.settings import Essential


class HasDraws(Protocol):
    """What a measurement of a sample of neurons is here: something with the diagrams of several draws."""

    @property
    def draws(self) -> Sequence[Diagrams]:
        """The diagrams of every draw."""
        ...


@checked
def bootstrap(
    activations: Activations,
    n: int,
    *,
    repeats: int = 20,
    method: Method = "uniform",
    seed: int = 0,
    max_dim: int = 2,
    max_epsilon: float = 0.3,
    metric: Metric = "pearson",
    device: str | None = None,
    min_persistence: float = 0.0,
    essential: Essential = "count",
    confidence: float = 0.95,
    **options: Any,
) -> pd.DataFrame:
    """Draw n nodes many times, measure each draw, and say within which interval every summary lies.

    The interval is that of a draw of n nodes. It says how much a number depends on which nodes were drawn, not
    how far it is from that of the whole network, whose counts are larger.

    Args:
        activations: What `record` returned.
        n: Nodes per draw; see `sample_nodes`.
        repeats: Number of draws, at least 2.
        method: How nodes are chosen: "uniform", "importance" or "kmeans", as `sample_nodes` says.
        seed: Draw b has the seed `seed + b`.
        max_dim: The highest Betti number: 2 gives H0, H1 and H2.
        max_epsilon: The largest scale of the filtration, a radius, in (0, 0.5].
        metric: What the distance of two signals is: "pearson", "spearman", "distance-correlation", "euclidean" or a
            function from signals (n_samples, n) to distances (n, n).
        device: Where correlations are computed; by default on the CUDA GPU where there is one.
        min_persistence: Only cavities that live longer than this count, in ε; see `Diagrams.filtered`.
        essential: What becomes of classes alive at max_epsilon: "count", "drop" or "clip"; see `Diagrams.filtered`.
        confidence: Share of the draws that an interval holds.
        **options: Other options of `persistence`, such as `engine`.

    Returns:
        The table of `intervals`.

    Raises:
        DnnTopologyError: An option is wrong; see `sample_nodes`, `functional_graph` and `persistence`.

    Source:
        Ballester et al., Predicting the generalization gap in neural networks using topological data analysis,
        Neurocomputing 2024, with 20 draws of 3,000 neurons.

    Example:
        >>> import numpy as np
        >>> from dnn_topology.recording.activations import Activations
        >>> values = np.random.default_rng(0).normal(size=(20, 100)).astype(np.float32)
        >>> everything = Activations(values, pd.DataFrame({"layer": "a", "index": range(100)}))
        >>> table = bootstrap(everything, 30, repeats=5, max_dim=0)
        >>> table.columns.tolist()
        ['dim', 'summary', 'mean', 'std', 'lower', 'upper', 'n_draws']
    """
    check_at_least("repeats", repeats, 2)
    check_draws("repeats", repeats, max(n, 1))
    drawn = draws(
        activations,
        n,
        repeats=repeats,
        method=method,
        seed=seed,
        max_dim=max_dim,
        max_epsilon=max_epsilon,
        metric=metric,
        device=device,
        **options,
    )
    counted = (one.filtered(min_persistence=min_persistence, essential=essential) for one in drawn)
    return intervals(counted, confidence=confidence)


def draws(
    activations: Activations,
    n: int,
    *,
    repeats: int,
    method: Method = "uniform",
    seed: int = 0,
    max_dim: int = 2,
    max_epsilon: float = 0.3,
    metric: Metric = "pearson",
    device: str | None = None,
    **options: Any,
) -> Iterator[Diagrams]:
    """Measure `repeats` draws of n nodes, one after the other; see `bootstrap`.

    Yields:
        The diagrams of each draw.
    """
    for draw in range(repeats):
        nodes = sample_nodes(activations, n, method=method, seed=seed + draw)
        graph = functional_graph(nodes, max_epsilon=max_epsilon, metric=metric, device=device)
        yield persistence(graph, max_dim=max_dim, **options)


def resampled_inputs(activations: Activations, number: int, *, seed: int = 0) -> Activations:
    """Return the signals of a bootstrap draw of the inputs: as many inputs, drawn with replacement, in their order.

    Args:
        activations: What `record` returned.
        number: Which draw; it depends on `seed` and this alone.
        seed: Of all draws.
    """
    n_inputs = len(activations.values)
    rows = np.sort(np.random.default_rng([seed, number]).integers(n_inputs, size=n_inputs))
    return replace(activations, values=activations.values[rows])


def resampled(
    activations: Activations,
    numbers: Iterable[int],
    *,
    seed: int = 0,
    max_dim: int = 2,
    max_epsilon: float = 0.3,
    constant: Literal["drop", "isolate"] = "drop",
    metric: Metric = "pearson",
    device: str | None = None,
    **options: Any,
) -> Iterator[Diagrams]:
    """Measure the same neurons on bootstrap draws of the inputs: as many inputs, drawn with replacement.

    Args:
        activations: What `record` returned.
        numbers: Which draws; draw b depends on `seed` and b alone.
        seed: Of all draws.
        max_dim: The highest Betti number: 2 gives H0, H1 and H2.
        max_epsilon: The largest scale of the filtration, a radius, in (0, 0.5].
        constant: Whether neurons that never change are dropped ("drop") or nodes without edges ("isolate").
        metric: What the distance of two signals is: "pearson", "spearman", "distance-correlation", "euclidean" or a
            function from signals (n_samples, n) to distances (n, n).
        device: Where correlations are computed; by default on the CUDA GPU where there is one.
        **options: Other options of `persistence`, such as `engine`.

    Yields:
        The diagrams of each draw.

    Raises:
        DnnTopologyError: As for `functional_graph` and `persistence`.

    Example:
        >>> from dnn_topology.recording.activations import Activations
        >>> values = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
        >>> everything = Activations(values, pd.DataFrame({"layer": "a", "index": range(20)}))
        >>> [diagrams.n_nodes for diagrams in resampled(everything, range(3), max_dim=1)]
        [20, 20, 20]
    """
    for number in numbers:
        again = resampled_inputs(activations, number, seed=seed)
        graph = functional_graph(again, max_epsilon=max_epsilon, constant=constant, metric=metric, device=device)
        yield persistence(graph, max_dim=max_dim, **options)


@filter_keywords
@checked
def intervals(diagrams: Iterable[Diagrams | HasDiagrams] | HasDraws, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return the mean and the percentile interval of every summary over several draws.

    Args:
        diagrams: Of each draw, filtered or not; or a measurement with its draws.
        confidence: Share of the draws that an interval holds, between the equal tails left out.

    Returns:
        One row per dimension and summary: `dim`, `summary` (a column of `summarize`), `mean`, `std` (with n - 1),
        `lower`, `upper`, and `n_draws`, the number of draws in which it was defined, over which the others are.

    Raises:
        DnnTopologyError: There are no diagrams, or `confidence` is not between 0 and 1.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> table = intervals([Diagrams([[(0, death)]], max_epsilon=0.3) for death in (0.1, 0.2, 0.3)])
        >>> table.set_index("summary").loc["life", ["mean", "lower", "upper"]].astype(float).round(3).tolist()
        [0.2, 0.105, 0.295]
    """
    if not 0 < confidence < 1:
        raise DnnTopologyError(
            f"confidence must lie between 0 and 1, found {confidence}: 0.95 leaves 2.5 % out at each end"
        )
    source: Any = diagrams
    tables = [summarize(one) for one in getattr(source, "draws", source)]
    if not tables:
        raise DnnTopologyError("there are no draws to make intervals of")
    values = pd.concat(tables).melt("dim", var_name="summary", value_name="value")
    by_summary = values.groupby(["dim", "summary"], sort=False)["value"]
    tail = (1 - confidence) / 2
    table = pd.DataFrame(
        {
            "mean": by_summary.mean(),
            "std": by_summary.std(),
            "lower": by_summary.quantile(tail),
            "upper": by_summary.quantile(1 - tail),
            "n_draws": by_summary.count(),
        }
    )
    return table.reset_index().sort_values("dim", kind="stable", ignore_index=True)
