from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.original_curve import original_curve
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.summaries import summarize
from dnn_topology.show.history import plot_history
from dnn_topology.show.plots import plot_barcode, plot_betti_curves, plot_diagram

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


def test_smoothing_draws_a_moving_average_over_a_tenth(golden: Path) -> None:
    diagrams = read_dipha(golden / "adj_epc50_trl0_0.3.bin.out").filtered(essential="drop")
    (line,) = plot_betti_curves(diagrams, smooth=True).get_lines()
    epsilon, beta = diagrams.betti_curve(1)
    size = len(beta) // 10
    middle = len(beta) // 2
    window = beta[middle - size // 2 : middle - size // 2 + size]
    drawn = dict(zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True))
    assert drawn[epsilon[middle]] == pytest.approx(window.mean())


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_smoothing_starts_at_the_first_birth_and_does_not_fall_at_the_end(dim: int, golden: Path) -> None:
    diagrams = read_dipha(golden / "adj_epc50_trl0_0.3.bin.out").filtered()
    (line,) = plot_betti_curves(diagrams, dim=dim, smooth=True).get_lines()
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    beta = diagrams.betti_curve(dim).beta
    size = len(beta) // 10
    assert (x[0], x[-1]) == (diagrams[dim][:, 0].min(), 0.3)
    assert beta[-size:].min() <= y[-1] <= beta[-size:].max()
    assert y[0] <= beta[:size].max()


def test_the_originals_picture_is_its_curve_from_its_first_birth_on(golden: Path) -> None:
    epochs = {epoch: read_dipha(golden / f"adj_epc{epoch}_trl0_0.3.bin.out") for epoch in (1, 50)}
    ax = plot_betti_curves(epochs, as_original=True)
    for line, diagrams in zip(ax.get_lines(), epochs.values(), strict=True):
        epsilon, curve = original_curve(diagrams, 1)
        np.testing.assert_array_equal(line.get_xdata(), epsilon)
        np.testing.assert_array_equal(line.get_ydata(), curve)
        assert line.get_drawstyle() == "default"
    assert "as the original counts" in ax.get_ylabel()
    with pytest.raises(DnnTopologyError, match="unfiltered"):
        plot_betti_curves(epochs[1].filtered(), as_original=True)
    with pytest.raises(DnnTopologyError, match="leave out filtration='density'"):
        plot_betti_curves(epochs, as_original=True, filtration="density")


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


@dataclass
class Measured:
    """What a measurement is to a picture."""

    diagrams: Diagrams


def first_point(ax: Axes) -> list[float]:
    """Where the first line starts."""
    return [float(np.asarray(values)[0]) for values in ax.get_lines()[0].get_data()]


@pytest.mark.parametrize("plot", [plot_betti_curves, plot_diagram, plot_history])
def test_pictures_take_diagrams_a_measurement_or_several_of_them(plot: Callable[..., Axes]) -> None:
    for source in (SIMPLE, Measured(SIMPLE)):
        alone = first_point(plot(source))
        for several in ({"": source}, {0: source}, [source, source], iter([source]), [{0: source}, {0: source}]):
            assert first_point(plot(several)) == alone


@pytest.mark.parametrize("plot", [plot_betti_curves, plot_diagram, plot_history])
@pytest.mark.parametrize("wrong", [None, "run", np.zeros((3, 2)), {"a": None}, {}, []])
def test_what_is_no_diagrams_is_refused_in_one_line(plot: Callable[..., Axes], wrong: object) -> None:
    with pytest.raises(DnnTopologyError, match=r"expected diagrams or a measurement, found|no curve to draw"):
        plot(wrong)


def test_from_eight_epochs_on_a_bar_says_which_colour_is_which() -> None:
    for plot in (plot_betti_curves, plot_diagram):
        seven, eight = (plot({f"epoch {5 * k}": SIMPLE for k in range(n)}) for n in (7, 8))
        assert [len(ax.get_figure().axes) for ax in (seven, eight)] == [1, 2]  # type: ignore[union-attr]
        bar = eight.get_figure().axes[1]  # type: ignore[union-attr]
        assert (bar.get_ylabel(), bar.get_ylim()) == ("epoch", (0, 35))
    lines = plot_betti_curves({5 * k: SIMPLE for k in range(8)}).get_lines()
    assert {str(line.get_linestyle()) for line in lines} == {"-"}
    assert len({line.get_color() for line in lines}) == 8


