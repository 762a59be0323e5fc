"""Layers by epochs as a heat map."""

from __future__ import annotations

import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.layers import plot_layers


def table(values: list[list[float]], column: str = "life") -> pd.DataFrame:
    """Rows of dimension 1: epochs 0, 5, … by layers a, b, …."""
    return pd.DataFrame(
        {"epoch": 5 * epoch, "layer": layer, "dim": 1, column: value}
        for epoch, of_epoch in enumerate(values)
        for layer, value in zip("abcdefgh", of_epoch, strict=False)
    )


def test_a_row_is_a_layer_and_a_column_an_epoch() -> None:
    ax = plot_layers(table([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), summary="life")
    (cells,) = ax.collections
    assert np.asarray(cells.get_array()).reshape(2, 3).tolist() == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "5", "10"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert ax.yaxis_inverted()


def test_the_whole_network_is_no_row() -> None:
    rows = pd.concat([table([[0.1]]), table([[0.9]]).assign(layer="(all)")])
    assert [text.get_text() for text in plot_layers(rows, summary="life").get_yticklabels()] == ["a"]


def test_what_is_not_defined_is_a_dash_and_no_colour() -> None:
    ax = plot_layers(table([[np.nan, 0.2]]), summary="life")
    assert [text.get_text() for text in ax.texts] == ["–", "0.2"]
    assert np.ma.getmaskarray(np.ma.asarray(ax.collections[0].get_array())).ravel().tolist() == [True, False]


def test_counts_that_span_decades_are_coloured_by_their_logarithm() -> None:
    assert isinstance(plot_layers(table([[1, 0], [2, 300]], "betti_max")).collections[0].norm, LogNorm)
    assert not isinstance(plot_layers(table([[1, 0], [2, 9]], "betti_max")).collections[0].norm, LogNorm)


def test_numbers_and_colours_differ_in_luminance_on_either_background() -> None:
    for style in ("default", "dark_background"):
        with matplotlib.style.context(style):
            ax = plot_layers(table([[0.0, 0.2], [0.4, 1.0]]), summary="life")
        shades = ax.collections[0].to_rgba(np.asarray(ax.collections[0].get_array()).ravel())
        light = shades[:, :3] @ [0.299, 0.587, 0.114]
        written = [1.0 if text.get_color() == "white" else 0.0 for text in ax.texts]
        assert np.abs(light - np.array(written)).min() > 0.4
        assert light[3] - light[0] > 0.6


def test_many_epochs_have_few_labels() -> None:
    assert len(plot_layers(table([[0.1]] * 60), summary="life").get_xticks()) <= 12


@pytest.mark.parametrize(
    ("measured", "options", "message"),
    [
        (table([[0.1]]), {"summary": "lif"}, "unknown summary 'lif': did you mean life?"),
        (table([[0.1]]), {"summary": "count"}, "the table has no column 'count'"),
        (table([[0.1]]), {"summary": "life", "dim": 2}, "no layer has numbers of dimension 2"),
        (table([[0.1]]).drop(columns="layer"), {"summary": "life"}, "no column 'layer' or 'class'"),
        (pd.concat([table([[0.1]])] * 2), {"summary": "life"}, "several rows of the same epoch and layer"),
        ({}, {}, "must be what measure or track returned with by='layer'"),
    ],
)
def test_what_has_no_layers_is_refused_in_one_line(measured: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        plot_layers(measured, **options)  # type: ignore[arg-type]
