"""Test data decide nothing: whoever reads the test part of a data set where it must not be read meets an exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
import torch

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import StoppingRule
from dnn_topology.analysis.gap import GapModel
from dnn_topology.cli import main
from dnn_topology.homology.bootstrap import resampled
from dnn_topology.nets import from_settings
from dnn_topology.nets import train as trainings
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.activations import Activations
from dnn_topology.runs.detecting import Detection
from dnn_topology.runs.measuring import measure_epochs, snapshot_of
from dnn_topology.runs.neighbours import NeighbourEpochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.stopping import USUAL, StoppingEpochs, _drawn
from dnn_topology.runs.study.cell import CellResult, run_cell
from dnn_topology.runs.training import run_training
from dnn_topology.settings import DetectSettings, RunMeasureSettings, TrainSettings
from dnn_topology.settings.cells import Cell
from dnn_topology.work.decisions import EarlyStopping

TRAINING = TrainSettings(net="mlp", dataset="digits", width=0.1, train_size=80, lr=0.05)
SETTINGS = RunMeasureSettings(n_inputs=40, max_dim=1)
STOPPING = replace(USUAL, n_inputs=40)
EPOCHS = 3


class TestDataReadError(Exception):
    """Somebody looked at test data."""

    __test__ = False


@dataclass(frozen=True)
class Poison:
    """The test part of a data set, which nobody may look at."""

    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, places: object) -> NoReturn:
        raise TestDataReadError(places)

    @property
    def tensors(self) -> NoReturn:
        raise TestDataReadError

    digest = tensors


@pytest.fixture
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every data set that is loaded has a test part that raises when it is read.

    The one exception is the accuracy for the history, which is not computed.
    """
    load, evaluate = load_data, trainings.evaluate

    def poisoned(*names: Any, **options: Any) -> DataSet:
        whole = load(*names, **options)
        poison: Any = Poison(len(whole.test))
        return replace(whole, test=poison)

    def of_history(model: torch.nn.Module, part: Any, **options: Any) -> tuple[float, float]:
        return (float("nan"), float("nan")) if isinstance(part, Poison) else evaluate(model, part, **options)

    monkeypatch.setattr(from_settings, "load_data", poisoned)
    monkeypatch.setattr(trainings, "evaluate", of_history)
    from_settings.data_of.cache_clear()
    yield
    from_settings.data_of.cache_clear()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was trained on whole data."""
    from_settings.data_of.cache_clear()
    run = Run.named(TRAINING, tmp_path_factory.mktemp("run"))
    run_training(run, epochs=EPOCHS)
    return run


@pytest.fixture
def copy(trained: Run, tmp_path: Path) -> Run:
    """The same run in a folder where nothing is measured yet."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("settings.json", "checkpoints", "history.csv"):
        (folder / name).symlink_to(trained.folder / name)
    return Run.open(folder)


def weights(run: Run, epoch: int) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.checkpoint(epoch), weights_only=True)["model"]
    return state