def drawn(ax: Axes) -> Figure:
    """The figure of some axes, laid out."""
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    return figure


@pytest.mark.parametrize(
    "make",
    [
        lambda: plot_betti_curves({f"a long label {k}": SIMPLE for k in range(12)}),
        lambda: plot_barcode(SIMPLE),
        lambda: plot_diagram(dict.fromkeys("abc", SIMPLE)),
        lambda: plot_history(TABLE, HISTORY),
    ],
)
def test_legends_lie_beside_the_data_and_inside_the_figure(make: Callable[[], Axes]) -> None:
    figure = drawn(make())
    ax = next(one for one in figure.axes if one.get_legend() is not None)
    legend = ax.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert not box.overlaps(ax.bbox.shrunk(0.99, 0.99))
    assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1
    assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1


def test_every_quantity_of_the_history_has_a_panel_of_its_own() -> None:
    ax = plot_history(TABLE, HISTORY)
    *quantities, accuracy = drawn(ax).axes
    heights = [
        [np.asarray(line.get_ydata()).tolist() for line in panel.get_lines()] for panel in (*quantities, accuracy)
    ]
    assert heights == [[[0.03, 0.04]], [[0.2, 0.25]], [[0.2, 0.3]], [[0.1, 0.9], [0.1, 0.8]]]
    assert accuracy.get_xlabel() == "epoch"
    assert ax is quantities[0]


def test_axes_that_were_placed_by_hand_are_shared_among_the_panels() -> None:
    ax = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    plot_history(TABLE, HISTORY, ax=ax)
    boxes = [panel.get_window_extent() for panel in drawn(ax).axes]
    assert boxes[0].height < 0.3 * ax.figure.bbox.height
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    assert all(box.y0 > 0 for box in boxes)


def test_the_history_without_accuracies_has_three_panels() -> None:
    assert len(drawn(plot_history(TABLE, dim=0)).axes) == 3


def test_the_history_of_epochs_is_that_of_their_table() -> None:
    epochs = {3: SIMPLE, 7: SIMPLE.filtered(min_persistence=0.12)}
    table = pd.concat([summarize(one).assign(epoch=epoch) for epoch, one in epochs.items()])
    for found, expected in zip(drawn(plot_history(epochs)).axes, drawn(plot_history(table)).axes, strict=True):
        np.testing.assert_array_equal(found.get_lines()[0].get_xydata(), expected.get_lines()[0].get_xydata())


def test_epochs_stand_at_whole_numbers() -> None:
    for last in (1, 3, 50):
        table = TABLE.assign(epoch=TABLE["epoch"] * last)
        for panel in drawn(plot_history(table, HISTORY)).axes:
            assert all(float(tick).is_integer() for tick in panel.get_xticks())


def test_a_history_of_one_epoch_is_visible() -> None:
    ax = plot_history(TABLE[TABLE["epoch"] == 0], HISTORY[:1])
    for panel in drawn(ax).axes:
        assert all(line.get_marker() not in {"", "None"} for line in panel.get_lines())
        assert [tick for tick in panel.get_xticks() if abs(tick) < 0.75] == [0]


def test_a_table_without_its_columns_is_refused_by_name() -> None:
    with pytest.raises(DnnTopologyError, match="has no column 'life'"):
        plot_history(TABLE.drop(columns="life"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: plot_betti_curves(dict.fromkeys(range(4), SIMPLE)),
        lambda: plot_betti_curves(dict.fromkeys(range(9), SIMPLE)),
        lambda: plot_diagram(SIMPLE),
        lambda: plot_barcode(SIMPLE),
        lambda: plot_history(TABLE, HISTORY),
    ],
)
def test_everything_is_bright_on_a_dark_background(make: Callable[[], Axes]) -> None:
    with mpl.rc_context({**mpl.style.library["dark_background"]}):
        figure = drawn(make())
    for ax in figure.axes:
        colours: list[Any] = [line.get_color() for line in ax.get_lines()]
        legend = ax.get_legend()
        colours += [text.get_color() for text in ax.texts] + [ax.xaxis.label.get_color()]
        colours += [text.get_color() for text in legend.get_texts()] if legend else []
        for segments in ax.collections:
            colours += list(segments.get_edgecolor()) if hasattr(segments, "get_segments") else []
        assert all(np.dot([0.299, 0.587, 0.114], to_rgb(colour)) > 0.3 for colour in colours)


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_persistence": 0.02}, "\n(cavities living longer than 0.02)"),
        ({"min_persistence": 0.02, "essential": "drop"}, "\n(cavities living longer than 0.02,\ndying before the end)"),
        ({"min_persistence": 0, "essential": "clip"}, "\n(cavities ended at max_epsilon)"),
        ({"min_persistence": 0}, ""),
    ],
)
def test_the_axis_says_which_cavities_are_drawn(options: dict[str, Any], words: str) -> None:
    assert plot_betti_curves(SIMPLE.filtered(**options)).get_ylabel() == rf"Betti number $\beta_1${words}"


