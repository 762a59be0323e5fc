"""When to stop training, read off training inputs' neighbours, or their loops: one rule, online and offline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import (
    DnnTopologyError,
    check_at_least,
    check_choice,
    check_type,
    check_types,
    check_whole,
    counted,
    shown,
)
from dnn_topology.homology.summaries import summarize
from dnn_topology.settings import MIN_PERSISTENCE

if TYPE_CHECKING:
    from dnn_topology.homology.diagrams import Diagrams

MAX_EPSILON = 0.4  # up to which scale loops are looked at
# quantity → the column of `summarize` that it is, of H1
OF_LOOPS = {"density": "peak_density", "epsilon": "peak_epsilon", "midlife": "midlife", "life": "life"}
NEIGHBOURS = "neighbours"
# quantity → patience and min_delta where none are given: of neighbours and density, as they were found and published
USUAL = {NEIGHBOURS: (15, 0.0), "midlife": (3, -0.15), "density": (15, 0.0), "epsilon": (3, -0.15), "life": (3, -0.15)}
QUANTITIES = tuple(USUAL)
BAND = (0.05, 0.95)


@checked
def stopping_quantities(diagrams: Diagrams) -> dict[str, float]:
    """Return what a rule may look at of the loops in a functional graph, by name.

    Loops that live at most 0.02 do not count, and those alive at max_epsilon die there.

    Args:
        diagrams: Of H1 at least.

    Returns:
        ``density`` and ``epsilon``, the share of pairs joined and the scale at the first maximum of the H1 Betti curve;
        ``midlife`` and ``life``, the mean middle and length of loops, in ε. NaN where there is no loop.

    Raises:
        DnnTopologyError: The diagrams have no H1.

    Source:
        Corneanu et al., What does it mean to learn in deep networks? And, how does one detect adversarial attacks?,
        CVPR 2019 (density of the peak).

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> numbers = stopping_quantities(Diagrams([[], [(0.1, 0.2)]], max_epsilon=0.4))
        >>> {name: round(value, 3) for name, value in numbers.items()}
        {'density': nan, 'epsilon': 0.1, 'midlife': 0.15, 'life': 0.1}
    """
    if diagrams.max_dim < 1:
        raise DnnTopologyError("early stopping reads H1, and there is H0 alone: compute with max_dim=1")
    loops = summarize(diagrams.filtered(essential="clip")).to_dict("records")[1]
    return {quantity: float(loops[column]) for quantity, column in OF_LOOPS.items()}


def described_quantities(table: pd.DataFrame) -> str:
    """Return the quantities of an epoch, the first row of a table of its draws, as text."""
    numbers = {name: value for name, value in table.iloc[0].items() if name != "draw"}
    return ", ".join(f"{name} {'–' if math.isnan(value) else f'{value:.4g}'}" for name, value in numbers.items())


def _check_by_epoch(quantity: str, values: Mapping[int, float]) -> None:
    """Check that values are numbers by epoch.

    Raises:
        DnnTopologyError: An epoch is no whole number, or a value no number.
    """
    for epoch, value in values.items():
        check_whole("an epoch", epoch, 0)
        if not isinstance(value, Real):
            raise DnnTopologyError(f"the {quantity} of epoch {epoch} must be a number, found {shown(value)}")


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Decision:
    """What a rule makes of the epochs so far.

    Attributes:
        rule: The rule.
        chosen_epoch: The epoch whose weights to keep; None if no epoch has a loop.
        stop_epoch: The epoch at which training should have ended; None if it should go on.
        table: One row per epoch up to the stop: `epoch`, `value`, `lowest` (so far) and `good`.
    """

    rule: StoppingRule
    chosen_epoch: int | None
    stop_epoch: int | None
    table: pd.DataFrame

    def __repr__(self) -> str:
        """Return which epoch and why."""
        return f"Decision(chosen_epoch={self.chosen_epoch}, stop_epoch={self.stop_epoch}: {self.reason})"

    @property
    def reason(self) -> str:
        """Why this epoch, in one sentence."""
        rule, quantity = self.rule, self.rule.looks_at
        if self.chosen_epoch is None:
            return f"{quantity} is not defined at any epoch: no loop lives longer than {MIN_PERSISTENCE}"
        rows = self.table.set_index("epoch")
        value, lowest = rows.loc[self.chosen_epoch, ["value", "lowest"]]
        delta = rule.min_delta or 0.0
        if delta < 0:
            at = self.table.loc[self.table["value"] <= lowest, "epoch"].iloc[0]
            least = f"its lowest so far, {lowest:.4g} at epoch {at}"
            happened = f"has been above {1 - delta:g} times {least},"
            calm = f"{quantity}, {value:.4g}, is within {1 - delta:g} times {least}"
        else:
            by = f" by {delta:.3g} of it" if delta else ""
            happened = f"has not fallen below {value:.4g}{by}"
            calm = f"{quantity} is at its lowest, {value:.4g}"
        if self.stop_epoch is None:
            return f"{calm}; nothing says to stop"
        return (
            f"{quantity} {happened} since epoch {self.chosen_epoch}, for {counted(rule.patience or 1, 'epoch')} or more"
        )

    @property
    def record(self) -> dict[str, Any]:
        """The decision and its rule, as JSON values."""
        names = ("chosen_epoch", "stop_epoch", "reason")
        return {**{name: getattr(self, name) for name in names}, "rule": asdict(self.rule)}

    @checked
    def of_all_epochs(self, values: Mapping[int, float], sureness: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return a table of all epochs, those after the stop included.

        Args:
            values: Epoch → value of the quantity.
            sureness: What the rule makes of several draws of inputs, to stand beside.

        Raises:
            DnnTopologyError: `values` are no numbers by epoch, or `sureness` is no such table.
        """
        _check_by_epoch(self.rule.quantity, values)
        table = pd.DataFrame({"epoch": values.keys(), "value": values.values()})
        table = table.merge(self.table[["epoch", "lowest", "good"]], on="epoch", how="left")
        if sureness is not None and ("epoch" not in sureness or sureness["epoch"].dtype.kind not in "iu"):
            raise DnnTopologyError("sureness must have a column epoch: give what `StoppingRule.sureness` returns")
        return table if sureness is None else table.merge(sureness, on="epoch", how="left")


