"""The functional graph: neurons joined by how strongly their signals correlate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnn_topology._calls import check_argument, checked
from dnn_topology._checks import DnnTopologyError, check_choice, check_max_epsilon, check_type, shown
from dnn_topology.graphs.checks import check_count, check_edges, check_scales, checked_distances, real_array
from dnn_topology.graphs.correlation import Edges, near_pairs
from dnn_topology.graphs.distance_correlation import distance_correlation_pairs
from dnn_topology.graphs.duplicates import with_consistent_duplicates
from dnn_topology.graphs.metrics import is_bounded, ranks, resolve_metric
from dnn_topology.graphs.pairs import euclidean_pairs, own_pairs
from dnn_topology.progress import showing

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from dnn_topology.graphs.metrics import Metric
    from dnn_topology.recording.activations import Activations

ROUNDINGS = 4  # within which the values of a neuron are one and the same


MOST_NODES = 2**31 - 1  # that int32 counts
NO_EDGES = Edges(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))


@dataclass(frozen=True, eq=False, repr=False)
class FunctionalGraph:
    """A weighted graph on neurons: every edge (i, j, d) with d ≤ 2 · max_epsilon, each once, i < j.

    One that is made by hand is checked.

    Attributes:
        rows: (n_edges,), int32. The lower node of each edge.
        cols: (n_edges,), int32. The higher node of each edge.
        distances: (n_edges,), float64. d = 1 - |Pearson r|, in [0, 1], as a *diameter*: ε = d / 2. A stored 0
            is an edge of length 0 (two neurons with the same signal), not a missing one.
        n_nodes: Number of nodes, isolated ones included.
        max_epsilon: The largest ε that the graph speaks of; longer edges are absent.
        neurons: Table of the nodes (layer, index), or None for a graph from elsewhere.
        n_constant: Number of constant neurons, which have no correlation, that were dropped or isolated.
        shapes: Layer → the shape in which its neurons lie, where that is known; see `Activations.layers`.

    Raises:
        DnnTopologyError: The edges are no such edges: the message names the first that is not.

    Example:
        >>> FunctionalGraph([0, 1], [1, 2], [0.1, 0.4], n_nodes=3, max_epsilon=0.3)
        FunctionalGraph(3 nodes, 2 edges up to d = 0.6, max_epsilon=0.3)
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    distances: NDArray[np.float64]
    n_nodes: int
    max_epsilon: float
    neurons: pd.DataFrame | None = None
    n_constant: int = 0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_max_epsilon(self.max_epsilon, bounded=False)
        object.__setattr__(self, "n_nodes", check_count("n_nodes", self.n_nodes, 0))
        if self.n_nodes > MOST_NODES:
            raise DnnTopologyError(f"n_nodes must be at most {MOST_NODES}, found {shown(self.n_nodes)}")
        rows, cols = real_array("rows", self.rows), real_array("cols", self.cols)
        distances = real_array("distances", self.distances).astype(np.float64, copy=False)
        check_edges(rows, cols, distances, n_nodes=self.n_nodes, max_epsilon=self.max_epsilon)
        self._set(rows.astype(np.int32, copy=False), cols.astype(np.int32, copy=False), distances)
        check_count("n_constant", self.n_constant, 0)
        check_type("shapes", self.shapes, Mapping)
        if self.neurons is not None and not hasattr(self.neurons, "iloc"):
            raise DnnTopologyError(f"`neurons` must be a table, a row per node, found a {type(self.neurons).__name__}")
        if self.neurons is not None and len(self.neurons) != self.n_nodes:
            raise DnnTopologyError(f"`neurons` must have n_nodes={self.n_nodes} rows, found {len(self.neurons)}")

    def _set(self, rows: NDArray[np.int32], cols: NDArray[np.int32], distances: NDArray[np.float64]) -> None:
        """Set the edges of a graph that is otherwise frozen."""
        for name, values in (("rows", rows), ("cols", cols), ("distances", distances)):
            object.__setattr__(self, name, values)

    @classmethod
    def _of_edges(cls, edges: Edges, n_nodes: int, max_epsilon: float, **more: Any) -> FunctionalGraph:
        """Make a graph of edges that are right by construction: looking at them again takes as long and more memory."""
        graph = cls(*NO_EDGES, n_nodes, float(max_epsilon), **more)
        graph._set(*edges)
        return graph

    @classmethod
    @checked
    def from_distances(cls, distances: ArrayLike, *, max_epsilon: float = 0.5) -> FunctionalGraph:
        """Make a graph of a dense matrix of distances computed elsewhere.

        Args:
            distances: (n, n), real: an array, a tensor, a data frame. Symmetric diameters, 0 on the diagonal; inf marks
                a missing edge. Round-off below 1e-6 (1 - |r| of a matrix of correlations is not quite 0 on the
                diagonal, nor quite symmetric in float32), or below four units of the last place of numbers of 16 bits,
                is mended.
            max_epsilon: Edges longer than 2 · max_epsilon are dropped; any positive number.

        Returns:
            The graph.

        Raises:
            DnnTopologyError: The matrix is not square, not symmetric, negative or holds NaN, or `max_epsilon` is not
                positive.

        Example:
            >>> graph = FunctionalGraph.from_distances([[0, 0.2], [0.2, 0]], max_epsilon=0.3)
            >>> graph.n_edges, graph.density(0.1)
            (1, 1.0)
        """
        check_max_epsilon(max_epsilon, bounded=False)
        matrix = checked_distances(distances)
        rows, cols = np.nonzero(np.triu(matrix <= 2 * max_epsilon, k=1))
        edges = Edges(rows.astype(np.int32), cols.astype(np.int32), matrix[rows, cols])
        return cls._of_edges(edges, len(matrix), max_epsilon)

    def __repr__(self) -> str:
        """Return how many nodes and edges there are."""
        constant = f", {self.n_constant} constant neurons" if self.n_constant else ""
        return (
            f"FunctionalGraph({self.n_nodes} nodes, {self.n_edges} edges up to d = {2 * self.max_epsilon:g}, "
            f"max_epsilon={self.max_epsilon:g}{constant})"
        )

    @property
    def n_edges(self) -> int:
        """Number of kept edges."""
        return len(self.distances)

    @property
    def n_pairs(self) -> int:
        """Number of pairs of nodes, joined or not."""
        return self.n_nodes * (self.n_nodes - 1) // 2

    def density(self, epsilon: ArrayLike) -> float | NDArray[np.float64]:
        """Return the share of all pairs of nodes that are joined at `epsilon`.

        Args:
            epsilon: Scale or scales (…) in [0, max_epsilon].

        Returns:
            (…), float64 in [0, 1]; a float for a single scale; 0 where there are fewer than two nodes.

        Raises:
            DnnTopologyError: A scale lies outside: the graph has no edge there.
        """
        joined = np.searchsorted(np.sort(self.distances) / 2, check_scales(epsilon, self.max_epsilon), side="right")
        share = joined / max(self.n_pairs, 1)
        return float(share) if np.ndim(epsilon) == 0 else share

    def to_dense(self) -> NDArray[np.float64]:
        """Return the (n_nodes, n_nodes) float64 matrix of distances: 0 on the diagonal, inf where no edge is."""
        matrix = np.full((self.n_nodes, self.n_nodes), np.inf)
        np.fill_diagonal(matrix, 0.0)
        matrix[self.rows, self.cols] = matrix[self.cols, self.rows] = self.distances
        return matrix


