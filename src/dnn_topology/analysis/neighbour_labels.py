"""Does a network predict at an input the label of the inputs beside it? What early stopping by neighbours looks at."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_whole, shown, shown_name
from dnn_topology.analysis.neighbour_graphs import check_memory, nearest_neighbours, spanning_tree
from dnn_topology.graphs.checks import real_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below so many standard errors above chance neighbours' labels are no guide. Photographs' pixels with half of the
# labels permuted, at 0.02 and 2.7 of them, are the least that `benchmarks/early_stopping.py` saw; there the rule held.
LEAST_ERRORS = 2.0
MOST_DRAWS = 10**6
BY_HAND = "let `NeighbourLabels.of` make it of the inputs"


@checked_fields
@dataclass(frozen=True, eq=False)
class NeighbourLabels:
    """A graph that joins near training inputs, and the labels that they were given.

    A network that learns what inputs have in common predicts at one the label of its neighbours, also where that one's
    own label is wrong; once it memorises, it no longer does. So the epoch to keep is the one at which the predictions
    disagree least with the neighbours' labels: a validation split that holds no input out.

    Attributes:
        edges: (n_edges, 2), int64, pairs of neighbours.
        labels: (n_inputs,), int64, the labels that are trained on.

    Source:
        Found in this project: `benchmarks/early_stopping.py`. The tree is what H0 of the inputs' Vietoris–Rips
        filtration is made of; a graph of nearest neighbours does as well.

    Example:
        >>> inputs = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
        >>> neighbours = NeighbourLabels.of(inputs, np.array([0, 1, 0, 1, 1, 1]))  # the second label is wrong
        >>> neighbours.disagreement([0, 0, 0, 1, 1, 1]), neighbours.disagreement([0, 1, 0, 1, 1, 1])
        (0.4, 0.6)
    """

    edges: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        edges, labels = _array(self.edges, "edges", remedy=BY_HAND), _array(self.labels, "labels", remedy=BY_HAND)
        if labels.ndim != 1 or labels.dtype.kind not in "iub":
            raise DnnTopologyError(f"labels must be (n_inputs,) whole numbers, found {labels.shape} of {labels.dtype}")
        if edges.ndim != 2 or edges.shape[1:] != (2,) or edges.dtype.kind not in "iu" or not len(edges):
            raise DnnTopologyError(f"edges must be (n_edges, 2) whole numbers, found {edges.shape} of {edges.dtype}")
        if edges.min() < 0 or edges.max() >= len(labels):
            raise DnnTopologyError(
                f"edges must join inputs 0 to {len(labels) - 1}, found {edges.min()} to {edges.max()}: {BY_HAND}"
            )

    @classmethod
    @checked
    def of(
        cls,
        inputs: Any,
        labels: Any,
        *,
        graph: Literal["tree"] | int = "tree",
        features: Any = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> NeighbourLabels:
        """Join training inputs that are near in Euclidean distance.

        Args:
            inputs: (n_inputs, ...), numbers; an array or a tensor. Each is flattened.
            labels: (n_inputs,), whole numbers: the classes that are trained on.
            graph: "tree", the minimum spanning tree, or k: each input and the k nearest to it.
            features: (n_inputs, ...), what stands for the inputs, or what makes that of them: features that a change
                of no meaning leaves alone, or those of another network; also as text, "package.module:function".
                Needed where inputs are tokens.
            on_progress: Called with the share of the work that is done, in [0, 1].

        Returns:
            The graph and the labels.

        Raises:
            DnnTopologyError: Inputs are tokens, not finite, all equal, more than memory holds or not as many as labels;
                there are no labels, or those of one class.
        """
        labels = _whole_labels(labels)
        points = _points(inputs, features, len(labels))
        if graph == "tree":
            return cls(spanning_tree(points, on_progress=on_progress), labels)
        k = check_whole("graph", graph, 1)
        if k >= len(points):
            raise DnnTopologyError(f"graph must be 'tree' or fewer neighbours than there are other inputs, found {k}")
        return cls(nearest_neighbours(points, k, on_progress=on_progress), labels)

    @property
    def agreement(self) -> float:
        """How often neighbours were given the same label, on a scale from chance (0) to always (1)."""
        same = float(np.mean(self.labels[self.edges[:, 0]] == self.labels[self.edges[:, 1]]))
        return (same - self._chance) / (1 - self._chance)

    @property
    def least_agreement(self) -> float:
        """The agreement below which it may be chance: two standard errors of that of labels given at random."""
        return float(LEAST_ERRORS * np.sqrt(self._chance / (1 - self._chance) / len(self.edges)))

    @property
    def advice(self) -> str | None:
        """Why neighbours are no guide here, in one line; None where they may be one."""
        if self.agreement >= self.least_agreement:
            return None
        return (
            f"neighbours among the training inputs were given the same label hardly more often than by chance "
            f"({self.agreement:.3f} on a scale from 0 to 1, and below {self.least_agreement:.3f} they are no guide to "
            "when to stop): give features= in which inputs of a class are near, or hold out a validation split"
        )

    @property
    def _chance(self) -> float:
        """How often two inputs drawn at random have the same label."""
        _, counts = np.unique(self.labels, return_counts=True)  # numbers of classes may be large
        return float(np.sum((counts / len(self.labels)) ** 2))

    def disagreement(self, predictions: Sequence[int] | NDArray[np.int64]) -> float:
        """Return the share of edges at whose one end another label is predicted than the other end was given.

        Args:
            predictions: (n_inputs,), the class predicted at every input.

        Returns:
            The share, each edge counted in both directions; lowest at the epoch to keep.

        Raises:
            DnnTopologyError: There is another number of predictions.
        """
        return float(self._wrong(predictions).mean())

    @checked
    def drawn(self, predictions: Sequence[int] | NDArray[np.int64], draws: int, *, seed: int = 0) -> list[float]:
        """Return the disagreement in bootstrap draws of the inputs at which predictions are judged.

        Args:
            predictions: (n_inputs,), the class predicted at every input.
            draws: Number of draws.
            seed: Of the draws.

        Returns:
            One disagreement per draw, the same draws for the same seed.

        Raises:
            DnnTopologyError: There is another number of predictions.
        """
        if not 0 <= draws <= MOST_DRAWS:
            raise DnnTopologyError(f"draws must lie between 0 and {MOST_DRAWS}, found {draws}")
        wrong, judged = self._wrong(predictions), self.edges.T.ravel()
        rng = np.random.default_rng(seed)
        drawn = []
        for _ in range(draws):
            times = np.bincount(rng.integers(len(self.labels), size=len(self.labels)), minlength=len(self.labels))
            drawn.append(float(np.average(wrong, weights=times[judged])))
        return drawn

    def _wrong(self, predictions: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for every edge, in one direction and then in the other, whether the prediction is another label.

        Raises:
            DnnTopologyError: There is another number of predictions.
        """
        classes = _array(predictions, "predictions")
        if classes.shape != self.labels.shape:
            raise DnnTopologyError(
                f"predictions must be one class per input, ({len(self.labels)},), found the shape {classes.shape}"
            )
        if classes.dtype.kind == "f" and not (classes == np.floor(classes)).all():  # NaN is no whole number either
            wrong = classes[classes != np.floor(classes)][0]
            raise DnnTopologyError(f"predictions must be classes, whole numbers, found {wrong}: give logits' argmax")
        one, other = self.edges.T
        return np.concatenate([classes[one] != self.labels[other], classes[other] != self.labels[one]])


