from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.comparison.embedding import embedded
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.distances import distances
from dnn_topology.show.trajectory import plot_trajectory


def epochs(step: float, n: int = 4, start: float = 0.2) -> dict[int, Diagrams]:
    """Epochs whose one loop dies later and later."""
    return {epoch: Diagrams([np.empty((0, 2)), np.array([(0.1, start + step * epoch)])], 0.3) for epoch in range(n)}


def test_points_of_a_plane_are_found_again_but_for_turns_and_mirrors() -> None:
    points = np.random.default_rng(0).normal(size=(12, 2)) * 1e-3  # whatever the unit
    matrix = np.linalg.norm(points[:, None] - points[None], axis=2)
    found, stress = embedded(matrix)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), matrix, atol=1e-6)
    assert stress < 1e-3


def test_the_plane_is_the_same_every_time_and_says_what_it_cannot_hold() -> None:
    corners = 1 - np.eye(8)  # eight points all as far from each other
    first, stress = embedded(corners)
    np.testing.assert_array_equal(first, embedded(corners)[0])
    assert stress > 0.2
    assert embedded(np.zeros((3, 3)))[1] == 0


def test_epochs_are_as_far_apart_as_their_diagrams() -> None:
    track = epochs(0.02)
    (line,) = plot_trajectory(track).get_lines()
    x = np.asarray(line.get_xydata())
    np.testing.assert_allclose(np.linalg.norm(x[:, None] - x[None], axis=2), distances(track).to_numpy(), atol=1e-4)


def test_several_trainings_share_the_plane_and_are_told_apart_by_their_marks() -> None:
    ax = plot_trajectory({"a": epochs(0.02), "b": epochs(0.01, start=0.21)})
    assert [len(np.asarray(points.get_offsets())) for points in ax.collections] == [4, 4]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    grouped = plot_trajectory({"a": [epochs(0.02), epochs(0.01)], "b": [epochs(0.005)]})
    assert [len(np.asarray(points.get_offsets())) for points in grouped.collections] == [4, 4, 4]
    styles = [line.get_linestyle() for line in grouped.get_lines()]
    assert styles[0] == styles[1] != styles[2]
    assert plot_trajectory([epochs(0.02), epochs(0.01)]).get_legend() is None


def test_from_eight_epochs_on_a_bar_says_which_colour_is_which() -> None:
    assert [text.get_text() for text in plot_trajectory(epochs(0.01, 7)).texts] == list("0123456")
    ax = plot_trajectory({"a": epochs(0.005, 12), "b": epochs(0.004, 12)})
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    assert figure.axes[1].get_ylabel() == "epoch"
    assert [text.get_text() for text in ax.texts] == ["0", "11"] * 2


def test_it_can_be_drawn_on_a_dark_background() -> None:
    with mpl.rc_context({**mpl.style.library["dark_background"]}):
        ax = plot_trajectory({"a": epochs(0.02), "b": epochs(0.01)})
        figure = ax.get_figure()
        assert isinstance(figure, Figure)
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    assert all(text.get_color() == "white" for text in ax.texts)


def test_what_is_no_trajectory_is_refused_in_one_line() -> None:
    one = epochs(0.02)[0]
    wrongs: list[tuple[Any, str]] = [
        ({0: one}, "two epochs at least"),
        (one, "runs must be epoch → diagrams"),
        ({"a": one}, "found the key 'a'"),
        ({}, "runs must be"),
        ({0: one, 1: one.cut(max_epsilon=0.2)}, "epoch 1 ends at max_epsilon=0.2 and epoch 0 at 0.3"),
    ]
    for wrong, words in wrongs:
        with pytest.raises(DnnTopologyError, match=words):
            plot_trajectory(wrong)
