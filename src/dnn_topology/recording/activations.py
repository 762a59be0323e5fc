"""Recording what every neuron of a model answers to some inputs, through hooks, on any `nn.Module`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice
from dnn_topology.recording.hooks import Tape, hooked
from dnn_topology.recording.inputs import batch_size, forward_arguments
from dnn_topology.recording.layers import Layer, check_names, default_layers, unwrapped
from dnn_topology.recording.listing import meant_layers
from dnn_topology.recording.restoring import borrowed, seeded
from dnn_topology.recording.signals import NODES, Nodes, token_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Activations:
    """The signal of every neuron.

    Attributes:
        values: (n_samples, n_neurons), float32.
        neurons: One row per neuron: `layer` (categorical, in the order of the forward pass) and `index`, the
            place within the layer's flattened output (for nodes="channel": the channel, for "feature": the feature).
    """

    values: NDArray[np.float32]
    neurons: pd.DataFrame

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.neurons):
            raise DnnTopologyError(
                f"activations of shape {self.values.shape} do not fit a table of {len(self.neurons)} neurons"
            )


def record(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    layers: Sequence[str] | None = None,
    nodes: Nodes = "unit",
    max_samples: int | None = 1000,
    seed: int = 0,
    device: torch.device | str | None = None,
    out: str | Path | None = None,
) -> Activations:
    """Run a model over some inputs and keep the output of each neuron on each of them.

    One forward pass per batch, in eval mode and without gradients. The model's outputs do not change, and its
    mode, its device and torch's random state are left as they were found, even after an exception. A
    (Distributed)DataParallel or compiled model is recorded on the module inside it.

    Args:
        model: Any module.
        batches: Any iterable, such as a DataLoader. A batch is a tensor, a mapping, which is passed as keyword
            arguments, or a sequence whose first item is one of these (what follows are labels and is ignored).
        layers: Names of modules (as in `named_modules`) whose outputs are the neurons; "output" is the model's own.
            A function that a module calls is named as by torch.fx: "relu", "block.add", "block.relu_1", …. In a
            glob, such as "features.*", `*` stays within one level and `**` does not; it means what `list_layers` lists.
            Default: what the model declares in an attribute `node_layers`, a sequence of names or a mapping from
            "unit" and "channel" to one, as the named networks do; else every activation module and recurrent network
            (else every Linear and convolution) that is called, and the output. A module called n times in a forward
            pass gives n layers, "name", "name@2", …; one that returns several tensors, in a tuple, a mapping or a
            dataclass, gives "name.key" or "name.0", "name.1", …, and can be named so, to take one of them.
        nodes: "unit": every scalar of the output is a neuron; "channel": every entry of dimension 1 is, averaged over
            all dimensions after it, as suits images; "feature": every entry of the last dimension is, averaged over
            all dimensions between the first and the last, as suits sequences of tokens. If the batch is a mapping
            with an `attention_mask` (n_samples, n_tokens), only tokens that it marks are averaged.
        max_samples: The first so many samples are used; None for all.
        seed: torch's random state while the batches are drawn, so that a shuffling loader gives the same ones
            every time.
        device: Where to run; by default where the model is.
        out: A `.npy` file to write the signals to, batch by batch, for when they are too many for memory
            (4 · samples · neurons bytes). They are then read from it piecewise, and memory is bounded by one batch.

    Returns:
        The signals, float32 whatever the model's precision; memory is bounded by them and one batch. With `out`, they
        are mapped from that file, which has to stay.

    Raises:
        DnnTopologyError: A layer does not exist or was not called; nothing was given; an output is not a
            tensor with one entry per sample, or changes its shape between batches; the model has no weights yet.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        >>> acts = record(model, [torch.randn(5, 4), torch.randn(5, 4)])
        >>> acts.values.shape
        (10, 5)
        >>> acts.neurons["layer"].tolist()
        ['1', '1', '1', 'output', 'output']
    """
    check_choice("nodes", nodes, NODES)
    if max_samples is not None:
        check_at_least("max_samples", max_samples, 1)
    model = unwrapped(model)
    names = default_layers(model, nodes) if layers is None else check_names(layers)
    chosen: dict[str, Layer] = {}
    tape = Tape(nodes, by_default=layers is None and not hasattr(model, "node_layers"))
    chunks: list[NDArray[np.float32]] = []
    widths: dict[str, int] = {}
    n_samples = 0
    rows = contextlib.nullcontext(chunks.append) if out is None else store.growing_array(Path(out))
    listening = contextlib.ExitStack()
    with borrowed(model, device) as (home, dtype), seeded(seed, batches, home), listening, rows as keep:
        for batch in batches:
            args, kwargs = forward_arguments(batch, home, dtype)
            size = batch_size(args, kwargs)
            if not chosen:  # what some names mean shows when the model runs
                chosen = meant_layers(model, names, args, kwargs)
                listening.enter_context(hooked(model, chosen, tape))
            tape.start(_mask(model, kwargs) if nodes == "feature" else None)
            model(*args, **kwargs)
            found = tape.by_layer(chosen, size)
            _check_widths({name: part.shape[1] for name, part in found.items()}, widths)
            chunk = torch.cat(list(found.values()), dim=1).numpy()
            chunk = chunk if max_samples is None else chunk[: max_samples - n_samples]
            keep(chunk)
            n_samples += len(chunk)
            if n_samples == max_samples:
                break
    if not n_samples:
        raise DnnTopologyError("there is no input to record: `batches` is empty")
    values = _stacked(chunks, n_samples) if out is None else np.load(out, mmap_mode="r")
    return Activations(values, _neuron_table(widths))


def _mask(model: nn.Module, inputs: Mapping[str, Any]) -> torch.Tensor | None:
    """Return which tokens of a batch count; None if the batch does not say.

    Raises:
        DnnTopologyError: The mask is unusable, or the model has two sequences of tokens and there is one mask.
    """
    mask = token_mask(inputs)
    # The encoder inside has the same configuration, but no decoder.
    two = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
    if mask is not None and two and any(name.rpartition(".")[2] == "decoder" for name, _ in model.named_modules()):
        raise DnnTopologyError(
            "an encoder-decoder has two sequences of tokens, and attention_mask speaks of one: record its encoder alone"
        )
    return mask


def _check_widths(found: Mapping[str, int], widths: dict[str, int]) -> None:
    """Remember the layers' widths in `widths` on the first batch, and hold every later batch against them.

    Raises:
        DnnTopologyError: The width of a layer, or the order of calls, changed.
    """
    if not widths:
        widths.update(found)
    if list(found.items()) != list(widths.items()):
        changed = [name for name in {**widths, **found} if widths.get(name) != found.get(name)] or list(found)
        raise DnnTopologyError(
            f"layer {changed[0]!r} has {found.get(changed[0], 0)} neurons in this batch and had "
            f"{widths.get(changed[0], 0)} before: give inputs of one size, or average: nodes='channel' for images, "
            "nodes='feature' for tokens"
        )


def _stacked(chunks: list[NDArray[np.float32]], n_samples: int) -> NDArray[np.float32]:
    """Return the chunks below one another, giving each one's memory back as soon as it is copied."""
    values = np.empty((n_samples, chunks[0].shape[1]), dtype=np.float32)
    end = n_samples
    while chunks:
        chunk = chunks.pop()
        values[end - len(chunk) : end] = chunk
        end -= len(chunk)
    return values


def _neuron_table(layers: Mapping[str, int]) -> pd.DataFrame:
    """Return the table (layer, index) of all neurons."""
    widths = list(layers.values())
    return pd.DataFrame(
        {
            "layer": pd.Categorical.from_codes(np.repeat(np.arange(len(widths)), widths), pd.Index(list(layers))),
            "index": np.concatenate([np.arange(width) for width in widths]),
        }
    )
