"""The features of a measured network: the numbers of a row besides its settings and accuracies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.analysis.features import gap_features
from dnn_topology.analysis.gap.known_settings import settings_features
from dnn_topology.analysis.gap.labelled import predictions
from dnn_topology.analysis.gap.leave_one_out import leave_one_out_features
from dnn_topology.analysis.gap.perturbation import perturbation_features
from dnn_topology.analysis.gap.representations import representations
from dnn_topology.analysis.gap.sample_tree import sample_tree_features
from dnn_topology.homology.neural_persistence import neural_persistence

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.settings import TrainSettings

    Labelled = tuple[torch.Tensor, torch.Tensor]


def network_features(
    net: nn.Module,
    drawn: Sequence[Diagrams],
    inputs: Iterable[Labelled] = (),
    train_set: Labelled | None = None,
    *,
    training: TrainSettings | None = None,
    n_train: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Return the features of a network, as means over draws of inputs, of its weights, and of its settings.

    Args:
        net: The network.
        drawn: The diagrams of each draw.
        inputs: The training inputs and labels of each draw; none for no features of them.
        train_set: All training inputs and labels, or many; None for no features of them.
        training: How it was trained; None for no features of its settings.
        n_train: Number of its training inputs.
        seed: Of the noise, and of who is mixed with whom.

    Returns:
        The columns of `gap_features`, `input_features`, `leave_one_out_features`, `weight_norms` and
        `settings_features`, and `neural_persistence`. A feature that is not defined in one draw is not defined.
    """
    from dnn_topology.recording.weight_norms import weight_matrices, weight_norms

    features = _means([gap_features(diagrams) for diagrams in drawn])
    features |= _means([input_features(net, *labelled, seed=seed) for labelled in inputs])
    if train_set is not None:
        features |= leave_one_out_features(predictions(net, train_set[0]), *train_set)
    if training is not None:
        known = {name: getattr(training, name) for name in ("lr", "batch_size", "weight_decay", "dropout")}
        features |= settings_features(net, n_train=n_train, **known)
    return {**features, **weight_norms(net), "neural_persistence": neural_persistence(weight_matrices(net))}


def input_features(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, seed: int = 0) -> dict[str, float]:
    """Return the columns of "perturbation" and "sample-tree" of training inputs and their given labels.

    Args:
        net: The network.
        images: (n_samples, …).
        labels: (n_samples,), the given classes.
        seed: Of the noise, and of who is mixed with whom.
    """
    points = representations(net, images)
    return {
        **perturbation_features(net, images, labels, points=points, seed=seed),
        **sample_tree_features(points, labels.cpu().numpy()),
    }


def _means(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every feature over draws; NaN where one is."""
    return {name: float(np.mean([one[name] for one in each])) for name in (each[0] if each else ())}
