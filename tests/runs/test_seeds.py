"""What a run draws for its analyses, it draws by its seed or that of its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnn_topology.analysis.feature_sets import PARTS
from dnn_topology.analysis.network_features import network_features
from dnn_topology.nets.data import batches, load_data, sample
from dnn_topology.nets.draws import labelled_draws, labelled_training
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.classes import predicted_classes
from dnn_topology.runs.detecting import Detection
from dnn_topology.runs.measuring import snapshot_with
from dnn_topology.runs.neighbours import NeighbourEpochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.study.cell import measured_features
from dnn_topology.runs.training import run_training
from dnn_topology.settings import DetectSettings, RunMeasureSettings, TrainSettings

TRAINING = TrainSettings(net="mlp", dataset="digits", width=0.1, train_size=80, lr=0.05, seed=3)
SEEDS = (3, 0)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.named(TRAINING, tmp_path)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_run_is_measured_on_inputs_that_its_seed_draws(run: Run, part: Any) -> None:
    snapshot = snapshot_with(run, RunMeasureSettings(n_inputs=20, graph_split=part), None)
    ((images, _),) = snapshot.batches
    expected, others = (sample(getattr(run.load_data(), part), 20, seed=seed).tensors[0] for seed in SEEDS)
    assert torch.equal(images, expected)
    assert not torch.equal(images, others)
    assert snapshot.seed == 3


def test_detectors_are_fitted_on_images_that_the_seed_of_their_settings_draws(run: Run, tmp_path: Path) -> None:
    settings = DetectSettings(n_fit=20, n_inputs=10, batch_sizes=(), seed=3)
    data = run.load_data()
    fitted_on = Detection(run.load_net(), data, settings, tmp_path / "detection", about={}).experiment.fitted_on
    expected, others = (sample(data.train, 20, seed=seed).tensors[0] for seed in SEEDS)
    assert torch.equal(fitted_on, expected)
    assert not torch.equal(fitted_on, others)


def test_neighbours_are_resampled_by_the_seed_of_the_run(run: Run) -> None:
    run_training(run, epochs=1)
    epochs = NeighbourEpochs(run, draws=4)
    epochs.prepare(lambda _: None)

    classes = predicted_classes(run.load_net(run.checkpoint(1)), batches(epochs._inputs(), batch_size=80))
    expected, others = (epochs._neighbours().drawn(classes, 4, seed=seed) for seed in SEEDS)
    assert epochs.do(1)["neighbours"].iloc[1:].tolist() == expected != others


def test_features_look_at_the_inputs_that_are_measured() -> None:
    data, settings = load_data("digits", train_size=80), RunMeasureSettings(n_inputs=40, max_dim=1)
    net = build_net("mlp", shape=data.shape, width=0.1)
    drawn, features = measured_features(net, data, TRAINING, settings, parts=PARTS, draws=2, seed=3)
    expected, others = (
        network_features(
            net,
            drawn,
            labelled_draws(data, settings, draws=2, seed=seed),
            labelled_training(data),
            training=TRAINING,
            n_train=len(data.train),
        )
        for seed in SEEDS
    )
    np.testing.assert_equal(features, expected)
    assert features != others
