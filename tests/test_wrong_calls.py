"""A wrong argument at any public door is one line that names it; nothing else happens."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import dnn_topology as dt

WRONG = [None, "nonsense", -1, 3.5, 1e300, math.nan, math.inf, 10**60, -(10**60), True, b"x", [], {}, object(), len]
FAST: dict[str, Any] = {"max_dim": 1, "n_inputs": 20}


def net() -> torch.nn.Module:
    """A small network."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def calls() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Public name → the function, and arguments with which it works."""
    inputs = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    signals = dt.record(net(), [inputs])
    graph = dt.functional_graph(signals)
    diagrams = dt.persistence(graph, max_dim=1)
    table = pd.DataFrame({"life": np.linspace(1, 2, 20), "midlife": np.linspace(1, 2, 20) ** 2})
    table = table.assign(gap=table["life"] * 3 + np.sin(np.arange(20)))
    decision = dt.StoppingRule(patience=1).decide({0: 0.3, 1: 0.2, 2: 0.4})
    measurement = dt.measure(net(), [inputs], **FAST)
    by_layer = dt.measure(net(), [inputs], by="layer", **FAST)
    digits = dt.load_data("digits", data_subset=0.05)
    classifier = dt.build_net("mlp", shape=digits.shape, width=0.05)
    images, labels = digits.test[list(range(24))]
    scores = dt.fit_detectors(classifier, images, detectors=["softmax"], data=digits)
    judged = {name: scores.score(images) for name in ("clean", "noise", "adversarial")}
    folder = Path(tempfile.mkdtemp())
    dt.write_dipha(diagrams, folder / "a.out")
    return {
        "record": (dt.record, {"model": net(), "batches": [inputs], "nodes": "unit", "max_samples": 10, "seed": 0}),
        "list_layers": (dt.list_layers, {"model": net(), "inputs": inputs}),
        "functional_graph": (
            dt.functional_graph,
            {"activations": signals, "max_epsilon": 0.3, "constant": "drop", "metric": "pearson", "device": "cpu"},
        ),
        "sample_nodes": (dt.sample_nodes, {"activations": signals, "n": 5, "method": "uniform", "seed": 0}),
        "persistence": (
            dt.persistence,
            {"graph": graph, "max_dim": 1, "engine": "auto", "threads": 1, "memory_limit": 1.0, "pairs": False},
        ),
        "summarize": (dt.summarize, {"source": diagrams}),
        "intervals": (dt.intervals, {"source": [diagrams, diagrams], "confidence": 0.9}),
        "bootstrap": (
            dt.bootstrap,
            {"activations": signals, "n": 5, "repeats": 2, "max_dim": 1, "confidence": 0.9, "seed": 0},
        ),
        "measure": (
            dt.measure,
            {"model": net(), "batches": [inputs], "seed": 0, **FAST, "threads": 1, "layers": None, "by": None},
        ),
        "track": (dt.track, {"model": net(), "batches": [inputs], "states": {0: net().state_dict()}, **FAST}),
        "Diagrams": (dt.Diagrams, {"points": [[(0, 0.1)]], "max_epsilon": 0.3, "n_nodes": 3}),
        "StoppingRule": (dt.StoppingRule, {"quantity": "midlife", "patience": 2, "min_delta": 0.1}),
        "NeighbourLabels.of": (
            dt.NeighbourLabels.of,
            {"inputs": inputs, "labels": np.arange(40) % 3, "graph": 2, "features": None},
        ),
        "TopologyMonitor": (dt.TopologyMonitor, {"batches": [inputs], "every": 1, "max_samples": 10, "seed": 0}),
        "TopologicalEarlyStopping": (
            dt.TopologicalEarlyStopping,
            {"batches": [inputs], "quantity": "midlife", "patience": 2, "every": 1, "keep_weights": True},
        ),
        "BatchDetector": (
            dt.BatchDetector,
            {"batch_size": 5, "n_reference": 5, "dim": 1, "max_epsilon": 0.4, "max_nodes": 10, "seed": 0},
        ),
        "detector": (dt.detector, {"name": "softmax"}),
        "observe": (dt.observe, {"model": net(), "inputs": inputs, "layers": None, "trees": False, "device": "cpu"}),
        "compare_scores": (dt.compare_scores, {"resamples": 5, "seed": 0}),
        "attack": (
            dt.attack,
            {
                "model": classifier,
                "inputs": images,
                "labels": labels,
                "method": "fgsm",
                "strength": 0.1,
                "data": digits,
                "steps": 2,
                "seed": 0,
                "batch_size": 5,
                "device": None,
            },
        ),
        "attack.mean": (
            dt.attack,
            {
                "model": classifier,
                "inputs": images.clamp(0, 1),
                "labels": labels,
                "method": "fgsm",
                "mean": 0.5,
                "std": 0.3,
            },
        ),
        "fit_detectors": (
            dt.fit_detectors,
            {
                "model": classifier,
                "clean": images,
                "detectors": ["softmax"],
                "batch_sizes": (4,),
                "noise": 0.3,
                "data": digits,
                "layers": None,
                "seed": 0,
                "device": "cpu",
            },
        ),
        "compare_detectors": (dt.compare_detectors, {"scores": judged, "fooled": None, "resamples": 5, "seed": 0}),
        "train": (
            dt.train,
            {
                "model": classifier,
                "data": digits,
                "epochs": 0,
                "lr": 0.1,
                "batch_size": 10,
                "seed": 0,
                "weight_decay": 0.0,
                "device": "cpu",
                "resume": None,
                "test": None,
            },
        ),
        "read_dipha": (dt.read_dipha, {"path": folder / "a.out", "max_epsilon": 0.3, "max_dim": 1}),
        "write_dipha": (dt.write_dipha, {"diagrams": diagrams, "path": folder / "b.out"}),
        "estimate": (dt.estimate, {"model": net(), "batches": [inputs], "seed": 0, **FAST, "threads": 1}),
        "Activations": (
            dt.Activations,
            {"values": np.ones((3, 2), np.float32), "neurons": signals.neurons.head(2)},
        ),
        "FunctionalGraph": (
            dt.FunctionalGraph,
            {
                "rows": np.array([0]),
                "cols": np.array([1]),
                "distances": np.array([0.1]),
                "n_nodes": 3,
                "max_epsilon": 0.3,
            },
        ),
        "DataSet": (dt.DataSet, {one.name: getattr(digits, one.name) for one in fields(digits) if one.init}),
        "build_net": (dt.build_net, {"name": "mlp", "n_classes": 3, "shape": (1, 4, 4), "width": 1.0, "depth": 2}),
        "load_data": (dt.load_data, {"name": "digits", "data_subset": 0.5, "train_size": 0, "seed": 0}),
        "compare": (
            dt.compare,
            {"groups": {"a": [diagrams, diagrams]}, "resamples": 99, "confidence": 0.9, "n_scales": 5, "seed": 0},
        ),
        "distance": (dt.distance, {"a": diagrams, "b": diagrams, "dim": 1, "metric": "bottleneck", "order": 1.0}),
        "distances": (dt.distances, {"diagrams": {0: diagrams, 1: diagrams}, "dim": 1, "essential": "clip"}),
        "plot_trajectory": (dt.plot_trajectory, {"runs": {0: diagrams, 1: diagrams}, "dim": 1, "metric": "bottleneck"}),
        "cavities": (
            dt.cavities,
            {"graph": graph, "dim": 1, "top": 2, "min_persistence": 0.0, "essential": "count", "tight": False},
        ),
        "participation": (
            dt.participation,
            {"graph": graph, "dims": (1,), "min_persistence": 0.0, "essential": "count", "tight": False},
        ),
        "plot_cavity": (dt.plot_cavity, {"cavity": dt.cavities(graph)[0], "graph": graph, "n_inputs": 1}),
        "plot_participation": (
            dt.plot_participation,
            {"participation": dt.participation(graph), "dim": 1, "by": "life"},
        ),
        "ablate": (silenced, {"model": net(), "neurons": [("0", 0)], "nodes": "unit"}),
        "plot_barcode": (dt.plot_barcode, {"source": diagrams, "dim": 1}),
        "plot_betti_curves": (dt.plot_betti_curves, {"source": diagrams, "dim": 1, "smooth": False}),
        "plot_layers": (dt.plot_layers, {"measured": by_layer, "summary": "life", "dim": 1}),
        "plot_diagram": (dt.plot_diagram, {"source": diagrams}),
        "plot_history": (dt.plot_history, {"topology": {0: measurement, 1: measurement}, "dim": 1}),
        "plot_early_stopping": (dt.plot_early_stopping, {"decision": decision}),
        "gap_features": (dt.gap_features, {"diagrams": diagrams, "min_persistence": 0.0, "essential": "drop"}),
        "stopping_quantities": (dt.stopping_quantities, {"diagrams": diagrams}),
        "GapModel.fit": (dt.GapModel.fit, {"table": table, "features": "lambda-mu", "method": "linear"}),
        "FunctionalGraph.from_distances": (
            dt.FunctionalGraph.from_distances,
            {"distances": np.ones((3, 3)) - np.eye(3), "max_epsilon": 0.3},
        ),
    }


