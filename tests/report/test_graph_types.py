"""The page and `cavities` of graphs of other types: what a node is, and that the cavities are those of the diagram."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.tables import described_graphs
from dnn_topology.report import open_measurements, write_report
from dnn_topology.report.graphs import side_by_side
from dnn_topology.runs.measurements import RunMeasurement
from dnn_topology.runs.measuring import measure_epochs, traced
from dnn_topology.runs.results import write_results
from dnn_topology.runs.run import Run
from dnn_topology.settings import PictureSettings, RunMeasureSettings, TraceSettings
from tests.report.test_page import Elements

SMALL: dict[str, Any] = {"n_inputs": 100, "max_dim": 1, "layers": ("fc1", "fc2")}


@pytest.fixture(scope="module")
def trained(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the run, whose last epoch is measured with other graphs."""
    where = tmp_path_factory.mktemp("graphs") / run_folder.parent.name / run_folder.name
    return Run.open(shutil.copytree(run_folder, where, ignore=shutil.ignore_patterns("eps*")))


def page_of(measurement: RunMeasurement, folder: Path) -> Elements:
    return Elements(write_report([measurement], folder / "page.html", trace=TraceSettings(top=5)).read_text("utf-8"))


@pytest.mark.parametrize(
    ("options", "graph", "nodes", "named"),
    [
        ({"graph_type": "grouped", "split": 5}, "", "group of neurons", r"group \d+ \(fc1, 5 neurons\)"),
        ({"graph_type": "grouped", "partition": "channels"}, "", "neuron", r"fc2\[\d\]"),
        ({"graph_type": "partitioned", "split": 2, "partition": "structure-metis"}, "part1", "neuron", r"fc\d\[\d+\]"),
        ({"graph_type": "per-sample", "n_samples": 2}, "sample1", "neuron", r"fc\d\[\d+\]"),
        ({"graph_type": "per-sample", "n_samples": 1, "select_nodes": True}, "sample0", "neuron", r"fc\d\[\d+\]"),
        ({"sample_nodes": 45, "bootstrap": 2}, "draw1", "neuron", r"fc\d\[\d+\]"),
        ({"sample_nodes": 45, "sample_method": "kmeans"}, "", "cluster", r"fc1\[\d+\] \+ \d+ more"),
    ],
)
def test_cavities_of_every_type_of_graph_are_traced_to_what_its_nodes_are(
    options: dict[str, Any], graph: str, nodes: str, named: str, trained: Run, tmp_path: Path
) -> None:
    everything = {**SMALL, "layers": None} if "select_nodes" in options else SMALL
    there = measure_epochs(
        trained, RunMeasureSettings(max_epsilon=0.4, min_persistence=0, **{**everything, **options}), [2]
    )
    several = traced(there, 2, graph, TraceSettings(top=9999, min_persistence=0), threads=1)
    stored = Diagrams.load(there.diagrams_file(2, graph))[1]
    assert len(stored)
    assert sorted((one.birth, one.death) for one in several) == [tuple(row) for row in stored.tolist()]
    assert any(re.fullmatch(named, str(neuron)) for one in several for neuron in one.neurons)
    written = page_of(there, tmp_path)
    assert "not traced to neurons" not in written.text
    assert re.search(f"Every dot is a [a-z ]*{nodes}", written.text)
    shown = Diagrams.load(there.diagrams_file(2, there.graphs()[0]))[1]
    lives = np.sort(np.minimum(shown[:, 1], 0.4) - shown[:, 0])[::-1]
    assert written.table("_cavities.csv")["life"].to_numpy() == pytest.approx(lives[:5], abs=1e-6)


@pytest.fixture(scope="module")
def of_layers(trained: Run) -> RunMeasurement:
    """The last two epochs with a graph of all layers and one of each."""
    return measure_epochs(trained, RunMeasureSettings(**SMALL, by="layer"), [1, 2])


def test_the_page_has_the_numbers_of_every_graph_and_says_which_one_is_shown(
    of_layers: RunMeasurement, tmp_path: Path
) -> None:
    written = page_of(of_layers, tmp_path)
    table = written.table("_graphs.csv")
    topology = write_results(of_layers, PictureSettings())[0]
    expected = pd.read_csv(topology).query("epoch == 2 and dim == 1")
    assert table["words"].tolist() == ["all layers", "layer fc1", "layer fc2"]
    for column in ("n_nodes", "count", "life", "betti_max"):
        assert table[column].tolist() == pytest.approx(expected[column].tolist(), nan_ok=True)
    assert "Every epoch has 3 graphs; shown is all layers" in written.text