def _whole_labels(labels: Any) -> NDArray[np.int64]:
    """Return labels as an array.

    Raises:
        DnnTopologyError: There are none, they are no classes, or all one class.
    """
    if labels is None:
        raise DnnTopologyError("labels are missing: neighbours are judged by the labels that are trained on; give them")
    values = _array(labels, "labels", remedy="give the classes' numbers, from 0 on")
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise DnnTopologyError(
            f"labels must be one whole number per input, found the shape {values.shape} of {values.dtype}: give the "
            "classes' numbers"
        )
    values = values.astype(np.int64)
    if len(values) < 3 or len(np.unique(values)) < 2:
        raise DnnTopologyError(
            f"labels must be of at least 3 inputs and 2 classes, found {len(values)} of {len(np.unique(values))}: "
            "neighbours of one class tell nothing"
        )
    if values.min() < 0:
        raise DnnTopologyError(f"labels must be classes from 0 on, found {values.min()}: number them so")
    return values


def _points(inputs: Any, features: Any, n_labels: int) -> NDArray[np.float64]:
    """Return what stands for inputs, (n_inputs, n_features).

    Raises:
        DnnTopologyError: They cannot be compared.
    """
    name = "inputs" if features is None else "features"
    features = _imported(features) if isinstance(features, str) else features
    values = _array(_made(features, inputs) if callable(features) else inputs if features is None else features, name)
    if features is None and values.dtype.kind in "iu" and values.dtype.itemsize > 1:
        raise DnnTopologyError(
            f"inputs of {values.dtype} are tokens, whose numbers say nothing about which are near: give features=, "
            "such as their embeddings, or, where they are no tokens, convert them to float"
        )
    if not values.ndim or len(values) != n_labels:
        raise DnnTopologyError(
            f"{name} and labels must be as many, found {len(values) if values.ndim else 1} and {n_labels}"
        )
    check_memory(len(values), values[0].size)
    points: NDArray[np.float64] = values.reshape(len(values), -1).astype(np.float64)
    if not points.size or not np.isfinite(points).all():
        raise DnnTopologyError(f"{name} must be finite numbers, found NaN or infinite ones: leave those inputs out")
    if (points == points[0]).all():
        raise DnnTopologyError(f"all {name} are equal, so none is nearer than another: give features= that differ")
    # In units in which no square runs over, and nearer to 0, where products of coordinates lose fewer digits.
    np.ldexp(points, -int(np.frexp(np.abs(points).max())[1]), out=points)
    points -= points.mean(axis=0)
    return points


def _made(features: Callable[[Any], Any], inputs: Any) -> Any:
    """Return what a user's own function makes of inputs.

    Raises:
        DnnTopologyError: It fails on them.
    """
    try:
        return features(inputs)
    except DnnTopologyError:
        raise
    except Exception as error:  # whatever a user's function raises
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DnnTopologyError(f"features fails on the inputs ({said}): give a function of all of them") from error


def _imported(name: str) -> Any:
    """Return a function of the user's own, whose module the working folder is searched for too.

    Raises:
        DnnTopologyError: There is none of that name.
    """
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.append("")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the user's module does when it is imported
        raise DnnTopologyError(
            f"features {shown_name(name)} cannot be imported ({error}): give package.module:function, and check "
            "PYTHONPATH"
        ) from error


def _array(
    values: Any, name: str, *, remedy: str = "give features=, numbers that stand for each input"
) -> NDArray[Any]:
    """Return values as an array of numbers.

    Raises:
        DnnTopologyError: They are no numbers.
    """
    try:
        return real_array(name, values)
    except DnnTopologyError as error:
        raise DnnTopologyError(
            f"{name} must be an array or a tensor of numbers, found {shown(values)}: {remedy}"
        ) from error
