"""Samples are never taken for batches: a data set is batched, and what may be either is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import dnn_topology as dt
from tests.recording.test_any_module import Calling, randn

SEQUENCES = randn(12, 7, 6)  # of which each by itself would pass as a batch of 7
X = randn(12, 6)
BY_STEP = nn.Sequential(nn.Linear(6, 6), nn.Tanh())


class Streamed(IterableDataset[torch.Tensor]):
    """Gives what it holds one after another."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.items)


class Numbered:
    """Has a length and items by number, as data sets of other libraries have."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> torch.Tensor:
        item: torch.Tensor = self.items[place]
        return item


@pytest.mark.parametrize("kind", [Streamed, Numbered])
def test_what_may_give_samples_or_batches_is_refused_and_a_loader_says_which(kind: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=rf"{kind.__name__}, which may give samples or batches: .*DataLoader"):
        dt.record(BY_STEP, kind(SEQUENCES))
    expected = dt.record(BY_STEP, TensorDataset(SEQUENCES)).values
    assert expected.shape == (12, 42)
    samples, batches = DataLoader(kind(SEQUENCES), batch_size=5), DataLoader(kind([SEQUENCES]), batch_size=None)
    for loader in (samples, batches):
        np.testing.assert_array_equal(dt.record(BY_STEP, loader).values, expected)


@pytest.mark.parametrize(
    "sample",
    [
        (SEQUENCES[0], 3),
        [SEQUENCES[0], np.int64(3)],
        (SEQUENCES[0].numpy(), torch.tensor(3)),
        (SEQUENCES[0], "cat"),
        ((SEQUENCES[0],), 3),
        {"input": SEQUENCES[0], "label": 3},
        ({"input": SEQUENCES[0]}, 3),
    ],
)
def test_a_sample_beside_its_one_label_is_no_batch(sample: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"holds one label, .*, as a single sample does: pass DataLoader"):
        dt.record(BY_STEP, [sample] * 12)


def test_a_number_that_the_model_takes_beside_its_input_is_no_label() -> None:
    class Timed(nn.Module):
        def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            return torch.tanh(x * time)

    recorded = dt.record(Timed(), [(X, torch.tensor(0.5))], layers=["output"]).values
    np.testing.assert_allclose(recorded, torch.tanh(X / 2).numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "samples"),
    [
        (BY_STEP, X),
        (nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()), randn(9, 3, 8, 8)),
        (nn.Sequential(nn.Conv1d(3, 3, 1), nn.ReLU()), randn(9, 3, 5)),
        (nn.Sequential(nn.ConvTranspose2d(2, 2, 2), nn.ReLU()), randn(9, 2, 4, 4)),
    ],
)
def test_single_samples_of_layers_that_take_them_are_refused(model: nn.Module, samples: torch.Tensor) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"is a single sample to '0', .*DataLoader"):
        dt.record(model, list(samples))
    assert len(dt.record(model, list(torch.split(samples, 4))).values) == len(samples)


@pytest.mark.parametrize("layer", [nn.LSTM(6, 5, batch_first=True), nn.GRU(6, 5), nn.TransformerEncoderLayer(6, 2, 8)])
def test_samples_that_a_layer_takes_for_time_are_refused_without_a_dimension_of_time(layer: nn.Module) -> None:
    model = Calling(lambda self, x: self.layer(x), layer=layer)
    with pytest.raises(dt.DnnTopologyError, match=r"two dimensions, of which it takes the first for time"):
        dt.record(model, list(SEQUENCES))


def test_arrays_of_other_libraries_hold_samples_along_their_first_axis() -> None:
    table = pd.DataFrame(X.numpy(), columns=list("abcdef"))
    np.testing.assert_array_equal(dt.record(BY_STEP, table).values, dt.record(BY_STEP, X).values)


class Ragged(Dataset[torch.Tensor]):
    """Has samples of unlike shapes."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> torch.Tensor:
        return torch.zeros(place + 1, 6)


class Endless(Dataset[torch.Tensor]):
    """Has no length."""

    def __getitem__(self, place: int) -> torch.Tensor:
        return X[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [(Ragged(), "cannot be one batch: .*collate_fn"), (Endless(), "without a length")],
)
def test_a_data_set_that_cannot_be_batched_is_refused_in_one_line(data: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message) as refusal:
        dt.record(BY_STEP, data)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("form", [tuple, list])
def test_inputs_and_their_labels_are_one_pair_in_a_tuple_and_in_a_list(form: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"one pair \(inputs, labels\): pass \[\(inputs, labels\)\]"):
        dt.record(BY_STEP, form((X, torch.zeros(12, dtype=torch.int64))))


@pytest.mark.parametrize(
    ("model", "samples"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), randn(5, 3, 4)),
        (nn.Sequential(nn.BatchNorm1d(6), nn.ReLU()), X),
        (Calling(lambda self, x: self.last(self.embed(x).mean(1)), embed=nn.Embedding(9, 4), last=nn.Linear(4, 2)),
         torch.arange(15).reshape(3, 5) % 9),
        (Calling(lambda self, x: self.last(self.rnn(x)[0][:, -1]), rnn=nn.GRU(6, 4, batch_first=True),
                 last=nn.Linear(4, 2)), SEQUENCES),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [list, iter, lambda samples: list(samples.numpy())])
def test_single_samples_in_place_of_batches_are_told_what_makes_batches_of_them(
    model: nn.Module, samples: torch.Tensor, form: Any
) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"is a single sample to .*DataLoader\(samples, batch_size=256\)"):
        dt.record(model, form(samples))


def test_inputs_that_a_model_takes_in_no_form_are_not_called_a_sample() -> None:
    with pytest.raises(dt.DnnTopologyError, match="fails on its inputs"):
        dt.record(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), list(randn(5, 3, 5)))
