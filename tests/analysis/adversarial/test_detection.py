from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.attacks import attack
from dnn_topology.analysis.adversarial.detection import Scores, compare_detectors, fit_detectors
from dnn_topology.analysis.adversarial.observation import joined, observe
from dnn_topology.analysis.adversarial.results import DetectResults
from dnn_topology.analysis.adversarial.score_files import check_score_arrays
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import train
from dnn_topology.nets.zoo import build_net

pytest.importorskip("foolbox")
DETECTORS = ("softmax", "inputs", "uncertainty", "profile", "profile+noise")


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits", shape=(1, 28, 28))


@pytest.fixture(scope="module")
def net(data: DataSet) -> nn.Module:
    net = build_net("lenet_300_100")
    train(net, data, epochs=3, lr=0.05)
    return net


def test_at_attack_size_0_every_detector_is_exactly_at_chance_and_at_03_the_profile_is_not(
    net: nn.Module, data: DataSet
) -> None:
    fitted = fit_detectors(net, data.train[list(range(120))][0], detectors=DETECTORS, batch_sizes=[10], data=data)
    images, labels = data.test[list(range(40))]
    clean = fitted.score(images)
    tables = []
    for strength in (0.0, 0.3):
        found = attack(net, images, labels, method="pgd", strength=strength, data=data)
        judged = {"clean": clean, "noise": fitted.score(found.noise), "adversarial": fitted.score(found.adversarial)}
        tables.append(compare_detectors(judged, fooled=found.fooled, resamples=50))
    assert set(tables[0]["detector"]) == {*DETECTORS, "batch of 10"}
    assert tables[0]["auroc"].to_numpy() == pytest.approx(0.5, abs=1e-9)
    assert set(tables[0]["inputs"]) == {"all"}  # nobody was fooled
    strong = tables[1].set_index(["detector", "negative", "positive", "inputs"])["auroc"]
    assert strong["profile", "clean", "adversarial", "all"] > 0.8
    assert set(tables[1]["inputs"]) == {"all", "fooled"}


def test_observing_in_batches_changes_nothing_and_observations_join(net: nn.Module, data: DataSet) -> None:
    images = data.test[list(range(130))][0]
    whole = observe(net, images)
    parts = joined([observe(net, images[:7]), observe(net, images[7:])])
    assert len(whole) == 130
    assert whole.outputs == pytest.approx(parts.outputs, abs=1e-4)
    for name, trees in whole.trees.items():
        assert trees == pytest.approx(parts.trees[name], abs=1e-4)
    assert whole.take([3, 5]).predicted.tolist() == whole.predicted[[3, 5]].tolist()
    with torch.no_grad():
        assert whole.outputs == pytest.approx(net.eval()(images).double().numpy(), abs=1e-4)
    with pytest.raises(DnnTopologyError, match="cannot be joined"):
        joined([whole, observe(net, images[:2], trees=False)])


def test_scores_are_the_same_after_a_file() -> None:
    scores = Scores({"a": np.arange(3.0)}, {10: np.ones(2)}, {10: np.ones((2, 5))})
    again = Scores.of_arrays(scores.arrays())
    assert again.single["a"].tolist() == [0, 1, 2]
    assert again.batches[10].tolist() == [1, 1]
    assert again.curves[10].shape == (2, 5)


def test_what_is_missing_is_one_line(net: nn.Module, data: DataSet) -> None:
    with pytest.raises(DnnTopologyError, match="no detector"):
        fit_detectors(net, data.train[[0, 1]][0], detectors=[])
    with pytest.raises(DnnTopologyError, match="at least 20 clean inputs"):
        fit_detectors(net, data.train[[0, 1]][0], detectors=["uncertainty"])
    with pytest.raises(DnnTopologyError, match="missing: adversarial"):
        compare_detectors({"clean": Scores({}, {}, {}), "noise": Scores({}, {}, {})})
    with pytest.raises(DnnTopologyError, match="no input to observe"):
        observe(net, torch.empty(0, 1, 28, 28))


def test_inputs_of_another_shape_are_refused(net: nn.Module, data: DataSet) -> None:
    fitted = fit_detectors(net, data.train[list(range(30))][0], detectors=["softmax"])
    with pytest.raises(DnnTopologyError, match=r"fitted on inputs of shape \(1, 28, 28\), found \(1, 14, 56\)"):
        fitted.score(torch.rand(3, 1, 14, 56))  # as many pixels, which a flattening network would take


def test_the_old_names_work_with_a_warning(net: nn.Module, data: DataSet) -> None:
    import dnn_topology as dt

    images = data.train[list(range(30))][0]
    with pytest.warns(DeprecationWarning, match="watch is now called fit_detectors"):
        scores = dt.watch(net, images, detectors=["softmax"]).score(images)
    with pytest.warns(DeprecationWarning, match="separations is now called compare_detectors"):
        table = dt.separations({"clean": scores, "noise": scores, "adversarial": scores}, resamples=5)
    assert table["auroc"].to_numpy() == pytest.approx(0.5)
    with pytest.warns(DeprecationWarning, match="separation is now called compare_scores"):
        assert dt.separation([0.0], [1.0]).auroc == 1


def test_results_of_an_earlier_version_lack_the_newer_controls_and_are_still_tabled() -> None:
    rng = np.random.default_rng(0)
    clean = {"single/a": rng.normal(size=40), "place": np.arange(40), "label": np.zeros(40, int)}
    made = {f"{kind}/single/a": rng.normal(size=40) + 2 for kind in ("noise", "adversarial")}
    made |= {
        "fooled": np.ones(40, bool),
        "predicted_adversarial": np.ones(40, int),
        "predicted_noise": np.zeros(40, int),
    }
    check_score_arrays(made, clean=False, detectors=["a"], batch_sizes=[])
    results = DetectResults(clean, {("pgd", 0.1): made})
    assert set(results.table(resamples=5)["negative"]) == {"clean", "noise"}
    assert "AUROC shuffled/adversarial" not in results.report()
    assert set(results.by_input()["kind"]) == {"clean", "noise", "adversarial"}
