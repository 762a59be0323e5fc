from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.detection import plot_batch_curves, plot_roc
from dnn_topology.show.gap import plot_gap


def test_a_roc_curve_goes_from_corner_to_corner_and_says_its_auroc() -> None:
    ax = plot_roc({"good": ([0.0, 0.1], [0.9, 1.0]), "chance": ([0.0, 1.0], [0.0, 1.0])})
    good, chance, _ = ax.get_lines()
    assert (good.get_label(), chance.get_label()) == ("good (1.00)", "chance (0.50)")
    for line in (good, chance):
        points = np.asarray(line.get_xydata())
        assert points[0].tolist() == [0, 0]
        assert points[-1].tolist() == [1, 1]


def test_the_curve_of_batches_is_their_mean() -> None:
    scales = np.linspace(0, 0.4, 3)
    ax = plot_batch_curves({"clean": [[0, 2, 1], [0, 4, 1]]}, scales)
    (line,) = ax.get_lines()
    assert np.asarray(line.get_ydata()).tolist() == [0, 3, 1]
    assert np.asarray(line.get_xdata()).tolist() == scales.tolist()


def test_nothing_to_draw_is_one_line() -> None:
    with pytest.raises(DnnTopologyError, match="no curve"):
        plot_roc({})
    with pytest.raises(DnnTopologyError, match="no curve"):
        plot_batch_curves({}, [0.0])


@pytest.mark.parametrize("name", ["gap", "curves", "roc"])
def test_on_black_every_colour_is_light_and_the_legend_stands_where_no_data_are(name: str) -> None:
    drawn: dict[str, Callable[[], Axes]] = {
        "gap": lambda: plot_gap(
            pd.DataFrame({"gap": [1, 2, 3], "asd": [3, 2, 1], "dataset": list("abc")}), predictor="asd"
        ),
        "curves": lambda: plot_batch_curves({kind: np.ones((2, 3)) for kind in "abc"}, [0, 0.1, 0.2]),
        "roc": lambda: plot_roc({kind: ([0.0, 0.1], [0.9, 1.0]) for kind in "abc"}),
    }
    with style.context("dark_background"):
        ax = drawn[name]()
    legend, figure = ax.get_legend(), ax.get_figure(root=True)
    assert legend is not None
    assert figure is not None
    for handle in legend.legend_handles:
        colour = handle.get_facecolor()[0] if name == "gap" else handle.get_color()  # type: ignore[union-attr]
        assert np.dot([0.299, 0.587, 0.114], to_rgb(colour)) > 0.25
    if name != "roc":  # whose lower right corner is empty by what a curve is
        figure.draw_without_rendering()
        assert legend.get_window_extent().x0 >= ax.get_window_extent().x1 - 1
