from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.activations import record
from dnn_topology.recording.layers import default_layers


def mlp() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def inputs(n: int = 10, *shape: int) -> torch.Tensor:
    return torch.randn(n, *(shape or (4,)), generator=torch.Generator().manual_seed(1))


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_signals_are_the_outputs_of_the_layers_in_order() -> None:
    model, x = mlp(), inputs()
    model.eval()
    found = record(model, [x[:6], x[6:]], layers=["1", "output"])
    with torch.no_grad():
        expected = np.hstack([model[:2](x).numpy(), model(x).numpy()])
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    assert found.values.dtype == np.float32
    assert found.neurons["layer"].tolist() == ["1"] * 8 + ["output"] * 3
    assert found.neurons["index"].tolist() == [*range(8), *range(3)]


def test_recording_leaves_the_outputs_bit_identical() -> None:
    model, x = mlp().eval(), inputs()
    seen: list[torch.Tensor] = []
    handle = model.register_forward_hook(lambda _, __, output: seen.append(output))
    before = model(x)
    record(model, [x])
    after = model(x)
    handle.remove()
    assert len(seen) == 3
    assert all(torch.equal(before, output) for output in (*seen, after))


@pytest.mark.parametrize("fails", [False, True])
def test_mode_hooks_random_state_and_gradients_are_left_as_found(fails: bool) -> None:
    model = mlp()
    model[2].eval()  # a mixed state, which model.train() would not restore
    modes = [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    counts = []

    def batches() -> Iterator[torch.Tensor]:
        torch.rand(3)
        yield inputs()
        counts.append(hooks(model))
        yield inputs()
        if fails:
            raise RuntimeError("the loader broke")

    assert hooks(model) == 0
    if fails:
        with pytest.raises(RuntimeError, match="the loader broke"):
            record(model, batches())
    else:
        record(model, batches())
    assert counts == [0]  # while batches are made, which may run the model too
    assert hooks(model) == 0
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_hook_that_cannot_be_registered_leaves_no_other_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mlp()

    def refuse(*_: Any, **__: Any) -> None:
        raise LookupError("no hooks")

    monkeypatch.setattr(model[3], "register_forward_hook", refuse)
    with pytest.raises(LookupError, match="no hooks"):
        record(model, [inputs()], layers=["1", "3"])
    assert hooks(model) == 0


def test_dropout_is_off_while_recording() -> None:
    model = mlp().train()
    assert np.array_equal(record(model, [inputs()]).values, record(model, [inputs()], seed=9).values)


def test_a_shuffling_loader_gives_the_same_inputs_every_time() -> None:
    loader = DataLoader(TensorDataset(inputs(50)), batch_size=10, shuffle=True)
    first, second, other = (record(mlp(), loader, max_samples=20, seed=seed).values for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_no_more_samples_and_batches_are_used_than_asked_for() -> None:
    drawn = []

    def batches() -> Iterator[torch.Tensor]:
        for size in (4, 4, 4):
            drawn.append(size)
            yield inputs(size)

    assert len(record(mlp(), batches(), max_samples=6).values) == 6
    assert drawn == [4, 4]
    assert len(record(mlp(), batches(), max_samples=None).values) == 12


def test_batches_may_be_tensors_pairs_or_keyword_arguments() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
            result: torch.Tensor = self.net(x) * scale
            return result

    x = inputs()
    plain = record(Named(), [x]).values
    assert np.array_equal(record(Named(), [(x, torch.zeros(10))]).values, plain)
    assert np.array_equal(record(Named(), [[x]]).values, plain)
    assert np.array_equal(record(Named(), [{"x": x, "scale": 1.0}]).values, plain)


def test_channels_are_means_over_space() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    x = inputs(5, 1, 8, 8)
    units, channels = (record(model, [x], nodes=nodes).values for nodes in ("unit", "channel"))
    assert units.shape == (5, 3 * 36 + 2)
    assert channels.shape == (5, 3 + 2)
    np.testing.assert_allclose(channels[:, :3], units[:, :108].reshape(5, 3, 36).mean(axis=2), rtol=1e-5)


def test_the_named_networks_record_the_nodes_that_they_declare() -> None:
    net = build_net("conv_2")
    assert default_layers(net) == ["relu2", "fc1", "fc2", "fc3"]
    assert default_layers(net, "channel") == ["conv1", "conv2", "fc1", "fc2", "fc3"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2), nn.GELU()), ["1", "3", "output"]),
        (nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(4, 3)), ["0", "2", "output"]),
        (nn.Flatten(), ["output"]),
    ],
)
def test_other_models_record_activation_modules_or_else_weighted_ones(model: nn.Module, expected: list[str]) -> None:
    assert default_layers(model) == expected


