from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import sample_nodes
from dnn_topology.homology.bootstrap import bootstrap, draws, intervals, resampled_inputs
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from dnn_topology.recording.activations import Activations


@pytest.fixture(scope="module")
def everything() -> Activations:
    """60 neurons that mix six sources."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 60))
    return Activations(values.astype(np.float32), pd.DataFrame({"layer": "a", "index": range(60)}))


def one_bar(death: float) -> Diagrams:
    return Diagrams([np.empty((0, 2)), np.array([(0.1, death)] if death else []).reshape(-1, 2)], 0.3)


def test_a_draw_is_the_measurement_of_the_sample_with_its_seed(everything: Activations) -> None:
    found = [*draws(everything, 20, repeats=3, seed=5, max_dim=1, max_epsilon=0.4)]
    for place, diagrams in enumerate(found):
        graph = functional_graph(sample_nodes(everything, 20, seed=5 + place), max_epsilon=0.4)
        assert diagrams == persistence(graph, max_dim=1)
    assert found[0] != found[1]


def test_the_table_is_that_of_the_intervals_of_the_draws(everything: Activations) -> None:
    found = bootstrap(everything, 20, repeats=4, method="importance", seed=2, max_dim=1, min_persistence=0.01)
    drawn = draws(everything, 20, repeats=4, method="importance", seed=2, max_dim=1)
    pd.testing.assert_frame_equal(found, intervals(one.filtered(min_persistence=0.01) for one in drawn))


def test_every_summary_of_every_dimension_has_a_row(everything: Activations) -> None:
    table = bootstrap(everything, 20, repeats=2, max_dim=1)
    expected = [column for column in summarize(one_bar(0.2)).columns if column != "dim"]
    for dim in (0, 1):
        assert table.loc[table["dim"] == dim, "summary"].tolist() == expected


def test_draws_of_all_neurons_are_alike_and_their_intervals_are_points(everything: Activations) -> None:
    table = bootstrap(everything, 60, repeats=3, max_dim=1)
    whole = summarize(persistence(functional_graph(everything), max_dim=1))
    expected = whole.melt("dim", var_name="summary").sort_values("dim", kind="stable", ignore_index=True)["value"]
    for column in ("mean", "lower", "upper"):
        np.testing.assert_allclose(table[column], expected, rtol=1e-9)
    assert (table["n_draws"] == np.where(expected.isna(), 0, 3)).all()


def test_a_draw_of_inputs_has_as_many_with_repetition_and_depends_on_its_seed_and_number_alone(
    everything: Activations,
) -> None:
    drawn = {(seed, number): resampled_inputs(everything, number, seed=seed) for seed in (0, 1) for number in (0, 1, 2)}
    values = everything.values.tolist()
    rows = {key: [values.index(row) for row in one.values.tolist()] for key, one in drawn.items()}
    for chosen in rows.values():
        assert len(chosen) == len(values)
        assert chosen == sorted(chosen)
        assert len(set(chosen)) < len(values)
    assert len({tuple(chosen) for chosen in rows.values()}) == len(rows)
    assert resampled_inputs(everything, 2, seed=1).values.tolist() == drawn[1, 2].values.tolist()


def test_an_interval_holds_its_share_of_the_draws() -> None:
    deaths = 0.1 + np.arange(1, 102) / 1000
    table = intervals([one_bar(death) for death in deaths], confidence=0.9)
    life = table[(table["dim"] == 1) & (table["summary"] == "life")].iloc[0]
    np.testing.assert_allclose([life["lower"], life["upper"], life["mean"]], [0.006, 0.096, 0.051])
    np.testing.assert_allclose(life["std"], np.std(deaths, ddof=1))


def test_draws_without_a_cavity_do_not_count_towards_its_life() -> None:
    table = intervals([one_bar(0.2), one_bar(0.0), one_bar(0.3)])
    life = table[(table["dim"] == 1) & (table["summary"] == "life")].iloc[0]
    count = table[(table["dim"] == 1) & (table["summary"] == "count")].iloc[0]
    assert (life["n_draws"], count["n_draws"]) == (2, 3)
    np.testing.assert_allclose(life["mean"], 0.15)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    with pytest.raises(DnnTopologyError, match="confidence must lie between 0 and 1"):
        intervals([one_bar(0.2)], confidence=confidence)


def test_one_draw_and_none_are_refused(everything: Activations) -> None:
    with pytest.raises(DnnTopologyError, match="repeats must be at least 2"):
        bootstrap(everything, 20, repeats=1)
    with pytest.raises(DnnTopologyError, match="no draws"):
        intervals([])


@dataclass
class Measured:
    """What a measurement of several draws is here."""

    diagrams: Diagrams
    draws: tuple[Diagrams, ...]


def test_intervals_take_the_draws_of_a_measurement_or_several_measurements() -> None:
    drawn = (one_bar(0.2), one_bar(0.3))
    expected = intervals(drawn)
    pd.testing.assert_frame_equal(intervals(Measured(drawn[0], drawn)), expected)
    pd.testing.assert_frame_equal(intervals([Measured(one, ()) for one in drawn]), expected)


def test_the_old_keywords_of_intervals_warn_and_filter() -> None:
    drawn = [one_bar(0.11), one_bar(0.3)]
    with pytest.warns(DeprecationWarning, match=r"intervals\(min_persistence=0.02\) goes"):
        found = intervals(drawn, min_persistence=0.02)
    pd.testing.assert_frame_equal(found, intervals(one.filtered() for one in drawn))
