"""Measurements on disk by layer and by class."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dnn_topology import Diagrams
from dnn_topology.cli import main
from dnn_topology.runs.measurements import RunMeasurement, find_measurement
from dnn_topology.runs.measuring import measure_epochs, snapshot_of
from dnn_topology.runs.results import write_results
from dnn_topology.runs.run import Run
from dnn_topology.settings import PictureSettings, RunMeasureSettings

FEW = {"max_dim": 1, "n_inputs": 60}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the weights of epochs 0 and 1, nothing measured yet."""
    folder = tmp_path_factory.mktemp("trained")
    names = "--net lenet_300_100 --dataset digits --n_epochs_train 1 --data-subset 0.2"
    assert main(["train", *names.split(), "--save_path", str(folder)]) == 0
    return Run.open(folder / "lenet_300_100_digits" / "trial0")


@pytest.fixture(scope="module")
def by_layer(run: Run) -> RunMeasurement:
    return measure_epochs(run, RunMeasureSettings(by="layer", **FEW), [0, 1])  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layers_diagrams_on_disk_are_those_of_that_layer_alone(by_layer: RunMeasurement, layer: int) -> None:
    from dnn_topology.pipeline import measured_graphs

    alone = RunMeasureSettings(layers=(f"fc{layer + 1}",), **FEW)  # type: ignore[arg-type]
    (expected,) = measured_graphs(snapshot_of(by_layer.run, alone, 1)).values()
    kept = Diagrams.load(by_layer.diagrams_file(1, f"layer{layer}"))
    assert kept == expected
    assert kept.provenance["layer"] == f"fc{layer + 1}"


def test_what_is_finished_by_layer_is_found_again(by_layer: RunMeasurement) -> None:
    there = find_measurement(by_layer.run)
    assert there.settings.by == "layer"
    assert there.graphs() == ["", "layer0", "layer1", "layer2"]
    assert list(there.load(graph="layer2")) == [0, 1]


def test_the_table_names_layers_and_a_heat_map_lies_beside_it(by_layer: RunMeasurement) -> None:
    paths = write_results(by_layer, PictureSettings())
    table = pd.read_csv(by_layer.folder / "topology.csv")
    assert table["layer"].drop_duplicates().tolist() == ["(all)", "fc1", "fc2", "fc3"]
    assert len(table) == 2 * 2 * 4
    assert by_layer.folder / "layer_by_epoch_H1.png" in paths
    assert not (by_layer.folder / "layer1").exists()


def test_classes_have_their_numbers_in_the_table(run: Run) -> None:
    there = measure_epochs(run, RunMeasureSettings(by="class", **FEW), [1])  # type: ignore[arg-type]
    write_results(there, PictureSettings())
    table = pd.read_csv(there.folder / "topology.csv")
    assert table["class"].drop_duplicates().tolist() == ["(all)", *map(str, range(10))]


def test_a_study_and_early_stopping_have_one_graph_per_network(
    by_layer: RunMeasurement, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dnn_topology._checks import DnnTopologyError
    from dnn_topology.runs.stopping import StoppingEpochs

    study = tmp_path / "s.toml"
    study.write_text("[[grid]]\nnet = ['mlp']\ndataset = ['digits']\n[topology]\nby = 'layer'\n")
    assert main(["study", str(study), "--save-path", str(tmp_path)]) == 2
    assert "a study has one graph per network" in capsys.readouterr().err
    with pytest.raises(DnnTopologyError, match="early stopping looks at one graph per epoch"):
        StoppingEpochs(by_layer.run, by_layer.settings)
