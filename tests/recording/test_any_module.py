"""Recording the modules that users have: recurrent, fused, compiled, on no device, with any output."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import dnn_topology as dt
from dnn_topology.recording.layers import default_layers


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def widths(activations: dt.Activations) -> dict[str, int]:
    """Layer → number of neurons, in the order of the forward pass."""
    return {str(name): count for name, count in activations.neurons["layer"].value_counts(sort=False).items()}


def layer(activations: dt.Activations, name: str) -> torch.Tensor:
    """The signals of one layer."""
    return torch.from_numpy(activations.values[:, (activations.neurons["layer"] == name).to_numpy()])


class Calling(nn.Module):
    """Modules, and a forward pass of one's own over them."""

    def __init__(self, forward: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


@dataclass
class Answer:
    logits: torch.Tensor
    loss: torch.Tensor


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(5), nn.Linear(5, 3))


def n_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("training", [True, False])
def test_recording_leaves_outputs_mode_hooks_weights_and_random_state_as_they_were(training: bool) -> None:
    model = mlp().train(training)
    model[1].eval()  # a part that was frozen by hand
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    fused = torch.backends.mha.get_fastpath_enabled()
    dt.record(model, DataLoader(TensorDataset(randn(40, 6)), batch_size=8, shuffle=True))
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert n_hooks(model) == 0
    assert torch.backends.mha.get_fastpath_enabled() is fused


def test_nothing_stays_behind_after_an_exception() -> None:
    model = mlp()
    state = torch.get_rng_state()
    with pytest.raises(dt.DnnTopologyError, match="shape"):
        dt.record(model, [randn(4, 6), randn(4, 7)])
    assert model.training
    assert n_hooks(model) == 0
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("own_generator", [False, True])
def test_a_shuffling_loader_gives_the_same_inputs_every_time_and_goes_on_as_it_would(own_generator: bool) -> None:
    generator = torch.Generator().manual_seed(3) if own_generator else None
    loader = DataLoader(TensorDataset(randn(40, 6)), batch_size=8, shuffle=True, generator=generator)
    model = mlp()
    state = (generator or torch.default_generator).get_state()
    first = dt.record(model, loader, max_samples=10).values
    assert np.array_equal(first, dt.record(model, loader, max_samples=10).values)
    assert torch.equal((generator or torch.default_generator).get_state(), state)
    assert not np.array_equal(first, dt.record(model, loader, max_samples=10, seed=1).values)


def test_activation_modules_of_any_library_are_the_default() -> None:
    class GELUActivation(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.gelu(x)

    GELUActivation.__module__ = "somewhere.activations"
    model = nn.Sequential(nn.Linear(6, 5), GELUActivation(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    assert widths(dt.record(model, [randn(4, 6)])) == {"1": 5, "3": 4, "output": 2}


def test_an_output_that_is_the_last_layers_is_not_counted_twice() -> None:
    assert widths(dt.record(nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), [randn(4, 6)])) == {"0": 5, "1": 4}


def test_layers_that_were_named_are_all_kept_even_if_they_are_the_same() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    assert widths(dt.record(model, [randn(4, 6)], layers=["1", "output"])) == {"1": 4, "output": 4}


def test_a_layer_that_is_not_called_is_reported_by_default_and_an_error_by_name() -> None:
    model = Calling(lambda self, x: self.used(x) * 2, used=nn.Linear(6, 5), idle=nn.Linear(5, 4))
    with pytest.warns(UserWarning, match="'idle' would be recorded by default and were never called"):
        assert widths(dt.record(model, [randn(4, 6)])) == {"used": 5, "output": 5}
    with pytest.raises(dt.DnnTopologyError, match="'idle' was not called"):
        dt.record(model, [randn(4, 6)], layers=["used", "idle"])


@pytest.mark.parametrize("inplace", [False, True])
def test_a_following_in_place_operation_does_not_change_what_was_recorded(inplace: bool) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=inplace))
    found, x = dt.record(model, [randn(4, 1, 5, 5)], layers=["0", "1"]), randn(4, 1, 5, 5)
    torch.testing.assert_close(layer(found, "0"), model[0](x).flatten(1).detach())
    assert layer(found, "0").min() < 0 <= layer(found, "1").min()


