"""`cavities`: what a run's graphs are made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dnn_topology.cli import main
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.store import read_table

TRAIN = ["--net", "lenet_300_100", "--dataset", "digits", "--lr", "0.05", "--data-subset", "0.2"]
MEASURE = ["--n-epochs-train", "1", "--n-inputs", "40", "--max-dim", "1", "--nproc", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with two epochs."""
    results = tmp_path_factory.mktemp("results")
    assert main(["run", "--no-report", *TRAIN, *MEASURE, "--save-path", str(results)]) == 0
    return results / "lenet_300_100_digits" / "trial0"


def test_the_table_has_the_cavities_of_the_stored_diagram(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "loops.csv"
    assert main(["cavities", str(trained), "--epoch", "0", "--top", "9999", "--out", str(out)]) == 0
    table = read_table(out)
    stored = Diagrams.load(trained / "eps0.3" / "epoch0.npz").filtered(min_persistence=0.02)[1]
    assert sorted(zip(table["birth"], table["death"], strict=True)) == [tuple(row) for row in stored.tolist()]
    assert table["cycle"].str.contains(r"fc1\[\d+\] – ").any()


def test_the_neurons_around_one_cavity_are_printed_one_a_line(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cavities", str(trained), "--cavity", "1"]) == 0
    first, *neurons = capsys.readouterr().out.splitlines()
    assert first.startswith("Cavity(1: H1, ε 0.")
    assert f"{len(neurons)} nodes" in first
    assert all(neuron.startswith("fc") for neuron in neurons)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epoch", "7"], "there is no checkpoint of epoch 7"),
        (["--cavity", "20"], r"there is no cavity 20 of H1 \(there are: 0 to 19; .* raise --top"),
        (["--dim", "3"], "--dim must be 1"),
        (["--graph", "part0"], "single graph"),
        (["--measurement", "eps0.2"], "has no --measurement .*eps0.2"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(
    trained: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cavities", str(trained), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)


def test_a_folder_of_no_run_and_a_run_without_measurements_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cavities", str(tmp_path)]) == 2
    assert "is no folder of a run" in capsys.readouterr().err
    assert main(["train", *TRAIN, "--n-epochs-train", "1", "--save-path", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["cavities", str(tmp_path / "lenet_300_100_digits" / "trial0")]) == 2
    assert "there are no diagrams" in capsys.readouterr().err
