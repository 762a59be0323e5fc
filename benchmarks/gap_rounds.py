"""The rounds of benchmarks/gap.py: networks trained after all choices were made, and what of them no earlier one has.

A round is committed, with its grid, before any of its networks is trained. Models are fitted on all earlier networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIRST = "gap"  # the grid of the networks that everything was chosen on at first
ALL = "all"
LARGE = (ALL, "other seeds", "a new data set", "a new architecture")


@dataclass(frozen=True)
class Round:
    """What was fixed before some networks were trained.

    Attributes:
        grid: The name of their grid, a file of benchmarks/.
        features: The set of features that the verdict is of.
        method: Its method.
        new_data: Data sets that no earlier network was trained on.
        new_nets: Architectures that no earlier network has.
    """

    grid: str
    features: str
    method: str
    new_data: tuple[str, ...]
    new_nets: tuple[str, ...]

    def groups(self, judged: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Return which networks are new in what; one may be in several groups, and none is empty."""
        data, net = judged["dataset"].isin(self.new_data).to_numpy(), judged["net"].isin(self.new_nets).to_numpy()
        groups = dict(zip(LARGE, (np.ones(len(judged), dtype=bool), ~data & ~net, data, net), strict=True))
        if len(self.new_data) > 1:
            groups |= {name: (judged["dataset"] == name).to_numpy() for name in self.new_data}
        if len(self.new_nets) > 1:
            groups |= {name: (judged["net"] == name).to_numpy() for name in self.new_nets}
        return {name: members for name, members in groups.items() if members.any()}


ROUNDS = (
    Round("gap_judged", "purity+training", "gaussian-process", ("cifar10",), ("residual",)),
    Round(
        "gap_judged_2",
        "purity+training",
        "gaussian-process",
        ("satellite", "letters"),
        ("separable", "wide_shallow", "mixer", "vit", "row_gru"),
    ),
)
PARTS = (FIRST, *(each.grid for each in ROUNDS))


def parted(last: pd.DataFrame, each: Round) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks that a round's models are fitted on, and those that it judges."""
    earlier = PARTS[: PARTS.index(each.grid)]
    known, judged = last["part"].isin(earlier), last["part"] == each.grid
    return last[known].reset_index(drop=True), last[judged].reset_index(drop=True)
