"""Weights are found in the forms in which people keep them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.checkpoint_forms import put_weights
from dnn_topology.recording.state_dicts import load_weights


def net(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))


STATE = net(7).state_dict()
OPTIMIZER = torch.optim.Adam(net().parameters()).state_dict()


def under(*prefixes: str) -> dict[str, Any]:
    return {"".join(prefixes) + name: value for name, value in STATE.items()}


def holds(model: nn.Module) -> bool:
    own = model.state_dict()
    return all(torch.equal(own[name], STATE[name]) for name in STATE)


FORMS: list[dict[str, Any]] = [
    STATE,
    under("module."),
    under("_orig_mod."),
    under("module.", "_orig_mod."),
    under("_orig_mod.", "module.", "model."),
    {"epoch": 3, "model_state_dict": STATE, "optimizer_state_dict": OPTIMIZER, "loss": 0.4},
    {"epoch": 3, "arch": "x", "state_dict": under("module."), "best": torch.tensor(3.0), "optimizer": OPTIMIZER},
    {"net": STATE, "acc": 90.1},
    {"model": STATE, "ema": {name: value * 0 for name, value in STATE.items()}},
    {"state_dict": {**under("model."), "loss.weight": torch.ones(2)}, "pytorch-lightning_version": "2.6"},
    {"state_dict": STATE, "hyper_parameters": argparse.Namespace(lr=0.1)},
    {"state_dict": STATE, "acc": np.float64(0.9), "seen": np.int64(3)},
    {"params": STATE},
    {"checkpoint": {"anything": under("backbone.")}},
]


@pytest.mark.parametrize("content", FORMS)
def test_every_form_of_a_checkpoint_is_read(content: dict[str, Any], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    model = net()
    load_weights(str(tmp_path / "w.pt"), model)
    assert holds(model)


@pytest.mark.parametrize("wrap", [lambda model: torch.compile(model, backend="eager"), nn.DataParallel])
def test_a_wrapped_model_is_filled_inside(wrap: Callable[[nn.Module], Any]) -> None:
    model = net()
    put_weights(STATE, wrap(model))
    assert holds(model)


def test_a_compiled_part_is_filled_with_plain_names_and_with_its_own() -> None:
    for names in (lambda model: model.state_dict(), lambda _: {f"0.{name}": value for name, value in STATE.items()}):
        inner = net()
        compiled: Any = torch.compile(inner, backend="eager")
        model = nn.Sequential(compiled)
        full = {name: STATE[name.removeprefix("0.").removeprefix("_orig_mod.")] for name in names(model)}
        put_weights(full, model)
        assert holds(inner)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_network_whose_own_module_is_called_module_is_filled(prefix: str) -> None:
    class Wrap(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(3, 2)

    source, model = Wrap(), Wrap()
    put_weights({prefix + name: value for name, value in source.state_dict().items()}, model)
    assert torch.equal(model.module.weight, source.module.weight)


def test_weights_that_are_shared_may_be_kept_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    put_weights({"0.weight": torch.eye(3)}, model)
    assert torch.equal(model(torch.eye(3)), torch.eye(3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**STATE, "3.bias": torch.zeros(3)}, r"3.bias has the shape \(3,\) there and \(2,\) here"),
        ({name: value for name, value in STATE.items() if name != "0.weight"}, "it lacks 0.weight"),
        ({**STATE, "4.weight": torch.zeros(3)}, "it has besides 4.weight"),
        ({"epoch": 3}, "holds no state dict"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(content: dict[str, Any], message: str) -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DnnTopologyError, match=message):
        put_weights(content, model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
