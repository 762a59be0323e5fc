"""A model is given back as it was found, whatever its own `train` does and however many threads record it."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dnn_topology as dt
from tests.recording.test_any_module import Calling, n_hooks, randn


class Frozen(nn.Sequential):
    """Keeps its normalisation in eval mode, by a `train` that returns nothing."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)
        self[1].eval()


def test_frozen_normalisation_and_a_train_that_returns_nothing_are_no_obstacle() -> None:
    model = Frozen(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.ReLU())
    model.train()
    modes = [module.training for module in model.modules()]
    dt.record(model, [randn(8, 6)])
    assert [module.training for module in model.modules()] == modes == [True, True, False, True, True]


def test_what_a_train_of_the_users_own_does_is_undone() -> None:
    class Merging(nn.Linear):
        merged = False

        def train(self, mode: bool = True) -> Merging:
            self.merged = not mode
            super().train(mode)
            return self

    first = Merging(6, 5)
    dt.record(nn.Sequential(first, nn.ReLU()).train(), [randn(8, 6)])
    assert not first.merged


def test_threads_that_record_one_model_get_the_same_signals_and_leave_it_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Dropout(), nn.Linear(50, 10)).train()
    x = randn(60, 20)
    expected = dt.record(model, [x]).values
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(15):
            values = dt.record(model, [x]).values
            if not np.array_equal(values, expected):
                wrong.append(values)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(module.training for module in model.modules())
    assert n_hooks(model) == 0
    assert torch.backends.mha.get_fastpath_enabled()


def test_calls_of_another_thread_meanwhile_are_not_heard() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        beside = threading.Thread(target=lambda: self.act(torch.ones(3, 2)))
        beside.start()
        beside.join()
        answer: torch.Tensor = self.act(x)
        return answer

    x = randn(9, 6)
    recorded = dt.record(Calling(forward, act=nn.ReLU()), [x])
    assert recorded.neurons["layer"].unique().tolist() == ["act"]
    np.testing.assert_array_equal(recorded.values, x.relu().numpy())


def test_threads_that_shuffle_with_the_process_wide_generator_get_the_same_inputs() -> None:
    data = torch.utils.data.TensorDataset(randn(40, 6))
    models = [nn.Sequential(nn.Linear(6, 5), nn.ReLU()) for _ in range(3)]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    state = torch.get_rng_state()
    values: list[np.ndarray] = []

    def work(model: nn.Module) -> None:
        for _ in range(5):
            loader = torch.utils.data.DataLoader(data, 4, shuffle=True)
            values.append(dt.record(model, loader, max_samples=20).values)

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(each, values[0]) for each in values)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99", 3.5])
def test_a_device_that_is_not_there_is_refused(device: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match="device"):
        dt.record(nn.Linear(6, 5), [randn(8, 6)], device=device)


@pytest.mark.parametrize(
    "computed",
    [
        lambda device: dt.functional_graph(np.random.default_rng(0).normal(size=(20, 5)), device=device),
        lambda device: dt.train(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), dt.load_data("digits"), epochs=0, device=device
        ),
        lambda device: dt.attack(
            nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(3, 1, 2, 2), torch.zeros(3).long(), device=device
        ),
    ],
    ids=["functional_graph", "train", "attack"],
)
def test_every_door_refuses_a_device_that_is_not_there_in_one_line(computed: Callable[[str], Any]) -> None:
    with pytest.raises(dt.DnnTopologyError, match="device=cuda:99 cannot be used here"):
        computed("cuda:99")


class Remembering(nn.Module):
    """Counts and caches what it is given, in every way in which modules do."""

    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(()))
        self.cache: list[torch.Tensor] = []
        self.sizes: dict[str, int] = {}
        self.mean = torch.zeros(4)  # a tensor that is neither parameter nor buffer
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.total += len(x)
        self.cache.append(x)
        self.sizes[f"call {self.calls}"] = len(x)
        self.mean.add_(x.mean(0))
        self.last = x
        return x * len(self.cache) + self.total


def test_recording_leaves_counters_and_caches_as_found_and_runs_as_plain_passes_would() -> None:
    model, plain = Remembering().eval(), Remembering().eval()
    first, second = randn(5, 4), randn(3, 4)
    kept = (model.cache, model.sizes, model.mean)
    values = dt.record(model, [first, second], layers=["output"]).values
    torch.testing.assert_close(torch.from_numpy(values), torch.cat([plain(first), plain(second)]))
    assert (model.calls, int(model.total), model.cache, model.sizes) == (0, 0, [], {})
    assert not model.mean.any()
    assert not hasattr(model, "last")
    assert all(now is before for now, before in zip((model.cache, model.sizes, model.mean), kept, strict=True))


def test_hooks_of_ones_own_are_called_once_per_batch_and_stay() -> None:
    model, heard = nn.Sequential(nn.Linear(6, 4), nn.ReLU()), list[int]()
    model[0].register_forward_hook(lambda _module, _args, output: heard.append(len(output)))
    dt.record(model, [randn(5, 6), randn(3, 6)])
    assert heard == [5, 3]
    model(randn(2, 6))
    assert heard == [5, 3, 2]


