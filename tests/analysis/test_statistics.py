"""What intervals and controls claim, held against simulations in which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import dnn_topology as dt
from dnn_topology.analysis.adversarial import compare_scores, disjoint_batches
from dnn_topology.analysis.features import EARLY, SPREAD, with_early
from dnn_topology.analysis.gap import GapModel, evaluate_gap, evaluating
from dnn_topology.analysis.gap.evaluating import SHUFFLED
from dnn_topology.analysis.gap.scores import (
    bootstrap_means,
    conditional_information,
    interval_of_units,
    shuffled_networks,
)
from dnn_topology.graphs.sample_graphs import discriminative_neurons

NOMINAL = 0.95
TRUTH = 0.8413  # AUROC of two normal distributions that are √2 apart


@pytest.mark.parametrize("size", [25, 100])
def test_intervals_of_batches_cover_the_truth(size: int) -> None:
    """Forty overlapping batches of 100 of 300 inputs, taken for independent, would cover it in a third of the cases."""
    rng = np.random.default_rng(size)
    covered = []
    for seed in range(150):
        clean, attacked = (rng.normal(mean, np.sqrt(size), 300) for mean in (0, np.sqrt(2)))
        batches = disjoint_batches(300, size=size, seed=seed)
        one = compare_scores(clean[batches].mean(1), attacked[batches].mean(1), paired=True, resamples=200)
        covered.append(one.auroc_low <= TRUTH <= one.auroc_high)
    assert np.mean(covered) > 0.9


def test_batches_share_no_input() -> None:
    batches = disjoint_batches(307, size=50)
    assert batches.shape == (6, 50)
    assert len(np.unique(batches)) == 300


def test_scores_of_the_same_inputs_are_drawn_in_pairs() -> None:
    """What makes an input suspicious before the attack does so afterwards: pairs know the AUROC better."""
    rng = np.random.default_rng(0)
    widths, aurocs = [], []
    for _ in range(60):
        own = rng.normal(size=200)
        clean, attacked = own + 0.3 * rng.normal(size=200), own + 1 + 0.3 * rng.normal(size=200)
        one, apart = (compare_scores(clean, attacked, paired=paired, resamples=200) for paired in (True, False))
        widths.append((one.auroc_high - one.auroc_low, apart.auroc_high - apart.auroc_low))
        aurocs.append(one.auroc)
    needed = 2 * 1.96 * np.std(aurocs)
    paired, unpaired = np.mean(widths, axis=0)
    assert paired == pytest.approx(needed, rel=0.3)
    assert unpaired > 1.5 * needed


def test_pairs_are_as_many_of_both_kinds() -> None:
    with pytest.raises(dt.DnnTopologyError, match="found 2 and 3"):
        compare_scores([0.0, 1.0], [0.0, 1.0, 2.0], paired=True)


def test_95_percent_of_a_few_are_all_of_them_so_their_false_alarms_are_not_known() -> None:
    few = compare_scores(np.arange(10.0), np.arange(10.0) + 3)
    assert (few.fpr95_low, few.fpr95_high) == (0, 1)


def test_an_interval_over_three_data_sets_covers_the_error_on_data_sets_like_them() -> None:
    """Thirty networks of each: resampling networks would cover it in a ninth of the cases."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(3), 30)
    covered = []
    for _ in range(400):
        errors = 20 + 5 * rng.normal(size=3)[units] + 3 * rng.normal(size=90)
        low, high = interval_of_units(errors, units)
        covered.append(low <= 20 <= high)
    assert np.mean(covered) == pytest.approx(NOMINAL, abs=0.035)


