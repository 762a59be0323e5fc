"""Every type of graph from the command line, on a small network and few inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dnn_topology import Activations, Diagrams, read_dipha, store
from dnn_topology.cli import main
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.settings import Resources, RunMeasureSettings
from tests.oracles import assert_same_diagram

NAMES = "--net lenet_300_100 --dataset digits"
FEW = "--max-dim 1 --n-inputs 60"
PARTITIONED = "--graph_type functional_big_networks_per_partition --partition dynamic --split 2"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the weights of epochs 0 and 1, nothing measured yet."""
    folder = tmp_path_factory.mktemp("trained")
    assert main([*f"train {NAMES} --n_epochs_train 1 --save_path".split(), str(folder)]) == 0
    return folder


@pytest.fixture
def results(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that run to measure, without pictures."""
    monkeypatch.setattr("dnn_topology.show.report.save_run_figures", lambda *args, **options: [])  # noqa: ARG005
    shutil.copytree(trained, tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture(scope="module")
def partitioned(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of that run, measured in two METIS parts."""
    folder = tmp_path_factory.mktemp("partitioned") / "results"
    shutil.copytree(trained, folder)
    measured(folder, PARTITIONED)
    return folder


def measured(results: Path, flags: str) -> pd.DataFrame:
    """Measure both epochs in the original's spelling and return topology.csv."""
    line = f"run {NAMES} --no-report --train 0 --n_epochs_train 1 --epochs_test 1 {FEW} {flags}"
    assert main([*line.split(), "--save_path", str(results)]) == 0
    (table,) = (results / "lenet_300_100_digits" / "trial0").glob("eps*/topology.csv")
    return pd.read_csv(table)


def test_functional_leaves_one_graph_per_epoch_and_no_column_for_parts(results: Path) -> None:
    table = measured(results, "--graph_type functional")
    assert table["epoch"].tolist() == [0, 0, 1, 1]
    assert not {"part", "sample"} & set(table)


@pytest.mark.parametrize(
    ("partition", "n_groups"),
    [("hardcoded --split 50", 9), ("dynamic --split 12", 12), ("dynamic_from_structure --split 12", 12)],
)
def test_grouped_by_the_originals_name_has_groups_as_nodes(results: Path, partition: str, n_groups: int) -> None:
    table = measured(results, f"--graph_type functional_big_networks --partition {partition} --constant isolate")
    assert set(table["n_nodes"]) == {n_groups}
    assert (results / "lenet_300_100_digits" / "adj_epc1_trl0_0.3.bin.out").exists()


def test_grouped_by_channels_has_channels_as_nodes(tmp_path: Path) -> None:
    line = f"run --net lenet --dataset digits --n_epochs_train 0 {FEW} --data_subset 0.1 --graph_type grouped"
    assert main([*line.split(), "--partition", "hardcoded_from_structure", "--save_path", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "lenet_digits" / "trial0" / "eps0.3" / "topology.csv")
    assert set(table["n_nodes"] + table["n_constant"]) == {90}


def test_partitioned_leaves_one_diagram_per_part_and_epoch_under_the_originals_names(partitioned: Path) -> None:
    folder = partitioned / "lenet_300_100_digits"
    assert sorted(path.name for path in folder.glob("adj_*")) == [
        f"adj_epc{epoch}_trl0_part{part}_0.3.bin.out" for epoch in (0, 1) for part in (0, 1)
    ]
    ours = Diagrams.load(folder / "trial0" / "eps0.3" / "epoch1_part1.npz")
    assert_same_diagram(read_dipha(folder / "adj_epc1_trl0_part1_0.3.bin.out"), ours)
    assert (folder / "trial0" / "eps0.3" / "part1" / "betti_curves_H1.png").exists()


def test_the_parts_are_those_of_the_last_epoch_at_every_epoch(partitioned: Path) -> None:
    folder = partitioned / "lenet_300_100_digits" / "trial0" / "eps0.3"
    groups = store.read_arrays(folder / "epoch1_groups.npz")["groups"]
    table = pd.read_csv(folder / "topology.csv").query("dim == 0")
    assert table[["epoch", "part"]].to_numpy().tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert (table["n_nodes"] + table["n_constant"]).tolist() == np.bincount(groups).repeat(2).tolist()


def test_finished_parts_are_not_measured_again(partitioned: Path) -> None:
    finished = {path: path.stat().st_mtime_ns for path in partitioned.glob("*/trial0/eps0.3/epoch*.npz")}
    measured(partitioned, PARTITIONED)
    assert len(finished) == 5
    assert all(path.stat().st_mtime_ns == written for path, written in finished.items())


def test_a_missing_part_is_measured_again(partitioned: Path) -> None:
    (lost,) = partitioned.glob("*/trial0/eps0.3/epoch0_part1.npz")
    before = Diagrams.load(lost)
    lost.unlink()
    measured(partitioned, PARTITIONED)
    assert Diagrams.load(lost) == before


def test_visualise_reads_every_part(partitioned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"visualise {NAMES} --min_persistence 0 --formats png --save_path"
    assert main([*line.split(), str(partitioned)]) == 0
    out = capsys.readouterr().out
    assert "part0, H1" in out
    assert "part1, H1" in out


def test_a_part_of_dead_neurons_has_no_nodes_and_no_cavities(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.open(results / "lenet_300_100_digits" / "trial0")
    settings = RunMeasureSettings(graph_type="partitioned", partition="metis", split=2, max_dim=1, n_inputs=60)

    def dead_apart(activations: Activations, **options: object) -> NDArray[np.intp]:  # noqa: ARG001
        return np.where(np.ptp(activations.values, axis=0) == 0, 1, 0)

    monkeypatch.setattr("dnn_topology.graphs.graph_types.correlation_groups", dead_apart)
    part = measure_epochs(run, settings, [1], resources=Resources()).load(graph="part1")[1]
    assert part.n_nodes == 0
    assert int(part.provenance["n_constant"]) > 0
    assert [len(bars) for bars in part] == [0, 0]


def test_subsplit_groups_the_neurons_of_each_part(results: Path) -> None:
    table = measured(results, "--graph_type partitioned --split 2 --subsplit 9 --constant isolate")
    assert set(table["n_nodes"]) == {9}


def test_per_sample_leaves_one_diagram_per_input_of_the_neurons_that_tell_right_from_wrong(results: Path) -> None:
    table = measured(results, "--graph_type functional_persample --n_samples 2 --select_nodes 1")
    folder = results / "lenet_300_100_digits"
    assert len(list(folder.glob("adj_epc1_trl0_sample*_0.3.bin.out"))) == 2
    assert set(table["sample"]) == {0, 1}
    assert set(table["n_nodes"]) == {410 // 10}
    assert {"label", "predicted"} <= set(table)


def test_per_sample_takes_all_neurons_unless_told_otherwise(results: Path) -> None:
    table = measured(results, "--graph_type per-sample --n_samples 1 --max_epsilon 0.05")
    assert set(table["n_nodes"]) == {410}


def test_thresholds_leave_the_betti_numbers_of_the_cut_graphs(results: Path) -> None:
    measured(results, "--thresholds 0.5 0.9")
    table = pd.read_csv(results / "lenet_300_100_digits/trial0/eps0.3/betti_numbers.csv")
    diagrams = Diagrams.load(results / "lenet_300_100_digits/trial0/eps0.3/epoch1.npz")
    (loops,) = table.query("epoch == 1 and threshold == 0.5 and dim == 1")["betti"]
    assert loops == diagrams.betti_curve(1).at(0.25)


def test_another_metric_is_another_measurement_beside_the_first(results: Path) -> None:
    first = measured(results, "--metric spearman")
    assert np.isfinite(first["life"]).any()
    line = f"run {NAMES} --no-report --train 0 --n_epochs_train 1 --epochs_test 1 {FEW} --save_path"
    assert main([*line.split(), str(results)]) == 0
    second = pd.read_csv(results / "lenet_300_100_digits" / "trial0" / "eps0.3_metric-pearson" / "topology.csv")
    assert second["life"].tolist() != first["life"].tolist()


def test_the_graph_of_the_weights_leaves_neural_persistence_beside_its_cavities(results: Path) -> None:
    table = measured(results, "--graph_type structural --max-epsilon 0.5")
    assert table["neural_persistence"].between(0, 1).all()
    assert (table.query("dim == 0")["n_nodes"] == 410).all()
    assert table["n_edges"].iloc[0] == 300 * 100 + 100 * 10


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--split 3", "--split does not apply to --graph-type 'functional'"),
        ("--graph_type functionl", 'Invalid value "functionl" for --graph-type'),
        ("--graph_type grouped --partition dynamik --split 2", 'Invalid value "dynamik" for --partition'),
        ("--thresholds 0.2", "beyond --max-epsilon 0.3"),
        ("--thresholds half", 'Invalid value for --thresholds: unable to convert "half" into float'),
        ("--graph_type per-sample --n_samples 61", "--n-samples must be at most --n-inputs, 60, found 61"),
        ("--graph_type structural --metric spearman", "--metric does not apply to --graph-type 'structural'"),
        ("--metric nowhere:f", "cannot be imported"),
        ("--graph_type grouped --split 9 --sample-nodes 20", "--sample-nodes does not apply to --graph-type 'grouped'"),
    ],
)
def test_a_wrong_flag_is_refused_before_any_work(
    flags: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*f"run {NAMES} {FEW} {flags}".split(), "--save_path", str(tmp_path / "new")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
