from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.comparison import Comparison, comparing
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.summaries import summarize

INF = float("inf")


def trial(seed: int, *, later: float = 0.0) -> Diagrams:
    """Random components and loops, the loops born later by so much."""
    generator = np.random.default_rng(seed)
    births = generator.uniform(0.05, 0.1, size=12) + later
    lives = generator.uniform(0.02, 0.08, size=12)
    components = np.column_stack([np.zeros(5), generator.uniform(0.05, 0.2, size=5)])
    return Diagrams([components, np.column_stack([births, births + lives])], 0.3)


def compared(n: int = 4, **options: Any) -> Comparison:
    """Two groups whose loops differ and whose components do not."""
    groups = {"early": [trial(s) for s in range(n)], "late": [trial(s + 50, later=0.1) for s in range(n)]}
    return dt.compare(groups, **options)


@dataclass
class Measured:
    """What a measurement is to a comparison."""

    diagrams: Diagrams


def test_loops_born_later_are_found_and_components_alike_are_not() -> None:
    curves: Any = compared().curves.set_index("dim")
    assert curves.loc[1, "p"] == pytest.approx(2 / 70)
    assert curves.loc[1, "p_corrected"] <= 0.05 < curves.loc[0, "p"]
    ((low, high), *_) = curves.loc[1, "where"]
    assert 0.05 < low < high < 0.25
    assert low <= curves.loc[1, "epsilon"] <= 0.25


def test_summaries_are_those_of_the_trials() -> None:
    found: Any = compared(summaries=["midlife"]).groups.query("dim == 1").set_index("group")
    values: Any = [summarize(trial(seed)).loc[1, "midlife"] for seed in range(4)]
    assert found.loc["early", "mean"] == pytest.approx(np.mean(values))
    assert found.loc["early", "std"] == pytest.approx(np.std(values, ddof=1))
    assert found.loc["early", "n"] == 4


def test_the_difference_is_that_of_the_first_less_the_second_with_its_effect() -> None:
    row: Any = compared().summaries.query("dim == 1 and summary == 'midlife'").iloc[0]
    assert row["lower"] < row["difference"] < row["upper"] < 0
    assert row["effect_lower"] < row["effect"] < row["effect_upper"] < 0
    assert row["p"] == pytest.approx(2 / 70)


def test_measurements_and_epochs_give_what_their_diagrams_give() -> None:
    groups = {"a": [trial(0), trial(1)], "b": [trial(2), trial(3)]}
    plain: Any = dt.compare(groups).summaries
    measured = {label: [Measured(one) for one in group] for label, group in groups.items()}
    pd.testing.assert_frame_equal(dt.compare(measured).summaries, plain)
    tracked = {label: [{7: one, 9: one} for one in group] for label, group in groups.items()}
    of_epoch: Any = dt.compare(tracked).summaries.query("epoch == 7").reset_index(drop=True)
    kept = [name for name in plain if name not in {"epoch", "p_corrected"}]
    pd.testing.assert_frame_equal(of_epoch[kept], plain[kept])


def test_two_against_two_says_that_no_p_value_can_be_below_a_third() -> None:
    found: Any = compared(2)
    assert found.curves["p"].min() == pytest.approx(1 / 3)
    assert found.tests["least_p"].tolist() == [pytest.approx(1 / 3)]
    assert "no p-value can be below 0.33" in " ".join(found.notes)


def test_a_group_of_one_is_described_and_not_tested_and_said() -> None:
    found: Any = dt.compare({"alone": [trial(0)], "more": [trial(1), trial(2)]})
    assert set(found.groups["group"]) == {"alone", "more"}
    assert found.curves.empty
    assert found.summaries.empty
    assert found.notes == ("alone has one trial: described, not tested (two at least are needed)",)
    assert found.groups.query("group == 'alone'")[["std", "lower"]].isna().all().all()
    assert dt.compare([[trial(0), trial(1)]]).notes == ("there is one group: described, compared with nothing",)


def test_trials_in_another_order_change_nothing() -> None:
    groups = {"a": [trial(s) for s in range(4)], "b": [trial(s, later=0.01) for s in range(5, 9)]}
    turned = {label: group[::-1] for label, group in groups.items()}
    pd.testing.assert_frame_equal(dt.compare(groups).curves, dt.compare(turned).curves)


