"""Inputs of any common form as batches, or refused where samples could be taken for batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError, check_seed, check_whole
from dnn_topology.recording.inputs import BATCH, as_tensor, batch_size, forward_arguments, is_input
from dnn_topology.recording.random_states import seeded

SAID = 200  # characters of what torch says of samples


def as_batches(batches: Any) -> Iterable[Any]:
    """Return what a user gave as an iterable of batches.

    A bare tensor or array of any library holds samples along its first axis, and a map-style `Dataset` gives one at a
    time: they are taken in their order, in batches of 256. What else has items by number, and an `IterableDataset`, may
    give samples or batches, and a `DataLoader` says which. Everything else is an iterable of batches.

    Raises:
        DnnTopologyError: It is no iterable, a single batch, or does not say whether it gives samples or batches.
    """
    if not isinstance(batches, torch.Tensor) and hasattr(batches, "__array__") and getattr(batches, "ndim", 0) != 0:
        batches = as_tensor(np.asanyarray(batches))
    if isinstance(batches, torch.Tensor):
        check_argument("batches", batches, torch.Tensor)
        if not batches.ndim:
            raise DnnTopologyError("`batches` must hold samples along its first axis, found a single number")
        return list(torch.split(batches, BATCH))
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        return _loader(batches)
    if isinstance(batches, (Mapping, PackedSequence)) and not isinstance(batches, Dataset):
        raise DnnTopologyError("`batches` is a single batch, a mapping or a packed sequence: pass [batch]")
    if _is_pair(batches):
        raise DnnTopologyError("`batches` looks like one pair (inputs, labels): pass [(inputs, labels)]")
    several = isinstance(batches, Iterable) or hasattr(batches, "__getitem__")
    if isinstance(batches, (str, bytes, np.generic)) or not several:
        raise DnnTopologyError(
            "`batches` must be a tensor, an array, a data set or an iterable of batches such as a DataLoader, found "
            f"{type(batches).__name__}"
        )
    if isinstance(batches, IterableDataset) or _is_by_number(batches):
        raise DnnTopologyError(
            f"`batches` is a {type(batches).__name__}, which may give samples or batches: pass "
            f"DataLoader(data, batch_size={BATCH}) if it gives samples, DataLoader(data, batch_size=None) if batches"
        )
    return batches  # type: ignore[no-any-return]


def _is_by_number(batches: Any) -> bool:
    """Tell whether something has a length and items by number, as a data set has, and is no list of Python's."""
    return all(hasattr(batches, name) for name in ("__getitem__", "__len__")) and not isinstance(batches, Sequence)


def _loader(samples: Dataset[Any]) -> Iterable[Any]:
    """Return a loader of batches of a data set's samples, in their order.

    Raises:
        DnnTopologyError: The data set has no length.
    """
    if not hasattr(samples, "__len__"):
        raise DnnTopologyError(
            f"`batches` is a {type(samples).__name__} without a length, so that its samples cannot be taken in their "
            "order: give it `__len__`, or pass a DataLoader with a sampler"
        )
    return DataLoader(samples, batch_size=BATCH, collate_fn=_together)


def _together(samples: list[Any]) -> Any:
    """Return samples of a data set as one batch.

    Raises:
        DnnTopologyError: They have unlike shapes, or are no tensors.
    """
    try:
        return default_collate(samples)
    except (RuntimeError, TypeError, KeyError, ValueError) as error:
        said = " ".join(str(error).split())[:SAID]
        raise DnnTopologyError(
            f"samples of the data set cannot be one batch: {said}: let its transform give tensors of one shape, or "
            "pass a DataLoader with a collate_fn"
        ) from error


def take_batches(batches: Iterable[Any] | Dataset[Any], *, max_samples: int | None = 1000, seed: int = 0) -> list[Any]:
    """Take as many batches as `record` would, to record the same inputs again and again.

    Args:
        batches: As for `record`.
        max_samples: Batches are taken until they hold so many samples; None for all.
        seed: As for `record`; every random state is left as it was.

    Returns:
        The batches.

    Raises:
        DnnTopologyError: There is none, or one is none of the kinds that `record` takes.

    Example:
        >>> [len(batch) for batch in take_batches(torch.zeros(300, 2), max_samples=None)]
        [256, 44]
    """
    if max_samples is not None:
        check_whole("max_samples", max_samples, 1)
    seed = check_seed(seed)
    taken: list[Any] = []
    n_samples = 0
    batches = as_batches(batches)
    with seeded(seed, batches, torch.device("cpu")):
        for batch in batches:
            taken.append(batch)
            n_samples += batch_size(*forward_arguments(batch, None, None))
            if max_samples is not None and n_samples >= max_samples:
                break
    if not n_samples:
        raise DnnTopologyError("there is no input to record: `batches` is empty")
    return taken


def _is_pair(batches: Any) -> bool:
    """Tell whether something is inputs and their labels, rather than two batches."""
    if not isinstance(batches, (tuple, list)) or len(batches) != 2 or not all(map(is_input, batches)):
        return False
    if any(isinstance(item, PackedSequence) for item in batches):
        return True
    inputs, labels = batches
    return inputs.ndim > 1 and labels.ndim == 1 and len(inputs) == len(labels)
