"""Which layers are recorded where none are named, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import dnn_topology as dt
from tests.recording.test_any_module import Calling, randn, widths


def test_one_activation_module_does_not_hide_functional_ones() -> None:
    model = Calling(
        lambda self, x: self.sigmoid(self.c(functional.relu(self.b(functional.relu(self.a(x)))))),
        a=nn.Linear(6, 5),
        b=nn.Linear(5, 4),
        c=nn.Linear(4, 1),
        sigmoid=nn.Sigmoid(),
    )
    assert widths(dt.record(model, [randn(9, 6)])) == {"relu": 5, "relu_1": 4, "sigmoid": 1}


def test_a_logarithm_of_the_sigmoid_is_an_activation_under_torchs_own_name_for_it() -> None:
    model = Calling(
        lambda self, x: functional.logsigmoid(self.b(self.act(self.a(x)))),
        a=nn.Linear(6, 5),
        act=nn.ReLU(),
        b=nn.Linear(5, 4),
    )
    assert widths(dt.record(model, [randn(9, 6)])) == {"act": 5, "log_sigmoid": 4}


def test_layers_of_weights_stay_the_default_where_they_outnumber_functions() -> None:
    model = Calling(lambda self, x: self.b(functional.relu(self.a(x))), a=nn.Linear(6, 5), b=nn.Linear(5, 4))
    assert widths(dt.record(model, [randn(9, 6)])) == {"a": 5, "b": 4}


def test_what_an_activation_module_calls_inside_is_no_activation_of_its_own() -> None:
    class Swish(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.sigmoid(x)

    Swish.__module__ = "somewhere.activations"
    assert widths(dt.record(nn.Sequential(nn.Linear(6, 5), Swish()), [randn(9, 6)])) == {"1": 5}


def test_the_activations_say_what_was_recorded() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    table = dt.record(model, [randn(9, 6)]).layers
    assert table is not None
    assert table.to_dict("list") == {
        "layer": ["1", "output"],
        "kind": ["ReLU", "Sequential"],
        "stage": ["after activation", "before activation"],
        "neurons": [5, 3],
        "shape": [(5,), (3,)],
    }


def test_a_function_is_said_to_be_one() -> None:
    table = dt.record(Calling(lambda _, x: functional.relu(x)), [randn(9, 6)], layers=["relu"]).layers
    assert table is not None
    assert table.iloc[0].tolist() == ["relu", "function", "after activation", 6, (6,)]


class NamedOutput(nn.Module):
    """A network whose last layer is called as the model's own output is."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.log_softmax(self.output(functional.relu(self.hidden(x))), 1)


def test_a_module_called_output_is_meant_by_its_name_and_the_models_output_has_another() -> None:
    model, x = NamedOutput(), randn(9, 6)
    assert widths(dt.record(model, [x])) == {"hidden": 5, "output": 3, "output_": 3}
    own, whole = (torch.from_numpy(dt.record(model, [x], layers=[name]).values) for name in ("output", "output_"))
    torch.testing.assert_close(own, model.output(functional.relu(model.hidden(x))).detach())
    torch.testing.assert_close(whole, model(x).detach())
    assert dt.list_layers(model, x)["layer"].tolist()[-1] == "output_"


def test_a_module_called_node_layers_declares_nothing() -> None:
    model = Calling(
        lambda self, x: self.node_layers[0](x), node_layers=nn.ModuleList([nn.Linear(6, 5)]), act=nn.Identity()
    )
    assert widths(dt.record(model, [randn(9, 6)])) == {"node_layers.0": 5}


@pytest.mark.parametrize("declared", ["relu", 3, {"unit": 2}])
def test_a_declaration_of_another_form_is_refused(declared: object) -> None:
    model = nn.Sequential(nn.Linear(6, 5))
    model.node_layers = declared  # type: ignore[assignment]
    with pytest.raises(dt.DnnTopologyError, match="node_layers must be names of layers"):
        dt.record(model, [randn(9, 6)])


def test_what_a_model_returns_beside_its_answer_without_samples_is_passed_over_and_said() -> None:
    def forward(self: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"answer": self.relu(self.a(x)), "prototypes": self.a.weight * 2}

    model = Calling(forward, a=nn.Linear(6, 3), relu=nn.ReLU())
    for n in (9, 3, 1):  # as many samples as prototypes are no reason to take them for samples
        with pytest.warns(UserWarning, match=r"'output.prototypes'.* is passed over"):
            recorded = dt.record(model, [randn(n, 6)])
        assert widths(recorded) == {"relu": 3}
    with pytest.raises(dt.DnnTopologyError, match=r"'output.prototypes' returned 3 rows for a batch of 9"):
        dt.record(model, [randn(9, 6)], layers=["output"])