@dataclass(frozen=True)
class StoppingRule:
    """Stop when a quantity has had no good value for some epochs; keep the last epoch that had one.

    A value is good if it is below (1 - min_delta) times the lowest good one so far. With `min_delta` 0 or more that is
    the usual rule: the quantity must fall by that share, and the chosen epoch is the minimum. With a negative
    one the quantity may rise above its minimum by that share before it counts against the epoch. Epochs that were not
    measured count as time only; one without a loop (NaN) is not good.

    Attributes:
        quantity: "neighbours", how often the predictions at training inputs disagree with the labels of the inputs
            beside them (see `NeighbourLabels`); or, of H1, "midlife", "density", "epsilon" or "life" (see
            `stopping_quantities`).
        patience: Epochs without a good value, at least 1; None for 15 (neighbours, density) or 3.
        min_delta: The share, below 1; None for 0 (neighbours, density) or -0.15.

    Raises:
        DnnTopologyError: An argument is out of range.

    Source:
        "density" with `min_delta` 0 is the rule of Corneanu et al., CVPR 2019; the others were found in this project.
        What each of them loses stands in `benchmarks/results/early_stopping.md`.

    Example:
        >>> rule = StoppingRule("density", patience=2)
        >>> decision = rule.decide({0: 0.03, 1: 0.02, 2: 0.016, 3: 0.02, 4: 0.025, 5: 0.01})
        >>> decision.chosen_epoch, decision.stop_epoch
        (2, 4)
        >>> decision.reason
        'the density of H1 has not fallen below 0.016 since epoch 2, for 2 epochs or more'
    """

    quantity: str = NEIGHBOURS
    patience: int | None = None
    min_delta: float | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("quantity", self.quantity, QUANTITIES)
        patience, min_delta = USUAL[self.quantity]
        object.__setattr__(self, "patience", patience if self.patience is None else self.patience)
        object.__setattr__(self, "min_delta", min_delta if self.min_delta is None else self.min_delta)
        check_at_least("patience", self.patience, 1)
        if not -math.inf < (self.min_delta or 0.0) < 1:
            raise DnnTopologyError(f"min_delta must be a share below 1, found {self.min_delta}")

    @property
    def looks_at(self) -> str:
        """The quantity, in words."""
        return "the neighbours' disagreement" if self.quantity == NEIGHBOURS else f"the {self.quantity} of H1"

    @checked
    def decide(self, values: Mapping[int, float]) -> Decision:
        """Return which epoch to keep and when to stop; values after the stop change nothing.

        Args:
            values: Epoch → value of the quantity, in any order; NaN where there is no loop.

        Returns:
            The decision.

        Raises:
            DnnTopologyError: There is no epoch, or a value is negative or infinite.
        """
        if not values:
            raise DnnTopologyError("there is no epoch to decide on: measure some first")
        _check_by_epoch(self.quantity, values)
        wrong = [epoch for epoch, value in values.items() if value < 0 or math.isinf(value)]
        if wrong:
            raise DnnTopologyError(
                f"the {self.quantity} of epoch {min(wrong)} must be a finite number of at least 0, found "
                f"{values[min(wrong)]}"
            )
        delta = self.min_delta or 0.0  # never None here, which type checkers cannot see
        lowest, chosen, stop = math.inf, None, None
        rows = []
        for epoch, value in sorted(values.items()):
            good = value < (1 - delta) * lowest  # never for NaN
            if good:
                lowest, chosen = min(lowest, value), epoch
            rows.append((epoch, value, math.nan if chosen is None else lowest, good))
            if chosen is not None and epoch - chosen >= (self.patience or 1):
                stop = epoch
                break
        return Decision(self, chosen, stop, pd.DataFrame(rows, columns=["epoch", "value", "lowest", "good"]))

    @checked
    def sureness(
        self, draws: Mapping[int, Mapping[int, float]], *, values: Mapping[int, float] | None = None
    ) -> pd.DataFrame:
        """Return what the rule makes of several draws of inputs, epoch by epoch.

        Inputs that are drawn again repeat themselves, which shifts every draw to one side of the curve of all inputs.
        An interval for that curve is what the draws' nine tenths are after the shift of their median is taken off.

        Args:
            draws: Draw → epoch → value, all of the same epochs.
            values: Epoch → value with all inputs, as the rule decides on.

        Returns:
            `epoch`; `lower` and `upper`, between which nine tenths of the draws' values lie, and with `values` the
            bias-corrected interval, which holds them, and `bias`, what was taken off; `chosen` and `stopped`,
            the shares of the draws in which the epoch is the one to keep, and in which training would have ended there.

        Raises:
            DnnTopologyError: There is no draw, or as for `decide`.

        Example:
            >>> draws = {1: {0: 0.24, 1: 0.30}, 2: {0: 0.26, 1: 0.32}}
            >>> sure = StoppingRule().sureness(draws, values={0: 0.28, 1: 0.33})
            >>> sure[["lower", "upper"]].round(3).to_numpy().tolist()
            [[0.271, 0.289], [0.321, 0.339]]
        """
        if not draws:
            raise DnnTopologyError("there is no draw of inputs to decide on")
        for name, one in draws.items():
            check_type(f"draw {shown(name)}", one, Mapping)
        decisions = [self.decide(one) for one in draws.values()]
        table = pd.DataFrame(dict(draws)).sort_index()
        named = {f"draw {shown(name)}": one for name, one in draws.items()}
        for said, one in (named if values is None else {**named, "values": values}).items():
            _check_by_epoch(self.quantity, one)
            if lacking := [epoch for epoch in table.index if epoch not in one]:
                raise DnnTopologyError(
                    f"{said} lacks epoch {lacking[0]}, which other draws have: give all of them the same epochs"
                )
        share = {
            name: pd.Series([getattr(one, f"{name}_epoch") for one in decisions]).value_counts() / len(decisions)
            for name in ("chosen", "stop")
        }
        low, middle, high = (table.quantile(level, axis=1) for level in (BAND[0], 0.5, BAND[1]))
        band = pd.DataFrame({"lower": low, "upper": high})
        if values is not None:
            bias = middle - pd.Series(dict(values), dtype=float).reindex(table.index)
            band = band.sub(bias, axis=0).clip(lower=0.0).assign(bias=bias)
        counts = {
            "chosen": share["chosen"].reindex(table.index, fill_value=0.0),
            "stopped": share["stop"].reindex(table.index, fill_value=0.0),
        }
        return band.assign(**counts).rename_axis("epoch").reset_index()


def how_sure(decision: Decision, sureness: pd.DataFrame, draws: int) -> str:
    """Return in a sentence how many draws of the inputs agree with a decision; `sureness` is the rule's table."""
    shares = sureness["chosen"].cumsum()
    if shares.iloc[-1] == 0:
        return f"no draw of the inputs, of {draws}, chooses an epoch"
    low, high = (sureness["epoch"][shares >= level * shares.iloc[-1]].iloc[0] for level in (0.05, 0.95))
    agree = round(draws * sureness.loc[sureness["epoch"] == decision.chosen_epoch, "chosen"].sum())
    stop = round(draws * sureness["stopped"].sum())
    return (
        f"how sure: {agree} of {draws} draws of the inputs choose it too; nine in ten choose an epoch from {low} to "
        f"{high}; {stop} of {draws} stop at all"
    )
