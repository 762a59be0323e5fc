"""A wrong argument of a public class's method is one line, and numbers of other kinds are told from ours."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import dnn_topology as dt
from dnn_topology.cli import main
from dnn_topology.nets.training_state import EpochRecord
from tests.test_wrong_calls import FAST, net

WRONG = [
    *(None, 0.5, -1, 10**60, Fraction(1, 3), "x", "", b"x", [None], {1: 2}, {1}, ..., int, len, 1j),
    *(np.float64("nan"), np.array(3), np.empty(0), np.empty((0, 3)), np.array(["a"]), np.ones((2, 2, 2))),
    *(torch.tensor(1.0), torch.empty(0), pd.DataFrame(), pd.Series([1])),
]


def methods() -> dict[str, tuple[Callable[..., Any], str, dict[str, Any]]]:
    """Name → the method, the argument that is wrong, and others with which it works."""
    inputs = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    graph = dt.functional_graph(dt.record(net(), [inputs]))
    diagrams = dt.persistence(graph, max_dim=1)
    measurement = dt.measure(net(), [inputs], **FAST)
    cavities, participation = dt.cavities(graph), dt.participation(graph)
    table = pd.DataFrame({"life": np.linspace(1, 2, 20), "midlife": np.linspace(1, 2, 20) ** 2})
    model = dt.GapModel.fit(table.assign(gap=table["life"] * 3 + np.sin(np.arange(20))))
    rule = dt.StoppingRule(patience=1)
    decision = rule.decide({0: 0.3, 1: 0.2, 2: 0.4})
    detectors = dt.fit_detectors(net(), inputs, detectors=["softmax"])
    batches = dt.BatchDetector(batch_size=5, n_reference=5)
    batches.fit(np.random.default_rng(0).random((40, 9)))
    pairs = dt.persistence(graph, max_dim=1, pairs=True)
    assert isinstance(pairs, dt.PersistencePairs)
    labels = dt.NeighbourLabels.of(inputs, np.arange(40) % 3)
    states: list[dt.TrainingState] = []
    digits = dt.load_data("digits", data_subset=0.05)
    dt.train(
        dt.build_net("mlp", shape=digits.shape, width=0.05),
        digits,
        epochs=0,
        on_epoch=states.append,
    )
    return {
        "Diagrams.betti_curve": (diagrams.betti_curve, "dim", {}),
        "Diagrams.select": (lambda dim: diagrams[dim], "dim", {}),
        "Diagrams.filtered": (diagrams.filtered, "min_persistence", {}),
        "Diagrams.save": (diagrams.save, "path", {}),
        "Diagrams.load": (dt.Diagrams.load, "path", {}),
        "BettiCurve.coarse": (diagrams.betti_curve(1).coarse, "n", {}),
        "Measurement.save": (measurement.save, "path", {}),
        "Measurement.load": (dt.Measurement.load, "path", {}),
        "Cavities[]": (lambda number: cavities[number], "number", {}),
        "Cavities.save": (cavities.save, "path", {}),
        "Participation.share_within": (participation.share_within, "dim", {}),
        "PersistencePairs.cycle": (pairs.cycle, "dim", {"point": 0}),
        "PersistencePairs.cycle of a point": (pairs.cycle, "point", {"dim": 1}),
        "PersistencePairs.shortest_loop": (pairs.shortest_loop, "point", {}),
        "GapModel.predict": (model.predict, "table", {}),
        "GapModel.predict with": (model.predict, "confidence", {"table": table}),
        "GapModel.save": (model.save, "path", {}),
        "Decision.of_all_epochs": (decision.of_all_epochs, "sureness", {"values": {0: 0.3}}),
        "StoppingRule.decide": (rule.decide, "values", {}),
        "StoppingRule.sureness": (rule.sureness, "draws", {}),
        "StoppingRule.sureness of": (rule.sureness, "values", {"draws": {0: {0: 0.1}}}),
        "FittedDetectors.score": (detectors.score, "inputs", {}),
        "Observation.take": (detectors.observe(inputs).take, "places", {}),
        "BatchDetector.fit": (lambda clean: dt.BatchDetector(batch_size=5, n_reference=5).fit(clean), "clean", {}),
        "BatchDetector.score": (lambda *, signals: batches.score(signals), "signals", {}),
        "BatchDetector.score_curves": (batches.score_curves, "curves", {}),
        "NeighbourLabels.drawn": (labels.drawn, "draws", {"predictions": [0] * 40}),
        "NeighbourLabels.disagreement": (labels.disagreement, "predictions", {}),
        "MeasureSettings.with_thresholds": (dt.MeasureSettings().with_thresholds, "thresholds", {}),
        "MeasureSettings.with_thresholds over": (
            dt.MeasureSettings().with_thresholds,
            "filtration",
            {"thresholds": (0.5,)},
        ),
        "TrainingState.save": (states[0].save, "path", {}),
        "TrainingState.load": (dt.TrainingState.load, "path", {}),
        "observe": (lambda inputs: dt.observe(net(), inputs), "inputs", {}),
        "record": (lambda batches: dt.record(net(), batches), "batches", {}),
        "track": (lambda states: dt.track(net(), [inputs], states, **FAST), "states", {}),
        "fit_detectors": (lambda **wrong: dt.fit_detectors(net(), inputs, **wrong), "detectors", {}),
        "build_net": (lambda shape: dt.build_net("mlp", shape=shape), "shape", {}),
        "functional_graph": (lambda metric: dt.functional_graph(np.eye(4), metric=metric), "metric", {}),
        "plot_betti_curves": (lambda smooth: dt.plot_betti_curves(diagrams, smooth=smooth), "smooth", {}),
    }


METHODS = methods()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_a_wrong_argument_of_a_method_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    method, argument, others = METHODS[name]
    failures, refused = [], 0
    for value in WRONG:
        try:
            method(**others, **{argument: value})
        except dt.DnnTopologyError as error:
            refused += 1
            if "\n" in str(error):
                failures.append((value, str(error)))
        except Exception as error:  # anything else is a fault
            failures.append((value, f"{type(error).__name__}: {error}"[:100]))
    assert not failures, "\n".join(map(str, failures))
    assert refused


def test_a_training_state_is_saved_under_a_path_that_is_a_text(tmp_path: Path) -> None:
    METHODS["TrainingState.save"][0](path=str(tmp_path / "state.pt"))
    assert dt.TrainingState.load(str(tmp_path / "state.pt")).epoch == 0


def test_a_model_that_does_not_take_the_data_fails_in_one_line() -> None:
    digits = dt.load_data("digits", data_subset=0.05)
    images, labels = digits.test[list(range(8))]
    for call in (
        lambda: dt.train(net(), digits, epochs=1),
        lambda: dt.list_layers(net(), images),
        lambda: dt.attack(net(), images, labels, method="fgsm", data=digits),
    ):
        with pytest.raises(dt.DnnTopologyError, match="the model fails on its inputs"):
            call()


def test_a_features_function_that_fails_is_named() -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"features fails on the inputs .ZeroDivisionError"):
        dt.NeighbourLabels.of(np.eye(6), np.arange(6) % 2, features=lambda _: 1 / 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "run --net breaks_when_called:make --dataset digits",
            "fails when it is called with .*RuntimeError: no wheels",
        ),
        ("run --net breaks_when_imported:make --dataset digits", "cannot be imported .ZeroDivisionError"),
        ("run --net :make --dataset digits", "cannot be imported"),
        ("run --net mlp --dataset digits --trials 999999999", "--trials must be at most 10000, found 999999999"),
        (f"run --net mlp --dataset digits --epochs {10**24}", "--n-epochs-train must be a whole number below 2.63"),
    ],
)
def test_a_command_line_that_cannot_work_ends_in_one_line(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "breaks_when_called.py").write_text("def make(): raise RuntimeError('no wheels')")
    (tmp_path / "breaks_when_imported.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(line.split()) == 2
    complaint = capsys.readouterr().err.strip()
    assert re.search(said, complaint)
    assert "\n" not in complaint


def by_hand() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Class → a result of it, and a field of it made wrong by hand, with what is said."""
    inputs = torch.rand(20, 6, generator=torch.Generator().manual_seed(0))
    graph = dt.functional_graph(dt.record(net(), [inputs]))
    pairs = dt.persistence(graph, max_dim=1, pairs=True)
    graph_diagrams = dt.persistence(graph, max_dim=1)
    seen = dt.observe(net(), inputs)
    cavity = dt.cavities(graph)[0]
    images = torch.rand(4, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    attacked = dt.attack(
        torch.nn.Sequential(torch.nn.Flatten(), net()), images, torch.tensor([0, 1, 2, 0]), method="fgsm", strength=0.1
    )
    return {
        "Measurement": (dt.measure(net(), [inputs], **FAST), {"diagrams": "x"}),
        "PersistencePairs": (pairs, {"births": pairs.births[:1]}),
        "Observation": (seen, {"inputs": seen.inputs[:3]}),
        "Observation of trees": (seen, {"trees": {"0": np.ones(3)}}),
        "Attacked": (attacked, {"predicted": attacked.predicted[:2]}),
        "Attacked noise": (attacked, {"noise": attacked.noise[:, 0]}),
        "Cavity": (cavity, {"death": cavity.birth / 2}),
        "Cavities": (dt.cavities(graph), {"items": None}),
        "Participation": (dt.participation(graph), {"neurons": [1]}),
        "Decision": (dt.StoppingRule(patience=1).decide({0: 0.3, 1: 0.2}), {"table": {}}),
        "NeighbourLabels": (dt.NeighbourLabels.of(inputs, np.arange(20) % 3), {"edges": np.array([[0, 20]])}),
        "NeighbourLabels labels": (dt.NeighbourLabels.of(inputs, np.arange(20) % 3), {"labels": "x"}),
        "MeasureEstimate": (dt.estimate(net(), [inputs], **FAST), {"graphs": None}),
        "Scores": (dt.fit_detectors(net(), inputs, detectors=["softmax"]).score(inputs), {"single": [1]}),
        "FittedDetectors": (dt.fit_detectors(net(), inputs, detectors=["softmax"]), {"detectors": ["softmax"]}),
        "Breakdown": (dt.measure(net(), [inputs], by="layer", **FAST), {"parts": None}),
        "Separation": (dt.compare_scores([0.1, 0.2], [0.3, 0.4]), {"auroc": "high"}),
        "Comparison": (dt.compare({"a": [graph_diagrams] * 3, "b": [graph_diagrams] * 3}), {"curves": {}}),
        "Neuron": (cavity.neurons[0], {"node": 0.5}),
        "Neuron below 0": (cavity.neurons[0], {"node": -1}),
        "Cavity neurons": (cavity, {"neurons": (None,)}),
        "Cavity dim": (cavity, {"dim": None}),
        "Cavity of an iterator": (cavity, {"birth_edge": iter([0, 1])}),
        "Cavity edge": (cavity, {"birth_edge": (1, 2, 3)}),
        "Cavities items": (dt.cavities(graph), {"items": (cavity, None)}),
        "Cavities nodes_are": (dt.cavities(graph), {"nodes_are": "x"}),
        "Participation dims": (dt.participation(graph), {"dims": ("x",)}),
        "Measurement draws": (dt.measure(net(), [inputs], **FAST), {"draws": [None]}),
        "Measurement graphs": (dt.measure(net(), [inputs], **FAST), {"graphs": {"": 1}}),
        "Scores of a number": (
            dt.fit_detectors(net(), inputs, detectors=["softmax"]).score(inputs),
            {"batches": {1: 2}},
        ),
        "EpochRecord": (EpochRecord(1, 0.1, 0.5, 0.5, float("nan"), float("nan")), {"test_loss": "much"}),
        "Diagrams n_essential": (graph_diagrams, {"n_essential": [1]}),
        "Diagrams provenance": (graph_diagrams, {"provenance": None}),
        "FunctionalGraph neurons": (graph, {"neurons": [1] * graph.n_nodes}),
        "FunctionalGraph n_constant": (graph, {"n_constant": -1}),
        "FunctionalGraph shapes": (graph, {"shapes": None}),
        "Activations layers": (dt.record(net(), [inputs]), {"layers": ["0"]}),
    }


BY_HAND = by_hand()


@pytest.mark.parametrize("name", BY_HAND)
def test_a_result_made_by_hand_is_whole_or_refused_by_the_field_that_is_not(name: str) -> None:
    result, wrong = BY_HAND[name]
    fields = {one.name: getattr(result, one.name) for one in dataclasses.fields(result)}
    type(result)(**fields)
    with pytest.raises(dt.DnnTopologyError, match=next(iter(wrong))):
        type(result)(**{**fields, **wrong})


def test_a_name_that_nobody_reads_to_its_end_is_said_by_its_ends() -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"z{100}…z{99}:") as refusal:
        dt.GapModel.load("z" * 10**5)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rule: rule.decide({-1: 0.3}), "an epoch must be at least 0, found -1"),
        (lambda rule: rule.decide({0: float("inf")}), "must be a finite number of at least 0, found inf"),
        (lambda rule: rule.sureness({0: {0: 0.1, 1: 0.2}, 1: {0: 0.1}}), "draw 1 lacks epoch 1"),
        (lambda rule: rule.sureness({0: {0: 0.1}}, values={1: 0.1}), "values lacks epoch 0"),
        (lambda rule: rule.sureness({0: {0: 0.1}}, values={0: None}), "must be a number, found None"),
    ],
)
def test_values_that_are_none_of_the_epochs_are_refused(call: Callable[[dt.StoppingRule], Any], said: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=said):
        call(dt.StoppingRule(patience=1))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: dt.measure(net(), x, max_samples=0), "max_samples must be at least 2, found 0"),
        (lambda x: dt.track(net(), x, {}, device=3), "device must be a device or a text or None, found 3"),
        (lambda x: dt.track(net(), x, {}, seed=-1), "seed must be at least 0"),
        (lambda x: dt.persistence(dt.functional_graph(x), memory_limit=0), "memory_limit must be positive"),
        (lambda x: dt.bootstrap(dt.record(net(), x), 5, repeats=10**10), "repeats must be at most"),
        (lambda x: dt.FunctionalGraph.from_distances(x[0]), "squareform"),
        (lambda _: dt.Diagrams([np.empty((0, 2))], 0.3, n_nodes=10**60), "n_nodes must be a whole number"),
        (
            lambda _: dt.Diagrams([np.empty((0, 2))], 0.3, min_persistence=10**60),
            "min_persistence must be a finite length",
        ),
        (lambda x: dt.TopologicalEarlyStopping([x], quantity=""), "unknown quantity ''"),
    ],
)
def test_a_door_names_the_argument_that_is_wrong(call: Callable[[torch.Tensor], Any], said: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=said):
        call(torch.rand(20, 6, generator=torch.Generator().manual_seed(0)))


def test_a_number_of_80_bits_is_one() -> None:
    diagrams = [dt.Diagrams([np.empty((0, 2)), np.array([[0.1, 0.2 + n / 100]])], max_epsilon=0.3) for n in range(4)]
    groups = {"a": diagrams[:2], "b": diagrams[2:]}
    of_80_bits = dt.compare(groups, confidence=np.longdouble(0.5))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(of_80_bits.groups, dt.compare(groups, confidence=0.5).groups)
