"""Which epoch a training should end at, as flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantity = Literal["midlife", "life", "density", "epsilon"]


@dataclass(frozen=True)
class Rule:
    """Which epoch a training should end at.

    Attributes:
        quantity: What of H1 is looked at: its midlife, life, or the density or epsilon of its peak.
        patience: Epochs without a good value before the stop (default: 3).
        min_delta: Share of the lowest value so far by which it must fall; negative: by which it may rise (default:
            -0.15).
    """

    quantity: Quantity = "midlife"
    patience: int | None = None
    min_delta: float | None = None
