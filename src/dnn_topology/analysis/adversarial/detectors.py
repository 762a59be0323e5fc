"""Detectors of adversarial inputs, one input at a time: fitted on clean inputs, higher scores are more suspicious."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.analysis.adversarial.features import (
    heaviest_profile,
    hidden,
    layer_inputs_profile,
    penultimate,
    pixels,
    tree_profile,
    trees_of,
)
from dnn_topology.analysis.adversarial.mahalanobis import ClassDistance
from dnn_topology.analysis.adversarial.squeezing import Squeezing
from dnn_topology.analysis.adversarial.uncertainty import barycentres, topological_uncertainty
from dnn_topology.graphs.sample_graphs import sample_graph
from dnn_topology.homology.persistence import persistence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.analysis.adversarial.observation import Observation

T = TypeVar("T")
Features = Callable[["Observation"], "NDArray[np.float64]"]
NOISE = "+noise"  # ending of a detector that has seen harmless noise among what is usual
LEAST = 20  # inputs to fit on


class Detector(Protocol):
    """What every detector can do."""

    def fit(self, clean: Observation, /) -> Self:
        """Learn what is usual from clean inputs, and return the detector."""

    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return how suspicious each input is, (n,)."""


class Confidence:
    """What the outputs say: nothing is fitted.

    Args:
        doubt: Log-probabilities (n, n_classes) → doubt (n,).
    """

    def __init__(self, doubt: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
        self._doubt = doubt

    @checked
    def fit(self, clean: Observation, /) -> Self:  # noqa: ARG002  # there is nothing to learn
        """Return the detector."""
        return self

    def __repr__(self) -> str:
        """Return what it looks at."""
        return f"Confidence({self._doubt.__name__.strip('_')})"

    @checked
    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return the doubt of each input, (n,)."""
        return self._doubt(seen.outputs)


class Distance:
    """Squared Mahalanobis distance of some features to the mean of the predicted class.

    Args:
        features: Observation → (n, d).
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._fitted: ClassDistance | None = None

    @checked
    def fit(self, clean: Observation, /) -> Self:
        """Learn class means and their common covariance."""
        n_classes = clean.outputs.shape[1]
        self._fitted = ClassDistance.fit(self._features(clean), clean.predicted, n_classes=n_classes)
        return self

    def __repr__(self) -> str:
        """Return what it looks at, and whether it is fitted."""
        return f"Distance({self._features.__name__.strip('_')}, {_fittedness(self._fitted)})"

    @property
    def learned(self) -> ClassDistance:
        """The fitted distance."""
        return _ready(self._fitted)

    @checked
    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return the squared distances, (n,)."""
        return self.learned.squared(self._features(seen), seen.predicted)


class Uncertainty:
    """Topological uncertainty; see `topological_uncertainty`."""

    def __init__(self) -> None:
        self._means: dict[str, NDArray[np.float64]] | None = None

    @checked
    def fit(self, clean: Observation, /) -> Self:
        """Learn the mean diagram of every class and layer."""
        self._means = barycentres(trees_of(clean), clean.predicted, n_classes=clean.outputs.shape[1])
        return self

    def __repr__(self) -> str:
        """Return whether it is fitted."""
        return f"Uncertainty({_fittedness(self._means)})"

    @property
    def learned(self) -> Mapping[str, NDArray[np.float64]]:
        """Layer → the mean diagram of every class."""
        return _ready(self._means)

    @checked
    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return the topological uncertainties, (n,)."""
        return topological_uncertainty(trees_of(seen), seen.predicted, self.learned)


class SampleGraph:
    """The original's statistic: Betti numbers of an input's own graph, summed over the thresholds.

    The sum over evenly many thresholds is, but for its unit, the area under the Betti curve. Which way adversarial
    inputs move it nobody says, so the score is its distance from the clean mean in standard deviations, the larger of
    H0's and H1's.

    Args:
        max_epsilon: End of the filtration; see `sample_graph`.
        max_inputs: Inputs that are fitted on: each has a graph of its own.
    """

    def __init__(self, *, max_epsilon: float = 0.3, max_inputs: int = 200) -> None:
        self._max_epsilon, self._max_inputs = max_epsilon, max_inputs
        self._usual: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @checked
    def fit(self, clean: Observation, /) -> Self:
        """Learn mean and standard deviation of the areas."""
        areas = self.areas(clean.take(slice(self._max_inputs)))
        spread = areas.std(axis=0)
        self._usual = areas.mean(axis=0), np.where(spread > 0, spread, 1.0)
        return self

    def __repr__(self) -> str:
        """Return the scale and whether it is fitted."""
        return f"SampleGraph(up to ε {self._max_epsilon:g}, {_fittedness(self._usual)})"

    @checked
    def score(self, seen: Observation, /) -> NDArray[np.float64]:
        """Return the distances, (n,)."""
        mean, spread = _ready(self._usual)
        worst: NDArray[np.float64] = (np.abs(self.areas(seen) - mean) / spread).max(axis=1)
        return worst

    def areas(self, seen: Observation) -> NDArray[np.float64]:
        """Return the areas under the curves of β0 and β1, (n, 2), in ε."""
        areas = []
        for signals in seen.activations.values:
            diagrams = persistence(sample_graph(signals, max_epsilon=self._max_epsilon), max_dim=1)
            areas.append([diagrams.betti_curve(dim).integral() for dim in (0, 1)])
        return np.array(areas)


def _fittedness(learned: object) -> str:
    """Return in words whether something was learned."""
    return "not fitted" if learned is None else "fitted"


def _rest(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the largest probability leaves, (n,), of log-probabilities (n, n_classes)."""
    rest: NDArray[np.float64] = 1 - np.exp(outputs.max(axis=1))
    return rest


def _entropy(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy (n,) of log-probabilities (n, n_classes)."""
    entropy: NDArray[np.float64] = -(np.exp(outputs) * outputs).sum(axis=1)
    return entropy


# name → what makes one, and one line about it
DETECTORS: dict[str, tuple[Callable[[], Detector], str]] = {
    "softmax": (
        lambda: Confidence(_rest),
        "baseline: 1 - the largest probability",
    ),
    "entropy": (
        lambda: Confidence(_entropy),
        "baseline: entropy of the probabilities",
    ),
    "inputs": (
        lambda: Distance(pixels),
        "control without the network: Mahalanobis distance of the pixels to the predicted class",
    ),
    "penultimate": (
        lambda: Distance(penultimate),
        "control without topology: the same of the last layer before the output",
    ),
    "activations": (lambda: Distance(hidden), "control without topology: the same of all nodes but the output's"),
    "sample-graph": (SampleGraph, "the original's: area under the Betti curves of the input's own graph"),
    "uncertainty": (Uncertainty, "topological uncertainty (Lacombe et al. 2021)"),
    "profile": (
        lambda: Distance(tree_profile),
        "Mahalanobis distance of the quantiles of every layer's tree weights to the predicted class",
    ),
    "heaviest": (
        lambda: Distance(heaviest_profile),
        "control without a tree: the same of the quantiles of every unit's heaviest edge",
    ),
    "layer-inputs": (
        lambda: Distance(layer_inputs_profile),
        "control without a graph: the same of the quantiles of |x| into every layer with weights",
    ),
    "squeezing": (
        Squeezing,
        "baseline: how far the probabilities move with one-bit pixels or a 2 × 2 median (Xu et al. 2018)",
    ),
    "squeeze-bit": (lambda: Squeezing(["bit"]), "the same with one-bit pixels alone"),
    "squeeze-median": (lambda: Squeezing(["median"]), "the same with the median alone"),
}
# those that may have seen noise
FITTED = ("inputs", "penultimate", "activations", "uncertainty", "profile", "heaviest", "layer-inputs")
NAMES = (*DETECTORS, *(f"{name}{NOISE}" for name in FITTED))
WITH_TREES = ("uncertainty", "profile")
WITH_EDGES = ("heaviest", "layer-inputs")
WITH_SQUEEZED = ("squeezing", "squeeze-bit", "squeeze-median")


@checked
def detector(name: str) -> Detector:
    """Return a detector by its name, not yet fitted.

    Args:
        name: One of `DETECTORS`; "uncertainty" and "profile" look at the topology of activation graphs,
            "sample-graph" at the original's. "+noise" at the end of the name of one that is fitted is the same
            detector, and says that it is to be fitted on clean inputs together with noisy ones.

    Returns:
        The detector, with `fit` and `score`.

    Raises:
        DnnTopologyError: There is none of that name.

    Example:
        >>> import torch
        >>> from dnn_topology.analysis.adversarial.observation import observe
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
        >>> usual = observe(model, torch.randn(100, 4, generator=torch.Generator().manual_seed(0)))
        >>> strange = observe(model, torch.full((1, 4), 20.0))
        >>> found = detector("profile").fit(usual)
        >>> bool(found.score(strange).max() > found.score(usual).max())
        True
    """
    check_choice("detector", name, NAMES)
    return DETECTORS[name.removesuffix(NOISE)][0]()


def fitted(name: str, clean: Observation) -> Detector:
    """Return a detector by its name, fitted on clean inputs.

    Raises:
        DnnTopologyError: There are too few of them, or none of that name.
    """
    if len(clean) < LEAST:
        raise DnnTopologyError(f"a detector is fitted on at least {LEAST} clean inputs, found {len(clean)}: give more")
    return detector(name).fit(clean)


def needs_trees(names: Any) -> bool:
    """Tell whether one of some detectors looks at the trees of activation graphs."""
    return any(name.removesuffix(NOISE) in WITH_TREES for name in names)


def needs_edges(names: Any) -> bool:
    """Tell whether one of some detectors looks at the edges of activation graphs, or at what enters the layers."""
    return any(name.removesuffix(NOISE) in WITH_EDGES for name in names)


def needs_squeezed(names: Any) -> bool:
    """Tell whether one of some detectors looks at squeezed inputs."""
    return any(name in WITH_SQUEEZED for name in names)


def _ready(learned: T | None) -> T:
    """Return what a detector has learned.

    Raises:
        DnnTopologyError: Nothing yet.
    """
    if learned is None:
        raise DnnTopologyError("the detector has not been fitted: call `fit` with clean inputs first")
    return learned
