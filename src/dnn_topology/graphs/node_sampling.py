"""Sampling neurons, where a network has more of them than persistence can take."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_choice, check_seed
from dnn_topology.graphs.checks import check_count
from dnn_topology.graphs.correlation import standardised
from dnn_topology.graphs.graph import varying_neurons

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dnn_topology.recording.activations import Activations

Method = Literal["uniform", "importance", "kmeans"]
METHODS: tuple[Method, ...] = ("uniform", "importance", "kmeans")
MANY = 10_000  # neurons above which k-means looks at batches of them
CHUNK = 256  # samples looked at together, so that no second array as large as the activations is made


def sample_nodes(activations: Activations, n: int, *, method: Method = "uniform", seed: int = 0) -> Activations:
    """Choose n nodes that stand for all neurons.

    Constant neurons, which have no correlation, are never chosen.

    Args:
        activations: What `record` returned.
        n: Number of nodes.
        method: How they are chosen.

            * "uniform": every set of n neurons is equally likely.
            * "importance": each layer gives its share of the n, at least one neuron where n allows; within it, a
              neuron is drawn with a probability proportional to the number of samples to which no other neuron of
              the layer answers more strongly (by absolute activation); all that never do share the weight of one.
            * "kmeans": the neurons' standardised signals are put into n clusters, whose mean signals are the nodes. It
              needs a second array as large as the activations.
        seed: Of the draw, or of the first centres.

    Returns:
        The signals of the nodes, in the order of the neurons. For centroids, the table says what they stand for:
        `layer` and `index` are those of the neuron most like the centroid, and `members` is a tuple of the rows that
        its cluster's neurons have in the table given. There are fewer than n where fewer signals differ.

    Raises:
        DnnTopologyError: n is not between 1 and the number of neurons that vary; the method is unknown; an
            activation is NaN or infinite.

    Source:
        Importance: Ballester et al., Predicting the generalization gap in neural networks using topological data
        analysis, Neurocomputing 2024. (There, the samples' strongest neurons are those of the whole network, so that
        layers with large activations take all; here each layer has its share.)

    Example:
        >>> import pandas as pd
        >>> from dnn_topology.recording.activations import Activations
        >>> values = np.random.default_rng(0).normal(size=(50, 100)).astype(np.float32)
        >>> everything = Activations(values, pd.DataFrame({"layer": ["a"] * 90 + ["b"] * 10, "index": range(100)}))
        >>> sample_nodes(everything, 20, method="importance").neurons["layer"].value_counts().to_dict()
        {'a': 18, 'b': 2}
    """
    check_choice("method", method, METHODS)
    check_seed(seed)
    if not (hasattr(activations, "neurons") and hasattr(activations, "values")):
        raise DnnTopologyError(
            f"`activations` must be what `record` returns, found {type(activations).__name__}: put an array beside a "
            "table of its neurons, Activations(values, neurons)"
        )
    check_count("n", n, 0)
    varying = varying_neurons(activations.values, activations.neurons)
    if not 1 <= n <= len(varying):
        raise DnnTopologyError(
            f"cannot choose {n} nodes from {len(varying)} neurons that are not constant (of "
            f"{len(activations.neurons)}): ask for between 1 and {len(varying)}, or take all"
        )
    if method == "kmeans":
        return _centroids(activations, varying, n, seed=seed)
    rng = np.random.default_rng(seed)
    if method == "uniform":
        chosen = np.sort(rng.choice(varying, n, replace=False))
    else:
        chosen = np.sort(_by_importance(activations, varying, n, rng))
    return replace(
        activations,
        values=activations.values[:, chosen],
        neurons=activations.neurons.iloc[chosen].reset_index(drop=True),
    )


def _by_importance(
    activations: Activations, varying: NDArray[np.intp], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return n columns, drawn layer by layer."""
    layer = activations.neurons["layer"].iloc[varying].to_numpy()
    layers = [varying[layer == name] for name in dict.fromkeys(layer)]
    shares = layer_shares([len(columns) for columns in layers], n)
    return np.concatenate(
        [
            rng.choice(columns, share, replace=False, p=_importance(activations.values, columns))
            for columns, share in zip(layers, shares, strict=True)
        ]
    )


def layer_shares(sizes: list[int], n: int) -> list[int]:
    """Share n among layers in proportion to their sizes, at least one each where n allows.

    Args:
        sizes: Number of neurons of each layer, at least 1.
        n: At most their sum.

    Returns:
        As many numbers as layers, each at most its size; they sum to n.

    Example:
        >>> layer_shares([700, 290, 10], 10)
        [7, 2, 1]
    """
    exact = n * np.array(sizes) / sum(sizes)
    shares = np.full(len(sizes), 1 if n >= len(sizes) else 0)
    for _ in range(n - shares.sum()):
        shares[np.argmax(exact - shares)] += 1
    return [int(share) for share in shares]


def _importance(values: NDArray[np.float32], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the probability (len(columns),) of each neuron of a layer to be drawn first."""
    wins = np.zeros(len(columns))
    for start in range(0, len(values), CHUNK):
        strongest = np.abs(values[start : start + CHUNK, columns]).argmax(axis=1)
        wins += np.bincount(strongest, minlength=len(columns))
    never = wins == 0
    wins[never] = 1 / max(never.sum(), 1)
    chances: NDArray[np.float64] = wins / wins.sum()
    return chances


def _centroids(activations: Activations, varying: NDArray[np.intp], n: int, *, seed: int) -> Activations:
    """Return the mean standardised signals of n clusters of neurons."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    signals = np.empty((len(varying), len(activations.values)), dtype=np.float32)
    for start in range(0, len(varying), CHUNK):
        columns = varying[start : start + CHUNK]
        signals[start : start + CHUNK] = standardised(activations.values[:, columns]).T
    kind = KMeans if len(varying) <= MANY else MiniBatchKMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer signals differ than clusters were asked for
        label = kind(n, random_state=seed, n_init=1).fit(signals).labels_
    clusters = [np.flatnonzero(label == number) for number in np.unique(label)]
    centroids = np.stack([signals[members].mean(axis=0) for members in clusters])
    nearest = np.array(
        [members[np.argmax(signals[members] @ mean)] for members, mean in zip(clusters, centroids, strict=True)]
    )
    order = np.argsort(nearest)
    neurons: pd.DataFrame = activations.neurons.iloc[varying[nearest[order]]].reset_index(drop=True)
    neurons["members"] = [tuple(varying[clusters[place]].tolist()) for place in order]
    return replace(activations, values=centroids[order].T, neurons=neurons)
