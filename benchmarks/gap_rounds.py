"""The rounds of benchmarks/gap.py: networks trained after all choices were made, and what of them no earlier one has.

A round is committed, with its grid, before any of its networks is trained. Models are fitted on all earlier networks.
Since then losses enter as logarithms; what the first two rounds froze had them as they are ("purity + raw training").

Before the third round `purity+training`, the default until then, and both joined with `perturbation` were compared on
the 185 networks before it: errors of 7.9 and 6.9 with an architecture left out (the mean 16.4), of 8.7 and 8.4 with a
data set left out (the mean 17.1). So the joined set is the third round's, though foretold by the networks before each
it had 11.6 against 7.7 on the first round and 8.7 against 8.9 on the second; the other is its second reading. It
becomes the default of `gap fit` if it errs less than the other on all of the third round's networks, with a 95 %
interval of the difference below zero, and not otherwise.

After the third round some sixty sets of features of all training inputs were compared on the 232 networks before the
fourth, by their errors with an architecture and with a data set left out, half of the mean's being 7.7 and 7.9. Far
below all others were those with the share of inputs at which a network says what kernel ridge regression on all other
inputs says: 4.4 and 4.7 with the training accuracy alone, 4.1 to 6.3 with whatever else joined. So "leave-one-out",
those two, is the fourth round's, of more networks than any before. It becomes the default of `gap fit` if on all of
them it errs less than `purity+training`, with a 95 % interval of the difference below zero, and not otherwise. Whether
errors are under half of the mean's is read where a data set, and where an architecture, of the round itself is left out
of it, every model being fitted on the round's other networks alone; and, as before, where models of the networks before
it foretell it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIRST = "gap"  # the grid of the networks that everything was chosen on at first
RAW = "purity + raw training"  # with losses as they are
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
        second: The set that it is compared with first.
        diverged: Seeds of networks that have no gap, since their loss became NaN in training; written down afterwards.
    """

    grid: str
    features: str
    method: str
    new_data: tuple[str, ...]
    new_nets: tuple[str, ...]
    second: str | None = None
    diverged: tuple[int, ...] = ()

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
    Round("gap_judged", RAW, "gaussian-process", ("cifar10",), ("residual",)),
    Round(
        "gap_judged_2",
        RAW,
        "gaussian-process",
        ("satellite", "letters"),
        ("separable", "wide_shallow", "mixer", "vit", "row_gru"),
    ),
    Round(
        "gap_judged_3",
        "perturbation+purity+training",
        "gaussian-process",
        ("spam", "dna"),
        ("convmixer", "excited", "dense", "column_lstm", "gated_mlp", "dilated"),
        second="purity+training",
        diverged=(3018,),
    ),
    Round(
        "gap_judged_4",
        "leave-one-out",
        "gaussian-process",
        ("segment", "cells"),
        ("inception", "maxout", "highway", "pyramid"),
        second="purity+training",
    ),
)
DIVERGED = frozenset(seed for each in ROUNDS for seed in each.diverged)
PARTS = (FIRST, *(each.grid for each in ROUNDS))


def parted(last: pd.DataFrame, each: Round) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the networks that a round's models are fitted on, and those that it judges."""
    earlier = PARTS[: PARTS.index(each.grid)]
    known, judged = last["part"].isin(earlier), last["part"] == each.grid
    return last[known].reset_index(drop=True), last[judged].reset_index(drop=True)
