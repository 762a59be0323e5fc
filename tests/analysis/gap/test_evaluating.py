from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.gap import evaluate_gap, pooled
from dnn_topology.analysis.gap.folds import fold_labels, halves, left_out
from dnn_topology.analysis.gap.methods import estimator
from dnn_topology.analysis.gap.scores import bootstrap_means, conditional_information, kendall


def score_of(scores: pd.DataFrame, predictor: str, fold: str = "sample") -> pd.Series:
    """The row of one predictor."""
    return scores[(scores["predictor"] == predictor) & (scores["fold"] == fold)].iloc[0]


def test_a_feature_that_makes_the_gap_beats_those_that_do_not(networks: pd.DataFrame) -> None:
    found = evaluate_gap(networks)
    good, mean, loss = (score_of(found.scores, name) for name in ("lambda-mu", "predict the mean", "train loss"))
    assert good["mae"] < 1 < mean["mae"]
    assert good["mae_lower"] < good["mae"] < good["mae_upper"]
    assert good["r2"] > 0.95
    assert good["tau"] > 0.9
    assert good["cmi"] > 0.5
    assert loss["r2"] < 0.1
    assert loss["cmi"] < 0.1
    apart = found.differences.query("fold == 'sample' and baseline == 'train loss'").iloc[0]
    assert apart["predictor"] == "lambda-mu"
    assert apart["difference"] == pytest.approx(good["mae"] - loss["mae"])
    assert apart["upper"] < 0
    assert set(found.scores["fold"]) == {"sample", "architecture", "data set"}
    assert (found.n_rows, found.n_networks) == (60, 60)


def test_shuffled_gaps_destroy_the_score(networks: pd.DataFrame) -> None:
    shuffled = score_of(evaluate_gap(networks).scores, "lambda-mu (gaps shuffled)")
    assert shuffled["r2"] < 0.1
    assert shuffled["mae"] > 0.8 * score_of(evaluate_gap(networks).scores, "predict the mean")["mae"]


def test_what_is_left_out_is_not_in_the_fit(networks: pd.DataFrame) -> None:
    """Held against the slow way: one fit per part, on the rows of the others alone."""
    for fold in ("sample", "architecture", "data set"):
        labels = fold_labels(networks, fold)
        for columns in (("life", "midlife"), ()):
            found = left_out(networks, columns, labels)
            for label in np.unique(labels):
                rest, out = networks[labels != label], networks[labels == label]
                expected = np.full(len(out), rest["gap"].mean())
                if columns:
                    model = estimator("linear").fit(rest[list(columns)].to_numpy(), rest["gap"].to_numpy())
                    expected = model.predict(out[list(columns)].to_numpy())
                np.testing.assert_allclose(found[labels == label], expected)


def test_epochs_of_one_network_stay_on_one_side_unless_asked_otherwise(networks: pd.DataFrame) -> None:
    """Gaps that belong to networks, and no feature knows: only a fit that saw the same network can foretell them."""
    rng = np.random.default_rng(1)
    own = networks.assign(life=rng.uniform(size=60), gap=rng.uniform(0, 80, 60))
    own["midlife"] = own["life"] + 0.01 * rng.normal(size=60)
    epochs = pd.concat([own] * 4, ignore_index=True)
    strict = evaluate_gap(epochs, predictors={"lambda-mu": ("life", "midlife")}, baselines={})
    assert (strict.n_rows, strict.n_networks) == (240, 60)
    for first, second in halves(fold_labels(epochs, "sample"), seed=0):
        assert not set(epochs["cell"][first]) & set(epochs["cell"][second])
    loose = fold_labels(epochs, "sample", by_row=True)
    assert len(np.unique(loose)) == 240


def test_pooling_keeps_gaps_between_1_and_100_points(networks: pd.DataFrame) -> None:
    gaps = [0.5, 1, 50, 100, -3]
    assert pooled(networks.iloc[:5].assign(gap=gaps))["gap"].tolist() == [1, 50, 100]


def test_one_data_set_alone_has_no_such_fold_and_a_table_without_features_is_refused(networks: pd.DataFrame) -> None:
    assert set(evaluate_gap(networks.assign(dataset="a")).scores["fold"]) == {"sample", "architecture"}
    with pytest.raises(DnnTopologyError, match="no column 'life'"):
        evaluate_gap(networks.drop(columns=["life", "midlife"]))


def test_bootstrap_means_draw_groups_as_wholes() -> None:
    values, groups = np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0, 0, 0, 1])
    draws = bootstrap_means(values, groups, n=1000, seed=0)
    assert set(np.unique(draws)) == {0.0, 0.25, 1.0}


def slow_information(predicted: NDArray[np.float64], gaps: NDArray[np.float64]) -> float:
    """The normalised mutual information without conditions, pair by pair."""
    table = np.zeros((2, 2))
    for i in range(len(gaps)):
        for j in range(len(gaps)):
            if gaps[i] != gaps[j]:
                table[int(predicted[i] > predicted[j]), int(gaps[i] > gaps[j])] += 1
    joint = table / table.sum()
    rows, cols = joint.sum(axis=1), joint.sum(axis=0)
    terms = [joint[a, b] * np.log(joint[a, b] / (rows[a] * cols[b])) for a in (0, 1) for b in (0, 1) if joint[a, b] > 0]
    return float(sum(terms) / -(cols * np.log(cols)).sum())


def test_conditional_information_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(0)
    gaps = rng.normal(size=25)
    predicted = gaps + rng.normal(size=25)
    none = pd.DataFrame(index=range(25))
    assert conditional_information(predicted, gaps, none) == pytest.approx(slow_information(predicted, gaps))
    assert conditional_information(gaps, gaps, none) == pytest.approx(1)
    assert conditional_information(-gaps, gaps, none) == 0  # a prediction the wrong way round is worth nothing


def test_what_a_hyperparameter_says_alone_counts_for_nothing() -> None:
    """The prediction is the hyperparameter: among networks that agree in it, it says nothing."""
    rng = np.random.default_rng(0)
    size = np.repeat([1, 2, 3], 60)
    gaps = 10.0 * size + rng.normal(size=180)
    predicted = size + 0.001 * rng.normal(size=180)
    assert kendall(predicted, gaps) > 0.6
    assert conditional_information(predicted, gaps, pd.DataFrame(index=range(180))) > 0.2
    assert conditional_information(predicted, gaps, pd.DataFrame({"train_size": size})) < 0.02


def test_a_smooth_method_is_judged_on_the_same_folds(networks: pd.DataFrame) -> None:
    bent = networks.assign(gap=3000 * (networks["midlife"] - 0.2) ** 2).iloc[:24]
    names = {"predictors": {"lambda-mu": ("life", "midlife")}, "baselines": {"train loss": ("train_loss",)}}
    errors = {
        method: score_of(evaluate_gap(bent, method=method, **names).scores, "lambda-mu")["mae"]  # type: ignore[arg-type]
        for method in ("linear", "gaussian-process")
    }
    assert errors["gaussian-process"] < 0.5 * errors["linear"]
    with pytest.raises(DnnTopologyError, match="unknown method 'forest'"):
        evaluate_gap(bent, method="forest")