def functional_graph(
    activations: Activations | ArrayLike,
    *,
    max_epsilon: float = 0.3,
    constant: Literal["drop", "isolate"] = "drop",
    metric: Metric = "pearson",
    device: str | None = None,
    block: int | None = None,
    progress: bool = True,
) -> FunctionalGraph:
    """Join every two neurons whose signals are strongly correlated: d = 1 - |Pearson r| ≤ 2 · max_epsilon.

    Correlations are computed in float64, block by block, so that memory beyond the input is bounded by 2 GiB and
    the kept edges (16 bytes each, half as much again while they are put together). They are those of `np.corrcoef`
    up to round-off; only neurons that float64 cannot tell apart (d < 1e-14) are set to distance 0 and given the same
    distances to all others, a change below 1.4e-7.

    Args:
        activations: What `record` returns, or an array or tensor (n_samples, n_neurons), such as a file that is mapped
            into memory because it does not fit there.
        max_epsilon: The largest scale of the filtration, in (0, 0.5]; for a metric without a bound, which "euclidean"
            and a function of the user's own are, any positive number.
        constant: A neuron that never changes has no correlation: "drop" it, or "isolate" it as a node
            without edges. Either way `n_constant` counts them.
        metric: What d is: "pearson" and "spearman" are 1 - |correlation|, "distance-correlation" is 1 - dCor (see
            `distance_correlation_pairs`); "euclidean" is the length of the difference of two signals, in their own
            unit and growing with the square root of the number of samples. A function of the user's own, or its name
            "package.module:function", takes the signals of the neurons that are not constant, (n_samples, n), and
            returns distances (n, n).
        device: Where the products are computed: "cpu", "cuda", …; by default on the CUDA GPU where there is one.
        block: Columns per block, by default chosen for speed; it changes no result beyond round-off.
        progress: Whether to show, in a terminal or a notebook, how far it is once it has taken two seconds.

    Returns:
        The graph on the neurons that are left, in the order of `activations`.

    Warns:
        UserWarning: With a metric without a bound, no two neurons are within reach; it says how far the nearest are.

    Raises:
        DnnTopologyError: `max_epsilon` lies outside its range; there are fewer than two samples; an activation is NaN
            or infinite; every neuron is constant; the metric is unknown or gives no distances.

    Source:
        Corneanu et al., What does it mean to learn in deep networks?, CVPR 2019, section 3.

    Example:
        >>> import numpy as np
        >>> signal = np.random.default_rng(0).normal(size=(100, 1))
        >>> graph = functional_graph(np.hstack([signal, -2 * signal + 1]), max_epsilon=0.3)
        >>> graph.distances
        array([0.])
    """
    check_argument("device", device, str | None)
    metric = resolve_metric(metric)
    check_max_epsilon(max_epsilon, bounded=is_bounded(metric))
    check_choice("constant", constant, ("drop", "isolate"))
    if block is not None:
        block = check_count("block", block, 1)
    values, neurons = _signals(activations)
    varying = varying_neurons(values, neurons)
    if not len(varying):
        raise DnnTopologyError(
            f"all {values.shape[1]} neurons are constant over {len(values)} samples, so none has a "
            "correlation: record other layers or more varied inputs"
        )
    nodes = varying if constant == "drop" else np.arange(values.shape[1])
    with showing(f"correlations of {len(varying)} neurons", enabled=progress):
        edges = _edges(values, varying, metric=metric, threshold=2 * max_epsilon, block=block, device=device)
    if constant == "isolate":
        place = varying.astype(np.int32)
        edges = edges._replace(rows=place[edges.rows], cols=place[edges.cols])
    return FunctionalGraph._of_edges(
        edges,
        len(nodes),
        max_epsilon,
        neurons=None if neurons is None else neurons.iloc[nodes].reset_index(drop=True),
        n_constant=values.shape[1] - len(varying),
        shapes=shapes_of(activations),
    )