def assert_same_weights(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.usefixtures("_poisoned")
def test_the_poison_works(copy: Run) -> None:
    with pytest.raises(TestDataReadError):
        measure_epochs(copy, replace(SETTINGS, graph_split="test"), [0])


@pytest.mark.usefixtures("_poisoned")
def test_training_reads_test_data_for_the_history_alone(trained: Run, tmp_path: Path) -> None:
    run = Run.named(TRAINING, tmp_path)
    history = run_training(run, epochs=EPOCHS)
    assert history["test_loss"].isna().all()
    assert_same_weights(weights(run, EPOCHS), weights(trained, EPOCHS))


def test_the_schedule_does_not_follow_the_test_loss() -> None:
    """Test labels are wrong, so that the loss on them soon rises, and a schedule that saw it would halve the rate."""
    epochs = 16
    data = load_data("digits", train_size=60)
    images, labels = data.test.tensors
    wrong = replace(data, test=torch.utils.data.TensorDataset(images, (labels + 1) % 10))
    histories = {}
    for name, each in (("right", data), ("wrong", wrong)):
        net = build_net("mlp", shape=data.shape, width=0.1)
        histories[name] = trainings.train(net, each, epochs=epochs, lr=0.05, batch_size=8)
    lowest = histories["wrong"]["test_loss"].argmin()
    assert lowest + 11 < epochs  # else this proves nothing: a schedule waits for ten epochs without a better one
    common = ["epoch", "lr", "train_loss", "train_accuracy"]
    pd.testing.assert_frame_equal(histories["wrong"][common], histories["right"][common])
    assert (histories["wrong"]["lr"] == 0.05).all()


@pytest.mark.usefixtures("_poisoned")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"graph_type": "grouped", "split": 5},
        {"graph_type": "partitioned", "split": 2},
        {"graph_type": "per-sample", "n_samples": 2, "select_nodes": True},
        {"sample_nodes": 20, "sample_method": "importance", "bootstrap": 2},
    ],
)
def test_measuring_a_run_reads_no_test_data(changes: dict[str, Any], copy: Run) -> None:
    measurement = measure_epochs(copy, replace(SETTINGS, **changes), range(EPOCHS + 1))
    assert measurement.epochs(measurement.graphs()[0]) == [*range(EPOCHS + 1)]


@pytest.mark.usefixtures("_poisoned")
def test_early_stopping_afterwards_reads_no_test_data(copy: Run) -> None:
    tables = StoppingEpochs(copy, STOPPING, draws=2).quantities(range(EPOCHS + 1))
    assert [len(table) for table in tables.values()] == [3] * (EPOCHS + 1)


@pytest.mark.usefixtures("_poisoned")
def test_early_stopping_during_the_training_reads_no_test_data(tmp_path: Path) -> None:
    run = Run.named(TRAINING, tmp_path)
    stopping = EarlyStopping(StoppingEpochs(run, STOPPING), StoppingRule("midlife", patience=1, min_delta=0.9))
    history = run_training(run, epochs=EPOCHS, should_stop=stopping.should_stop)
    stopped = stopping.decision()[0].stop_epoch
    assert stopped is not None
    assert history["epoch"].iloc[-1] == stopped < EPOCHS


@pytest.mark.usefixtures("_poisoned")
def test_early_stopping_by_neighbours_reads_no_test_data(tmp_path: Path) -> None:
    run = Run.named(TRAINING, tmp_path)
    stopping = EarlyStopping(NeighbourEpochs(run, draws=2), StoppingRule("neighbours", patience=1, min_delta=0.9))
    run_training(run, epochs=EPOCHS, should_stop=stopping.should_stop)
    assert stopping.decision()[0].stop_epoch is not None


@pytest.mark.usefixtures("_poisoned")
def test_what_a_file_of_weights_claims_is_held_against_training_data_alone(copy: Run, tmp_path: Path) -> None:
    torch.save({"model": weights(copy, 0), "acc": 99.9}, tmp_path / "theirs.pt")
    with pytest.warns(UserWarning, match="right about 99.9 % of the images"):
        copy.load_net(tmp_path / "theirs.pt")


def test_early_stopping_on_test_inputs_is_refused(trained: Run) -> None:
    with pytest.raises(DnnTopologyError, match="early stopping looks at training inputs alone"):
        StoppingEpochs(trained, replace(STOPPING, graph_split="test"))


@pytest.mark.usefixtures("_poisoned")
def test_fitting_detectors_reads_no_test_data(trained: Run, tmp_path: Path) -> None:
    from dnn_topology.analysis.adversarial import NAMES

    net, data = trained.load_net(trained.checkpoint(EPOCHS)), trained.load_data()
    settings = DetectSettings(n_inputs=20, n_fit=40, batch_sizes=(10,), detectors=tuple(NAMES))
    detection = Detection(net, data, settings, tmp_path / "detection", about={})
    assert {*detection.experiment.detectors.detectors} == {*NAMES}
    assert [*detection.experiment.detectors.batch_detectors] == [10]
    with pytest.raises(TestDataReadError):
        detection.experiment.judged  # noqa: B018  # which are test images by intention


