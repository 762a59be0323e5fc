from __future__ import annotations

import numpy as np
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.show.detection import plot_batch_curves, plot_roc


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