def shapes_of(activations: Activations | ArrayLike) -> dict[str, tuple[int, ...]]:
    """Return the shape in which the neurons of each layer lie, as far as it is known."""
    layers = getattr(activations, "layers", None)
    if layers is None or "shape" not in layers:
        return {}
    return dict(zip(layers["layer"], layers["shape"], strict=True))


def _signals(activations: Activations | ArrayLike) -> tuple[NDArray[Any], pd.DataFrame | None]:
    """Return the signals (n_samples, n_neurons), and the table of the neurons where there is one.

    Raises:
        DnnTopologyError: They are no such array, or of fewer than two samples.
    """
    neurons: pd.DataFrame | None = getattr(activations, "neurons", None) if hasattr(activations, "values") else None
    values = real_array("activations", activations if neurons is None else activations.values)  # type: ignore[union-attr]
    if values.dtype.kind in "b" or values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    if values.ndim != 2:
        raise DnnTopologyError(f"activations must be (n_samples, n_neurons), found shape {values.shape}")
    if len(values) < 2:
        raise DnnTopologyError(f"a correlation needs at least 2 samples, found {len(values)}: record more inputs")
    return values, neurons


def _edges(
    values: NDArray[np.floating],
    columns: NDArray[np.intp],
    *,
    metric: Metric,
    threshold: float,
    block: int | None,
    device: str | None,
) -> Edges:
    """Return every pair of columns within the threshold, as positions within `columns`."""
    if metric == "euclidean":
        return euclidean_pairs(values[:, columns], threshold=threshold, block=block)
    if callable(metric):  # a user's own need not give neurons at distance 0 the same distances to others
        return own_pairs(metric, values[:, columns], threshold=threshold)
    if metric == "distance-correlation":
        edges = distance_correlation_pairs(values[:, columns], threshold=threshold, block=block)
    else:
        if metric == "spearman":
            values, columns = ranks(values[:, columns]), np.arange(len(columns), dtype=np.intp)
        edges = near_pairs(values, columns, threshold=threshold, block=block, device=device)
    return with_consistent_duplicates(edges, n_nodes=len(columns))


