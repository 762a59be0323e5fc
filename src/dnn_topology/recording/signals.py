"""From what a module returned to the signals of its neurons: which tensors, and what of them is one neuron."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from dnn_topology._checks import DnnTopologyError

Nodes = Literal["unit", "channel", "feature"]
NODES: tuple[Nodes, ...] = ("unit", "channel", "feature")


def leaves(output: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the floating-point tensors inside a module's output, each with its path ("" for a bare tensor).

    Tensors without any dimension, such as a loss, say nothing about single samples and are left out, as are those that
    are seen inside torch.vmap, each a part of a whole. Quantised ones are read as the numbers that they stand for, and
    packed sequences are padded, with their lengths beside them.
    """
    if isinstance(output, torch.Tensor):
        output = output.dequantize() if output.is_quantized else output
        if output.is_floating_point() and output.ndim and not is_mapped(output):
            yield path, output
    elif isinstance(output, PackedSequence):
        padded, lengths = pad_packed_sequence(output, batch_first=True)
        padded.sequence_lengths = lengths  # type: ignore[attr-defined]
        yield from leaves(padded, path)
    elif isinstance(output, Mapping):
        for key, item in output.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(output, (tuple, list)):
        for place, item in enumerate(output):
            yield from leaves(item, f"{path}.{place}")
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for part in dataclasses.fields(output):
            yield from leaves(getattr(output, part.name), f"{path}.{part.name}")


def changed_leaves(output: Any, change: Callable[[str, torch.Tensor], torch.Tensor], path: str = "") -> Any:
    """Return a module's output with other tensors in the place of some, each being named by its path as in `leaves`."""
    if isinstance(output, torch.Tensor):
        return change(path, output) if output.is_floating_point() and output.ndim else output
    if isinstance(output, PackedSequence):
        return output._replace(data=change(path, output.data))
    if isinstance(output, Mapping):
        changed = {key: changed_leaves(item, change, f"{path}.{key}") for key, item in output.items()}
        return changed if type(output) is dict else type(output)(changed)  # type: ignore[call-arg]
    if isinstance(output, (tuple, list)):
        items = [changed_leaves(item, change, f"{path}.{place}") for place, item in enumerate(output)]
        return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        names = [part.name for part in dataclasses.fields(output)]
        return dataclasses.replace(
            output, **{name: changed_leaves(getattr(output, name), change, f"{path}.{name}") for name in names}
        )
    return output


def is_mapped(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is one that a function sees inside torch.vmap."""
    functorch: Any = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_batchedtensor(tensor):
            return True
        tensor = functorch.get_unwrapped(tensor)
    return False


def identity(tensor: torch.Tensor) -> tuple[int, int]:
    """Return what stays the same until a tensor is changed in place, as a following in-place ReLU does."""
    return id(tensor), 0 if tensor.is_inference() else tensor._version


def signals(output: torch.Tensor, *, nodes: Nodes, mask: torch.Tensor | None, layer: str) -> torch.Tensor:
    """Return what the neurons of one layer answered.

    Args:
        output: (n_samples, …), any floating-point type.
        nodes: What is a neuron: every scalar, every entry of dimension 1, or every entry of the last dimension.
        mask: (n_samples, n_tokens), bool: which tokens count in an average over tokens; None for all.
        layer: Its name, for messages.

    Returns:
        (n_samples, n_neurons), float32, on the CPU: always a copy, because a following in-place operation would change
        the output that was seen here.

    Raises:
        DnnTopologyError: There is a mask, and the layer's tokens are not those of the mask; or the samples differ in
            length and are not averaged.
    """
    lengths = getattr(output, "sequence_lengths", None)
    if lengths is not None:
        if nodes != "feature" and bool((lengths < output.shape[1]).any()):
            raise DnnTopologyError(
                f"layer {layer!r} returns a packed sequence, whose samples have different lengths: average over them "
                "with nodes='feature', or leave it out"
            )
        mask = torch.arange(output.shape[1], device=lengths.device)[None] < lengths[:, None]
    values = output.detach()
    if values.ndim > 2 and nodes == "channel":
        values = values.float().flatten(2).mean(dim=2)
    elif values.ndim > 2 and nodes == "feature":
        values = values.float()
        # An output of other rows has no dimension of samples, which is reported where the rows are counted.
        if mask is not None and len(mask) == len(values):
            values = _mean_of_tokens(values, mask, layer)
        if values.ndim > 2:
            values = values.flatten(1, -2).mean(dim=1)
    flat = values.flatten(1) if values.ndim > 1 else values[:, None]
    return flat.to("cpu", torch.float32, copy=True)


def token_mask(inputs: Mapping[str, Any]) -> torch.Tensor | None:
    """Return which tokens of a batch count, (n_samples, n_tokens), bool; None if the batch does not say.

    Raises:
        DnnTopologyError: The mask has another shape, or leaves no token of a sample.
    """
    mask = inputs.get("attention_mask")
    if not isinstance(mask, torch.Tensor):
        return None
    if mask.ndim != 2:
        raise DnnTopologyError(
            f"attention_mask must be (n_samples, n_tokens) for nodes='feature', found shape {tuple(mask.shape)}"
        )
    counts = mask > 0
    empty = ~counts.any(dim=1)
    if empty.any():
        raise DnnTopologyError(
            f"attention_mask marks no token of sample {int(empty.nonzero()[0])} of a batch: 1 keeps a token, 0 hides it"
        )
    return counts


def _mean_of_tokens(values: torch.Tensor, mask: torch.Tensor, layer: str) -> torch.Tensor:
    """Return the mean of values (n_samples, n_tokens, …) over the tokens that the mask keeps.

    Raises:
        DnnTopologyError: The layer has another number of tokens.
    """
    if values.shape[1] != mask.shape[1]:
        raise DnnTopologyError(
            f"layer {layer!r} has {values.shape[1]} tokens where attention_mask has {mask.shape[1]}, so it does not "
            "say which of them to average: leave the layer out"
        )
    kept = mask.to(values.device).reshape(*mask.shape, *[1] * (values.ndim - 2))
    # Filled rather than multiplied by 0, which would keep a NaN at a hidden token.
    return values.masked_fill(~kept, 0).sum(dim=1) / kept.sum(dim=1)
