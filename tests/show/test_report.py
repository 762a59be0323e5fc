from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.tables import epoch_table
from dnn_topology.show.report import save_figure, save_run_figures
from dnn_topology.show.window import show_window

MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("form", MAGIC)
def test_a_figure_is_written_in_the_format_asked_for(form: str, tmp_path: Path) -> None:
    ax = Figure().add_subplot()
    assert save_figure(ax, tmp_path / "eps0.3" / "a.b", formats=[form]) == [tmp_path / "eps0.3" / f"a.b.{form}"]
    assert (tmp_path / "eps0.3" / f"a.b.{form}").read_bytes().startswith(MAGIC[form])


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match="unknown ending 'jpg'"):
        save_figure(Figure().add_subplot(), tmp_path / "a", formats=["png", "jpg"])
    assert not list(tmp_path.iterdir())


def test_a_run_leaves_a_picture_of_every_dimension_and_of_its_course(golden: Path, tmp_path: Path) -> None:
    diagrams = {epoch: read_dipha(golden / f"adj_epc{epoch}_trl0_0.3.bin.out") for epoch in (1, 50)}
    counted = {epoch: one.filtered() for epoch, one in diagrams.items()}
    paths = save_run_figures(counted, epoch_table(counted), None, tmp_path)
    assert [path.name for path in paths] == [
        "betti_curves_H0.png",
        "betti_curves_H1.png",
        "betti_curves_H2.png",
        "diagram_epoch50.png",
        "barcode_H1_epoch50.png",
        "history.png",
    ]
    assert all(path.stat().st_size > 5000 for path in paths)


def test_a_run_of_components_alone_can_be_drawn(tmp_path: Path) -> None:
    diagrams = {0: Diagrams([np.array([[0.0, 0.1], [0.0, np.inf]])], 0.3)}
    paths = save_run_figures(diagrams, epoch_table(diagrams), None, tmp_path)
    assert [path.name for path in paths if "barcode" in path.name] == ["barcode_H0_epoch0.png"]


def test_a_window_without_a_screen_is_told_and_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    drawn: list[object] = []
    assert not show_window(drawn.append)
    assert not drawn


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file_whenever_it_is_written(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for second in ("1000000000", "2000000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", second)  # what matplotlib takes for the time
        ax = Figure().add_subplot()
        ax.plot([0, 1], [0, 1], clip_path=None)
        (path,) = save_figure(ax, tmp_path / second / "curve", formats=[form])
        written.append(path.read_bytes())
    assert written[0] == written[1]