def test_more_epochs_are_corrected_for_and_three_groups_by_their_pairs() -> None:
    def epochs(seed: int, later: float) -> dict[int, Diagrams]:
        return {epoch: trial(100 * epoch + seed, later=later if epoch == 1 else 0) for epoch in range(5)}

    groups = {"a": [epochs(s, 0) for s in range(4)], "b": [epochs(s + 20, 0.003) for s in range(4)]}
    two: Any = dt.compare(groups).summaries
    assert (two["p_corrected"] >= two["p"] - 1e-12).all()
    assert (two["p_corrected"] > two["p"]).any()
    third: Any = dt.compare({**groups, "c": [epochs(s + 40, 0.1) for s in range(4)]}).summaries
    same = third[(third["first"] == "a") & (third["second"] == "b")]["p_corrected"]
    np.testing.assert_allclose(same, np.minimum(1, 3 * two["p_corrected"].to_numpy()))


def test_epochs_that_only_some_trials_have_are_left_out_and_named() -> None:
    one, other = {0: trial(0), 5: trial(1)}, {0: trial(2), 7: trial(3)}
    found: Any = dt.compare({"a": [one, one], "b": [other, other]})
    assert found.groups["epoch"].unique().tolist() == [0]
    assert "epochs 5 7" in found.notes[0]
    with pytest.raises(DnnTopologyError, match="no epoch in common"):
        dt.compare({"a": [{1: trial(0)}], "b": [{2: trial(0)}]})


def test_a_number_that_a_trial_has_not_is_described_and_not_tested() -> None:
    none = Diagrams([trial(0)[0], np.empty((0, 2))], 0.3)
    found: Any = dt.compare({"a": [none, trial(1)], "b": [trial(2), trial(3)]})
    life: Any = found.summaries.query("dim == 1 and summary == 'life'").iloc[0]
    assert np.isnan(life["p"])
    assert found.groups.query("group == 'a' and dim == 1 and summary == 'life'")["n"].tolist() == [1]
    assert "life of H1" in found.notes[-1]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (trial(0).cut(max_epsilon=0.2), "trial 2 of 'b' ends at max_epsilon=0.2 and the first at 0.3"),
        (Diagrams([trial(0)[0]], 0.3), "trial 2 of 'b' has dimensions up to 0 and the first up to 1"),
        (trial(0).filtered(), r"trial 2 of 'b' went through the filter min_persistence=0.02"),
        ("folder", "expected diagrams or a measurement, found str"),
        ({"a": trial(0)}, "must be epoch → diagrams, found the key 'a'"),
    ],
)
def test_trials_of_another_kind_are_refused_in_one_line(other: Any, words: str) -> None:
    with pytest.raises(DnnTopologyError, match=words) as error:
        dt.compare({"a": [trial(0), trial(1)], "b": [trial(2), other]})
    assert "\n" not in str(error.value)


def test_no_group_and_an_empty_one_are_refused() -> None:
    nothing: list[Any] = [{}, []]
    for wrong in nothing:
        with pytest.raises(DnnTopologyError, match="holds no trial"):
            dt.compare(wrong)
    with pytest.raises(DnnTopologyError, match="group 'a' is empty"):
        dt.compare({"a": [], "b": [trial(0)]})
    with pytest.raises(DnnTopologyError, match="unknown summaries 'lives': did you mean life"):
        dt.compare([[trial(0)]], summaries=["lives"])


def test_the_report_has_a_row_per_summary_and_a_column_per_group() -> None:
    report = compared().report()
    assert {"early", "late", "difference", "Hedges' g", "p", "p corrected"} <= {*report}
    assert "epoch" not in report
    assert report["early"].str.contains("±").any()
    assert not report.astype(str).map(lambda cell: "nan" in cell).any().any()
    assert len(compared().curve_report()) == 2
    assert "4 trials" in repr(compared())


def test_every_column_of_summarize_but_its_dimension_can_be_compared() -> None:
    assert {*comparing.KNOWN} == {*summarize(trial(0))} - {"dim"}
    assert inspect.signature(dt.compare).parameters["resamples"].default == 9999
