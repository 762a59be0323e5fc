"""Batches and samples out of a data set, seeded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

from dnn_topology._checks import check_at_least
from dnn_topology.nets.data.forms import FittedImages, Samples


def batches(
    dataset: Samples, *, batch_size: int = 128, shuffle_seed: int | None = None
) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Return a loader that takes whole batches out of a data set at once.

    Args:
        dataset: Images and labels.
        batch_size: Samples per batch. A last batch of a single sample, which cannot be normalised over, is dropped
            when shuffling.
        shuffle_seed: Seed of the order; None keeps the order of the data set.

    Returns:
        The loader.
    """
    if shuffle_seed is None:
        order: Any = SequentialSampler(dataset)
    else:
        order = RandomSampler(dataset, generator=torch.Generator().manual_seed(shuffle_seed))
    lonely = shuffle_seed is not None and len(dataset) % batch_size == 1
    return DataLoader(
        cast(Any, dataset),
        sampler=BatchSampler(order, batch_size, drop_last=lonely),
        batch_size=None,
        generator=torch.Generator(),  # else every iteration would draw from the global one
    )


def each_batch(
    dataset: Samples, *, batch_size: int, shuffle_seed: int | None = None
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield what the loader of `batches` gives, sooner: data sets of one's own aside, places are a tensor, not a list.

    Args:
        dataset: Images and labels.
        batch_size: Samples per batch, as for `batches`.
        shuffle_seed: Seed of the order; None keeps the order of the data set.

    Yields:
        Images and labels.
    """
    if type(dataset) not in {FittedImages, Some, TensorDataset}:
        yield from batches(dataset, batch_size=batch_size, shuffle_seed=shuffle_seed)
        return
    n = len(dataset)
    if shuffle_seed is None:
        order = torch.arange(n, device="cpu")
    else:
        drawing = torch.Generator().manual_seed(shuffle_seed)  # as `RandomSampler`
        order = torch.randperm(n, generator=drawing, device="cpu")
    lonely = shuffle_seed is not None and n % batch_size == 1
    for start in range(0, n - lonely, batch_size):
        yield dataset[order[start : start + batch_size]]


def sample(dataset: Samples, n_samples: int, *, seed: int = 0) -> TensorDataset:
    """Return `n_samples` of a data set, drawn at random without replacement (all, if it has no more), in its order.

    Raises:
        DnnTopologyError: `n_samples` is below 1.
    """
    check_at_least("n_samples", n_samples, 1)
    drawn = np.random.default_rng(seed).permutation(len(dataset))[:n_samples]
    return TensorDataset(*dataset[np.sort(drawn)])


class Some:
    """Some samples of a data set, taken out of it as they are asked for.

    Args:
        dataset: The data set.
        places: (n,), int64: which of its samples.
    """

    def __init__(self, dataset: Samples, places: torch.Tensor) -> None:
        self._dataset, self._places = dataset, places

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._places)

    def __getitem__(self, places: Any) -> tuple[torch.Tensor, ...]:
        """Return images and labels at some places."""
        return self._dataset[self._places[places]]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All images and labels at once."""
        return self[slice(None)]


def some(dataset: Samples, n_samples: int) -> Some:
    """Return so many samples of a data set, always the same ones, spread at random over it."""
    drawn = np.random.default_rng(0).permutation(len(dataset))[:n_samples]
    return Some(dataset, torch.from_numpy(np.sort(drawn)))
