"""The features of a measured network: the numbers of a row besides its settings and accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.analysis.features import gap_features
from dnn_topology.homology.neural_persistence import neural_persistence

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams


def network_features(net: nn.Module, drawn: Sequence[Diagrams]) -> dict[str, float]:
    """Return the features of a network: of its topology, as means over draws of inputs, and of its weights.

    Args:
        net: The network.
        drawn: The diagrams of each draw.

    Returns:
        The columns of `gap_features` and `weight_norms`, and `neural_persistence`. A feature that is not defined in
        one draw is not defined.
    """
    from dnn_topology.recording.weight_norms import weight_matrices, weight_norms

    each = [gap_features(diagrams) for diagrams in drawn]
    topology = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    return {**topology, **weight_norms(net), "neural_persistence": neural_persistence(weight_matrices(net))}
