"""A warning with figures before something that takes more than a minute."""

from __future__ import annotations

import re
import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import dnn_topology as dt
from dnn_topology.homology.engines import forewarning
from dnn_topology.homology.engines.forewarning import LongComputationWarning, forewarn, repeated
from dnn_topology.progress import silenced

GRAPH = dt.functional_graph(np.random.default_rng(0).normal(size=(20, 60)), max_epsilon=0.4)
MODEL = torch.nn.Sequential(torch.nn.Linear(6, 30), torch.nn.Tanh(), torch.nn.Linear(30, 3))
BATCHES = [torch.randn(40, 6, generator=torch.Generator().manual_seed(0))]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything takes longer than what is called long."""
    monkeypatch.setattr(forewarning, "LONG", 1e-9)


def warned(function: Any, *args: Any, **options: Any) -> list[str]:
    """What was warned of, from this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **options)
    assert all(one.category is LongComputationWarning and one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.usefixtures("short")
def test_what_takes_long_is_said_with_its_figures() -> None:
    (said,) = warned(dt.persistence, GRAPH)
    figures = rf"persistence up to H2 of {GRAPH.n_nodes} nodes and {GRAPH.n_edges} edges will take about \S+ \w+ and "
    assert re.match(figures, said)


def test_what_takes_less_than_a_minute_is_not_worth_a_word() -> None:
    assert warned(dt.persistence, GRAPH) == []


def test_what_would_be_faster_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from dnn_topology.homology.engines.estimate import estimate
    from dnn_topology.homology.engines.planner import prepare

    matrix = np.triu(np.random.default_rng(0).uniform(0.1, 0.9, (300, 300)), 1)
    graph = dt.FunctionalGraph.from_distances(matrix + matrix.T, max_epsilon=0.4)
    lean, plan, _ = prepare(graph, max_dim=2, engine="gudhi")
    monkeypatch.setattr(forewarning, "LONG", 0.9 * estimate(lean, plan, max_dim=2).seconds)
    (said,) = warned(forewarn, lean, plan, max_dim=2)
    assert re.search(r"max_epsilon=0\.\d+ or max_dim=1 or sample_nodes=\d+ would take less than a minute$", said)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("options", [{}, {"by": "layer"}, {"sample_nodes": 20, "bootstrap": 3}])
def test_a_measurement_of_several_graphs_is_warned_of_once_with_the_time_of_all(options: Any) -> None:
    n_graphs = 2 * {"": 1, "by": 3, "sample_nodes": 3}[next(iter(options), "")]
    (said,) = warned(dt.track, MODEL, BATCHES, {0: MODEL.state_dict(), 1: MODEL.state_dict()}, **options)
    assert f", and {n_graphs} graphs about " in said
    assert len(warned(dt.measure, MODEL, BATCHES, **options)) == 1


def test_many_graphs_that_are_short_alone_are_long_together(monkeypatch: pytest.MonkeyPatch) -> None:
    from dnn_topology.homology.engines.estimate import estimate
    from dnn_topology.homology.engines.planner import prepare

    lean, plan, census = prepare(GRAPH, max_dim=1)
    monkeypatch.setattr(forewarning, "LONG", 10 * estimate(lean, plan, max_dim=1, census=census).seconds)
    assert warned(dt.persistence, GRAPH, max_dim=1) == []
    with repeated(20):
        assert len(warned(dt.persistence, GRAPH, max_dim=1)) == 1


@pytest.mark.usefixtures("short")
def test_a_run_that_tells_its_time_itself_is_not_warned_of() -> None:
    with silenced():
        assert warned(dt.persistence, GRAPH) == []


@pytest.mark.usefixtures("short")
def test_a_command_prints_no_warning_of_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dnn_topology.cli import _warn

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", partial(_warn, ["topology"]))
        dt.persistence(GRAPH)
        assert capsys.readouterr().err == ""
        warnings.warn("something else", stacklevel=1)
    assert capsys.readouterr().err == "dnn-topology: warning: something else\n"
