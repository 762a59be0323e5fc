"""When a training should end, and what is looked at to say so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from dnn_topology._checks import DnnTopologyError, check_at_least, check_types, shown

Quantity = Literal["neighbours", "midlife", "life", "density", "epsilon"]


@dataclass(frozen=True)
class StoppingSettings:
    """Which epoch a training should end at.

    Attributes:
        rule: What is looked at: neighbours, how often predictions at training inputs disagree with the labels of the
            inputs beside them; or, of the graph's H1, its midlife or life, or the density or epsilon of its peak
            (default: neighbours).
        patience: Epochs without a good value before the stop (default: 15 for neighbours and density, else 3).
        min_delta: Share of the lowest value so far by which it must fall; negative: by which it may rise (default: 0
            for neighbours and density, else -0.15).
        neighbours: Which training inputs are neighbours: those joined by their minimum spanning tree, tree, or so many
            nearest ones.
        features: Your own package.module:function from images (n, channels, height, width) to what stands for them,
            (n, ...), where pixels say little about which are near.

    Raises:
        DnnTopologyError: An option is of another type.
    """

    rule: Quantity | None = None
    patience: int | None = None
    min_delta: float | None = None
    neighbours: str = "tree"
    features: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        self.of_neighbours()

    def of_neighbours(self, n_inputs: int | None = None) -> NeighbourSettings:
        """Return what is looked at where the rule is neighbours.

        Args:
            n_inputs: Number of training inputs; None for all.
        """
        return NeighbourSettings(self.neighbours, self.features, n_inputs)

    @property
    def own(self) -> dict[str, Any]:
        """What of these a `StoppingRule` is made of; what is not given it decides itself."""
        given = {"quantity": self.rule, "patience": self.patience, "min_delta": self.min_delta}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class NeighbourSettings:
    """What early stopping by neighbours looks at.

    Attributes:
        neighbours: tree, or a number of nearest ones.
        features: Your own package.module:function from images to what stands for them.
        n_inputs: Number of training inputs; None for all.
    """

    neighbours: str = "tree"
    features: str | None = None
    n_inputs: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if self.neighbours != "tree" and not (self.neighbours.isdecimal() and int(self.neighbours)):
            raise DnnTopologyError(
                f"neighbours must be 'tree' or a number of nearest ones, found {shown(self.neighbours)}"
            )
        if self.n_inputs is not None:
            check_at_least("n_inputs", self.n_inputs, 3)

    @property
    def results(self) -> dict[str, Any]:
        """What tells these results from others, as JSON values."""
        return asdict(self)
