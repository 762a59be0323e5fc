"""The rounds of the gap's benchmark, which is not part of the package, and its results."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dnn_topology.analysis.gap import GapModel
from dnn_topology.analysis.gap.table import hardly_learned

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = BENCHMARKS / "results"


@pytest.fixture(scope="module")
def rounds() -> ModuleType:
    """The module that says what was fixed before which networks were trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("gap_rounds")


def networks(grid: str) -> pd.DataFrame:
    """The networks of a grid, as the results name them."""
    cells = pd.DataFrame(tomllib.loads((BENCHMARKS / f"{grid}.toml").read_text())["grid"])
    data = [Path(name).stem for name in cells["dataset"].str.removeprefix("npz:")]
    return cells.assign(net=cells["net"].str.removeprefix("gap_nets:"), dataset=data)


def test_what_a_round_calls_new_no_earlier_network_has(rounds: ModuleType) -> None:
    for place, each in enumerate(rounds.ROUNDS, start=1):
        earlier = pd.concat([networks(grid) for grid in rounds.PARTS[:place]])
        own = networks(each.grid)
        assert set(each.new_nets) == set(own["net"]) - set(earlier["net"])
        assert set(each.new_data) == set(own["dataset"]) - set(earlier["dataset"])
        assert not set(own["seed"]) & set(earlier["seed"])


def test_every_network_of_the_grids_that_did_not_diverge_is_in_the_results(rounds: ModuleType) -> None:
    last = pd.read_csv(RESULTS / "gap_epochs.csv").drop_duplicates("cell", keep="last")
    for grid in rounds.PARTS:
        part = last[last["part"] == grid]
        assert sorted(part["seed"]) == sorted(set(networks(grid)["seed"]) - rounds.DIVERGED)


def test_the_three_networks_of_the_second_round_that_are_foretold_worst_are_warned_of(rounds: ModuleType) -> None:
    last = pd.read_csv(RESULTS / "gap_epochs.csv").drop_duplicates("cell", keep="last")
    foretold = pd.read_csv(RESULTS / "gap_predictions.csv")
    each = rounds.ROUNDS[1]
    own = foretold[(foretold["fold"] == each.grid) & (foretold["method"] == each.method)]
    errors = (own["purity+training"] - own["gap"]).abs().to_numpy()
    table = own[["cell"]].merge(last, on="cell", how="left")
    warned = hardly_learned(table)
    assert warned.sum() < 0.1 * len(table)
    assert warned[np.argsort(-errors)[:3]].all()


def test_the_errors_are_those_of_the_predictions(rounds: ModuleType) -> None:
    judged = pd.DataFrame(json.loads((RESULTS / "gap.json").read_text())["judged"])
    foretold = pd.read_csv(RESULTS / "gap_predictions.csv")
    for each in rounds.ROUNDS:
        own = foretold[(foretold["fold"] == each.grid) & (foretold["method"] == each.method)]
        rows = judged[(judged["round"] == each.grid) & (judged["method"] == each.method) & (judged["group"] == "all")]
        mae = rows.set_index("features")["mae"][each.features]
        assert np.abs(own[each.features] - own["gap"]).mean() == pytest.approx(mae, abs=0.02)


def test_the_model_of_the_package_is_of_every_network_of_the_results() -> None:
    last = pd.read_csv(RESULTS / "gap_epochs.csv").drop_duplicates("cell", keep="last")
    again, packaged = GapModel.fit(last, features="leave-one-out", method="gaussian-process"), GapModel.of_study()
    assert packaged.n_networks == again.n_networks == len(last)
    np.testing.assert_allclose(packaged.predict(last)["gap"], again.predict(last)["gap"], atol=0.2)
    np.testing.assert_allclose(packaged.errors, again.errors, atol=0.2)


def test_how_far_the_model_goes_elsewhere_is_what_its_table_says() -> None:
    rows = pd.read_csv(RESULTS / "gap_transfer.csv")
    foretold = GapModel.of_study().predict(rows[["train_accuracy", "loo_agreement"]])
    gaps = 100 * (rows["train_accuracy"] - rows["test_accuracy"])
    parts = {part["part"]: part for part in json.loads((RESULTS / "gap_transfer.json").read_text())["parts"]}
    for epoch in (5, 20, 60):
        own = rows["epoch"] == epoch
        assert np.abs(foretold["gap"] - gaps)[own].mean() == pytest.approx(
            parts[f"epoch {epoch}"]["the package's model"][0]
        )
        assert parts[f"epoch {epoch}"]["n"] == own.sum()
