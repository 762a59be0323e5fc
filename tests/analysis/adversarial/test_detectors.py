from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial import NAMES, BatchDetector, compare_scores, detector, draw_batches, fitted
from dnn_topology.analysis.adversarial.comparing import _bootstrap
from dnn_topology.analysis.adversarial.mahalanobis import ClassDistance
from dnn_topology.analysis.adversarial.observation import Observation
from dnn_topology.analysis.adversarial.uncertainty import barycentres, profile, topological_uncertainty
from dnn_topology.recording.activations import Activations


def observation(n: int, *, seed: int, shift: float = 0.0) -> Observation:
    """Made-up answers of a network with two classes, four hidden nodes and two layers of trees."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, n)
    logits = rng.normal(size=(n, 2)) + 4 * np.eye(2)[classes]
    outputs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    hidden = rng.normal(size=(n, 4)) + 3 * classes[:, None] + shift
    neurons = pd.DataFrame({"layer": pd.Categorical(["h1", "h1", "h2", "h2", "out", "out"]), "index": [0, 1] * 3})
    values = np.hstack([hidden, outputs]).astype(np.float32)
    trees = {
        name: -np.sort(-np.abs(rng.normal(size=(n, k)) + classes[:, None] + shift), axis=1).astype(np.float32)
        for name, k in (("h1", 7), ("out", 5))
    }
    inputs = (rng.normal(size=(n, 9)) + classes[:, None] + shift).astype(np.float32)
    squeezed = {name: np.roll(outputs, int(shift), axis=1) for name in ("bit", "median")}
    return Observation(inputs, outputs, Activations(values, neurons), trees, trees, trees, squeezed)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"softmax", "entropy"} and "sque" not in name])
def test_every_fitted_detector_finds_inputs_from_far_away_suspicious(name: str) -> None:
    found = detector(name).fit(observation(150, seed=0))
    usual, strange = (found.score(observation(60, seed=1, shift=shift)) for shift in (0.0, 20.0))
    assert usual.shape == (60,)
    if name != "sample-graph":  # which sees only how signals lie to one another
        assert roc_auc_score([0] * 60 + [1] * 60, np.concatenate([usual, strange])) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_on_clean_inputs_every_detector_is_at_chance(name: str) -> None:
    found = fitted(name, observation(150, seed=0))
    one, other = (
        compare_scores(*(found.score(observation(200, seed=seed)) for seed in pair)) for pair in ((1, 2), (2, 1))
    )
    assert one.auroc == pytest.approx(0.5, abs=0.12)
    assert one.auroc == pytest.approx(1 - other.auroc)


def test_softmax_and_entropy_doubt_the_uncertain() -> None:
    seen = observation(2, seed=0)
    outputs = np.log(np.array([[0.5, 0.5], [0.99, 0.01]]))
    seen = Observation(seen.inputs, outputs, seen.activations, seen.trees)
    assert detector("softmax").score(seen) == pytest.approx([0.5, 0.01])
    assert detector("entropy").score(seen) == pytest.approx([np.log(2), -0.99 * np.log(0.99) - 0.01 * np.log(0.01)])


def test_topological_uncertainty_is_the_papers_formula_written_out() -> None:
    clean, seen = observation(50, seed=0), observation(4, seed=1)
    found = topological_uncertainty(seen.trees, seen.predicted, barycentres(clean.trees, clean.predicted, n_classes=2))
    for i, score in enumerate(found):
        layers = []
        for name in seen.trees:
            same = [tree for tree, c in zip(clean.trees[name], clean.predicted, strict=True) if c == seen.predicted[i]]
            mean = np.mean(np.sort(np.asarray(same, dtype=float), axis=1), axis=0)
            ranked = np.sort(seen.trees[name][i].astype(float))
            layers.append(sum((a - b) ** 2 for a, b in zip(ranked, mean, strict=True)) ** 0.5 / len(mean))
        assert score == pytest.approx(np.mean(layers), rel=1e-5)


def test_the_mean_diagram_of_a_class_has_uncertainty_0() -> None:
    clean = observation(50, seed=0)
    means = barycentres(clean.trees, clean.predicted, n_classes=2)
    at_mean = {name: found[[0, 1]] for name, found in means.items()}
    assert topological_uncertainty(at_mean, np.array([0, 1]), means) == pytest.approx([0, 0])
    with pytest.raises(DnnTopologyError, match="knows the layers"):
        topological_uncertainty({"h1": at_mean["h1"]}, np.array([0, 1]), means)


def test_a_profile_goes_from_the_smallest_weight_to_the_largest() -> None:
    found = profile({"a": np.array([[3.0, 2.0, 1.0]], dtype=np.float32)}, points=3)
    assert found.tolist() == [[1.0, 2.0, 3.0]]


def test_class_distances_are_unchanged_by_scaling_a_feature() -> None:
    rng = np.random.default_rng(0)
    features, classes = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    scaled = features * [1.0, 100.0, 0.01]
    one, other = (ClassDistance.fit(each, classes, n_classes=3).squared(each, classes) for each in (features, scaled))
    assert one == pytest.approx(other, rel=1e-6)


def test_a_class_without_inputs_and_a_constant_feature_do_no_harm() -> None:
    features = np.column_stack([np.random.default_rng(0).normal(size=50), np.zeros(50)])
    found = ClassDistance.fit(features, np.zeros(50, dtype=int), n_classes=2)
    assert np.isfinite(found.squared(features, np.ones(50, dtype=int))).all()


def test_a_detector_complains_in_one_line() -> None:
    with pytest.raises(DnnTopologyError, match="did you mean softmax"):
        detector("sofmax")
    with pytest.raises(DnnTopologyError, match="has not been fitted"):
        detector("profile").score(observation(5, seed=0))
    with pytest.raises(DnnTopologyError, match="at least 20"):
        fitted("profile", observation(5, seed=0))
    bare = replace(observation(30, seed=0), trees={}, heaviest={})
    with pytest.raises(DnnTopologyError, match="trees=True"):
        detector("uncertainty").fit(bare)
    with pytest.raises(DnnTopologyError, match="edges=True"):
        detector("layer-inputs").fit(bare)


scores = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=30)


@given(scores, scores)
def test_separation_is_scikit_learns(low: list[float], high: list[float]) -> None:
    found = compare_scores(low, high, resamples=20)
    truth = [0] * len(low) + [1] * len(high)
    assert found.auroc == pytest.approx(roc_auc_score(truth, [*low, *high]))
    alarms, detected, _ = roc_curve(truth, [*low, *high], drop_intermediate=False)
    assert found.fpr95 == pytest.approx(min(alarms[detected >= 0.95 - 1e-12]))
    assert found.auroc_low <= found.auroc_high
    assert (found.n_negative, found.n_positive) == (len(low), len(high))


def test_a_bootstrap_sample_has_the_auroc_of_what_was_drawn() -> None:
    rng = np.random.default_rng(3)
    low, high = rng.integers(0, 9, 12).astype(float), rng.integers(2, 11, 15).astype(float)
    aurocs, alarms = _bootstrap(low, high, 30, np.random.default_rng(0))
    again = np.random.default_rng(0)
    times_low = again.multinomial(12, np.full(12, 1 / 12), size=30)
    times_high = again.multinomial(15, np.full(15, 1 / 15), size=30)
    for auroc, alarm, a, b in zip(aurocs, alarms, times_low, times_high, strict=True):
        one = compare_scores(np.repeat(low, a), np.repeat(high, b), resamples=1)
        assert (auroc, alarm) == pytest.approx((one.auroc, one.fpr95))


def test_an_interval_shrinks_with_the_number_of_inputs() -> None:
    rng = np.random.default_rng(0)
    few, many = (compare_scores(rng.normal(size=n), 1 + rng.normal(size=n)) for n in (30, 600))
    assert few.auroc_high - few.auroc_low > 2 * (many.auroc_high - many.auroc_low)
    assert many.auroc_low < many.auroc < many.auroc_high


def test_equal_scores_are_at_chance_and_infinite_ones_are_ranks() -> None:
    assert compare_scores([1.0] * 5, [1.0] * 7).auroc == 0.5
    assert compare_scores([1.0, 2.0], [np.inf]).auroc == 1.0
    with pytest.raises(DnnTopologyError, match="NaN"):
        compare_scores([1.0], [np.nan])
    with pytest.raises(DnnTopologyError, match="0 positives"):
        compare_scores([1.0], [])


@pytest.fixture(scope="module")
def clean() -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 4)) @ rng.normal(size=(4, 30))


def test_batches_like_the_clean_ones_are_usual_and_others_are_not(clean: NDArray[np.float64]) -> None:
    found = BatchDetector(batch_size=25, n_reference=40).fit(clean[:200])
    rng = np.random.default_rng(1)
    usual = found.score(clean[200:][batch] for batch in draw_batches(100, size=25, count=10, seed=2))
    strange = found.score(rng.normal(size=(5, 25, 30)))
    assert np.abs(usual).max() < 5
    assert strange.min() > usual.max()


def test_a_batch_of_another_size_is_refused(clean: NDArray[np.float64]) -> None:
    found = BatchDetector(batch_size=25, n_reference=4).fit(clean)
    with pytest.raises(DnnTopologyError, match="batches of 25 inputs, found one of 24"):
        found.score([clean[:24]])
    with pytest.raises(DnnTopologyError, match="has not been fitted"):
        BatchDetector().curves([clean[:50]])
    with pytest.raises(DnnTopologyError, match="has not been fitted"):
        BatchDetector().score_curves(np.ones((2, 101)))
    with pytest.raises(DnnTopologyError, match="smaller batches"):
        draw_batches(9, size=10, count=1)


def test_no_input_is_twice_in_a_batch() -> None:
    for batch in draw_batches(30, size=20, count=15):
        assert len(set(batch)) == 20
