"""One of each kind added from outside: what CONTRIBUTING says of where a new one goes is enough."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import dnn_topology as dt
from dnn_topology.cli import app, main
from dnn_topology.cli.options import PLACES, as_flags, plain
from dnn_topology.graphs import graph_types
from dnn_topology.graphs.graph import FunctionalGraph, functional_graph
from dnn_topology.graphs.groups import chosen_neurons
from dnn_topology.homology.engines import ENGINES
from dnn_topology.homology.engines.gudhi import Gudhi
from dnn_topology.nets import zoo
from dnn_topology.nets.data import names
from dnn_topology.nets.zoo.network import Network
from dnn_topology.progress import answer
from dnn_topology.settings import MeasureSettings
from dnn_topology.work.ledger import Ledger, Work

CONTRIBUTING = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def batches() -> list[torch.Tensor]:
    """Forty inputs of 6 numbers."""
    return [torch.randn(40, 6, generator=torch.Generator().manual_seed(0))]


def model() -> torch.nn.Module:
    """A small network with seeded weights."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.Tanh(), torch.nn.Linear(20, 3))


def test_every_place_that_contributing_names_is_there() -> None:
    root = Path(__file__).parents[1] / "src" / "dnn_topology"
    section = CONTRIBUTING.split("Where would a new one go?")[1].split("## Words")[0]
    places = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", section)
    assert len(places) >= 8
    for place in places:
        assert (root / place).exists() or (root.parents[1] / place).exists(), place


def test_a_type_of_graph_is_a_function_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(settings: MeasureSettings, source: graph_types.Source) -> Iterator[tuple[str, FunctionalGraph]]:
        middle = source.activations.values.shape[1] // 2
        for name, neurons in (("part0", np.arange(middle)), ("part1", np.arange(middle, 2 * middle))):
            part = chosen_neurons(source.activations, neurons)
            yield name, functional_graph(part, max_epsilon=settings.max_epsilon)

    monkeypatch.setitem(graph_types.GRAPHS, "halves", halves)
    settings = MeasureSettings(max_dim=0)
    object.__setattr__(settings, "graph_type", "halves")  # the row in `GraphType` that a file cannot be given here
    measured = dt.measure(model(), batches(), settings=settings)
    assert list(measured.graphs) == ["part0", "part1"]
    assert measured.summary["part"].tolist() == [0, 1]


def test_a_metric_is_a_function() -> None:
    def taxicab(signals: NDArray[np.floating]) -> Any:
        return np.abs(signals[:, :, None] - signals[:, None, :]).sum(axis=0)

    measured = dt.measure(model(), batches(), metric=taxicab, max_epsilon=30, max_dim=0)
    assert measured.diagrams.n_nodes == 23


def test_a_network_and_a_data_set_are_a_row_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(n_classes: int, shape: Sequence[int], **_: Any) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), n_classes))

    monkeypatch.setitem(zoo._NAMES, "line", Network("line", "one linear layer", build, ((1, 8, 8),)))
    monkeypatch.setitem(names._NAMES, "numerals", replace(names.DATA_SETS["digits"], name="numerals"))
    data = dt.load_data("numerals")
    net = dt.build_net("line", n_classes=data.n_classes, shape=data.shape)
    assert dt.train(net, data, epochs=1)["train_accuracy"].iloc[-1] > 0.5


def test_an_engine_is_a_file_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Gudhi):
        """Another engine."""

    module: Any = types.ModuleType("dnn_topology.homology.engines.mine")
    module.Mine = Mine
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(ENGINES, "mine", "Mine")
    graph = dt.functional_graph(dt.record(model(), batches()), max_epsilon=0.4)
    assert dt.persistence(graph, max_dim=1, engine="mine") == dt.persistence(graph, max_dim=1)


def test_an_analysis_on_disk_is_a_work(tmp_path: Path) -> None:
    class Squares(Work[int, int]):
        def name(self, task: int) -> str:
            return f"square{task}"

        def files(self, task: int) -> list[Path]:
            return [tmp_path / f"{task}.txt"]

        def do(self, task: int) -> int:
            return task**2

        def keep(self, task: int, result: int) -> None:
            self.files(task)[0].write_text(str(result))

        def load(self, task: int) -> int:
            return int(self.files(task)[0].read_text())

    ledger: Ledger[int, int] = Ledger(tmp_path, Squares())
    assert ledger.finish([2, 3]).finished == (2, 3)
    assert (tmp_path / "3.txt").read_text() == "9"


def test_a_command_is_a_function_and_a_row_and_an_option_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Greeting:
        """How to greet.

        Attributes:
            loud_voice: Shout.
        """

        loud_voice: bool = False

    flags, usual = as_flags(Greeting, PLACES)

    def greet(name: str, /, *, how: flags = usual) -> None:  # type: ignore[valid-type]
        """Greet somebody.

        Args:
            name: Who.
            how: How.
        """
        answer(name.upper() if plain(how).loud_voice else name)  # type: ignore[attr-defined]

    greet.__annotations__ = {"name": str, "how": flags, "return": None}
    app.command(greet)
    try:
        assert main(["greet", "you", "--loud_voice"]) == 0
        assert capsys.readouterr().out == "YOU\n"
    finally:
        del app["greet"]
