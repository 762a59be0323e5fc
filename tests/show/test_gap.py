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
