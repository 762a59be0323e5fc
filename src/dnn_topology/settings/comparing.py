"""How runs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnn_topology._checks import check_at_least, check_types
from dnn_topology.settings.measuring import MIN_PERSISTENCE, Essential


@dataclass(frozen=True)
class CompareSettings:
    """How runs are compared.

    Attributes:
        epochs: Epochs to compare (default: all that every run has measured).
        max_epsilon: End of the filtration (default: 0.3, or the only one that there is).
        measurement: Which of several measurements up to that scale: the name of its folder.
        min_persistence: Only cavities that live longer than this (ε) count.
        essential: Cavities alive at the end: 'count', 'drop', or 'clip' them there.
        resamples: Partitions of the trials that are drawn where there are more.
        confidence: Of all intervals.
        seed: Of the draw.
        trajectory: Draw the epochs of all runs as points, as far apart as their diagrams by this distance, which takes
            a while.
        formats: File formats of pictures: png, svg, pdf.
    """

    epochs: tuple[int, ...] | None = None
    max_epsilon: float | None = None
    measurement: str | None = None
    min_persistence: float = MIN_PERSISTENCE
    essential: Essential = "count"
    resamples: int = 9999
    confidence: float = 0.95
    seed: int = 0
    trajectory: Literal["bottleneck", "wasserstein"] | None = None
    formats: tuple[str, ...] = ("png",)

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least("min_persistence", self.min_persistence, 0)
