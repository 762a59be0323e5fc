"""The epochs of a run measured by the workers of a real cluster on localhost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from dnn_topology.cli import main
from dnn_topology.homology.diagrams import Diagrams
from tests.runs.cluster import Cluster

pytest.importorskip("distributed")

# dask leaves its sockets to the garbage collector
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
TRAIN = ["--net", "mlp", "--dataset", "digits", "--width", "0.2", "--n-epochs-train", "1", "--data-subset", "0.1"]
MEASURE = ["--n-inputs", "40", "--max-dim", "1", "--nproc", "1"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and one worker."""
    started = Cluster(tmp_path, ["alone"])
    yield started
    started.end()


def test_a_run_measured_on_a_cluster_has_the_bytes_of_one_machine(tmp_path: Path, cluster: Cluster) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("this process measured, and not the worker")

    assert main(["train", *TRAIN, "--save-path", str(tmp_path)]) == 0
    there = tmp_path / "mlp_digits" / "trial0"
    here = shutil.copytree(there, tmp_path / "here" / "trial0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnn_topology.runs.measuring.measured_graphs", refuse)
        assert main(["topology", str(there), *MEASURE, "--scheduler", cluster.address]) == 0
    assert main(["topology", str(here), *MEASURE]) == 0
    for name in ("epoch0.npz", "epoch1.npz", "topology.csv"):
        assert (there / "eps0.3" / name).read_bytes() == (here / "eps0.3" / name).read_bytes(), name
    assert len(Diagrams.load(there / "eps0.3" / "epoch1.npz")[1]) > 0


def test_trials_of_a_cluster_that_stop_early_are_those_of_one_machine(tmp_path: Path, cluster: Cluster) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("this process trained or looked, and not the worker")

    stop = ["--early-stop", "midlife", "--patience", "1", "--min-delta", "0.9", "--n-inputs", "40", "--nproc", "1"]
    command = ["run", *TRAIN, "--n-epochs-train", "4", *stop, "--trials", "2", "--build_graph", "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnn_topology.runs.training.train_from", refuse)
        patch.setattr("dnn_topology.runs.stopping.stopping_quantities", refuse)
        assert main([*command, "--save-path", str(tmp_path / "there"), "--scheduler", cluster.address]) == 0
    assert main([*command, "--save-path", str(tmp_path / "here")]) == 0
    for trial in ("trial0", "trial1"):
        there, here = (tmp_path / place / "mlp_digits" / trial for place in ("there", "here"))
        names = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
        assert {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()} == names
        assert "checkpoints/epoch1.pt" in names
        assert "checkpoints/epoch4.pt" not in names
        for name in ("history.csv", "settings.json", *(name for name in names if name.endswith(("0.csv", "1.csv")))):
            assert (there / name).read_bytes() == (here / name).read_bytes(), name
