"""Values that are nearly right are taken, and those that are not are refused in one line, whatever they are."""

from __future__ import annotations

import json
import operator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt

with torch.random.fork_rng():
    torch.manual_seed(4)  # of other weights all neurons may be constant
    MODEL = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
X = torch.arange(40.0).reshape(10, 4) / 40
DIAGRAMS = dt.Diagrams([np.array([(0, 0.1), (0, np.inf)]), np.array([(0.1, 0.2)])], max_epsilon=0.3)


class Unprintable:
    """Fails where it is to be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("number", [np.int64(2), np.int8(2), np.uint16(2)])
def test_numbers_of_numpy_are_numbers(number: Any) -> None:
    assert len(dt.record(MODEL, X, seed=number, max_samples=number).values) == 2
    signals = dt.record(MODEL, X)
    graph = dt.functional_graph(signals, block=number)
    np.testing.assert_array_equal(graph.distances, dt.functional_graph(signals, block=2).distances)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda odd: dt.record(MODEL, X, layers=odd), "layers"),
        (lambda odd: dt.functional_graph(dt.record(MODEL, X), metric=odd), "metric"),
        (lambda odd: dt.compare_scores(odd, [1.0]), "negative"),
        (lambda odd: dt.observe(MODEL, X, squeezed={"bit": odd}), "squeezed.*bit"),
        (lambda odd: dt.sample_nodes(dt.record(MODEL, X), odd), "n must be"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_its_class(call: Any, name: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=rf"{name}.*found a?n? ?Unprintable|{name}.*<Unprintable"):
        call(Unprintable())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": 10**30}, "device must"), ({"out": ""}, "out must be a path"), ({"out": "."}, "out must be a path")],
)
def test_places_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.record(MODEL, X, **options)


def test_a_batch_that_a_module_cannot_read_is_said_to_be_what_fails() -> None:
    with pytest.raises(dt.DnnTopologyError, match="the model fails on its inputs"):
        dt.list_layers(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), [(X, X)])


ABOUT = {"format": 1, "max_epsilon": 0.3, "n_nodes": 2, "provenance": {}}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "no 'about' and 'H0'"),
        ({1: 2}, "no 'about' and 'H0'"),
        ({"about": np.array("{"), "H0": np.empty((0, 2))}, r"arrays\['about'\] must be JSON"),
        ({"about": np.array("[]"), "H0": np.empty((0, 2))}, "about must be a table"),
        ({"about": np.array(json.dumps({**ABOUT, "n_nodes": "many"})), "H0": np.empty((0, 2))}, "about.n_nodes must"),
        ({"about": np.array(json.dumps(ABOUT)), "H0": None}, "points of dimension 0"),
        ({"about": np.array(json.dumps(ABOUT)), "H0": np.empty((0, 2)), "density": "x"}, "density"),
        ({"about": np.array(json.dumps({**ABOUT, "filter": {}})), "H0": np.empty((0, 2))}, "filter.min_persistence"),
        (None, "arrays must be a mapping"),
    ],
)
def test_arrays_that_are_no_diagrams_are_refused_by_name(arrays: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.Diagrams.of_arrays(arrays)


def test_other_arrays_beside_those_of_diagrams_are_passed_over() -> None:
    arrays = {**DIAGRAMS.filtered().to_arrays(), "Hello": np.empty(3)}
    again = dt.Diagrams.of_arrays(arrays)
    assert (again, again.is_filtered) == (DIAGRAMS.filtered(), True)


@pytest.mark.parametrize("arrays", [{1: 2}, {"batches/ten": np.empty(2)}, {"single/": np.empty(2)}, {"single/a": "x"}])
def test_arrays_that_are_no_scores_are_refused(arrays: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"arrays.* must be"):
        dt.Scores.of_arrays(arrays)


@pytest.mark.parametrize("values", [{"a": 1.0}, {1: "a"}, {1: None}])
def test_values_that_are_no_numbers_by_epoch_are_refused(values: Any) -> None:
    decision = dt.StoppingRule(patience=1).decide({0: 0.3, 1: 0.2, 2: 0.4})
    with pytest.raises(dt.DnnTopologyError, match="epoch"):
        decision.of_all_epochs(values)


def test_diagrams_beside_an_array_are_unequal_to_it() -> None:
    for other in (np.zeros(3), np.zeros((2, 2)), np.float64(1), torch.zeros(2), [1], None):
        assert operator.ne(DIAGRAMS, other)
        assert operator.ne(other, DIAGRAMS)
        assert not operator.eq(other, DIAGRAMS)
    assert DIAGRAMS in [np.zeros(3), DIAGRAMS]


def test_a_gpu_without_room_for_a_batch_is_said_in_one_line_with_the_remedy() -> None:
    class Crowded(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {inputs.numel()} GiB.")

    with pytest.raises(
        dt.DnnTopologyError, match=r"no room for the model on its inputs \(float32 \(8, 3\)\).*smaller batches"
    ):
        dt.record(nn.Sequential(nn.Linear(3, 3), Crowded()), [torch.zeros(8, 3)])
