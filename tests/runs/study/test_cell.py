from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.network_features import network_features
from dnn_topology.nets.data import batches, load_data, sample
from dnn_topology.nets.zoo import build_net
from dnn_topology.pipeline import measure
from dnn_topology.runs.study.cell import run_cell
from dnn_topology.runs.study.grid import Study

FIRST = [
    *("cell", "net", "dataset", "width", "depth", "dropout", "weight_decay", "train_size", "permute_labels", "lr"),
    *("batch_size", "seed", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "gap"),
]


def test_a_cell_gives_a_row_for_every_measured_epoch_with_the_columns_in_order(study: Study) -> None:
    result = run_cell(study.cells[0])
    assert [row["epoch"] for row in result.rows] == [0, 2]
    for row in result.rows:
        assert [*row][: len(FIRST)] == FIRST
        assert {"graph_split", "n_inputs", "max_epsilon"} <= row.keys()
        assert row["graph_split"] == "train"
        assert row["gap"] == 100 * (row["train_accuracy"] - row["test_accuracy"])  # type: ignore[operator]
    assert [*result.diagrams] == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert result.weights == {}


def test_a_cell_gives_the_same_rows_again(study: Study) -> None:
    assert run_cell(study.cells[0]).rows == run_cell(study.cells[0]).rows
    assert run_cell(study.cells[0]).rows != run_cell(study.cells[1]).rows


def test_its_topology_is_that_of_training_inputs_in_several_draws(study: Study) -> None:
    cell = replace(study.cells[1], keep_weights=True)
    result = run_cell(cell)
    net = build_net("mlp", seed=1, width=0.1)
    net.load_state_dict(result.weights[2].model)
    data = load_data("digits", shape=(1, 28, 28), train_size=60, seed=1)
    expected = [
        measure(net, batches(sample(data.train, 30, seed=1 + draw)), max_dim=1, max_epsilon=0.4).diagrams
        for draw in (0, 1)
    ]
    assert [result.diagrams[2, 0], result.diagrams[2, 1]] == expected
    assert expected[0] != expected[1]
    row = result.rows[1]
    each = [network_features(net, [found]) for found in expected]
    for name in each[0]:
        assert row[name] == pytest.approx(np.mean([one[name] for one in each]))


def test_more_inputs_than_training_images_are_refused(study: Study) -> None:
    cell = study.cells[0]
    cell = replace(cell, training=replace(cell.training, train_size=0), settings=replace(cell.settings, n_inputs=1500))
    with pytest.raises(DnnTopologyError, match="n_inputs asks for 1500 training inputs and there are 1437"):
        run_cell(cell)