def silenced(**options: Any) -> None:
    """Silence neurons for as long as nothing takes."""
    with dt.ablate(**options):
        pass


CALLS = calls()
# Public names that are not called by users, that have nothing to be wrong, or whose door is another's.
ELSEWHERE = {
    *("Breakdown", "LongComputationWarning", "Decision", "Detector", "PersistencePairs", "Scores", "Separation"),
    *("MeasureSettings", "TrainingState"),
    *(
        "Attacked",
        "BettiCurve",
        "Cavities",
        "Cavity",
        "Neuron",
        "Participation",
        "Comparison",
        "FittedDetectors",
        "GapModel",
        "Measurement",
        "MeasureEstimate",
        "NeighbourLabels",
        "Observation",
        "DnnTopologyError",
    ),
    *("list_nets", "list_data_sets", "separation", "separations", "watch", "__version__", "monitors"),
}


def wrong_calls() -> Iterator[tuple[str, str, Any]]:
    """Every argument of every function, with every wrong value."""
    for name, (_, arguments) in CALLS.items():
        for argument in arguments:
            for value in WRONG:
                yield name, argument, value


def test_every_public_name_has_its_wrong_calls() -> None:
    assert {name.partition(".")[0] for name in CALLS} | ELSEWHERE >= set(dt.__all__)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_one_line_that_names_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where a text that names no file is one
    function, arguments = CALLS[name]
    if name == "compare_scores":
        function = lambda **options: dt.compare_scores([0.1, 0.2], [0.3, 0.4], **options)  # noqa: E731
    function(**arguments)
    failures = []
    for argument in arguments:
        for value in WRONG:
            try:
                function(**{**arguments, argument: value})
            except dt.DnnTopologyError as error:
                if "\n" in str(error) or not str(error):
                    failures.append((argument, value, str(error)))
            except Exception as error:  # anything else is a fault
                failures.append((argument, value, f"{type(error).__name__}: {error}"[:100]))
    assert not failures, "\n".join(map(str, failures))
