"""The promise: test data decide nothing. Here reading them is an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dnn_topology.analysis.adversarial.detection import fit_detectors
from dnn_topology.analysis.feature_sets import FEATURE_SETS, PARTS
from dnn_topology.analysis.gap.table import source_column
from dnn_topology.nets.data import DataSet, FittedImages, Samples, batches, load_data, sample
from dnn_topology.nets.train import TrainingState, train
from dnn_topology.nets.zoo import build_net
from dnn_topology.pipeline import measure
from dnn_topology.runs.study.cell import measured_features
from dnn_topology.settings import RunMeasureSettings, TrainSettings


class Poisoned(FittedImages):
    """Test images that nobody may take out."""

    def __getitem__(self, places: Any) -> tuple[torch.Tensor, ...]:
        raise AssertionError("test data were read")

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        raise AssertionError("test data were read")


def poisoned(data: DataSet) -> DataSet:
    """A data set whose test images cannot be read."""
    test: Any = data.test
    return replace(data, test=Poisoned(test.pixels, test.labels, test.places, test.form))


class Other:
    """Test data whose labels are all wrong."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, places: Any) -> tuple[torch.Tensor, ...]:
        images, labels = self._samples[places]
        return images, (labels + 1) % 10

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        return self[list(range(len(self)))]


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits", shape=(1, 28, 28), train_size=200)


def test_the_poison_works(data: DataSet) -> None:
    with pytest.raises(AssertionError, match="test data were read"):
        train(build_net("mlp"), poisoned(data), epochs=1)


def test_a_training_needs_no_test_data_and_ends_as_one_that_reports_them(data: DataSet) -> None:
    reported, unread = list[TrainingState](), list[TrainingState]()
    train(build_net("mlp"), data, epochs=2, on_epoch=reported.append)
    history = train(build_net("mlp"), poisoned(data), epochs=2, test=None, on_epoch=unread.append)
    assert all(torch.equal(reported[-1].model[name], weights) for name, weights in unread[-1].model.items())
    assert history[["test_loss", "test_accuracy"]].isna().all(axis=None)
    assert history["train_loss"].tolist() == [record.train_loss for record in reported[-1].history]


def test_the_schedule_does_not_step_on_the_test_loss(data: DataSet) -> None:
    # Nothing is learned at this rate: the schedule halves it after ten epochs, whatever the test labels are.
    few = replace(data, train=sample(data.train, 30), test=sample(data.test, 5))
    wrong = replace(few, test=Other(few.test))  # type: ignore[arg-type]
    one, other = (train(build_net("mlp"), each, epochs=13, lr=1e-6)["lr"].tolist() for each in (few, wrong))
    assert one == other
    learning = train(build_net("mlp"), replace(wrong, train=data.train), epochs=14, lr=0.02)
    assert learning["test_loss"].iloc[-1] > learning["test_loss"].iloc[0]  # it falls on no plateau of its own
    assert set(learning["lr"]) == {0.02}


def test_measuring_and_fitting_detectors_need_no_test_data(data: DataSet) -> None:
    unread = poisoned(data)
    net = build_net("mlp")
    train(net, unread, epochs=1, test=None)
    assert len(measure(net, batches(sample(unread.train, 100)), max_dim=1).diagrams[0])
    fitted = fit_detectors(net, unread.train[list(range(60))][0], data=unread, detectors=["softmax", "profile+noise"])
    scores = fitted.score(unread.train[[60, 61, 62]][0]).single
    assert all(np.isfinite(values).all() for values in scores.values())
    assert unread.digest == data.digest  # which reads no image as a network would


def test_no_feature_of_the_gap_needs_test_data(data: DataSet) -> None:
    settings, training = RunMeasureSettings(max_dim=1, max_epsilon=0.4, n_inputs=60), TrainSettings(net="mlp")
    measured = [
        measured_features(build_net("mlp"), each, training, settings, parts=PARTS, draws=2, seed=0)[1]
        for each in (data, poisoned(data))
    ]
    assert measured[0] == measured[1]
    asked = {source_column(name).removeprefix("early_") for columns in FEATURE_SETS.values() for name in columns}
    assert asked - {"train_loss", "train_accuracy", "net", "dataset"} <= measured[0].keys()