def test_trainings_of_one_network_at_three_noise_levels_are_drawn_as_one() -> None:
    """Eight networks, three trainings each: drawing the 24 would cover the truth in two cases of three."""
    rng = np.random.default_rng(0)
    networks = np.repeat(np.arange(8), 3)
    covered = []
    for seed in range(300):
        values = rng.normal(size=8)[networks] + 0.3 * rng.normal(size=24)
        draws = [bootstrap_means(values, groups, n=400, seed=seed) for groups in (networks, np.arange(24))]
        covered.append([low <= 0 <= high for low, high in (np.quantile(one, [0.025, 0.975]) for one in draws)])
    whole, single = np.mean(covered, axis=0)
    assert whole > 0.85  # of eight, a bootstrap cannot know the spread better
    assert single < 0.75


def networks_of_epochs(n_networks: int, n_epochs: int, seed: int) -> pd.DataFrame:
    """Networks each of which has features of its own, and a gap of its own that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    cells = np.repeat(np.arange(n_networks), n_epochs)
    own = rng.normal(size=(n_networks, 3))[cells]
    life, midlife, gap = (own + 0.05 * rng.normal(size=own.shape)).T
    return pd.DataFrame({"cell": cells, "life": life, "midlife": midlife, "gap": 50 + 10 * gap})


def test_shuffling_whole_networks_keeps_what_rows_of_one_network_share() -> None:
    table = networks_of_epochs(12, 5, seed=0)
    groups, gaps = table["cell"].to_numpy(), table["gap"].to_numpy()
    shuffled = shuffled_networks(gaps, groups, seed=1)
    within = pd.Series(shuffled).groupby(groups).std().max()
    assert within < 0.2 * gaps.std()
    assert sorted(shuffled) == sorted(gaps)


def test_the_control_sees_rows_of_one_network_leak_into_the_fit() -> None:
    """Few networks, many epochs, rows left out one by one: a control that shuffled rows would find nothing."""
    table = networks_of_epochs(4, 12, seed=3)
    scores = evaluate_gap(table, predictors={"lambda-mu": ("life", "midlife")}, baselines={}, by_row=True).scores
    control = scores.set_index("predictor").loc["lambda-mu" + SHUFFLED]
    assert control["r2"] > 0.2
    assert control["r2_std"] > 0


def test_taus_chance_stands_beside_it_and_is_below_0() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"life": rng.normal(size=20), "midlife": rng.normal(size=20), "gap": rng.normal(size=20)})
    scores = evaluate_gap(table, predictors={"lambda-mu": ("life", "midlife")}, baselines={}).scores
    assert float(scores.set_index("predictor")["tau_chance"]["lambda-mu"]) < -0.2


@pytest.mark.parametrize("seed", range(3))
def test_information_of_predictions_that_tie_does_not_depend_on_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps: Any = rng.normal(size=14)
    predicted: Any = rng.integers(3, size=14).astype(float) + np.arange(14) // 5
    settings = pd.DataFrame({"net": rng.integers(2, size=14)})
    order = rng.permutation(14)
    one = conditional_information(predicted, gaps, settings)
    other = conditional_information(predicted[order], gaps[order], settings.iloc[order].reset_index(drop=True))
    assert one == pytest.approx(other)


def test_a_constant_prediction_says_nothing() -> None:
    assert conditional_information(np.ones(9), np.arange(9.0), pd.DataFrame(index=range(9))) == 0
    assert conditional_information(np.ones(9), np.arange(9.0)[::-1], pd.DataFrame(index=range(9))) == 0


def of_networks(rng: np.random.Generator, n_networks: int, n_epochs: int) -> pd.DataFrame:
    """Networks whose gap is off by something of their own, the same at every epoch."""
    cells = np.repeat(np.arange(n_networks), n_epochs)
    life, midlife = rng.uniform(size=(2, len(cells)))
    life[:2], midlife[:2] = (
        (-0.5, 1.5)[: len(cells)],
        (-0.5, 1.5)[: len(cells)],
    )  # nobody lies outside of what was fitted
    own: NDArray[np.float64] = rng.normal(size=n_networks)[cells]
    return pd.DataFrame({"cell": cells, "life": life, "midlife": midlife, "gap": 10 * life + own})


def test_intervals_count_networks_and_not_their_epochs() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        model = GapModel.fit(of_networks(rng, 20, 4))
        other = of_networks(rng, 40, 1)
        foretold = model.predict(other, confidence=0.9)
        covered.append(other["gap"].between(foretold["lower"], foretold["upper"]).mean())
    assert np.mean(covered) >= 0.88


def test_more_confidence_than_networks_can_give_is_refused() -> None:
    model = GapModel.fit(of_networks(np.random.default_rng(0), 10, 10))
    assert model.n_networks == 10
    with pytest.raises(dt.DnnTopologyError, match="takes 19 networks, and the model was fitted on 10"):
        model.predict(of_networks(np.random.default_rng(1), 1, 1), confidence=0.95)


def test_the_summary_of_a_network_is_refused_for_its_first_row_is_of_h0() -> None:
    model = GapModel.fit(of_networks(np.random.default_rng(0), 20, 1))
    points: list[Any] = [[(0, 0.1)], [(0.1, 0.2)]]
    summary = dt.summarize(dt.Diagrams(points, max_epsilon=0.4))
    with pytest.raises(dt.DnnTopologyError, match=r"row per dimension.*gap_features"):
        model.predict(summary)


def test_early_features_that_are_copies_are_refused_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(evaluating.SHUFFLES, "linear", 2)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=30) for name in SPREAD}).assign(gap=rng.normal(size=30))
    table = table.assign(**{EARLY + name: table[name] for name in SPREAD})
    with pytest.raises(dt.DnnTopologyError, match="no early epoch was measured"):
        GapModel.fit(table, features="asd-early")
    assert "asd-early" not in set(evaluate_gap(table, baselines={}).scores["predictor"])
    losses = {EARLY + name: table["h0_death_mean"] for name in ("train_loss", "train_accuracy")}
    both = table.assign(**losses, train_loss=table["h0_death_mean"], train_accuracy=table["h0_death_mean"])
    assert "training" not in set(evaluate_gap(both, predictors={"asd": SPREAD}).scores["predictor"])


def test_neurons_that_vary_little_are_not_thereby_the_best() -> None:
    rng = np.random.default_rng(0)
    kinds = np.arange(400) % 2
    signals = rng.normal(size=(400, 50))
    signals[:, :5] += 2 * kinds[:, None]
    signals[:, 5:] *= 0.01
    assert discriminative_neurons(signals, kinds, share=0.1).tolist() == [0, 1, 2, 3, 4]
    constant = np.hstack([signals[:, :5], np.full((400, 5), 3.0)])
    assert discriminative_neurons(constant, kinds, share=0.5).tolist() == [0, 1, 2, 3, 4]


def test_what_a_set_adds_is_measured_beside_the_strongest_of_the_others() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 4)), columns=["life", "midlife", "train_loss", "other"])
    table = table.assign(gap=10 * table["train_loss"] + 3 * table["life"])
    predictors = {"useful": ("life",), "useless": ("other",)}
    baselines = {"train loss": ("train_loss",), "none": (), "weak": ("midlife",)}
    judged = evaluate_gap(table, predictors=predictors, baselines=baselines)
    added: Any = judged.added.set_index("predictor")
    assert set(added["strongest"]) == {"train loss"}
    assert added.loc["useful", "upper"] < 0
    assert added.loc["useful", "partial_r2"] > 0.9
    assert added.loc["useless", "lower"] < 0 < added.loc["useless", "upper"] + 0.2
    assert abs(added.loc["useless", "partial_r2"]) < 0.1
    assert judged.headline()["adds"].tolist() == ["useful", "useless"]


def test_training_at_two_epochs_is_a_set_of_features_of_no_topology() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"cell": np.repeat(np.arange(30), 2), "epoch": [5, 20] * 30, "train_loss": rng.uniform(size=60)}
    )
    table = with_early(rows.assign(train_accuracy=1 - rows["train_loss"] / 2)).drop_duplicates("cell", keep="last")
    model = GapModel.fit(table.assign(gap=50 * table["early_train_loss"]), features="training")
    assert max(model.errors) < 5
