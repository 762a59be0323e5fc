"""What enters every layer that has weights: the raw material of activation graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, check_seed
from dnn_topology.recording.batches import as_batches
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.folding import unfolded
from dnn_topology.recording.inputs import batch_size, forward_arguments
from dnn_topology.recording.layers import heard_modules, output_name, unwrapped
from dnn_topology.recording.probing import CalledTensor, probe
from dnn_topology.recording.random_states import seeded
from dnn_topology.recording.restoring import borrowed
from dnn_topology.recording.weights import LINEAR, layer_weight, weight_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from torch.utils.data import Dataset


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """A layer with weights, and what entered it on each input of the network.

    Attributes:
        name: Of the module.
        strengths: (n_outputs, n_inputs), |weight|: an array for a Linear layer; sparse for a convolution, which is
            unrolled, one row per output unit.
        inputs: (n_samples, n_inputs), float32.
    """

    name: str
    strengths: NDArray[np.floating] | csr_array[Any, Any]
    inputs: NDArray[np.float32]


def weighted_layers(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> list[WeightedLayer]:
    """Run a model and keep what enters its Linear layers and convolutions.

    Args:
        model: Any module; it is left as it was found. A layer that is called more than once, or that mixes several
            places by one matrix (a Linear on sequences), is unrolled as it is called first.
        batches: As for `record`; all of them are used.
        seed: As for `record`.
        device: As for `record`.

    Returns:
        The layers in the order of their calls.

    Raises:
        DnnTopologyError: The model has no such layer or fails on the inputs, what enters one has no dimension of
            samples or changes its shape, or there is no input.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> layers = weighted_layers(model, [torch.ones(5, 3)])
        >>> [(layer.name, layer.strengths.shape, layer.inputs.shape) for layer in layers]
        [('0', (2, 3), (5, 3)), ('2', (1, 2), (5, 2))]
    """
    seed = check_seed(seed)
    model = unwrapped(model)
    batches = as_batches(batches)
    tape = _Entered()
    with (
        borrowed(model, device) as (home, dtype),
        seeded(seed, (batches, model), home),
        contextlib.ExitStack() as stack,
    ):
        modules = {name: module for name, module in heard_modules(model) if isinstance(module, LINEAR)}
        for name, module in modules.items():
            stack.callback(module.register_forward_pre_hook(tape.hook(name), with_kwargs=True).remove)
        for batch in batches:
            args, kwargs = forward_arguments(batch, home, dtype, model)
            size = batch_size(args, kwargs)
            if not size:
                continue
            with failures_explained(args, kwargs):
                if not tape.tensors:
                    own = output_name(model)
                    calls = probe(model, args, kwargs, home)
                    tape.tensors = {"" if each.layer == own else each.layer: each for each in calls.tensors}
                tape.start(modules, size)
                model(*args, **kwargs)
            tape.start((), 0)
    if not tape.heard:
        raise DnnTopologyError("the model called no Linear layer and no convolution, or there was no input")
    return [
        WeightedLayer(name, layer_strengths(modules[name], tape.shapes[name]), np.concatenate(parts))
        for name, parts in tape.heard.items()
    ]


class _Entered:
    """Keeps what enters layers, a row per sample.

    Attributes:
        tensors: What is known of the tensors that the layers return, by name.
        heard: Layer → rows of each batch.
        shapes: Layer → what of one sample enters it.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, CalledTensor] = {}
        self.heard: dict[str, list[NDArray[np.float32]]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._fresh: set[str] = set()
        self._size = 0

    def start(self, names: Iterable[str], size: int) -> None:
        """Wait for the first calls of some layers, on a batch of a size."""
        self._fresh, self._size = set(names), size

    def hook(self, name: str) -> Any:
        """Return a hook that keeps what enters a layer at its first call of a batch."""

        def keep(module: nn.Module, args: Any, kwargs: Any) -> None:  # noqa: ARG001  # the signature is torch's
            if name in self._fresh:
                self._fresh.remove(name)
                samples = self._samples_first(name, (*args, *kwargs.values())[0].detach())
                if self.shapes.setdefault(name, tuple(samples.shape[1:])) != tuple(samples.shape[1:]):
                    raise DnnTopologyError(
                        f"what enters layer {name!r} has the shape {tuple(samples.shape[1:])} in this batch and had "
                        f"{self.shapes[name]} before: give inputs of one size"
                    )
                rows = samples.flatten(1).to("cpu", torch.float32, copy=True).numpy()
                self.heard.setdefault(name, []).append(rows)

        return keep

    def _samples_first(self, name: str, entered: torch.Tensor) -> torch.Tensor:
        """Return what entered a layer with its dimension of samples first: the one that the layer's output has.

        Raises:
            DnnTopologyError: It has none, or has the samples in another order than the batch.
        """
        about = self.tensors.get(name)
        if about is not None and about.fold and not len(entered) % self._size:
            return unfolded(entered, about.fold, self._size, "unit")
        axis = about.axis if about is not None else None
        if axis is None or about is None or entered.ndim <= axis or entered.shape[axis] != self._size:
            raise DnnTopologyError(
                f"what enters layer {name!r}, {tuple(entered.shape)}, has no dimension of the {self._size} samples of "
                "the batch, so that its activation graph is not known: measure without trees"
            )
        if about.reordered:
            raise DnnTopologyError(f"layer {name!r} has the samples in another order than the batch: put them back")
        return entered.movedim(axis, 0)


def layer_strengths(layer: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Return |weight| between the units of a layer's input and output."""
    if isinstance(layer, nn.Linear) and len(input_shape) == 1:
        return np.abs(layer_weight(layer))
    return abs(weight_matrix(layer, input_shape))
