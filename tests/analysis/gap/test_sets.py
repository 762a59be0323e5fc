"""Sets of features beside the topological ones: settings as columns, and what they are in a model and an evaluation."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dnn_topology as dt
from dnn_topology.analysis.feature_sets import (
    FEATURE_SETS,
    OTHERS,
    PERTURBATION,
    PURITY,
    SETTINGS,
    TOPOLOGICAL,
    TRAINING,
)
from dnn_topology.analysis.gap import GapModel, OutsideRangeWarning, evaluate_gap, evaluating
from dnn_topology.analysis.gap.folds import left_out
from dnn_topology.analysis.gap.methods import Linear
from dnn_topology.analysis.gap.table import design, expanded, is_copied, measured_columns


@pytest.fixture
def table() -> pd.DataFrame:
    """Networks whose gap is that of their architecture, and falls with the number of training inputs."""
    rng = np.random.default_rng(0)
    net = np.tile(["mlp", "lenet", "cnn"], 16)
    size = rng.uniform(5, 8, 48)
    offset = pd.Series(net).map({"mlp": 40, "lenet": 20, "cnn": 0}).to_numpy()
    columns = {"net": net, "dataset": np.tile(["a", "b"], 24), "log_n_train": size, "log_lr": -3.0}
    rest = dict.fromkeys(("log_n_parameters", "log_batch_size", "log_weight_decay", "dropout_share"), 1.0)
    return pd.DataFrame({**columns, **rest, "gap": offset - 5 * size + rng.normal(0, 0.1, 48)})


@pytest.fixture
def trained() -> pd.DataFrame:
    """Networks whose gap is what their training now and early makes it, in logarithms of losses."""
    rng = np.random.default_rng(0)
    columns = {"train_loss": rng.uniform(0.01, 1, 48), "train_accuracy": rng.uniform(0.5, 0.95, 48)}
    columns |= {"early_train_loss": rng.uniform(0.5, 2, 48), "early_train_accuracy": rng.uniform(0.3, 0.6, 48)}
    gap = 40 * columns["train_accuracy"] - 5 * np.log(columns["early_train_loss"]) + rng.normal(0, 0.1, 48)
    return pd.DataFrame({**columns, "early_epoch": 5, "gap": gap})


def test_no_set_that_topology_has_to_beat_looks_at_the_graph_of_neurons() -> None:
    seen = {name for columns in TOPOLOGICAL.values() for name in columns}
    assert not seen & {name for columns in OTHERS.values() for name in columns}
    assert FEATURE_SETS.keys() == TOPOLOGICAL.keys() | OTHERS.keys()


def test_no_set_knows_test_data_or_how_many_labels_are_wrong() -> None:
    names = {name for columns in FEATURE_SETS.values() for name in columns}
    assert not [name for name in names if "test" in name or "permute" in name or "gap" in name]


def test_every_set_of_training_looks_at_logarithms_of_losses_with_a_floor(trained: pd.DataFrame) -> None:
    columns = FEATURE_SETS["training"]
    table = trained.assign(train_loss=np.geomspace(1e-9, 1e9, 48))
    values = dict(zip(columns, design(table, columns).T, strict=True))
    assert values["log(train_loss)"] == pytest.approx(np.log(np.maximum(table["train_loss"], 1e-3)))
    assert values["log(early_train_loss)"] == pytest.approx(np.log(table["early_train_loss"]))
    for name, of_set in FEATURE_SETS.items():
        assert not {"train_loss", "early_train_loss"} & set(of_set)
        assert ("training" in name) == set(columns).issubset(of_set)
    assert set(FEATURE_SETS["perturbation+purity+training"]) == {*PERTURBATION, *PURITY, *columns}


def test_a_table_without_a_column_says_what_its_columns_are_enough_for(trained: pd.DataFrame) -> None:
    with pytest.raises(
        dt.DnnTopologyError, match=r"no column 'loo_agreement' \(1 of 3 are missing\).* those of training "
    ):
        dt.GapModel.fit(trained, features="leave-one-out")


def test_logarithms_of_an_early_epoch_are_known_as_such(trained: pd.DataFrame) -> None:
    columns = FEATURE_SETS["training"]
    assert "early_epoch" in measured_columns(("log(early_train_loss)",))
    assert not is_copied(trained, columns)
    assert is_copied(trained.assign(**{f"early_{name}": trained[name] for name in TRAINING}), columns)


def test_a_loss_that_ran_off_does_not_spoil_a_line(trained: pd.DataFrame) -> None:
    model = GapModel.fit(trained, features="training")
    off = trained.head(1).assign(early_train_loss=1e9)
    with pytest.warns(OutsideRangeWarning):
        assert abs(model.predict(off)["gap"].iloc[0]) < 500


def test_a_model_from_before_logarithms_opens_and_foretells_what_it_did(trained: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    GapModel.fit(trained, features="training").save(path)
    path.write_text(path.read_text().replace("log(train_loss)", "train_loss"))
    learned = GapModel.load(path).learned
    assert isinstance(learned, Linear)
    assert learned.columns == ("train_loss", *FEATURE_SETS["training"][1:])
    expected = learned.intercept + design(trained, learned.columns) @ [*learned.coefficients.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)
        assert GapModel.load(path).predict(trained)["gap"].to_numpy() == pytest.approx(expected)


def test_a_network_that_knows_fewer_labels_than_its_neighbours_is_warned_of(trained: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    table = trained.assign(**{name: rng.uniform(0.1, 0.3, 48) for name in PURITY})
    model = GapModel.fit(table, features="purity+training")
    table.loc[7, "purity_input"] = 0.99
    message = r"1 of 48 networks have hardly learned \(row 7: training accuracy 0\.\d\d, below the share 0\.99"
    with pytest.warns(OutsideRangeWarning) as warned:  # of the purity outside the range too
        model.predict(table)
    assert re.search(message, " ".join(str(each.message) for each in warned))
    model.predict(table.drop(index=7))  # a warning would be an error here
    GapModel.fit(trained, features="training").predict(table)  # which does not look at purity


def test_settings_that_do_not_vary_are_left_out_and_names_become_columns(table: pd.DataFrame) -> None:
    columns = ("log_n_train", "net=cnn", "net=lenet", "net=mlp", "dataset=a", "dataset=b")
    assert expanded(table, SETTINGS) == columns
    assert GapModel.fit(table, features="settings").learned.columns == columns


def test_a_model_of_settings_learns_what_an_architecture_is_worth(table: pd.DataFrame, tmp_path: Path) -> None:
    model = GapModel.fit(table, features="settings")
    assert max(model.errors) < 1
    model.save(tmp_path / "model.json")
    again = GapModel.load(tmp_path / "model.json")
    pd.testing.assert_frame_equal(again.predict(table), model.predict(table))


@pytest.mark.parametrize("method", ["linear", "gaussian-process"])
def test_an_architecture_that_the_fit_does_not_know_is_warned_of(table: pd.DataFrame, method: str) -> None:
    model = GapModel.fit(table, features="settings", method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(table)
    with pytest.warns(OutsideRangeWarning, match="1 of 1 networks"):
        model.predict(table.head(1).assign(net="transformer"))


def test_a_file_whose_columns_are_not_those_of_its_set_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    GapModel.fit(table, features="settings").save(path)
    path.write_text(path.read_text().replace("log_n_train", "log_n_test"))
    with pytest.raises(dt.DnnTopologyError, match="not of the features"):
        GapModel.load(path)


def test_settings_say_little_of_an_architecture_that_was_left_out(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(evaluating.SHUFFLES, "linear", 2)
    table = table.assign(life=np.random.default_rng(1).normal(size=48))
    judged = evaluate_gap(table, predictors={"life": ("life",)})
    scores = judged.scores[judged.scores["predictor"] == "settings"].set_index("fold")["mae"]
    assert scores["sample"] < 1 < scores["architecture"]
    assert set(judged.added[judged.added["fold"] == "sample"]["strongest"]) == {"settings"}
    errors = judged.predictions["settings"].sub(judged.predictions["gap"]).abs().groupby(judged.predictions["fold"])
    assert errors.mean().to_dict() == pytest.approx(scores.to_dict())


def test_a_gaussian_process_is_fitted_twenty_times_and_never_on_the_network_that_it_foretells() -> None:
    """A network that is there twice would be foretold to the point if one of the two were in the fit."""
    rng = np.random.default_rng(0)
    cells = np.repeat(np.arange(30), 2)
    table = pd.DataFrame({"cell": cells, "x": rng.normal(size=30)[cells], "gap": 10 * rng.normal(size=30)[cells]})
    errors = np.abs(left_out(table, ("x",), cells, method="gaussian-process") - table["gap"])
    assert errors.mean() > 5
