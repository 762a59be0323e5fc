from __future__ import annotations

from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

import dnn_topology as dt
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis import neighbour_graphs
from dnn_topology.analysis.neighbour_graphs import nearest_neighbours, spanning_tree
from dnn_topology.analysis.neighbour_labels import NeighbourLabels
from dnn_topology.homology.persistence import persistence

POINTS = st.integers(0, 10_000).map(np.random.default_rng)


def cloud(rng: np.random.Generator) -> NDArray[np.float64]:
    """Points in clusters, some of them repeated."""
    n, dims = int(rng.integers(3, 150)), int(rng.integers(1, 40))
    points = rng.normal(size=(n, dims)) * rng.choice([0.01, 1, 5]) + 20 * rng.integers(3, size=(n, 1))
    points[rng.integers(n, size=n // 4)] = points[0]
    return np.asarray(points, dtype=np.float64)


@given(POINTS)
def test_the_tree_is_as_short_as_scipys_and_joins_all_points(rng: np.random.Generator) -> None:
    points = cloud(rng)
    edges = spanning_tree(points)
    assert edges.shape == (len(points) - 1, 2)
    assert len(np.unique(neighbour_graphs._components(len(points), edges))) == 1
    # scipy takes a distance of 0 for no edge, so all are made longer by the same.
    theirs = minimum_spanning_tree(squareform(pdist(points) + 1)).sum() - len(edges)
    ours = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1).sum()
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("known", [1, 2, 40])
def test_however_few_neighbours_are_known_beforehand_the_tree_is_the_same(
    known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(0).normal(size=(300, 5)) + 9 * np.arange(300)[:, None].__mod__(3)
    usual = spanning_tree(points)
    monkeypatch.setattr(neighbour_graphs, "KNOWN", known)
    monkeypatch.setattr(neighbour_graphs, "BLOCK", 7)
    assert np.array_equal(spanning_tree(points), usual)


def test_the_lengths_of_the_tree_are_the_deaths_of_h0() -> None:
    points = np.random.default_rng(1).normal(size=(40, 3))
    edges = spanning_tree(points)
    lengths = np.sort(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1))
    distances = squareform(pdist(points))
    graph = dt.FunctionalGraph.from_distances(distances / distances.max(), max_epsilon=0.5)
    deaths = persistence(graph, max_dim=0)[0][:, 1]
    finite = np.sort(deaths[np.isfinite(deaths)])
    np.testing.assert_allclose(2 * finite * distances.max(), lengths, rtol=1e-6)


@given(POINTS, st.integers(1, 5))
def test_neighbours_are_those_of_all_distances(rng: np.random.Generator, k: int) -> None:
    points = rng.normal(size=(int(rng.integers(7, 60)), 4))
    distances = squareform(pdist(points))
    np.fill_diagonal(distances, np.inf)
    pairs = {
        tuple(sorted((place, int(near))))
        for place, row in enumerate(distances)
        for near in np.argsort(row, kind="stable")[:k]
    }
    assert {tuple(pair) for pair in nearest_neighbours(points, k).tolist()} == pairs


def test_the_share_that_is_done_only_grows_and_ends_at_one() -> None:
    told: list[float] = []
    NeighbourLabels.of(np.random.default_rng(0).normal(size=(2500, 3)), np.arange(2500) % 2, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert len(told) > 4


def test_predictions_that_follow_the_neighbours_disagree_less_than_those_that_repeat_wrong_labels() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 2
    inputs = rng.normal(size=(400, 6)) + 6 * truth[:, None]
    given_labels = np.where(rng.random(400) < 0.3, 1 - truth, truth)
    neighbours = NeighbourLabels.of(inputs, given_labels)
    assert neighbours.disagreement(truth) < neighbours.disagreement(given_labels) - 0.05


def test_both_directions_of_an_edge_count() -> None:
    neighbours = NeighbourLabels(np.array([[0, 1]]), np.array([0, 1]))
    assert neighbours.disagreement([1, 0]) == 0
    assert neighbours.disagreement([1, 1]) == 0.5
    assert neighbours.disagreement([0, 1]) == 1


def test_draws_scatter_about_the_disagreement_and_more_of_them_begin_alike() -> None:
    rng = np.random.default_rng(0)
    neighbours = NeighbourLabels.of(rng.normal(size=(500, 3)), rng.integers(3, size=500))
    predictions = rng.integers(3, size=500)
    draws = neighbours.drawn(predictions, 200, seed=1)
    assert np.mean(draws) == pytest.approx(neighbours.disagreement(predictions), abs=0.01)
    assert 0.005 < np.std(draws) < 0.05
    assert neighbours.drawn(predictions, 3, seed=1) == draws[:3]


def test_agreement_is_0_for_labels_without_regard_to_inputs_and_1_where_neighbours_agree() -> None:
    rng = np.random.default_rng(0)
    inputs = np.concatenate([rng.normal(size=(300, 4)), rng.normal(size=(300, 4)) + 50])
    near = NeighbourLabels.of(inputs, np.repeat([0, 1], 300))
    assert near.agreement > 0.99
    assert near.advice is None
    random = [NeighbourLabels(near.edges, rng.permutation(near.labels)) for _ in range(200)]
    assert np.mean([one.agreement for one in random]) == pytest.approx(0, abs=0.01)
    advice = [one.advice for one in random if one.advice is not None]
    assert 0.94 <= len(advice) / 200 <= 0.995  # the level is two standard errors
    assert "features=" in advice[0]


def test_features_stand_for_inputs() -> None:
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(0, 50, size=(60, 8)))
    labels = torch.from_numpy(rng.integers(0, 2, size=60))
    embedded = rng.normal(size=(50, 3))
    by_function = NeighbourLabels.of(tokens, labels, features=lambda ids: embedded[ids].mean(axis=1))
    by_array = NeighbourLabels.of(tokens, labels, features=embedded[tokens.numpy()].mean(axis=1))
    assert np.array_equal(by_function.edges, by_array.edges)
    by_name = NeighbourLabels.of(tokens, labels, features="torch:cos")
    assert np.array_equal(by_name.edges, NeighbourLabels.of(np.cos(tokens.numpy()), labels).edges)


def test_classes_may_have_large_numbers_and_inputs_any_unit_and_half_precision() -> None:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    usual = NeighbourLabels.of(inputs, labels)
    assert NeighbourLabels.of(inputs, labels * 10**12).agreement == usual.agreement
    for unit in (1e200, 1e-200):
        assert np.array_equal(NeighbourLabels.of(inputs * unit, labels).edges, usual.edges)
    half = torch.from_numpy(inputs).bfloat16()
    assert np.array_equal(NeighbourLabels.of(half, labels).edges, NeighbourLabels.of(half.float(), labels).edges)


def test_images_of_whole_numbers_are_no_tokens() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(20, 1, 4, 4), dtype=np.uint8)
    assert len(NeighbourLabels.of(pixels, np.arange(20) % 3).edges) == 19


