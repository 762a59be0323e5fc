from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import QUANTITIES, StoppingRule, stopping_quantities
from dnn_topology.homology.diagrams import Diagrams

NAN = float("nan")
PILOT = {0: 0.0094, 2: 0.0075, 5: 0.0072, 12: 0.0087, 20: 0.0096, 80: 0.0086}  # ρ* of LeNet in the pilot of the issue
VALUES = st.dictionaries(
    st.integers(0, 60), st.one_of(st.just(NAN), st.floats(0, 1, allow_subnormal=False)), min_size=1, max_size=30
)
RULES = st.builds(
    StoppingRule, st.sampled_from(sorted(QUANTITIES)), st.integers(1, 10), st.floats(-1, 0.9, allow_subnormal=False)
)


def test_the_rule_of_the_paper_keeps_the_epoch_of_lowest_density() -> None:
    decision = StoppingRule("density", patience=7, min_delta=0).decide(PILOT)
    assert (decision.chosen_epoch, decision.stop_epoch) == (5, 12)
    assert "has not fallen below 0.0072 since epoch 5" in decision.reason


def test_slow_falls_add_up_until_they_count() -> None:
    slowly = {epoch: 0.5 * 0.99**epoch for epoch in range(10)}
    assert StoppingRule(patience=5, min_delta=0.03).decide(slowly).stop_epoch is None
    assert StoppingRule(patience=3, min_delta=0.03).decide(slowly).stop_epoch == 3
    assert StoppingRule(patience=3, min_delta=0.3).decide(slowly).chosen_epoch == 0


def test_a_negative_min_delta_lets_the_quantity_rise_above_its_lowest_by_that_share() -> None:
    values = {0: 0.3, 1: 0.2, 2: 0.22, 3: 0.225, 4: 0.235, 5: 0.24, 6: 0.21, 7: 0.25, 8: 0.25}
    decision = StoppingRule("midlife", patience=2, min_delta=-0.15).decide(values)
    assert (decision.chosen_epoch, decision.stop_epoch) == (3, 5)
    assert "above 1.15 times its lowest so far, 0.2 at epoch 1" in decision.reason
    patient = StoppingRule("midlife", patience=3, min_delta=-0.15).decide(values)
    assert (patient.chosen_epoch, patient.stop_epoch) == (6, None)
    assert "nothing says to stop" in patient.reason


def test_of_equal_values_the_first_is_chosen() -> None:
    assert StoppingRule(patience=9, min_delta=0).decide({0: 0.3, 1: 0.2, 2: 0.2}).chosen_epoch == 1


def test_epochs_without_a_loop_are_time_that_passes_once_something_was_chosen() -> None:
    rule = StoppingRule(patience=2, min_delta=0)
    assert rule.decide({0: NAN, 1: NAN, 2: NAN, 3: 0.2}).chosen_epoch == 3
    decision = rule.decide({0: 0.2, 1: NAN, 2: NAN, 3: 0.1})
    assert (decision.chosen_epoch, decision.stop_epoch) == (0, 2)
    nothing = rule.decide({0: NAN, 5: NAN})
    assert (nothing.chosen_epoch, nothing.stop_epoch) == (None, None)
    assert "not defined at any epoch" in nothing.reason


@given(RULES, VALUES)
def test_deciding_after_every_epoch_gives_what_deciding_at_the_end_gives(
    rule: StoppingRule, values: dict[int, float]
) -> None:
    afterwards = rule.decide(values)
    seen: dict[int, float] = {}
    for epoch in sorted(values):
        seen[epoch] = values[epoch]
        online = rule.decide(seen)
        if online.stop_epoch is not None:
            break
    assert (online.chosen_epoch, online.stop_epoch) == (afterwards.chosen_epoch, afterwards.stop_epoch)
    pd.testing.assert_frame_equal(online.table, afterwards.table)
    assert online.reason == afterwards.reason


@given(RULES, VALUES)
def test_the_order_of_the_epochs_and_what_follows_the_stop_change_nothing(
    rule: StoppingRule, values: dict[int, float]
) -> None:
    found = rule.decide(values)
    other = rule.decide(dict(reversed(list(values.items()))))
    assert (found.chosen_epoch, found.stop_epoch) == (other.chosen_epoch, other.stop_epoch)
    if found.stop_epoch is not None:
        assert found.chosen_epoch is not None
        assert found.stop_epoch - found.chosen_epoch >= (rule.patience or 0)
        later = rule.decide({epoch: value for epoch, value in values.items() if epoch <= found.stop_epoch} | {99: 0.0})
        assert (found.chosen_epoch, found.stop_epoch) == (later.chosen_epoch, later.stop_epoch)


