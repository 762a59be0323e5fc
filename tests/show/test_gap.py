from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.gap import plot_gap, plot_predictors


def test_every_network_is_a_point_and_data_sets_differ() -> None:
    table = pd.DataFrame({"gap": [1.0, 2.0, 3.0], "asd": [1.5, 2.0, 2.5], "dataset": ["a", "b", "b"]})
    ax = plot_gap(table, predictor="asd")
    assert [len(np.asarray(points.get_offsets())) for points in ax.collections] == [1, 2]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    alone = plot_gap(table.drop(columns="dataset"), predictor="asd")
    assert alone.get_legend() is None


def test_a_predictor_that_is_not_there_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="no predictions of 'asd'"):
        plot_gap(pd.DataFrame({"gap": [1.0]}), predictor="asd")


def test_every_predictor_that_was_compared_has_a_panel_the_best_first() -> None:
    table = pd.DataFrame({"cell": [0, 1, 2], "gap": [1.0, 2.0, 4.0], "dataset": ["a", "a", "b"]})
    table = table.assign(mean=[2.0, 2.0, 2.0], good=[1.0, 2.0, 3.7], bad=[9.0, 9.0, 9.0], nothing=float("nan"))
    figure = plot_predictors(table).get_figure()
    assert figure is not None
    assert [ax.get_title() for ax in figure.axes] == ["good: off by 0.1", "mean: off by 1.0", "bad: off by 6.7"]


def test_without_a_predictor_there_is_no_picture() -> None:
    with pytest.raises(DnnTopologyError, match="there are no predictions to draw"):
        plot_predictors(pd.DataFrame({"cell": [0], "gap": [1.0]}))


def test_a_point_of_rows_left_out_one_by_one_is_said_to_be_a_row() -> None:
    table = pd.DataFrame({"gap": [1.0, 2.0], "asd": [1.5, 1.5]})
    assert "without its row" in plot_predictors(table, by_row=True).get_ylabel()
    assert "without its network" in plot_predictors(table).get_ylabel()


def test_of_several_folds_the_networks_left_out_one_by_one_are_drawn() -> None:
    table = pd.DataFrame(
        {"fold": ["sample"] * 2 + ["data set"] * 2, "gap": [1.0, 2.0] * 2, "asd": [1.0, 2.0, 9.0, 9.0]}
    )
    ax = plot_predictors(table)
    assert ax.get_title() == "asd: off by 0.0"
    (points,) = ax.collections
    assert len(np.asarray(points.get_offsets())) == 2