def varying_neurons(values: NDArray[np.floating], neurons: pd.DataFrame | None = None) -> NDArray[np.intp]:
    """Return which neurons change from sample to sample, and so have correlations.

    One whose values differ by at most four roundings of the largest of them, in its own precision, does not: torch
    rounds the same sum otherwise in batches of other sizes.

    Args:
        values: (n_samples, n_neurons), real.
        neurons: Their table, for the message.

    Returns:
        Their columns, rising.

    Raises:
        DnnTopologyError: An activation is NaN or infinite.
    """
    _check_finite(values, neurons)
    if not values.size:
        return np.empty(0, np.intp)
    highest, lowest = values.max(axis=0).astype(np.float64), values.min(axis=0).astype(np.float64)
    precision = np.finfo(values.dtype).eps if values.dtype == np.float32 else np.finfo(np.float64).eps
    return np.flatnonzero(highest - lowest > ROUNDINGS * precision * np.maximum(np.abs(highest), np.abs(lowest)))


def _check_finite(values: NDArray[np.floating], neurons: pd.DataFrame | None) -> None:
    """Refuse NaN and infinite activations.

    Raises:
        DnnTopologyError: There are some; the message names their layers and counts them.
    """
    # The sum of squares is finite unless a value is not (or overflows), and costs no array of booleans.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.einsum("ij,ij->", values, values, dtype=np.float64)):
            return
    bad = (~np.isfinite(values)).sum(axis=0)
    if not bad.any():
        return
    where = np.flatnonzero(bad)
    layers = (
        f"neurons {where[:5].tolist()}"
        if neurons is None
        else ", ".join(
            f"layer {layer!r} ({bad[where][(neurons['layer'].iloc[where] == layer).to_numpy()].sum()})"
            for layer in neurons["layer"].iloc[where].unique()
        )
    )
    raise DnnTopologyError(
        f"{bad.sum()} of {values.size} activations are NaN or infinite, in {layers}: lower the learning rate "
        "or leave that layer out"
    )