def test_an_output_changed_in_place_is_another_than_the_layers() -> None:
    found = dt.record(Calling(lambda self, x: self.fc(x).relu_(), fc=nn.Linear(6, 5)), [randn(9, 6)])
    assert widths(found) == {"fc": 5, "output": 5}
    assert layer(found, "fc").min() < 0 <= layer(found, "output").min()


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_of_a_recurrent_network_its_states_over_time_are_recorded(kind: Any) -> None:
    model = Calling(
        lambda self, x: self.fc(self.rnn(x)[0][:, -1]), rnn=kind(6, 4, batch_first=True), fc=nn.Linear(4, 2)
    )
    x = randn(5, 7, 6)
    assert default_layers(model) == ["rnn.0", "output"]
    found = dt.record(model, [x], nodes="feature")
    assert widths(found) == {"rnn.0": 4, "output": 2}
    torch.testing.assert_close(layer(found, "rnn.0"), model.rnn(x)[0].mean(dim=1).detach())  # type: ignore[operator]


@pytest.mark.parametrize("n_steps", [5, 8])
def test_time_before_samples_is_turned_round_even_with_as_many_steps_as_samples(n_steps: int) -> None:
    model = Calling(lambda self, x: self.rnn(x.transpose(0, 1))[0][-1], rnn=nn.LSTM(6, 4))
    x = randn(5, n_steps, 6)
    found = layer(dt.record(model, [x]), "rnn.0").reshape(5, n_steps, 4)
    torch.testing.assert_close(found, model.rnn(x.transpose(0, 1))[0].transpose(0, 1).detach())  # type: ignore[operator]


def test_a_model_whose_inputs_have_time_before_samples_is_refused() -> None:
    with pytest.raises(dt.DnnTopologyError, match="batch_first=True"):
        dt.record(Calling(lambda self, x: self.rnn(x)[0][-1], rnn=nn.LSTM(6, 4)), [randn(5, 5, 6)], layers=["output"])


# torch's own, of the model called without being recorded, whose fused layers use nested tensors
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
@pytest.mark.parametrize("activation", ["relu", nn.GELU()])
def test_a_transformer_encoder_of_torch_with_padding_is_recorded_layer_by_layer(activation: Any) -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=activation)
    encoder = nn.TransformerEncoder(block, 2)
    model = Calling(
        lambda self, x, attention_mask: self.fc(self.encoder(x, src_key_padding_mask=attention_mask == 0)[:, 0]),
        encoder=encoder,
        fc=nn.Linear(8, 3),
    ).eval()
    batch = {"x": randn(5, 7, 8), "attention_mask": torch.tensor([[1] * 4 + [0] * 3] * 4 + [[1] * 7])}
    torch.backends.mha.set_fastpath_enabled(True)
    found = dt.record(model, [batch], layers=["encoder.layers.0", "encoder.layers.1", "output"], nodes="feature")
    assert widths(found) == {"encoder.layers.0": 8, "encoder.layers.1": 8, "output": 3}
    with torch.no_grad():
        torch.testing.assert_close(layer(found, "output"), model(**batch), atol=1e-5, rtol=1e-5)
    inner = ["activation"] if isinstance(activation, nn.Module) else ["linear1", "linear2"]
    expected = [f"encoder.layers.{place}.{name}" for place in (0, 1) for name in inner]
    last = "output" if isinstance(activation, nn.Module) else "fc"
    assert list(widths(dt.record(model, [batch], nodes="feature"))) == [*expected, last]


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (lambda y: (y, [y + 1]), ["output.0", "output.1.0"]),
        (lambda y: {"logits": y, "loss": y.sum()}, ["output.logits"]),
        (lambda y: Answer(y, y.sum()), ["output.logits"]),
    ],
)
@pytest.mark.parametrize("n_samples", [1, 4])
def test_tensors_inside_an_output_are_layers_and_a_loss_is_none(
    answer: Callable[[torch.Tensor], Any], names: list[str], n_samples: int
) -> None:
    model = Calling(lambda self, x: answer(self.fc(x)), fc=nn.Linear(6, 5))
    assert widths(dt.record(model, [randn(n_samples, 6)], layers=["output"])) == dict.fromkeys(names, 5)


def test_one_tensor_of_several_can_be_named() -> None:
    model = Calling(lambda self, x: {"a": self.fc(x), "b": self.fc(x)}, fc=nn.Linear(6, 5))
    assert widths(dt.record(model, [randn(4, 6)], layers=["output.b"])) == {"output.b": 5}
    with pytest.raises(dt.DnnTopologyError, match=r"no layer 'output.c': did you mean"):
        dt.record(model, [randn(4, 6)], layers=["output.c"])