@given(VALUES, st.integers(1, 10))
def test_without_a_min_delta_the_chosen_epoch_is_the_first_minimum_of_those_looked_at(
    values: dict[int, float], patience: int
) -> None:
    decision = StoppingRule(patience=patience, min_delta=0).decide(values)
    looked_at = decision.table.set_index("epoch")["value"]
    if decision.chosen_epoch is None:
        assert looked_at.isna().all()
    else:
        assert decision.chosen_epoch == looked_at.idxmin()


def test_sureness_is_the_share_of_draws_that_decide_alike() -> None:
    draws = {1: {0: 0.3, 1: 0.1, 2: 0.2}, 2: {0: 0.3, 1: 0.2, 2: 0.1}, 3: {0: 0.3, 1: 0.1, 2: 0.2}}
    sure = StoppingRule(patience=1, min_delta=0).sureness(draws)
    assert sure["epoch"].tolist() == [0, 1, 2]
    assert sure["chosen"].tolist() == pytest.approx([0, 2 / 3, 1 / 3])
    assert sure["stopped"].tolist() == pytest.approx([0, 0, 2 / 3])
    assert sure.loc[1, "lower"] == pytest.approx(0.1)
    assert sure.loc[1, "upper"] == pytest.approx(0.19)


@given(
    values=st.lists(st.floats(0.05, 0.4), min_size=2, max_size=6),
    shift=st.floats(-0.05, 0.05),
    spread=st.lists(st.floats(-0.02, 0.02), min_size=3, max_size=20),
)
def test_a_corrected_band_contains_its_own_curve(values: list[float], shift: float, spread: list[float]) -> None:
    curve = dict(enumerate(values))
    draws = {
        number: {epoch: max(0.0, value + shift + off) for epoch, value in curve.items()}
        for number, off in enumerate(spread, start=1)
    }
    sure = StoppingRule().sureness(draws, values=curve)
    assert (sure["lower"] <= np.array(values) + 1e-12).all()
    assert (sure["upper"] >= np.array(values) - 1e-12).all()
    raw = StoppingRule().sureness(draws)
    clear = sure["lower"] > 0
    np.testing.assert_allclose((sure["upper"] - sure["lower"])[clear], (raw["upper"] - raw["lower"])[clear], atol=1e-12)
    pd.testing.assert_frame_equal(sure[["chosen", "stopped"]], raw[["chosen", "stopped"]])


def test_the_quantities_are_those_of_loops_that_live_longer_than_the_least_clipped_at_the_end() -> None:
    density = np.array([(0.0, 0.0), (0.1, 0.2), (0.15, 0.4), (0.2, 0.5), (0.4, 1.0)])
    diagrams = Diagrams([np.empty((0, 2)), np.array([(0.1, 0.2), (0.15, math.inf), (0.15, 0.16)])], 0.4, 10, density)
    found = stopping_quantities(diagrams)
    assert found == pytest.approx({"density": 0.4, "epsilon": 0.15, "midlife": 0.2125, "life": 0.175})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StoppingRule("peak"), "quantity"),
        (lambda: StoppingRule(patience=0), "patience"),
        (lambda: StoppingRule(min_delta=1), "min_delta"),
        (lambda: StoppingRule(min_delta=NAN), "min_delta"),
        (lambda: StoppingRule().decide({}), "no epoch"),
        (lambda: StoppingRule().decide({3: -1.0}), "epoch 3"),
        (lambda: StoppingRule().decide({3: math.inf}), "epoch 3"),
        (lambda: StoppingRule().sureness({}), "no draw"),
        (lambda: stopping_quantities(Diagrams([np.empty((0, 2))], 0.4)), "max_dim=1"),
    ],
)
def test_what_is_out_of_range_is_refused(make: object, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        make()  # type: ignore[operator]


def test_what_is_not_defined_is_a_dash_and_one_epoch_is_no_plural() -> None:
    from dnn_topology.analysis.early_stopping import described_quantities

    table = pd.DataFrame({"density": [float("nan")], "epsilon": [0.1], "midlife": [0.2], "life": [0.3]})
    assert described_quantities(table) == "density –, epsilon 0.1, midlife 0.2, life 0.3"
    decision = StoppingRule("density", patience=1, min_delta=0).decide({0: 0.1, 1: 0.2})
    assert decision.reason.endswith("since epoch 0, for 1 epoch or more")
