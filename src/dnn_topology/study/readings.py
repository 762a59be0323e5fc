"""What is read off a measured network: the numbers of a row besides its settings and accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.topology.summaries import summarize

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.topology.diagrams import Diagrams

MIN_PERSISTENCE = 0.02


def readings(net: nn.Module, drawn: Sequence[Diagrams]) -> dict[str, float]:
    """Return the readings of a network, those of its topology as means over draws of inputs."""
    del net
    each = [_summary(found) for found in drawn]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def _summary(found: Diagrams) -> dict[str, float]:
    table = summarize(found, min_persistence=MIN_PERSISTENCE, essential="clip").set_index("dim")
    return {
        f"h{dim}_{name}": float(table.loc[dim, name]) for dim in table.index for name in ("count", "life", "midlife")
    }