def cell_result() -> CellResult:
    return run_cell(Cell(TRAINING, EPOCHS, (1, EPOCHS), SETTINGS, draws=2))


def test_the_features_of_a_cell_of_a_study_do_not_depend_on_test_data(request: pytest.FixtureRequest) -> None:
    whole = cell_result()
    request.getfixturevalue("_poisoned")
    blind = cell_result()
    assert blind.diagrams == whole.diagrams
    of_test_data = {"test_loss", "test_accuracy", "gap"}
    for ours, theirs in zip(blind.rows, whole.rows, strict=True):
        different = {name for name in theirs if ours[name] != theirs[name]}
        assert different == of_test_data


@pytest.fixture
def gap_table() -> pd.DataFrame:
    """Made-up networks of a study."""
    rng = np.random.default_rng(0)
    rows = {
        "cell": [f"c{number}" for number in range(40)],
        **{name: rng.uniform(0.05, 0.3, 40) for name in ("life", "midlife", "test_loss", "test_accuracy")},
        "gap": rng.uniform(1, 30, 40),
        "graph_split": "train",
        "n_inputs": 40,
        "draws": 2,
        "nodes": "unit",
        "max_epsilon": 0.4,
    }
    return pd.DataFrame(rows)


def test_a_model_of_the_gap_is_fitted_without_the_accuracy_on_test_data(
    gap_table: pd.DataFrame, tmp_path: Path
) -> None:
    for name, table in (("all", gap_table), ("less", gap_table.drop(columns=["test_loss", "test_accuracy"]))):
        GapModel.fit(table).save(tmp_path / name)
    assert (tmp_path / "all").read_bytes() == (tmp_path / "less").read_bytes()


def test_a_model_of_the_gap_of_networks_measured_on_test_inputs_is_refused(gap_table: pd.DataFrame) -> None:
    with pytest.raises(DnnTopologyError, match=r"graph_split|training inputs"):
        GapModel.fit(gap_table.assign(graph_split="test"))


@pytest.mark.usefixtures("_poisoned")
def test_foretelling_the_gap_reads_no_test_data(copy: Run, gap_table: pd.DataFrame, tmp_path: Path) -> None:
    model, out = tmp_path / "model.json", tmp_path / "gap.csv"
    GapModel.fit(gap_table).save(model)
    assert main(["gap", "predict", str(copy.folder), "--model", str(model), "--out", str(out)]) == 0
    (row,) = pd.read_csv(out).to_dict("records")
    assert np.isfinite([row["gap"], row["train_accuracy"]]).all()


def draws_of_inputs(seed: int) -> list[Any]:
    """Diagrams of bootstrap draws 1 and 2 of the same signals."""
    values = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
    signals = Activations(values, pd.DataFrame({"layer": "a", "index": range(20)}))
    return [*resampled(signals, [1, 2], seed=seed, max_dim=1, max_epsilon=0.5)]


def stopping_draws(seed: int, trained: Run) -> list[Any]:
    """Signals of bootstrap draws 1 and 2 of the same inputs."""
    snapshot = snapshot_of(trained, STOPPING, EPOCHS)
    drawn = _drawn(replace(snapshot, batches=list(snapshot.batches), seed=seed), [1, 2])
    return [signals.values.tobytes() for _, signals in drawn]


@pytest.mark.parametrize("drawn", [lambda seed, _: draws_of_inputs(seed), stopping_draws])
def test_bootstrap_draws_depend_on_their_seed_and_number_alone(
    drawn: Callable[[int, Run], list[Any]], trained: Run
) -> None:
    first, second = drawn(0, trained), drawn(1, trained)
    assert first == drawn(0, trained)
    assert all(ours != theirs for ours, theirs in zip(first, second, strict=True))
    assert first[0] != first[1]