def loops(number: int) -> Diagrams:
    return Diagrams([np.empty((0, 2)), np.tile([0.1, 0.2], (number, 1))], max_epsilon=0.3)


def test_the_axis_of_few_cavities_has_ticks_at_whole_numbers() -> None:
    ax = plot_betti_curves(loops(1))
    assert all(float(tick).is_integer() for tick in ax.get_yticks())


def test_curves_that_are_drawn_later_are_not_cut_off_by_those_before() -> None:
    ax = plot_betti_curves(loops(1))
    plot_betti_curves(loops(9), ax=ax)
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 9


def test_the_words_of_the_axis_fit_beside_a_low_picture() -> None:
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    ax = plot_betti_curves(SIMPLE.filtered(min_persistence=0.02, essential="drop"), ax=figure.add_subplot())
    figure.draw_without_rendering()
    words = ax.yaxis.label.get_window_extent()
    assert figure.bbox.y0 <= words.y0 < words.y1 <= figure.bbox.y1


def test_the_old_keywords_warn_and_draw_the_filtered_curves() -> None:
    with pytest.warns(DeprecationWarning, match=r"plot_betti_curves\(min_persistence=0.12\) goes"):
        found = plot_betti_curves({"a": SIMPLE, "b": Measured(SIMPLE)}, min_persistence=0.12)
    expected = plot_betti_curves(dict.fromkeys("ab", SIMPLE.filtered(min_persistence=0.12)))
    for one, other in zip(found.get_lines(), expected.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


NOTHING = np.empty((0, 2))
TRAINED = [Diagrams([NOTHING, np.array([(0.1, 0.2 + seed / 100), (0.15, 0.25)])], 0.3) for seed in range(4)]


def test_of_a_group_the_mean_is_drawn_with_the_band_of_its_middle_95_percent() -> None:
    for group in (TRAINED, iter(TRAINED), {"": TRAINED}):
        ax = plot_betti_curves(group)
        (line,), (band,) = ax.get_lines(), ax.collections
        x = np.asarray(line.get_xdata())
        curves = np.array([one.betti_curve(1).at(x) for one in TRAINED])
        np.testing.assert_allclose(np.asarray(line.get_ydata()), curves.mean(axis=0))
        assert line.get_drawstyle() == "steps-post"
        edge = np.asarray(band.get_paths()[0].vertices)
        for place, scale in enumerate(x[:-1]):
            at = np.isclose(edge[:, 0], scale)
            low, high = np.quantile(curves[:, place], [0.025, 0.975])
            assert edge[at, 1].min() <= low + 1e-12
            assert edge[at, 1].max() >= high - 1e-12
        assert "mean of 4" in ax.get_title()


def test_the_mean_over_the_density_is_that_of_the_curves_at_equal_densities(real_graph: FunctionalGraph) -> None:
    diagrams = persistence(real_graph, max_dim=1)
    alone = plot_betti_curves(diagrams, filtration="density").get_lines()[0]
    mean = plot_betti_curves([diagrams, diagrams], filtration="density").get_lines()[0]
    x, y = np.asarray(alone.get_xdata()), np.asarray(alone.get_ydata())
    for place, value in zip(np.asarray(mean.get_xdata()), np.asarray(mean.get_ydata()), strict=True):
        assert value == y[np.searchsorted(x, place, side="right") - 1]


@dataclass
class Sampled(Measured):
    """What a measurement of several draws of neurons is to a picture."""

    draws: tuple[Diagrams, ...] = ()


def test_the_interval_of_a_sampled_measurement_is_drawn() -> None:
    sampled = Sampled(TRAINED[0], tuple(TRAINED))
    of_group = plot_betti_curves(TRAINED)
    found = plot_betti_curves(sampled)
    np.testing.assert_array_equal(found.get_lines()[0].get_xydata(), of_group.get_lines()[0].get_xydata())
    assert len(found.collections) == 1
    assert all(len(panel.collections) == 1 for panel in drawn(plot_history({0: sampled, 1: sampled})).axes)


def test_the_history_of_trials_is_their_mean_with_a_band() -> None:
    tracks = [{0: one, 5: TRAINED[0]} for one in TRAINED]
    tables = [pd.concat([summarize(one).assign(epoch=epoch) for epoch, one in track.items()]) for track in tracks]
    midlife = np.mean([table.query("dim == 1 and epoch == 0")["midlife"].item() for table in tables])
    groups: list[Any] = [tracks, tables, pd.concat(tables)]
    for group in groups:
        panels = drawn(plot_history(group, [HISTORY, HISTORY])).axes
        assert [len(panel.collections) for panel in panels] == [1, 1, 1, 2]
        assert np.asarray(panels[1].get_lines()[0].get_ydata())[0] == pytest.approx(midlife)
    both = drawn(plot_history({"true": tracks, "permuted": tracks}, {"true": HISTORY, "permuted": HISTORY})).axes
    assert [len(panel.get_lines()) for panel in both] == [2, 2, 2, 4]
    legend = both[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["true", "permuted"]


def test_a_group_of_unlike_diagrams_and_trials_without_a_common_epoch_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match=r"number 2 ends at max_epsilon=0.2 and the first at 0.3"):
        plot_betti_curves([SIMPLE, SIMPLE.cut(max_epsilon=0.2)])
    with pytest.raises(DnnTopologyError, match="no epoch in common"):
        plot_betti_curves([{0: SIMPLE}, {1: SIMPLE}])
    with pytest.raises(DnnTopologyError, match="the original draws one training"):
        plot_betti_curves([SIMPLE, SIMPLE], as_original=True)


def test_epochs_have_solid_lines_however_few_they_are() -> None:
    lines = plot_betti_curves(dict.fromkeys((0, 1, 50), SIMPLE)).get_lines()
    assert [line.get_linestyle() for line in lines] == ["-"] * 3


def lightness(colour: Any) -> float:
    """L* of CIE 1976, from 0 to 100."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


# how who lacks a kind of cone sees linear RGB: Viénot, Brettel and Mollon 1999 (red, green)
BLIND = {
    "nobody": np.eye(3),
    "protanope": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deuteranope": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("who", BLIND)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_colours_of_epochs_go_one_way_in_luminance_for_every_eye(who: str, style: str) -> None:
    context = {} if style == "default" else {**mpl.style.library[style]}
    with mpl.rc_context(context):
        lines = plot_betti_curves(dict.fromkeys(range(7), SIMPLE)).get_lines()
    levels = []
    for line in lines:
        rgb = np.asarray(to_rgb(line.get_color()))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.asarray(BLIND[who]) @ linear, 0, 1)
        levels.append(lightness(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)))
    steps = np.diff(levels)
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).min() > 4


def test_the_axis_is_logarithmic_where_curves_are_decades_apart_and_where_it_is_asked_for() -> None:
    many = Diagrams([NOTHING, np.array([(0.1, 0.2 + k / 1000) for k in range(40)])], 0.3)
    one = Diagrams([NOTHING, np.array([(0.1, 0.2)])], 0.3)
    assert plot_betti_curves({"a": many, "b": one}).get_yscale() == "symlog"
    assert plot_betti_curves({"a": many, "b": one}, yscale="linear").get_yscale() == "linear"
    assert plot_betti_curves({"a": many, "b": many}).get_yscale() == "linear"
    assert plot_betti_curves(many, yscale="log").get_yscale() == "symlog"
    with pytest.raises(DnnTopologyError, match="unknown yscale"):
        plot_betti_curves(many, yscale="logs")
