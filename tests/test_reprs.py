"""Every public object says in one short line what it is."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import dnn_topology as dt


def objects() -> dict[str, tuple[Any, str]]:
    """Name → an object, and what its repr says."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.ReLU(), torch.nn.Linear(20, 3))
    inputs = torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
    signals = dt.record(net, [inputs])
    graph = dt.functional_graph(signals)
    diagrams = dt.persistence(graph, max_dim=1)
    monitor = dt.TopologyMonitor([inputs], every=2, max_dim=1)
    stopping = dt.TopologicalEarlyStopping([inputs], rule="midlife")
    for epoch in (0, 2):
        monitor(net, epoch)
        stopping(net, epoch)
    data = dt.load_data("digits", train_size=60)
    states: list[dt.TrainingState] = []
    small = dt.build_net("mlp", shape=data.shape, n_classes=data.n_classes, width=0.1)
    dt.train(small, data, epochs=1, on_epoch=states.append)
    table = pd.DataFrame({"life": np.linspace(1, 2, 20), "midlife": np.linspace(1, 2, 20) ** 2})
    sizes = f"{graph.n_nodes} nodes, {graph.n_edges} edge"
    observed = dt.observe(net, inputs)
    fitted = dt.fit_detectors(small, data.train.tensors[0], detectors=["softmax", "penultimate"])
    attacked = dt.attack(small, *(part[:5] for part in data.test.tensors), method="fgsm", strength=0.1, data=data)
    return {
        "Activations": (signals, "Activations(60 samples, 23 neurons; '1' 20, 'output' 3)"),
        "FunctionalGraph": (graph, f"FunctionalGraph({sizes}"),
        "Diagrams": (diagrams, "Diagrams(H0: 23 points, 1 alive at the end; H1: "),
        "BettiCurve": (diagrams.betti_curve(0), "BettiCurve(peak 23 at ε 0, "),
        "Measurement": (dt.measure(net, [inputs], max_dim=1), f"Measurement({sizes}"),
        "Breakdown": (dt.measure(net, [inputs], by="layer"), "Breakdown(by layer: '1', 'output'; whole: 23 nodes, "),
        "TopologyMonitor": (monitor, "TopologyMonitor(every 2 epochs; measured: 0, 2)"),
        "TopologicalEarlyStopping": (
            stopping,
            "TopologicalEarlyStopping(midlife, patience 3, every epoch; measured: 0, 2; best: ",
        ),
        "StoppingRule": (dt.StoppingRule(), "StoppingRule(quantity='neighbours', patience=15, min_delta=0.0)"),
        "Decision": (stopping.decision, "Decision(chosen_epoch="),
        "DataSet": (data, "DataSet('digits': 60 training and 360 test images (1, 8, 8), 10 classes)"),
        "TrainingState": (states[-1], "TrainingState(epoch 1, 6 tensors of "),
        "GapModel": (
            dt.GapModel.fit(table.assign(gap=table["life"] * 3 + np.sin(np.arange(20)))),
            "GapModel(linear of lambda-mu, fitted on 20 networks, off by ",
        ),
        "Observation": (observed, "Observation(60 inputs of 6 numbers, 3 classes, 23 neurons, trees of 2 layers)"),
        "FittedDetectors": (fitted, "FittedDetectors(softmax, penultimate; "),
        "Scores": (fitted.score(data.test.tensors[0][:5]), "Scores(softmax: 5 inputs, penultimate: 5 inputs)"),
        "Attacked": (attacked, "Attacked(fgsm of size 0.1 in linf: 5 inputs (1, 8, 8), "),
        "MeasureEstimate": (dt.estimate(net, [inputs], max_dim=1), f"MeasureEstimate({sizes}"),
        "detector squeezing": (dt.detector("squeezing"), "Squeezing("),
        "BatchDetector": (dt.BatchDetector(), "BatchDetector(batch_size=50, H1 up to ε 0.4, not fitted)"),
        "detector softmax": (dt.detector("softmax"), "Confidence(rest)"),
        "detector profile": (dt.detector("profile"), "Distance(tree_profile, not fitted)"),
        "detector uncertainty": (dt.detector("uncertainty").fit(observed), "Uncertainty(fitted)"),
        "detector sample-graph": (dt.detector("sample-graph"), "SampleGraph(up to ε 0.3, not fitted)"),
        "Separation": (dt.compare_scores([0.1, 0.2], [0.3, 0.4]), "Separation(auroc=1.0"),
        "images": (data.train, "FittedImages(60 images (1, 8, 8))"),
    }


OBJECTS = objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_says_in_a_short_line_what_it_is(name: str) -> None:
    thing, start = OBJECTS[name]
    assert repr(thing).startswith(start), repr(thing)
    assert len(repr(thing)) < 260
    assert "\n" not in repr(thing)
    assert "array" not in repr(thing)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_can_be_pickled(name: str) -> None:
    thing, _ = OBJECTS[name]
    assert repr(pickle.loads(pickle.dumps(thing))) == repr(thing)  # noqa: S301  # our own


@pytest.mark.slow
def test_pairs_say_their_points_and_give_the_same_cycles_once_pickled() -> None:
    square = [[0, 0.1, 0.4, 0.2], [0.1, 0, 0.2, 0.5], [0.4, 0.2, 0, 0.3], [0.2, 0.5, 0.3, 0]]
    pairs = dt.persistence(dt.FunctionalGraph.from_distances(square, max_epsilon=0.3), max_dim=1, pairs=True)
    assert repr(pairs) == "PersistencePairs(H0: 4 points, 1 alive at the end; H1: 1 point; max_epsilon=0.3)"
    again = pickle.loads(pickle.dumps(pairs))  # noqa: S301  # our own
    assert again.cycle(1, 0).tolist() == pairs.cycle(1, 0).tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]


def test_what_is_empty_says_so_too() -> None:
    assert repr(dt.TopologyMonitor([torch.zeros(3, 2)])) == "TopologyMonitor(every epoch; measured: none yet)"
    one = dt.Activations(np.zeros((1, 1), np.float32), pd.DataFrame({"layer": ["a"], "index": [0]}))
    assert repr(one) == "Activations(1 sample, 1 neuron; 'a' 1)"
