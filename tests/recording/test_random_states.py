"""Every generator that a recording may advance is put back, and gives the same inputs again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, TensorDataset, WeightedRandomSampler

import dnn_topology as dt

X = torch.arange(400.0).reshape(100, 4) / 100
MODEL = nn.Sequential(nn.Linear(4, 9), nn.Tanh())
GLOBAL = np.random.default_rng(3)


def jitter(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return x + float(rng.normal())


class Changing(Dataset[torch.Tensor]):
    """Samples that a function changes as they are read."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.change = change

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.change(X[place])


def with_sampler(torch_rng: torch.Generator, _: np.random.Generator) -> Iterable[Any]:
    data = TensorDataset(X)
    return DataLoader(data, 10, sampler=RandomSampler(data, generator=torch_rng))


def with_weights(torch_rng: torch.Generator, _: np.random.Generator) -> Iterable[Any]:
    return DataLoader(TensorDataset(X), 10, sampler=WeightedRandomSampler([1.0] * 100, 100, generator=torch_rng))


def with_batch_sampler(torch_rng: torch.Generator, _: np.random.Generator) -> Iterable[Any]:
    data = TensorDataset(X)
    return DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data, generator=torch_rng), 10, False))


def with_own_numpy(_: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:
    return DataLoader(Changing(partial(jitter, rng=rng)), 10)


def with_closure(_: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:
    return DataLoader(Changing(lambda x: jitter(x, rng)), 10)


def with_a_global(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(lambda x: x + float(GLOBAL.normal())), 10)


def with_process_wide_states(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(lambda x: x + random.random() + float(np.random.rand()) + torch.rand(1)), 10)  # noqa: NPY002


@dataclass(slots=True)
class Slotted:
    """Keeps its generator in no dictionary."""

    rng: np.random.Generator

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return jitter(x, self.rng)


def by_keyword(x: torch.Tensor, *, rng: np.random.Generator = GLOBAL) -> torch.Tensor:
    return jitter(x, rng)


class Shared:
    """Keeps its generator in the class."""

    rng = GLOBAL

    @staticmethod
    def shift(x: torch.Tensor) -> torch.Tensor:
        return jitter(x, Shared.rng)


GLOBAL_TORCH = torch.Generator().manual_seed(3)
IN_A_TABLE = {"rng": GLOBAL}


def with_slots(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(Slotted(rng)), 10)


def with_a_keyword(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(by_keyword), 10)


def with_a_class(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(Shared.shift), 10)


def with_a_table(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(lambda x: jitter(x, IN_A_TABLE["rng"])), 10)


def with_a_module(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(lambda x: jitter(x, this_module.GLOBAL)), 10)


def with_a_global_of_torch(torch_rng: torch.Generator, rng: np.random.Generator) -> Iterable[Any]:  # noqa: ARG001
    return DataLoader(Changing(lambda x: x + torch.rand(1, generator=GLOBAL_TORCH)), 10)


this_module = sys.modules[__name__]
LOADERS = [
    with_slots,
    with_a_keyword,
    with_a_class,
    with_a_table,
    with_a_module,
    with_a_global_of_torch,
    with_sampler,
    with_weights,
    with_batch_sampler,
    with_own_numpy,
    with_closure,
    with_a_global,
    with_process_wide_states,
]


@pytest.mark.parametrize("make", LOADERS)
def test_the_same_inputs_come_twice_and_every_generator_is_left_as_found(make: Any) -> None:
    torch_rng, rng = torch.Generator().manual_seed(5), np.random.default_rng(5)
    loader = make(torch_rng, rng)

    def states() -> list[Any]:
        return [
            torch_rng.get_state().tolist(),
            rng.bit_generator.state,
            GLOBAL.bit_generator.state,
            GLOBAL_TORCH.get_state().tolist(),
            torch.get_rng_state().tolist(),
            random.getstate(),
            [str(part) for part in np.random.get_state()],  # noqa: NPY002
        ]

    before = states()
    first = dt.record(MODEL, loader, max_samples=20).values
    assert states() == before
    next(iter(loader))  # a training goes on in between
    assert np.array_equal(first, dt.record(MODEL, loader, max_samples=20).values)
    assert not np.array_equal(first, dt.record(MODEL, loader, max_samples=20, seed=1).values)


def test_a_generator_of_the_models_own_is_left_as_found() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rng = torch.Generator().manual_seed(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn(x.shape, generator=self.rng)

    model = Noisy()
    before = model.rng.get_state()
    first = dt.record(model, [X]).values
    assert torch.equal(model.rng.get_state(), before)
    assert np.array_equal(first, dt.record(model, [X]).values)


def test_lasting_workers_are_left_alone_and_give_the_same_inputs_twice() -> None:
    loader = DataLoader(TensorDataset(X), 20, shuffle=True, num_workers=1, persistent_workers=True)
    under_way = iter(loader)
    next(under_way)
    first = dt.record(MODEL, loader, max_samples=40).values
    assert loader._iterator is under_way
    assert loader.persistent_workers
    assert len([*under_way]) == 4  # the epoch goes on where it was
    assert np.array_equal(first, dt.record(MODEL, loader, max_samples=40).values)


def test_workers_that_run_already_are_warned_of() -> None:
    loader = DataLoader(TensorDataset(X), 20, num_workers=1)
    with pytest.warns(UserWarning, match="the inputs of two recordings may differ"):
        dt.record(MODEL, iter(loader), max_samples=20)


def test_a_generator_without_a_state_is_warned_of() -> None:
    source = random.SystemRandom()
    with pytest.warns(UserWarning, match="SystemRandom has no state"):
        dt.record(MODEL, DataLoader(Changing(lambda x: x + source.random()), 10), max_samples=20)


def test_the_first_recording_of_a_process_leaves_pythons_random_state() -> None:
    lines = (
        "import random, torch, dnn_topology as dt",
        "before = random.getstate()",
        "dt.record(torch.nn.ReLU(), torch.ones(3, 2))",
        "assert random.getstate() == before",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_a_generator_that_is_made_while_inputs_are_taken_is_warned_of() -> None:
    class Late:
        rng: np.random.Generator | None = None

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            self.rng = self.rng or np.random.default_rng(0)
            return jitter(x, self.rng)

    data = Changing(Late())
    with pytest.warns(UserWarning, match="a Generator was made while they were taken"):
        dt.record(MODEL, data)
    np.testing.assert_array_equal(dt.record(MODEL, data).values, dt.record(MODEL, data).values)


@pytest.mark.parametrize(
    ("made", "advance"),
    [
        (np.random.default_rng(5), lambda rng: rng.normal()),
        (np.random.RandomState(5), lambda rng: rng.normal()),  # as people still have them
        (random.Random(5), lambda rng: rng.gauss(0.0, 1.0)),
        (torch.Generator().manual_seed(5), lambda rng: torch.randn(1, generator=rng).item()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_a_generator_gave_before_changes_no_recording(made: Any, advance: Callable[[Any], float]) -> None:
    data = Changing(lambda x: x + float(advance(made)))
    first = dt.record(MODEL, data).values
    advance(made)
    np.testing.assert_array_equal(dt.record(MODEL, data).values, first)
    assert not np.array_equal(dt.record(MODEL, data, seed=1).values, first)
