"""Batches of any common form, as the arguments of a model's forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.recording.restoring import seeded


def draw(batches: Iterable[Any], *, max_samples: int | None = 1000, seed: int = 0) -> list[Any]:
    """Take as many batches as `record` would, to record the same inputs again and again.

    Args:
        batches: As for `record`.
        max_samples: Batches are taken until they hold so many samples; None for all.
        seed: As for `record`; torch's random state is left as it was.

    Returns:
        The batches.

    Raises:
        DnnTopologyError: There is none, or one is none of the kinds that `record` takes.
    """
    if max_samples is not None:
        check_at_least("max_samples", max_samples, 1)
    drawn: list[Any] = []
    n_samples = 0
    with seeded(seed, batches, torch.device("cpu")):
        for batch in batches:
            drawn.append(batch)
            n_samples += batch_size(*forward_arguments(batch, None, None))
            if max_samples is not None and n_samples >= max_samples:
                break
    if not n_samples:
        raise DnnTopologyError("there is no input to record: `batches` is empty")
    return drawn


def forward_arguments(
    batch: Any, device: torch.device | None, dtype: torch.dtype | None
) -> tuple[tuple[torch.Tensor, ...], dict[str, Any]]:
    """Return a batch as the arguments of the model's forward pass, in its precision and on its device.

    Raises:
        DnnTopologyError: The batch is none of the kinds that `record` takes.
    """

    def ready(item: Any) -> Any:
        if not isinstance(item, torch.Tensor):
            return item
        return item.to(device, dtype if item.is_floating_point() else None)

    first = batch[0] if isinstance(batch, Sequence) and batch else batch
    if isinstance(first, Mapping):
        return (), {str(key): ready(item) for key, item in first.items()}
    if not isinstance(first, torch.Tensor):
        raise DnnTopologyError(
            f"a batch must be a tensor, a mapping, or a sequence that starts with one, found {type(batch).__name__}"
        )
    return (ready(first),), {}


def batch_size(args: Sequence[torch.Tensor], kwargs: Mapping[str, Any]) -> int:
    """Return the number of samples in a batch.

    Raises:
        DnnTopologyError: No argument is a tensor with a dimension for samples.
    """
    for item in itertools.chain(args, kwargs.values()):
        if isinstance(item, torch.Tensor) and item.ndim:
            return len(item)
    raise DnnTopologyError("a batch holds no tensor with a first dimension of samples")
