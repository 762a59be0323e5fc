"""Parts of a model that hooks do not see are reached, or refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt
from tests.recording.test_any_module import Calling, n_hooks, randn, widths


def body() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU())


def with_head(part: nn.Module) -> Calling:
    return Calling(lambda self, x: self.head(self.body(x)), body=part, head=nn.Linear(4, 3))


def compiled(part: nn.Module) -> nn.Module:
    return torch.compile(part, backend="eager")  # type: ignore[return-value]


def compiled_in_place(part: nn.Module) -> nn.Module:
    part.compile(backend="eager")
    return part


@pytest.mark.parametrize("wrap", [compiled, nn.DataParallel, lambda part: compiled(nn.DataParallel(part))])
def test_a_part_inside_a_wrapper_is_recorded_under_its_plain_names(wrap: Any) -> None:
    model, x = with_head(body()), randn(8, 6)
    expected = dt.record(model, [x])
    part = wrap(model.body)
    model.body = part
    found = dt.record(model, [x])
    assert widths(found) == widths(expected) == {"body.1": 5, "body.3": 4, "output": 3}
    assert np.array_equal(found.values, expected.values)
    assert model.body is part
    assert n_hooks(model) == 0


def test_a_name_through_a_compiled_module_means_the_layer_inside() -> None:
    model = with_head(compiled(body()))
    assert widths(dt.record(model, [randn(8, 6)], layers=["body._orig_mod.1"])) == {"body.1": 5}


def test_a_name_through_a_data_parallel_module_means_the_layer_inside() -> None:
    model = with_head(nn.DataParallel(body()))
    assert widths(dt.record(model, [randn(8, 6)], layers=["body.module.1"])) == {"body.1": 5}


def test_a_forward_pass_that_was_compiled_by_itself_is_recorded() -> None:
    model, x = body(), randn(8, 6)
    model.forward = torch.compile(model.forward, backend="eager")  # type: ignore[method-assign]
    model(x)
    assert widths(dt.record(model, [x])) == {"1": 5, "3": 4}


def test_a_part_that_was_compiled_in_place_and_has_run_is_recorded() -> None:
    model, x = with_head(compiled_in_place(body())), randn(8, 6)
    model(x)
    assert widths(dt.record(model, [x])) == {"body.1": 5, "body.3": 4, "output": 3}


@pytest.fixture(params=["script", "trace"])
def scripted(request: pytest.FixtureRequest) -> nn.Module:
    """A part as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself
        part = body()
        return torch.jit.script(part) if request.param == "script" else torch.jit.trace(part, randn(2, 6))  # type: ignore[no-untyped-call]


def test_a_torchscript_model_is_refused_but_for_its_output(scripted: nn.Module) -> None:
    with pytest.raises(dt.DnnTopologyError, match="the model is a TorchScript module"):
        dt.record(scripted, [randn(8, 6)])
    with pytest.raises(dt.DnnTopologyError, match="'1' lies inside the TorchScript module"):
        dt.record(scripted, [randn(8, 6)], layers=["1"])
    assert widths(dt.record(scripted, [randn(8, 6)], layers=["output"])) == {"output": 4}


def test_a_torchscript_part_is_refused_by_name_and_its_own_output_recorded(scripted: nn.Module) -> None:
    model, x = with_head(scripted), randn(8, 6)
    with pytest.raises(dt.DnnTopologyError, match="'body' is a TorchScript module"):
        dt.record(model, [x])
    assert widths(dt.record(model, [x], layers=["body", "head"])) == {"body": 4, "head": 3}
    assert dt.list_layers(model, x)["layer"].tolist() == ["body", "head", "output"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TorchScript itself
def test_a_single_layer_as_torchscript_is_what_it_was() -> None:
    model, x = body(), randn(8, 6)
    expected = dt.record(model, [x])
    model[1] = torch.jit.script(model[1])
    model[2] = torch.jit.script(model[2])
    assert widths(dt.record(model, [x])) == widths(expected)
    linear = nn.Sequential(nn.Linear(6, 5), torch.jit.script(nn.Linear(5, 4)), nn.Flatten())
    assert widths(dt.record(linear, [x])) == {"0": 5, "1": 4}


def test_a_frozen_torchscript_module_is_recorded_by_its_output(scripted: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself
        frozen = torch.jit.freeze(scripted.eval())
    assert widths(dt.record(frozen, [randn(8, 6)], layers=["output"])) == {"output": 4}


def test_exported_programs_are_refused() -> None:
    program = torch.export.export(body(), (randn(8, 6),))
    with pytest.raises(dt.DnnTopologyError, match=r"`model` is a program of torch.export"):
        dt.record(program, [randn(8, 6)])  # type: ignore[arg-type]
    with pytest.raises(dt.DnnTopologyError, match=r"the model comes from torch.export"):
        dt.record(program.module(), [randn(8, 6)])


def test_a_lazy_model_is_refused_until_it_has_run() -> None:
    model, x = nn.Sequential(nn.LazyLinear(5), nn.ReLU()), randn(8, 6)
    with pytest.raises(dt.DnnTopologyError, match=r"'0.weight' of a lazy module.*run the model once"):
        dt.record(model, [x])
    model(x)
    assert widths(dt.record(model, [x])) == {"1": 5}


# torch's own: the package moves to torchao
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Please use quant_min", "ignore:must run observer", "ignore:torch.quantize_per"
)
@pytest.mark.parametrize("fused", [False, True])
def test_a_statically_quantised_model_is_recorded_by_the_numbers_that_it_stands_for(fused: bool) -> None:
    ao: Any = torch.ao.quantization
    model: Any = Calling(
        lambda self, x: self.dequant(self.b(self.act(self.a(self.quant(x))))),
        quant=ao.QuantStub(),
        a=nn.Linear(6, 5),
        act=nn.ReLU(),
        b=nn.Linear(5, 3),
        dequant=ao.DeQuantStub(),
    ).eval()
    model.qconfig = ao.get_default_qconfig(torch.backends.quantized.engine)
    model = ao.fuse_modules(model, [["a", "act"]]) if fused else model
    model = ao.prepare(model)
    x = randn(50, 6)
    model(x)
    model = ao.convert(model)
    found = dt.record(model, [x])
    name = "a" if fused else "act"
    assert widths(found) == {name: 5, "output": 3}
    hidden = model.a(model.quant(x)).dequantize().relu()
    assert np.array_equal(found.values[:, :5], hidden.numpy())