@pytest.mark.parametrize("fails", [False, True])
def test_a_measurement_within_a_training_leaves_an_observer_of_ranges_as_it_was(fails: bool) -> None:
    observed = torch.ao.quantization.MinMaxObserver()
    model = nn.Sequential(nn.Linear(6, 30), nn.ReLU(), observed, nn.Linear(30, 2))
    model(randn(5, 6))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batches = [100 * randn(20, 6), *([randn(20, 7)] if fails else [])]
    with pytest.raises(dt.DnnTopologyError) if fails else contextlib.nullcontext():
        dt.measure(model, batches, max_dim=0)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_module_that_makes_its_weights_in_its_first_pass_is_refused_until_it_has_them() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc: nn.Linear | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.fc is None:
                self.fc = nn.Linear(x.shape[1], 3)
            return torch.relu(self.fc(x))

    model, inputs = nn.Sequential(Late(), nn.ReLU()), randn(5, 4)
    for look in (dt.record, dt.list_layers):
        with pytest.raises(dt.DnnTopologyError, match=r"'0\.fc\.weight' of a lazy module is made in its first pass"):
            look(model, inputs)
    assert not [*model.parameters()]
    outputs = model(inputs)
    torch.testing.assert_close(torch.from_numpy(dt.record(model, inputs, layers=["output"]).values), outputs.detach())


class Writing(nn.Module):
    """Writes, in its forward pass, into something that it holds."""

    nothing: torch.Tensor

    def __init__(self, write: Callable[[Any], None]) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(4)
        self.base = torch.zeros(1)
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("nothing", torch.full((2,), torch.nan))
        self.register_buffer("spread", self.base.expand(3))
        self.register_buffer("matrix", torch.eye(4).to_sparse())
        self.windows: dict[str, Any] = {"last": [torch.zeros(4)], "of": {"calls": 0}}
        self.counted = np.zeros(2)
        self.recent: OrderedDict[str, int] = Ordered(a=1, b=2)
        self.write = write

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.write(self)
        y: torch.Tensor = self.fc(self.norm(x))
        return y

    def state(self) -> list[Any]:
        """Return a copy of all that it holds."""
        self.nothing.nan_to_num_(7)
        tensors = [*self.parameters(), *self.buffers(), *self.windows["last"]]
        dense = [each.detach().to_dense() if each.is_sparse else each.detach() for each in tensors]
        held = [*self.windows, *self.windows["of"].items(), *self.recent.items(), sorted(self._buffers)]
        return [
            *[each.tolist() for each in dense],
            self.counted.tolist(),
            *held,
            sorted(self._non_persistent_buffers_set),
        ]


class Ordered(OrderedDict[str, int]):
    """A class of one's own that keeps things."""


def _add_to_count(model: Any) -> None:
    model.windows["of"]["calls"] += 1


def _set_weights(model: Any) -> None:
    model.fc.weight.data = torch.renorm(model.fc.weight.data, p=2, dim=0, maxnorm=0.1)


def _grow(model: Any) -> None:
    model.mean.data = torch.cat([model.mean.data, torch.ones(1)])


def _set_array(model: Any) -> None:
    model.mean.numpy()[0] += 1


@pytest.mark.parametrize(
    "write",
    [
        lambda model: model.norm.train(),
        lambda model: model.mean.data.add_(1),
        _set_array,
        _grow,
        lambda model: model.mean.resize_(6),
        _set_weights,
        lambda model: model.base.add_(1),
        lambda model: model.matrix.mul_(2),
        lambda model: model.windows["last"][0].add_(1),
        _add_to_count,
        lambda model: model.counted.__iadd__(1),
        lambda model: model.recent.move_to_end("a"),
        lambda model: model.register_buffer("late", torch.zeros(1), persistent=False),
    ],
    ids=[
        "normalisation that trains",
        "a buffer's data",
        "a buffer as an array",
        "a buffer's memory",
        "a buffer's size",
        "a weight's memory",
        "what a repeated buffer is a view of",
        "a sparse buffer",
        "a tensor in a list in a mapping",
        "a number in a mapping in a mapping",
        "an array",
        "the order of a mapping of one's own",
        "a buffer made late",
    ],
)
def test_whatever_a_forward_pass_writes_into_is_as_it_was_after_recording(write: Callable[[Any], None]) -> None:
    model = Writing(write).eval()
    before = model.state()
    dt.record(model, [randn(6, 4), randn(5, 4)], layers=["fc"])
    assert model.state() == before
    model(randn(6, 4))
    assert model.state() != before, "the pass writes nothing"


def test_embeddings_of_a_largest_norm_keep_their_weights_and_give_the_same_signals_twice() -> None:
    embedding = nn.Embedding(9, 5, max_norm=0.1)
    model = nn.Sequential(embedding, nn.Flatten(), nn.Linear(20, 4))
    weights, words = embedding.weight.detach().clone(), torch.arange(24).reshape(6, 4) % 9
    first, second = (dt.record(model, [words]).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(embedding.weight, weights)


def test_a_weight_of_two_names_or_of_two_values_in_its_first_pass_is_no_lazy_one() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.same = self.fc.weight  # which comes before those of parts, in the order of names
            self.fc.bias = nn.Parameter(self.fc.bias.detach().clamp(-1, 1))
            y: torch.Tensor = self.fc(x)
            return y

    model, inputs = Tied(), randn(5, 4)
    plain = model.fc(inputs).detach()
    torch.testing.assert_close(torch.from_numpy(dt.record(model, inputs, layers=["output"]).values), plain)


def test_a_sparse_matrix_within_a_forward_pass_is_no_obstacle() -> None:
    class Spreading(nn.Module):
        matrix: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 3)
            self.register_buffer("matrix", torch.eye(6).to_sparse())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.fc(torch.sparse.mm(self.matrix * 2, x.T).T)
            return y

    model, inputs = Spreading(), randn(5, 6)
    torch.testing.assert_close(torch.from_numpy(dt.record(model, inputs).values), model(inputs).detach())
