"""Tensors without values, streams, long names and sizes that no memory holds are refused at the door in one line."""

from __future__ import annotations

import dataclasses
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import dnn_topology as dt

MODEL = nn.Sequential(nn.Linear(4, 3), nn.Tanh())  # whose neurons are never constant
X = torch.arange(40.0).reshape(10, 4) / 40
DIAGRAMS = dt.Diagrams([np.array([(0, 0.1), (0, np.inf)]), np.array([(0.1, 0.2)])], max_epsilon=0.3)
GRAPH = dt.functional_graph(dt.record(MODEL, X))
LONG = "z" * 10**5


def nested() -> torch.Tensor:
    """Rows of unlike lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(4), torch.ones(3)])


@pytest.mark.parametrize("made", [nested, X.to_sparse, lambda: X.to("meta")])
@pytest.mark.parametrize(
    "call",
    [
        lambda odd: dt.record(MODEL, odd),
        lambda odd: dt.measure(MODEL, odd, max_dim=1),
        lambda odd: dt.observe(MODEL, odd),
        lambda odd: dt.fit_detectors(MODEL, odd, detectors=["softmax"]),
        lambda odd: dt.TopologyMonitor(odd, max_dim=1),
        lambda odd: dt.attack(MODEL, odd, torch.zeros(10).long(), method="fgsm", mean=[0.0], std=[1.0]),
    ],
)
def test_inputs_that_have_no_rows_of_values_are_refused_with_the_remedy(call: Any, made: Any) -> None:
    with pytest.raises(
        dt.DnnTopologyError, match=r"(batches|inputs|clean) must be a dense tensor, found .*: (pad|give)"
    ):
        call(made())


def test_a_batch_may_be_sparse_where_the_model_takes_it() -> None:
    rows = dt.record(MODEL, [X.to_sparse()])
    np.testing.assert_allclose(rows.values, dt.record(MODEL, [X]).values, atol=1e-6)


@pytest.mark.parametrize("device", ["meta", torch.device("meta")])
def test_a_device_without_values_is_refused_before_the_model_goes_there(device: Any) -> None:
    for call in (dt.record, dt.observe):
        with pytest.raises(dt.DnnTopologyError, match="device must be one with values"):
            call(MODEL, X, device=device)
    assert {weight.device.type for weight in MODEL.parameters()} == {"cpu"}


def test_a_stream_is_no_array_though_it_can_be_detached() -> None:
    with pytest.raises(dt.DnnTopologyError, match="`epsilon` must be"):
        DIAGRAMS.betti_curve(1).at(io.StringIO("x"))  # type: ignore[arg-type]


def test_a_name_too_long_for_a_file_is_refused_in_a_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (DIAGRAMS.save, lambda path: dt.write_dipha(DIAGRAMS, path)):
        with pytest.raises(dt.DnnTopologyError, match=r"cannot write .*: File name too long") as caught:
            write(LONG)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "call", [dt.detector, dt.build_net, lambda name: dt.fit_detectors(MODEL, X.repeat(4, 1), detectors=[name])]
)
def test_a_long_name_does_not_hide_the_names_that_are_known(call: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match="expected one of") as caught:
        call(LONG)
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dt.compare_scores([0.1, 0.2], [0.3, 0.4], resamples=10**10), "resamples must be at most 134217728"),
        (lambda: dt.measure(MODEL, X, max_dim=10**10), "max_dim must be at most 1000"),
        (lambda: dt.build_net("mlp", shape=(10**10,) * 3), "shape must be of at most"),
        (lambda: dt.build_net("mlp", shape=(1, 10**4, 10**4)), "mlp with shape=.* weights, expected at most"),
        (lambda: dt.load_data("digits", shape=(10**4,) * 3), "shape must be of at most"),
        (lambda: dt.observe(MODEL, X).take(range(10**10)), "`places` must have at most"),
        (lambda: dt.fit_detectors(MODEL, X, batch_sizes=range(10**10)), "`batch_sizes` must have at most"),
        (lambda: dt.plot_betti_curves(range(10**10)), "expected diagrams"),
        (
            lambda: dt.measure(MODEL, X, max_dim=1, sample_nodes=2, bootstrap=10**10),
            "bootstrap must be at most 1000000",
        ),
    ],
)
def test_a_number_that_no_memory_holds_is_refused_before_any_is_taken(call: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        call()


def test_all_places_at_once_are_no_list_of_places() -> None:
    with pytest.raises(dt.DnnTopologyError, match="places must be"):
        dt.observe(MODEL, X).take(None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda odd: dt.TopologyMonitor(X, max_dim=1).step(odd), "model must be a Module"),
        (lambda odd: dt.TopologicalEarlyStopping([(X, torch.arange(10) > 4)]).step(odd), "model must be a Module"),
        (lambda odd: dt.detector("softmax").fit(odd), "clean must be a"),
        (lambda odd: dt.detector("softmax").score(odd), "seen must be a"),
        (lambda odd: dt.plot_betti_curves(DIAGRAMS, ax=odd), "ax must be"),
        (lambda odd: dt.plot_diagram(DIAGRAMS, ax=odd), "ax must be"),
        (DIAGRAMS.betti_curve, "dim must be a whole number"),
        (lambda odd: dt.measure(MODEL, X, max_dim=1, by="layer")[odd], "no layer"),
        (lambda odd: dt.load_data("digits", shape=odd), "shape must be"),
        (lambda odd: dt.record(MODEL, X, progress=odd), "progress must be True or False"),
    ],
)
@pytest.mark.parametrize("odd", [slice(3), {}, len, np.zeros((2, 2))])
def test_an_argument_of_another_kind_is_named_at_every_door(call: Any, message: str, odd: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        call(odd)


@pytest.mark.parametrize("call", [dt.compare, dt.plot_betti_curves])
def test_a_tensor_holds_no_diagrams(call: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"found .*Tensor"):
        call(torch.arange(4))


@pytest.mark.parametrize("odd", [np.array(3), torch.tensor(1.0)])
def test_a_single_number_names_no_neurons(odd: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match="neurons must be several"), dt.ablate(MODEL, odd):
        pass


def test_a_table_without_names_of_columns_is_no_history() -> None:
    with pytest.raises(dt.DnnTopologyError, match="the topology table has no column"):
        dt.plot_history(pd.DataFrame(np.ones((4, 6))))


def test_a_network_without_weights_is_not_trained() -> None:
    with pytest.raises(dt.DnnTopologyError, match="model must have weights"):
        dt.train(nn.Flatten(), dt.load_data("digits", data_subset=0.05), epochs=1)


def test_signals_of_longer_floats_are_those_of_doubles() -> None:
    signals = np.random.default_rng(0).random((40, 9))
    scores = [
        dt.BatchDetector(batch_size=5, n_reference=5).fit(given).score([signals[:5]])
        for given in (signals, signals.astype(np.longdouble))
    ]
    np.testing.assert_array_equal(scores[0], scores[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dt.persistence(GRAPH, threads=0), "threads must be at least 1"),
        (lambda: dt.persistence(GRAPH, threads=-1), "threads must be at least 1"),
        (lambda: DIAGRAMS.betti_curve(1).coarse(-1), "n must be at least 1"),
        (lambda: dt.participation(GRAPH).share_within(7), r"dim must be one of .*found 7"),
        (lambda: dt.BatchDetector(dim=-1), "max_dim must be a whole number of at least 0"),
        (lambda: dt.fit_detectors(MODEL, X.repeat(4, 1), noise=-1.0), "noise must be at least 0"),
        (lambda: dt.observe(MODEL, X * float("nan"), trees=False), "answers 10 inputs of 10 with NaN"),
    ],
)
def test_what_was_taken_in_silence_is_refused(call: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        call()


@pytest.mark.parametrize("wrong", [{"train": "x"}, {"test": []}, {"train": np.ones((4, 6))}, {"normalisation": True}])
def test_a_data_set_holds_data_sets(wrong: dict[str, Any]) -> None:
    digits = dt.load_data("digits", data_subset=0.05)
    with pytest.raises(dt.DnnTopologyError, match=f"{next(iter(wrong))} must be"):
        dataclasses.replace(digits, **wrong)
