from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.features import FEATURE_SETS
from dnn_topology.analysis.gap import GapModel, OutsideRangeWarning
from dnn_topology.analysis.gap.methods import METHODS, Linear


def test_a_linear_gap_is_found_and_its_interval_holds(networks: pd.DataFrame) -> None:
    fitted, other = networks.iloc[:40], networks.iloc[40:]
    model = GapModel.fit(fitted)
    assert isinstance(model.learned, Linear)
    assert model.learned.intercept == pytest.approx(10, abs=2)
    assert model.learned.coefficients == pytest.approx({"life": 100, "midlife": 200}, rel=0.1)
    found = model.predict(other, confidence=0.9)
    assert found["gap"].to_numpy() == pytest.approx(other["gap"].to_numpy(), abs=2)
    inside = other["gap"].between(found["lower"], found["upper"])
    assert inside.mean() >= 0.75
    assert (found["upper"] - found["lower"]).max() < 4
    assert found["test_accuracy"].to_numpy() == pytest.approx((1 - found["gap"] / 100).to_numpy())
    wider = model.predict(other, confidence=0.97)
    assert (wider["upper"] > found["upper"]).all()


def test_the_fit_is_least_squares_where_there_is_no_noise(networks: pd.DataFrame) -> None:
    exact = networks.assign(gap=3 - 50 * networks["life"] + 7 * networks["midlife"])
    design = np.column_stack([np.ones(60), networks["life"], networks["midlife"]])
    expected, *_ = np.linalg.lstsq(design, exact["gap"].to_numpy(), rcond=None)
    learned = GapModel.fit(exact).learned
    assert isinstance(learned, Linear)
    assert [learned.intercept, *learned.coefficients.values()] == pytest.approx(expected, rel=1e-2)


def test_rows_of_one_network_are_left_out_together(networks: pd.DataFrame) -> None:
    """A hundred copies of one network tell nothing of others: its error is that of a fit without it."""
    odd = networks.iloc[[0]].assign(gap=500.0)
    table = pd.concat([networks.iloc[1:], *[odd] * 100], ignore_index=True)
    model = GapModel.fit(table)
    assert model.n_networks == 60
    assert model.errors[-100] > 400


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_model_predicts_the_same_and_can_be_read(networks: pd.DataFrame, tmp_path: Path, method: str) -> None:
    model = GapModel.fit(networks, method=method)
    model.save(tmp_path / "model.json")
    again = GapModel.load(tmp_path / "model.json")
    assert again == model
    pd.testing.assert_frame_equal(again.predict(networks), model.predict(networks))
    content = json.loads((tmp_path / "model.json").read_text())
    held = {"linear": "coefficients", "gaussian-process": "networks"}[method]
    assert content["learned"][held].keys() == {"life", "midlife"}
    assert content["measured"] == {"n_inputs": 100, "graph_split": "train"}


