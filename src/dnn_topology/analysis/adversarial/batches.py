"""A detector of batches: the Betti curve of the neurons' correlations over a batch, against those of clean batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import numpy as np

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_max_dim, check_max_epsilon
from dnn_topology.graphs.checks import real_array
from dnn_topology.graphs.graph import functional_graph, varying_neurons
from dnn_topology.homology.persistence import persistence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

GRID = 101  # scales at which a curve is read


class BatchDetector:
    """Tells batches whose functional graph has other loops than clean batches of the same size.

    Of the clean batches that it is fitted on, half give the mean Betti curve; how far the other half lie from it is
    the unit: the score is (distance - their mean distance) / their standard deviation, where distance is the area
    between two curves. Batches must all have one size, because a correlation over few inputs is larger by chance.

    Args:
        batch_size: Inputs per batch, at least 3.
        n_reference: Clean batches to fit on, drawn at random, each without replacement; at least 4.
        dim: Dimension of the Betti curve.
        max_epsilon: End of the filtration.
        max_nodes: More neurons are thinned out to so many, once, at random: the graph of few inputs is dense.
        min_persistence: Cavities must live longer than this, in ε.
        seed: Of both draws.

    Raises:
        DnnTopologyError: A number is too small.

    Source:
        Corneanu et al., What does it mean to learn in deep networks? And, how does one detect adversarial attacks?,
        CVPR 2019, compares Betti curves; the distance and its unit are ours.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> clean = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 12))
        >>> detector = BatchDetector(batch_size=20, n_reference=20).fit(clean)
        >>> bool(detector.score([rng.normal(size=(20, 12))])[0] > 3)
        True
    """

    @checked
    def __init__(
        self,
        *,
        batch_size: int = 50,
        n_reference: int = 60,
        dim: int = 1,
        max_epsilon: float = 0.4,
        max_nodes: int = 400,
        min_persistence: float = 0.02,
        seed: int = 0,
    ) -> None:
        check_at_least("batch_size", batch_size, 3)
        check_at_least("n_reference", n_reference, 4)
        check_at_least("max_nodes", max_nodes, 2)
        check_at_least("min_persistence", min_persistence, 0)
        check_max_dim(dim)
        self.batch_size, self._n_reference, self._dim = batch_size, n_reference, dim
        self._max_nodes, self._min_persistence, self._seed = max_nodes, min_persistence, seed
        self.scales: NDArray[np.float64] = np.linspace(0, check_max_epsilon(max_epsilon), GRID)
        self._nodes: NDArray[np.intp] | None = None
        self.mean_curve: NDArray[np.float64] = np.empty(0)
        self._usual, self._spread = 0.0, 1.0

    def __repr__(self) -> str:
        """Return of what batches it tells, by which curve, and whether it is fitted."""
        fitted = "fitted" if len(self.mean_curve) else "not fitted"
        return f"BatchDetector(batch_size={self.batch_size}, H{self._dim} up to ε {self.scales[-1]:g}, {fitted})"

    def fit(self, clean: ArrayLike, /) -> Self:
        """Learn what is usual from the signals (n_samples, n_neurons) of clean inputs.

        Raises:
            DnnTopologyError: They are fewer than a batch.
        """
        signals = _signals("clean", clean)
        rng = np.random.default_rng(self._seed)
        varying = varying_neurons(signals)
        self._nodes = np.sort(rng.permutation(varying)[: self._max_nodes])
        places = draw_batches(len(signals), size=self.batch_size, count=self._n_reference, seed=self._seed)
        curves = self.curves(signals[batch] for batch in places)
        half = len(curves) // 2
        self.mean_curve = curves[:half].mean(axis=0)
        apart = self._area(curves[half:])
        self._usual, self._spread = float(apart.mean()), float(apart.std()) or 1.0
        return self

    @checked
    def score(self, batches: Iterable[ArrayLike], /) -> NDArray[np.float64]:
        """Return how unusual each batch of signals (batch_size, n_neurons) is, in clean standard deviations."""
        return self.score_curves(self.curves(batches))

    def score_curves(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same of what `curves` returned.

        Raises:
            DnnTopologyError: They are no such curves, or nothing was fitted.
        """
        self._check_fitted()
        curves = real_array("curves", curves).astype(np.float64, copy=False)
        if curves.ndim != 2 or curves.shape[1] != len(self.scales):
            raise DnnTopologyError(
                f"curves must be (n_batches, {len(self.scales)}), as `curves` returns them, found shape {curves.shape}"
            )
        return (self._area(curves) - self._usual) / self._spread

    @checked
    def curves(self, batches: Iterable[ArrayLike], /) -> NDArray[np.float64]:
        """Return the Betti curve of each batch at `scales`, (n_batches, n_scales).

        Raises:
            DnnTopologyError: Nothing was fitted, or a batch has another size.
        """
        self._check_fitted()
        curves = []
        for batch in batches:
            signals = _signals("batches", batch)
            if len(signals) != self.batch_size:
                raise DnnTopologyError(
                    f"the detector is fitted on batches of {self.batch_size} inputs, found one of {len(signals)}: "
                    "give batches of that size, or fit another detector"
                )
            graph = functional_graph(signals[:, self._nodes], max_epsilon=self.scales[-1])
            diagrams = persistence(graph, max_dim=self._dim).filtered(min_persistence=self._min_persistence)
            curves.append(diagrams.betti_curve(self._dim).at(self.scales))
        return np.array(curves, dtype=np.float64).reshape(-1, len(self.scales))

    def _check_fitted(self) -> None:
        """Check that there is something to compare with.

        Raises:
            DnnTopologyError: There is not.
        """
        if self._nodes is None:
            raise DnnTopologyError(
                "the detector has not been fitted: call `fit` with the signals of clean inputs first"
            )

    def _area(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area between each curve and the mean clean one, in ε."""
        area: NDArray[np.float64] = np.abs(curves - self.mean_curve).mean(axis=1) * self.scales[-1]
        return area


def _signals(name: str, values: ArrayLike) -> NDArray[np.floating]:
    """Return signals (n_samples, n_neurons) as an array.

    Raises:
        DnnTopologyError: They are none.
    """
    signals = real_array(name, values)
    if signals.ndim != 2:
        raise DnnTopologyError(f"{name} must hold signals (n_samples, n_neurons), found shape {signals.shape}")
    return signals if signals.dtype.kind == "f" and signals.itemsize <= 8 else signals.astype(np.float64)


def disjoint_batches(n_inputs: int, *, size: int, seed: int = 0) -> NDArray[np.intp]:
    """Return the places of the inputs of batches of which no two share one, as many as there are: (n_batches, size).

    Batches that overlap repeat one another: forty batches of 100 of 300 inputs say no more than three do.

    Args:
        n_inputs: Number of inputs.
        size: Of a batch.
        seed: Of the order in which inputs are parted.

    Raises:
        DnnTopologyError: There are fewer inputs than one batch has.

    Example:
        >>> disjoint_batches(7, size=3).shape
        (2, 3)
    """
    if n_inputs < size:
        raise DnnTopologyError(f"a batch of {size} inputs needs as many, found {n_inputs}: take smaller batches")
    n_batches = n_inputs // size
    return np.random.default_rng(seed).permutation(n_inputs)[: n_batches * size].reshape(n_batches, size)


def draw_batches(n_inputs: int, *, size: int, count: int, seed: int = 0) -> NDArray[np.intp]:
    """Return the places of the inputs of some batches, (count, size); no input is twice in one batch.

    Raises:
        DnnTopologyError: There are fewer inputs than one batch has.

    Example:
        >>> draw_batches(4, size=4, count=1).shape
        (1, 4)
    """
    if n_inputs < size:
        raise DnnTopologyError(f"a batch of {size} inputs needs as many, found {n_inputs}: take smaller batches")
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n_inputs)[:size] for _ in range(count)])