def test_an_in_place_activation_does_not_change_what_was_recorded_before_it() -> None:
    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True)), inputs()
    found = record(model, [x], layers=["0"]).values
    np.testing.assert_allclose(found, model[0](x).detach().numpy(), rtol=1e-6)
    assert (found < 0).any()


class Twice(nn.Module):
    """One activation module, called after each of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(4, 5), nn.Linear(5, 6), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.relu(self.second(self.relu(self.first(x))))
        return result


def test_a_module_called_twice_gives_two_layers() -> None:
    model, x = Twice(), inputs()
    found = record(model, [x, x], layers=["relu"])
    assert list(found.neurons["layer"].cat.categories) == ["relu", "relu@2"]
    np.testing.assert_allclose(found.values[:10, 5:], model(x).detach().numpy(), rtol=1e-6)


class Structured(nn.Module):
    """Returns a dictionary with a tuple inside."""

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"logits": x * 2, "more": (x + 1, x.argmax(dim=1)), "name": "x"}


def test_dictionaries_and_tuples_give_one_layer_per_tensor() -> None:
    found = record(Structured(), [inputs()])
    assert list(found.neurons["layer"].cat.categories) == ["output.logits", "output.more.0"]
    np.testing.assert_allclose(found.values[:, :4], 2 * inputs().numpy(), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precision_give_float32_signals(dtype: torch.dtype) -> None:
    found = record(mlp().to(dtype), [inputs()]).values
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, record(mlp(), [inputs()]).values, atol=0.05)


def test_a_data_parallel_model_is_recorded_on_the_module_inside() -> None:
    found = record(nn.DataParallel(mlp()), [inputs()])
    assert np.array_equal(found.values, record(mlp(), [inputs()]).values)
    assert found.neurons["layer"].cat.categories[0] == "1"


def test_a_model_without_parameters_is_recorded() -> None:
    assert record(nn.Sequential(nn.ReLU()), [inputs()], layers=["0"]).values.shape == (10, 4)


def test_a_model_recorded_on_another_device_goes_back_where_it_was() -> None:
    model = mlp().to("meta")
    with pytest.raises((DnnTopologyError, NotImplementedError, RuntimeError)):
        record(model, [inputs()], device="cpu")  # nothing can be copied out of a meta tensor
    assert next(model.parameters()).device.type == "meta"
    assert hooks(model) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["l"]}, "no layer 'l'"),
        ({"layers": ["1", "1"]}, "named twice"),
        ({"layers": []}, "name at least one"),
        ({"nodes": "units"}, "did you mean unit"),
        ({"max_samples": 0}, "max_samples must be at least 1, found 0"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        record(mlp(), [inputs()], **options)


def test_an_unknown_layer_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(DnnTopologyError, match="no layer 'conv3': did you mean conv"):
        record(build_net("lenet"), [inputs(2, 1, 28, 28)], layers=["conv3"])


def test_an_empty_loader_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="`batches` is empty"):
        record(mlp(), [])


def test_a_batch_that_holds_no_tensor_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match=r"a batch must be a tensor, .* found int"):
        record(mlp(), [3])


def test_a_layer_that_is_never_called_is_refused() -> None:
    model = mlp()
    model.register_module("spare", nn.ReLU())
    model.forward = lambda x: model[3](model[1](model[0](x)))  # type: ignore[method-assign]
    with pytest.raises(DnnTopologyError, match="layer 'spare' was not called"):
        record(model, [inputs()], layers=["1", "spare"])


def test_states_that_do_not_begin_with_the_samples_are_turned_round() -> None:
    model = nn.LSTM(4, 6, num_layers=2, batch_first=True)  # its states are (layers, batch, features)
    x = inputs(10, 5, 4)
    found = record(model, [x], layers=["output.1.0"]).values
    np.testing.assert_allclose(found, model(x)[1][0].transpose(0, 1).flatten(1).detach(), rtol=1e-5, atol=1e-6)


def test_a_layer_whose_width_changes_between_batches_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())
    with pytest.raises(DnnTopologyError, match="layer '1' has 75 neurons in this batch and had 108 before"):
        record(model, [inputs(2, 1, 8, 8), inputs(2, 1, 7, 7)], layers=["1"])
    assert record(model, [inputs(2, 1, 8, 8), inputs(2, 1, 7, 7)], nodes="channel").values.shape == (4, 3)


@pytest.mark.parametrize("max_samples", [None, 7])
def test_signals_written_to_a_file_are_those_kept_in_memory(tmp_path: Path, max_samples: int | None) -> None:
    model, batches = mlp(), torch.split(inputs(), 4)
    mapped = record(model, batches, max_samples=max_samples, out=tmp_path / "signals.npy")
    kept = record(model, batches, max_samples=max_samples)
    assert isinstance(mapped.values, np.memmap)
    np.testing.assert_array_equal(mapped.values, kept.values)
    assert mapped.neurons.equals(kept.neurons)


def test_a_recording_that_fails_leaves_no_file(tmp_path: Path) -> None:
    for bad in ([], [inputs(), "no tensor"]):
        with pytest.raises(DnnTopologyError):
            record(mlp(), bad, out=tmp_path / "signals.npy")
    assert not [*tmp_path.iterdir()]


def test_two_recordings_into_one_file_do_not_mix(tmp_path: Path) -> None:
    model, x, path = mlp(), inputs(), tmp_path / "signals.npy"

    def batches() -> Iterator[torch.Tensor]:
        yield x[:5]
        record(model, [x, x], out=path)  # another, while this one is under way
        yield x[5:]

    np.testing.assert_array_equal(record(model, batches(), out=path).values, record(model, [x[:5], x[5:]]).values)
    assert [each.name for each in tmp_path.iterdir()] == ["signals.npy"]


RECORDING = """
import sys, numpy, torch
from dnn_topology.recording.activations import record

path, first, n = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
rows = torch.arange(first, first + n)[:, None].repeat(1, 5)

def batches():
    yield rows[: n // 2]
    print("half", flush=True)
    sys.stdin.readline()
    yield rows[n // 2 :]

recorded = record(torch.nn.Identity(), batches(), layers=["output"], out=path, max_samples=None)
print("done", flush=True)
sys.stdin.readline()
assert numpy.array_equal(recorded.values, rows.numpy())
"""


def test_two_processes_that_record_into_one_file_keep_their_own_rows_and_leave_the_last_ones(tmp_path: Path) -> None:
    path = tmp_path / "signals.npy"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(path), *about],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for about in (("0", "6"), ("100", "9"))
    ]
    for expected in ("half", "done"):  # each waits until both are as far
        for process in started:
            assert process.stdin is not None
            assert process.stdout is not None
            if expected == "done":
                process.stdin.write("go\n")
                process.stdin.flush()
            assert process.stdout.readline().strip() == expected
    np.testing.assert_array_equal(np.load(path)[:, 0], np.arange(100, 109))
    assert [each.name for each in tmp_path.iterdir()] == ["signals.npy"]
    for process in started:
        process.communicate("look\n")
        assert process.returncode == 0