def test_a_network_far_outside_the_fitted_range_is_warned_of(networks: pd.DataFrame) -> None:
    model = GapModel.fit(networks)
    width = np.ptp(networks["midlife"])
    far = networks.iloc[[0]].assign(midlife=networks["midlife"].max() + 2 * width)
    with pytest.warns(OutsideRangeWarning, match=r"1 of 1 networks .* 2\.0 widths of the fitted range"):
        found = model.predict(far)
    assert found["outside"].iloc[0] == pytest.approx(2)
    near = model.predict(networks)  # a warning would be an error here
    assert (near["outside"] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"life": None}, "no column 'life'"),
        ({"gap": None}, "no column 'gap'"),
        ({"life": 0.5}, "feature 'life' is the same in every row"),
        ({"life": "much"}, "column 'life' must hold numbers, found 'much'"),
        ({"life": float("nan")}, "0 rows are too few to fit 2 features"),
        ({"graph_split": "test"}, "was measured on test inputs"),
        ({"n_inputs": range(60)}, "measured in different ways .column n_inputs"),
    ],
)
def test_a_table_that_no_model_can_be_made_of_is_refused(
    networks: pd.DataFrame, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        networks = networks.drop(columns=name) if value is None else networks.assign(**{name: value})
    with pytest.raises(DnnTopologyError, match=message) as caught:
        GapModel.fit(networks)
    assert "\n" not in str(caught.value)


def test_too_few_rows_and_unknown_sets_are_refused(networks: pd.DataFrame) -> None:
    with pytest.raises(DnnTopologyError, match=r"6 rows are too few to fit 2 features .* give at least 7"):
        GapModel.fit(networks.iloc[:6])
    with pytest.raises(DnnTopologyError, match="unknown feature set 'lambda': did you mean lambda-mu"):
        GapModel.fit(networks, features="lambda")


def test_a_network_measured_otherwise_or_without_a_feature_is_refused(networks: pd.DataFrame) -> None:
    model = GapModel.fit(networks)
    with pytest.raises(DnnTopologyError, match="measured with n_inputs = 100, and these with 50"):
        model.predict(networks.assign(n_inputs=50))
    with pytest.raises(DnnTopologyError, match="feature 'midlife' of row 0 is not known"):
        model.predict(networks.assign(midlife=float("nan")))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"kind": "other"}, "is no model of the gap"),
        ({"format": 99}, "has format 99, and this version reads"),
        ({"errors": []}, "errors must rise from 0 or more"),
        ({"method": "magic"}, "is damaged"),
        ({"learned": {"intercept": None, "coefficients": {"life": 1.0, "midlife": 1.0}}}, "is damaged"),
        ({"learned": {"intercept": 1.0, "coefficients": {"life": 1.0}}}, "is damaged"),
        (
            {"learned": {"intercept": 1.0, "coefficients": {"life": 1.0, "h1": 1.0}}},
            "its parts are not of the features life, midlife",
        ),
        ({"learned": {"slope": 1.0}}, "is damaged"),
        ({"ranges": 3}, "is damaged"),
    ],
)
def test_a_damaged_model_is_refused(
    networks: pd.DataFrame, tmp_path: Path, damage: dict[str, Any], message: str
) -> None:
    path = tmp_path / "model.json"
    GapModel.fit(networks).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DnnTopologyError, match=message):
        GapModel.load(path)


def test_a_model_of_other_features_is_refused_by_name(networks: pd.DataFrame, tmp_path: Path) -> None:
    GapModel.fit(networks).save(tmp_path / "model.json")
    with pytest.raises(DnnTopologyError, match="is a model of the features 'lambda-mu', not 'asd'"):
        GapModel.load(tmp_path / "model.json", features="asd")


def test_a_process_finds_what_a_line_cannot(networks: pd.DataFrame) -> None:
    bent = networks.assign(gap=3000 * (networks["midlife"] - 0.2) ** 2)
    errors = {method: np.mean(GapModel.fit(bent, method=method).errors) for method in METHODS}
    assert errors["gaussian-process"] < 0.2 * errors["linear"]
    model = GapModel.fit(bent, method="gaussian-process")
    found = model.predict(bent)["gap"].to_numpy()
    assert found == pytest.approx(bent["gap"].to_numpy(), abs=3)


def test_features_of_an_early_epoch_need_it_to_be_the_same_in_all_rows(networks: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    names = FEATURE_SETS["asd-early"]
    table = networks.assign(**{name: rng.uniform(size=60) for name in names}, early_epoch=5)
    assert GapModel.fit(table, features="asd-early").measured["early_epoch"] == 5
    mixed = table.assign(early_epoch=np.tile([5, 10], 30))
    with pytest.raises(DnnTopologyError, match=r"measured in different ways .column early_epoch"):
        GapModel.fit(mixed, features="asd-early")
    assert GapModel.fit(mixed).features == "lambda-mu"  # which does not look at it


def test_how_networks_were_measured_is_read_back_as_it_was(networks: pd.DataFrame, tmp_path: Path) -> None:
    model = GapModel.fit(networks)
    model.save(tmp_path / "model.json")
    measured = GapModel.load(tmp_path / "model.json").measured
    assert {name: (type(value), value) for name, value in measured.items()} == {
        name: (type(value), value) for name, value in model.measured.items()
    }
