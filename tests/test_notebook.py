"""What a notebook shows of a result, by the protocol of IPython: `_repr_html_` and `_repr_png_` of the last value."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import dnn_topology as dt
from dnn_topology.homology.diagrams import Diagrams


class Tags(HTMLParser):
    """The tags of a piece of HTML, which closes what it opens."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002  # the signature of HTMLParser
        self.names.append(tag)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002  # the same
        self.names.append(tag)


RING = dt.FunctionalGraph.from_distances(
    [[abs(i - j) % 2 or 2 * (i != j) for i in range(4)] for j in range(4)], max_epsilon=0.7
)


@pytest.fixture(scope="module")
def measured() -> dt.Measurement:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2))
    return dt.measure(model, [torch.randn(50, 4), torch.randn(50, 4)], max_dim=1)


def test_a_measurement_shows_its_numbers_and_a_curve_of_every_dimension(measured: dt.Measurement) -> None:
    shown = measured._repr_html_()
    assert Tags(shown).names.count("svg") == 2
    assert f"<td>{float(measured.summary['life'][1]):.4g}</td>" in shown


def test_cavities_show_themselves_as_a_table(measured: dt.Measurement) -> None:
    cavities = measured.cavities(top=3)
    assert Tags(cavities._repr_html_()).names.count("tr") == 1 + len(cavities)


@pytest.mark.parametrize("points", [[[]], [[(0.0, 0.1)], []], [[(0.0, float("inf"))], [(0.1, 0.3)]]])
def test_diagrams_show_themselves_whatever_is_in_them(points: Any) -> None:
    diagrams = Diagrams(points, max_epsilon=0.3)
    assert Tags(diagrams._repr_html_()).names.count("svg") == len(points)


def test_the_small_curve_reaches_its_peak_and_is_small() -> None:
    births = np.random.default_rng(0).uniform(0, 0.2, 3000)
    diagrams = Diagrams([np.empty((0, 2)), np.column_stack([births, births + 0.05])], max_epsilon=0.3)
    shown = diagrams._repr_html_()
    assert len(shown) < 10_000
    path = ET.fromstring(shown).findall(".//path")[2].attrib["d"]  # noqa: S314  # our own
    assert min(float(step.split("V")[1]) for step in path.split("H")[1:-1]) == 1.0  # a pixel below the upper edge
    assert diagrams.betti_curve(1).coarse(200)[1].max() == diagrams.betti_curve(1).peak()[1]


def test_a_result_is_shown_without_any_library_for_pictures(measured: dt.Measurement) -> None:
    before = set(sys.modules)
    measured._repr_html_()
    assert not [name for name in set(sys.modules) - before if name.startswith(("matplotlib", "jinja2"))]


def test_a_plot_is_a_picture_in_a_notebook_without_any_backend(measured: dt.Measurement) -> None:
    table = dt.summarize(measured.diagrams).assign(epoch=0)
    plots: list[Any] = [
        dt.plot_betti_curves(measured),
        dt.plot_diagram(measured),
        dt.plot_barcode(measured),
        dt.plot_history(table),
        dt.plot_cavity(dt.cavities(RING)[0], RING),
        dt.plot_participation(dt.participation(RING)),
    ]
    assert [plot._repr_png_()[:8] for plot in plots] == [b"\x89PNG\r\n\x1a\n"] * 6