def test_an_unknown_layer_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(dt.DnnTopologyError, match="no layer 'fcc': did you mean fc"):
        dt.record(Calling(lambda self, x: self.fc(x), fc=nn.Linear(6, 5)), [randn(4, 6)], layers=["fcc"])


def test_a_layer_without_a_tensor_of_samples_is_an_error() -> None:
    model = Calling(lambda self, x: self.fc(x).argmax(dim=1), fc=nn.Linear(6, 5))
    with pytest.raises(dt.DnnTopologyError, match="'output' returned no floating-point tensor"):
        dt.record(model, [randn(4, 6)])


def test_rows_that_are_not_the_samples_are_an_error() -> None:
    model = Calling(lambda self, x: self.fc(x).mean(dim=0, keepdim=True), fc=nn.Linear(6, 5))
    with pytest.raises(dt.DnnTopologyError, match="'output' returned 1 rows for a batch of 4"):
        dt.record(model, [randn(4, 6)], layers=["output"])


def test_a_compiled_model_is_recorded_inside() -> None:
    model = mlp()
    found = dt.record(torch.compile(model, backend="eager"), [randn(4, 6)])  # type: ignore[arg-type]
    assert np.array_equal(found.values, dt.record(model, [randn(4, 6)]).values)


def test_a_model_without_values_is_an_error() -> None:
    with torch.device("meta"):
        model = nn.Linear(6, 5)
    with pytest.raises(dt.DnnTopologyError, match="'meta'"):
        dt.record(model, [randn(4, 6)])


def test_recording_works_in_inference_mode() -> None:
    with torch.inference_mode():
        found = dt.record(mlp(), [randn(4, 6)])
    assert widths(found) == {"1": 5, "output": 3}


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: (b, torch.zeros(4)), lambda b: [b]])
def test_a_mapping_is_passed_by_name_alone_or_before_labels(wrap: Callable[[Any], Any]) -> None:
    model = Calling(lambda self, *, x, scale: self.fc(x) * scale, fc=nn.Linear(6, 5))
    found = dt.record(model, [wrap({"x": randn(4, 6), "scale": 2})])
    torch.testing.assert_close(layer(found, "output"), 2 * layer(found, "fc"))


def test_tokens_of_any_number_give_the_same_features_and_units_do_not_fit() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    batches = [randn(4, 7, 6), randn(4, 9, 6)]
    assert widths(dt.record(model, batches, nodes="feature")) == {"1": 5, "output": 3}
    with pytest.raises(dt.DnnTopologyError, match="nodes='feature' for tokens"):
        dt.record(model, batches)


def test_padding_does_not_change_the_features_of_tokens() -> None:
    model = Calling(lambda self, x, attention_mask: self.act(self.fc(x)), fc=nn.Linear(6, 5), act=nn.Tanh())  # noqa: ARG005
    x, mask = randn(4, 7, 6), torch.ones(4, 7)
    padded = {"x": torch.cat([x, randn(4, 2, 6)], dim=1), "attention_mask": functional.pad(mask, (0, 2))}
    plain = dt.record(model, [{"x": x, "attention_mask": mask}], nodes="feature")
    found = dt.record(model, [padded], nodes="feature")
    torch.testing.assert_close(layer(found, "act"), layer(plain, "act"))


def test_a_users_hook_that_changes_what_a_module_returns_is_part_of_the_model() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(16, 3))
    model[1].register_forward_hook(lambda _, __, output: torch.cat([output, -output], dim=1))
    x = randn(5, 6)
    activations = dt.record(model, [x])
    hidden = torch.relu(model[0](x)).detach()
    torch.testing.assert_close(layer(activations, "1"), torch.cat([hidden, -hidden], dim=1))
    torch.testing.assert_close(layer(activations, "output"), model(x).detach())


class Precisions(nn.Module):
    """A model whose parameters have several types."""

    def __init__(self, *first: nn.Module | nn.Parameter, body: torch.dtype) -> None:
        super().__init__()
        self.first = first[0]
        self.body = nn.Linear(6, 4).to(body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x))


@pytest.mark.parametrize("first", [nn.Embedding(9, 6).half(), nn.Parameter(torch.ones(6, dtype=torch.float64))])
@pytest.mark.parametrize("body", [torch.float32, torch.float64, torch.bfloat16])
def test_inputs_have_the_precision_of_the_first_layer_that_they_can_enter(first: Any, body: torch.dtype) -> None:
    model = Precisions(first, body=body)
    x = randn(5, 6)
    expected = torch.relu(model.body(x.to(body))).detach().float()
    assert torch.equal(layer(dt.record(model, [x]), "output"), expected)
