from __future__ import annotations

from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.show.end_labels import LINE_HEIGHT, EndLabels, apart
from dnn_topology.show.plots import plot_betti_curves

EPOCHS = (1, 5, 10, 20, 30, 40, 50)


def labels_of(ax: Axes) -> EndLabels:
    """The labels of some axes, laid out."""
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    (labels,) = [one for one in ax.get_children() if isinstance(one, EndLabels)]
    return labels


@pytest.fixture
def curves(golden: Path) -> dict[int, Diagrams]:
    return {epoch: read_dipha(golden / f"adj_epc{epoch}_trl0_0.3.bin.out").filtered() for epoch in EPOCHS}


@pytest.mark.parametrize("options", [{"dim": 0}, {"dim": 1}, {"dim": 2}, {"dim": 1, "yscale": "log"}])
@pytest.mark.parametrize("size", [(6.4, 4.0), (3.2, 2.4)])
def test_labels_of_epochs_cover_neither_data_nor_each_other_and_lie_in_the_figure(
    options: dict[str, object], size: tuple[float, float], curves: dict[int, Diagrams]
) -> None:
    figure = Figure(figsize=size, layout="constrained")
    ax = plot_betti_curves(curves, ax=figure.add_subplot(), **options)
    labels = labels_of(ax)
    assert [text.get_text() for text in labels.texts] == [str(epoch) for epoch in EPOCHS]
    boxes = [text.get_window_extent() for text in (*labels.texts, labels.heading)]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(box.x0 > ax.bbox.x1 for box in boxes)
    assert all(box.x1 <= figure.bbox.x1 and 0 <= box.y0 < box.y1 <= figure.bbox.y1 for box in boxes)


def test_a_label_stands_at_the_height_of_the_end_of_its_curve(curves: dict[int, Diagrams]) -> None:
    ax = plot_betti_curves({epoch: curves[epoch] for epoch in (1, 50)})
    for text, line in zip(labels_of(ax).texts, ax.get_lines(), strict=True):
        end = ax.transData.transform((0.3, np.asarray(line.get_ydata())[-1]))
        assert text.get_position()[1] == pytest.approx(end[1])


def test_labels_follow_axes_that_are_changed_afterwards(curves: dict[int, Diagrams]) -> None:
    ax = plot_betti_curves({epoch: curves[epoch] for epoch in (1, 50)})
    ax.set_ylim(0, 60)
    high, low = (text.get_position()[1] for text in labels_of(ax).texts)
    assert high == pytest.approx(ax.transData.transform((0.3, curves[1].betti_curve(1).beta[-1]))[1])
    assert low < high


def test_curves_that_are_added_share_the_labels_of_those_before(curves: dict[int, Diagrams]) -> None:
    ax = plot_betti_curves({1: curves[1]})
    plot_betti_curves({50: curves[50]}, ax=ax)
    assert [text.get_text() for text in labels_of(ax).texts] == ["1", "50"]


def test_what_bands_are_is_said_above_curves_with_labels(curves: dict[int, Diagrams]) -> None:
    ax = plot_betti_curves({1: [curves[1], curves[5]], 2: [curves[10], curves[20]]})
    assert ax.get_title() == "mean of 2, band: middle 95 %"
    assert ax.get_legend() is None


def test_labels_are_bright_on_a_dark_background(curves: dict[int, Diagrams]) -> None:
    with mpl.rc_context({**mpl.style.library["dark_background"]}):
        labels = labels_of(plot_betti_curves(curves))
    assert all(min(to_rgb(text.get_color())) > 0.9 for text in (*labels.texts, labels.heading))


def test_a_picture_with_labels_is_written_in_every_format(curves: dict[int, Diagrams], tmp_path: Path) -> None:
    figure = plot_betti_curves(curves).get_figure(root=True)
    assert figure is not None
    for form in ("png", "svg", "pdf"):
        figure.savefig(tmp_path / f"picture.{form}", bbox_inches="tight")
    assert "<!-- 50 -->" in (tmp_path / "picture.svg").read_text()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=7))
def test_heights_keep_their_order_and_distance_and_move_only_where_they_must(wanted: list[float]) -> None:
    placed = apart(wanted, 10, 0, 100)
    order = np.argsort(placed)
    assert (np.diff(placed[order]) >= 10 - 1e-9).all()
    assert (np.diff(np.asarray(wanted)[order]) >= 0).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 100 + 1e-9
    if len(wanted) == 1 or np.diff(np.sort(wanted)).min() >= 10:
        np.testing.assert_allclose(placed, wanted)


def test_too_many_labels_end_at_the_top_and_keep_their_distance() -> None:
    placed = apart(np.zeros(20), LINE_HEIGHT, 0, 10)
    assert placed[0] == 10
    np.testing.assert_allclose(np.diff(placed), -LINE_HEIGHT)


def test_curves_without_cavities_have_an_axis_of_whole_numbers() -> None:
    empty = Diagrams((np.array([[0.0, np.inf]]), np.empty((0, 2))), max_epsilon=0.3)
    ax = plot_betti_curves({1: empty, 2: empty}, dim=1)
    bottom, top = ax.get_ylim()
    assert (bottom, top) == (0, 1)
    shown = [tick for tick in ax.get_yticks() if bottom <= tick <= top]
    assert shown == [0, 1]