def test_a_graph_that_is_named_is_shown_in_full(of_layers: RunMeasurement, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    written = Elements(
        write_report([of_layers], out, trace=TraceSettings(top=5), graphs=["layer0", "layer1"]).read_text("utf-8")
    )
    assert [attrs["id"] for tag, attrs in written.tags if tag == "article"] == ["r0", "r1"]
    shown = Diagrams.load(of_layers.diagrams_file(2, "layer0")).filtered()[1]
    lives = np.sort(np.minimum(shown[:, 1], 0.3) - shown[:, 0])[::-1]
    cavities = written.table("layer0_cavities.csv")
    assert cavities.query("epoch == 2")["life"].to_numpy() == pytest.approx(lives[:5], abs=1e-6)
    assert set(cavities["where"]) == {"fc1"}


def test_every_draw_of_neurons_is_among_the_graphs(trained: Run, tmp_path: Path) -> None:
    there = measure_epochs(trained, RunMeasureSettings(**SMALL, sample_nodes=45, bootstrap=3), [2])
    written = Elements(write_report([there], tmp_path / "page.html", graphs=["draw2"]).read_text("utf-8"))
    assert written.table("_graphs.csv")["words"].tolist() == ["draw 0", "draw 1", "draw 2"]
    assert "shown is draw 2" in written.text


def test_the_page_of_a_named_graph_lies_beside_that_of_the_run(of_layers: RunMeasurement) -> None:
    assert write_report([of_layers], graphs=["layer1"]).name == "report_layer1.html"
    assert write_report([of_layers]).name == "report.html"


@pytest.mark.parametrize(("by", "said"), [("layer", "did you mean layer1"), (None, "a single one, without a name")])
def test_a_graph_that_is_not_there_is_refused(by: Any, said: str, trained: Run, of_layers: RunMeasurement) -> None:
    there = of_layers if by else measure_epochs(trained, RunMeasureSettings(**SMALL), [2])
    with pytest.raises(DnnTopologyError, match=f"has no graph 'layer9': .*{said}"):
        write_report([there], graphs=["layer9"])


def test_of_very_many_graphs_some_are_shown_with_the_one_that_is_meant(trained: Run) -> None:
    there = measure_epochs(trained, RunMeasureSettings(**SMALL, graph_type="per-sample", n_samples=7), [2])
    several = side_by_side(there, 2, dim=1, chosen="sample5", most=3)
    assert several.table["graph"].tolist() == ["sample0", "sample1", "sample5"]
    assert several.n_graphs == 7


def test_a_page_of_components_alone_shows_when_they_die_and_says_why_none_is_traced(
    trained: Run, tmp_path: Path
) -> None:
    there = measure_epochs(trained, RunMeasureSettings(**{**SMALL, "max_dim": 0}), [2])
    text = write_report([there], tmp_path / "page.html").read_text("utf-8")
    assert "components alone were measured" in Elements(text).text
    dots = text.split('aria-label="Persistence diagram, epoch 2')[1].split("</figure>")[0]
    assert dots.count("L ") > len(Diagrams.load(there.diagrams_file(2)).select(0)) / 2


def test_where_no_loop_dies_no_mean_is_said_to_be_nan(trained: Run, tmp_path: Path) -> None:
    there = measure_epochs(trained, RunMeasureSettings(**SMALL, graph_type="structural", max_epsilon=0.5), [2])
    written = page_of(there, tmp_path)
    assert "all alive at the end, so that none has a life or midlife" in written.text
    assert "nan" not in written.text


def test_a_run_whose_training_left_no_history_has_a_page_of_what_there_is(trained: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained.folder, tmp_path / "lenet_digits" / "trial0"))
    (copy.folder / "history.csv").unlink()
    written = page_of(measure_epochs(copy, RunMeasureSettings(**SMALL), [0]), tmp_path)
    assert "how its training went is not known" in written.text


def test_a_run_measured_beyond_the_scale_of_correlations_is_opened(trained: Run) -> None:
    far = RunMeasureSettings(**SMALL, metric="euclidean", max_epsilon=3.0)
    there = measure_epochs(trained, far, [2])
    assert open_measurements([trained.folder], max_epsilon=3.0)[0].folder == there.folder


def test_a_graph_without_loops_says_why() -> None:
    alive, empty = np.array([(0, np.inf)] * 2), np.empty((0, 2))
    none = Diagrams([alive, empty], 0.3, 2, provenance={"n_edges": 0})
    assert "no two nodes are within d" in described_graphs({"": none})
    assert "there is no cavity" not in described_graphs({"": Diagrams([empty, np.array([(0.1, 0.2)])], 0.3)})
