"""Which cavities are traced to their neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dnn_topology._checks import check_types
from dnn_topology.settings.measuring import MIN_PERSISTENCE


@dataclass(frozen=True)
class TraceSettings:
    """Which cavities of a graph are traced to their neurons, and how.

    Attributes:
        dim: 1 for loops, 2 for voids.
        top: How many of the longest-lived.
        min_persistence: Only cavities that live longer than this (ε).
        tight: Shorten each loop: 'class' to the shortest of its class at birth, 'bar' to the shortest that is born and
            dies with it, or 'no'.
    """

    dim: int = 1
    top: int = 20
    min_persistence: float = MIN_PERSISTENCE
    tight: Literal["no", "class", "bar"] = "bar"

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def keywords(self) -> dict[str, Any]:
        """The same as keywords of `dt.cavities`."""
        tight = {"no": False, "class": True, "bar": "bar"}[self.tight]
        return {"dim": self.dim, "top": self.top, "min_persistence": self.min_persistence, "tight": tight}
