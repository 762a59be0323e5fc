"""What the other training inputs say of each, against regressions that are fitted without it one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from torch import nn

import dnn_topology as dt
from dnn_topology.analysis.gap import leave_one_out
from dnn_topology.analysis.gap.leave_one_out import RIDGES, WIDTH, leave_one_out_features, left_out_classes

DIAGRAMS = dt.Diagrams([np.array([(0, 0.1)]), np.array([(0.1, 0.2)])], max_epsilon=0.4, n_nodes=2)


def clouds(seed: int, n: int = 36, n_classes: int = 3, wrong: float = 0.2) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Points around a centre per class, some of another given class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    points = rng.standard_normal((n, 4)) + 2 * rng.standard_normal((n_classes, 4))[truth]
    return points, np.where(rng.random(n) < wrong, rng.integers(n_classes, size=n), truth)


def fitted_one_by_one(points: NDArray[Any], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """The classes of each point by kernel ridge regressions on the others, each solved anew."""
    kernel = np.exp(-WIDTH * cdist(points, points, "sqeuclidean") / np.median(pdist(points, "sqeuclidean")))
    names = np.unique(labels)
    targets = (labels[:, None] == names).astype(float)
    found, most = labels, -1
    for ridge in RIDGES:
        classes = []
        for one in range(len(points)):
            others = np.arange(len(points)) != one
            inner = kernel[np.ix_(others, others)] + ridge * np.eye(others.sum())
            classes.append(names[(kernel[one, others] @ np.linalg.solve(inner, targets[others])).argmax()])
        if (right := int(np.sum(classes == labels))) > most:
            found, most = np.array(classes), right
    return found


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_the_closed_form_is_what_regressions_without_each_point_say(seed: int) -> None:
    points, labels = clouds(seed)
    found = left_out_classes(points, labels)
    assert found is not None
    np.testing.assert_array_equal(found, fitted_one_by_one(points, labels))


def test_a_point_says_nothing_of_itself() -> None:
    points, labels = clouds(1, n=200, wrong=0.0)
    anyone = np.random.default_rng(0).permutation(labels)
    for given_, low, high in ((labels, 0.8, 1.0), (anyone, 0.2, 0.5)):  # of labels at random a third is chance
        found = left_out_classes(points, given_)
        assert found is not None
        assert low < np.mean(found == given_) < high


def test_neither_shift_nor_scale_nor_the_names_of_classes_change_it() -> None:
    points, labels = clouds(2)
    one, other = left_out_classes(points, labels), left_out_classes(7 * points - 2, 3 * labels + 2)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(3 * one + 2, other)


def test_of_many_points_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = clouds(3, n=300, wrong=0.1)
    exact = left_out_classes(points, labels)
    monkeypatch.setattr(leave_one_out, "MOST_LANDMARKS", 60)
    near = left_out_classes(points, labels)
    assert exact is not None
    assert near is not None
    assert np.mean(near == exact) > 0.9


def test_what_is_remembered_is_told_from_what_is_known() -> None:
    points, given_ = clouds(4, n=200, n_classes=2, wrong=0.0)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(200) < 0.3, 1 - given_, given_)
    images = torch.from_numpy(points).float()
    remembers, knows = (
        leave_one_out_features(answers, images, torch.from_numpy(labels)) for answers in (labels, given_)
    )
    assert remembers["loo_agreement"] == pytest.approx(remembers["loo_accuracy"])
    assert knows["loo_agreement"] > remembers["loo_agreement"] + 0.15
    assert knows["loo_accuracy"] == remembers["loo_accuracy"]


@pytest.mark.parametrize("images", [torch.ones(20, 3), torch.ones(1, 3), torch.full((20, 3), torch.nan)])
def test_of_one_point_nothing_is_known(images: torch.Tensor) -> None:
    found = leave_one_out_features(np.zeros(len(images), dtype=np.int64), images, torch.arange(len(images)) % 2)
    assert all(math.isnan(value) for value in found.values())


def test_copies_of_most_inputs_and_one_class_are_no_fault() -> None:
    images = torch.cat([torch.zeros(30, 2), torch.eye(2)])
    found = leave_one_out_features(np.arange(32) // 8, images, torch.zeros(32, dtype=torch.long))
    assert found == {"loo_agreement": 0.25, "loo_accuracy": 1.0}


def test_the_network_is_left_as_it_was_found_and_heard_in_eval_mode() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.9), nn.Linear(8, 2)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    points, labels = clouds(5, n=40, n_classes=2)
    pair = torch.from_numpy(points).float(), torch.from_numpy(labels)
    once, twice = (dt.gap_features(model=net, train_set=pair) for _ in range(2))
    assert once == twice
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_features_of_the_gap_take_the_whole_training_set() -> None:
    points, labels = clouds(6, n=40)
    net, images, classes = nn.Linear(4, 3), torch.from_numpy(points).float(), torch.from_numpy(labels)
    answers = net(images).argmax(dim=1).numpy()
    found = dt.gap_features(model=net, train_set=(images, classes))
    assert found == {"train_accuracy": np.mean(answers == labels), **leave_one_out_features(answers, images, classes)}
    arrays: Any = (points.astype(np.float32), labels.tolist())
    np.testing.assert_equal(dt.gap_features(model=net, train_set=arrays), found)
    both = dt.gap_features(DIAGRAMS, model=net, train_set=(images, classes))
    np.testing.assert_equal(both, dt.gap_features(DIAGRAMS) | found)


def test_the_model_of_the_study_foretells_the_gap_of_a_network_from_its_training_set() -> None:
    points, labels = clouds(9, n=300, n_classes=2, wrong=0.3)
    pair = torch.from_numpy(points).float(), torch.from_numpy(labels)
    features = dt.gap_features(model=nn.Linear(4, 2), train_set=pair)
    (foretold,) = dt.GapModel.of_study().predict(features).to_dict("records")
    (of_table,) = dt.GapModel.of_study().predict(pd.DataFrame([features])).to_dict("records")
    assert foretold == of_table
    assert foretold["lower"] < foretold["gap"] < foretold["upper"]
    assert foretold["test_accuracy"] == pytest.approx(np.clip(features["train_accuracy"] - foretold["gap"] / 100, 0, 1))


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (lambda x, y: (x, y[:7]), r"NAME must be a pair.*found lengths \[40, 7\]"),
        (lambda x, y: (x[:0], y[:0]), r"NAME must be a pair.*found lengths \[0, 0\]"),
        (lambda x, y: (x, y.float()), "labels must be one whole number per input"),
        (lambda x, y: (x, y[:, None]), "labels must be one whole number per input"),
        (lambda x, y: (x, torch.eye(3)[y]), "labels must be one whole number per input"),
        (lambda x, y: (x, y - 1), "labels of NAME must be classes from 0 on, found -1"),
        (lambda x, y: (x[:, 0], y), r"images of NAME must be \(n_samples, …\), found the shape \(40,\)"),
        (lambda x, y: (x[:, :3], y), "the model fails on its inputs"),
    ],
)
@pytest.mark.parametrize("name", ["inputs", "train_set"])
def test_what_is_no_training_set_is_refused_in_a_line(name: str, pair: Any, message: str) -> None:
    points, labels = clouds(7, n=40)
    given_ = pair(torch.from_numpy(points).float(), torch.from_numpy(labels))
    with pytest.raises(dt.DnnTopologyError, match=message.replace("NAME", name)):
        dt.gap_features(DIAGRAMS, model=nn.Linear(4, 3), **{name: given_})


@pytest.mark.parametrize("model", [nn.Linear(4, 1), nn.Linear(4, 2), nn.LSTM(4, 3), nn.Unflatten(1, (2, 2))])
def test_a_model_that_does_not_give_every_class_a_number_is_refused(model: nn.Module) -> None:
    points, labels = clouds(8, n=40)
    with pytest.raises(dt.DnnTopologyError, match=r"need one number per class, \(n_samples, 3\) or more"):
        dt.gap_features(DIAGRAMS, model=model, inputs=(torch.from_numpy(points).float(), torch.from_numpy(labels)))
