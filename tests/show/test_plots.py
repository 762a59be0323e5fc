from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.persistence import persistence
from dnn_topology.show.plots import plot_barcode, plot_betti_curves, plot_diagram, plot_history

INF = float("inf")
SIMPLE = Diagrams([np.array([[0.0, 0.1], [0.0, INF]]), np.array([[0.1, 0.2], [0.15, INF]])], 0.3)
HISTORY = pd.DataFrame({"epoch": [0, 1], "train_accuracy": [0.1, 0.9], "test_accuracy": [0.1, 0.8]})
TABLE = pd.DataFrame(
    {
        "epoch": [0, 1, 0, 1],
        "dim": [0, 0, 1, 1],
        "life": [0.1, 0.2, 0.03, 0.04],
        "midlife": [0.1, 0.1, 0.2, 0.25],
        "peak_epsilon": [0.0, 0.0, 0.2, 0.3],
    }
)


def test_every_epoch_is_one_labelled_curve_with_its_exact_steps(golden: Path) -> None:
    epochs = {f"epoch {e}": read_dipha(golden / f"adj_epc{e}_trl0_0.3.bin.out") for e in (1, 10, 50)}
    ax = plot_betti_curves(epochs, dim=1)
    assert [line.get_label() for line in ax.get_lines()] == list(epochs)
    for line, diagrams in zip(ax.get_lines(), epochs.values(), strict=True):
        curve = diagrams.betti_curve(1)
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_array_equal(line.get_xdata(), curve.epsilon)
        np.testing.assert_array_equal(line.get_ydata(), curve.beta)
    assert "ε" in ax.get_xlabel()
    assert r"\beta_1" in ax.get_ylabel()
    assert ax.get_xlim() == (0, 0.3)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(epochs)


def test_smoothing_draws_a_moving_average_over_a_tenth(golden: Path) -> None:
    diagrams = read_dipha(golden / "adj_epc50_trl0_0.3.bin.out").filtered(essential="drop")
    (line,) = plot_betti_curves({"": diagrams}, smooth=True).get_lines()
    beta = diagrams.betti_curve(1).beta
    size = len(beta) // 10
    middle = len(beta) // 2
    window = beta[middle - size // 2 : middle - size // 2 + size]
    assert np.asarray(line.get_ydata())[middle] == pytest.approx(window.mean())


def test_the_density_axis_is_the_same_curve_over_the_share_of_joined_pairs(real_graph: FunctionalGraph) -> None:
    diagrams = persistence(real_graph, max_dim=1)
    ax = plot_betti_curves({"": diagrams}, filtration="density")
    curve = diagrams.betti_curve(1)
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), real_graph.density(curve.epsilon))
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), curve.beta)
    assert ax.get_xlabel() == "edge density"


def test_curves_darken_and_change_their_line_style_so_that_they_differ_in_grey() -> None:
    lines = plot_betti_curves({str(k): SIMPLE for k in range(5)}).get_lines()
    grey = [float(np.dot([0.299, 0.587, 0.114], to_rgb(line.get_color()))) for line in lines]
    assert all(before - after > 0.03 for before, after in pairwise(grey))
    assert len({str(line.get_linestyle()) for line in lines[:4]}) == 4


def test_a_diagram_has_all_points_with_the_essential_ones_on_a_line_above() -> None:
    ax = plot_diagram(SIMPLE)
    points = {line.get_label(): np.column_stack(line.get_data()) for line in ax.get_lines()[:2]}
    top = 0.3 * 1.06
    assert points["$H_0$ (2)"].tolist() == [[0, 0.1], [0, pytest.approx(top)]]
    assert points["$H_1$ (2)"].tolist() == [[0.1, 0.2], [0.15, pytest.approx(top)]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("birth ε", "death ε")


def test_a_barcode_has_one_bar_per_cavity_and_ends_essential_ones_at_the_end() -> None:
    ax = plot_barcode(SIMPLE, dim=1)
    finite, essential = (collection.get_segments() for collection in ax.collections)  # type: ignore[attr-defined]
    assert [bar.tolist() for bar in finite] == [[[0.1, 0], [0.2, 0]]]
    assert [bar.tolist() for bar in essential] == [[[0.15, 1], [0.3, 1]]]


def test_the_history_shows_three_readings_beside_two_accuracies() -> None:
    ax = plot_history(TABLE, HISTORY)
    figure = ax.get_figure()
    assert figure is not None
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.get_lines()] == [[0.03, 0.04], [0.2, 0.25], [0.2, 0.3]]  # type: ignore[union-attr]
    assert [line.get_ydata().tolist() for line in right.get_lines()] == [[0.1, 0.9], [0.1, 0.8]]  # type: ignore[union-attr]
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 5
    assert "epoch" in ax.get_xlabel()


def test_the_history_without_accuracies_has_one_axis() -> None:
    figure = plot_history(TABLE, dim=0).get_figure()
    assert figure is not None
    assert len(figure.axes) == 1


def test_plots_draw_on_the_axes_given_and_return_them() -> None:
    draws: list[Callable[[Axes], Axes]] = [
        lambda ax: plot_betti_curves({"": SIMPLE}, ax=ax),
        lambda ax: plot_diagram(SIMPLE, ax=ax),
        lambda ax: plot_barcode(SIMPLE, ax=ax),
        lambda ax: plot_history(TABLE, HISTORY, ax=ax),
    ]
    for draw in draws:
        ax = Figure().add_subplot()
        assert draw(ax) is ax


def test_plots_change_no_global_style_and_import_no_pyplot() -> None:
    before = dict(mpl.rcParams)
    plot_betti_curves({"": SIMPLE})
    plot_diagram(SIMPLE)
    assert dict(mpl.rcParams) == before
    code = (
        "import sys, numpy as np, dnn_topology as dt;"
        "dt.plot_diagram(dt.Diagrams([np.empty((0, 2))], 0.3)).get_figure().canvas.draw();"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_empty_diagrams_can_be_drawn() -> None:
    empty = Diagrams([np.empty((0, 2)), np.empty((0, 2))], 0.3)
    plot_betti_curves({"": empty})
    plot_diagram(empty)
    plot_barcode(empty)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="no curve to draw"):
        plot_betti_curves({})
    with pytest.raises(DnnTopologyError, match="no rows of dimension 2"):
        plot_history(TABLE, dim=2)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="unknown filtration 'dense': did you mean density"):
        plot_betti_curves({"": SIMPLE}, filtration="dense")
    with pytest.raises(DnnTopologyError, match="edge density is not known"):
        plot_betti_curves({"": SIMPLE}, filtration="density")