LABELS = np.arange(10) % 2
INPUTS = np.random.default_rng(0).normal(size=(10, 4))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.arange(40).reshape(10, 4), LABELS), {}, r"tokens.*features="),
        (([{"input_ids": 1}] * 10, LABELS), {}, r"inputs must be an array or a tensor.*features="),
        ((np.ones((10, 4)), LABELS), {}, r"all inputs are equal.*features="),
        ((np.full((10, 4), np.nan), LABELS), {}, "finite"),
        ((INPUTS, None), {}, "labels are missing"),
        ((INPUTS, np.zeros(10, dtype=int)), {}, "2 classes"),
        ((INPUTS, LABELS - 1), {}, "from 0 on"),
        ((INPUTS, LABELS.astype(str)), {}, r"labels must be .* give the classes' numbers"),
        ((INPUTS, LABELS[:9]), {}, "as many, found 10 and 9"),
        ((INPUTS, np.eye(10)), {}, "one whole number per input"),
        ((INPUTS, LABELS), {"graph": 10}, "fewer neighbours"),
        ((INPUTS, LABELS), {"graph": 0}, "graph"),
        ((INPUTS, LABELS), {"features": "numpy:nothing"}, "cannot be imported"),
        ((INPUTS, LABELS), {"features": np.ones((10, 2))}, "all features are equal"),
    ],
)
def test_what_cannot_be_compared_is_one_line_with_the_remedy(
    arguments: tuple[object, object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message) as caught:
        NeighbourLabels.of(*arguments, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_more_inputs_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    little = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    with pytest.raises(dt.DnnTopologyError, match="fewer inputs, or features="):
        NeighbourLabels.of(INPUTS, LABELS)


def test_another_number_of_predictions_is_refused() -> None:
    with pytest.raises(dt.DnnTopologyError, match="one class per input"):
        NeighbourLabels.of(INPUTS, LABELS).disagreement([0, 1])


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([float("nan"), 1.0, 0.0, 1.0], "predictions must be classes, whole numbers, found nan"),
        (torch.tensor([0.5, 1, 0, 1]), "predictions must be classes, whole numbers, found 0.5"),
        (range(10**10), "predictions must be an array .* found range"),
        (range(10**60), "predictions must be an array .* found range"),
        (torch.zeros(4).to_sparse(), "predictions must be an array"),
    ],
)
def test_predictions_that_are_no_classes_are_refused(predictions: Any, message: str) -> None:
    neighbours = NeighbourLabels.of(np.arange(4.0), [0, 1, 0, 1])
    assert neighbours.disagreement(np.array([0.0, 1.0, 0.0, 1.0])) == 1
    with pytest.raises(DnnTopologyError, match=message):
        neighbours.disagreement(predictions)


def test_labels_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(DnnTopologyError, match="`labels` must have at most"):
        NeighbourLabels.of(np.arange(4.0), range(10**10))
