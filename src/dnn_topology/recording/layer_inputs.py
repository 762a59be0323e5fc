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
from dnn_topology.recording.inputs import forward_arguments
from dnn_topology.recording.layers import heard_modules, unwrapped
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
        DnnTopologyError: The model has no such layer, or there is no input.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> layers = weighted_layers(model, [torch.ones(5, 3)])
        >>> [(layer.name, layer.strengths.shape, layer.inputs.shape) for layer in layers]
        [('0', (2, 3), (5, 3)), ('2', (1, 2), (5, 2))]
    """
    seed = check_seed(seed)
    model = unwrapped(model)
    batches = as_batches(batches)
    heard: dict[str, list[NDArray[np.float32]]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    fresh: set[str] = set()

    def hook(name: str) -> Any:
        def keep(module: nn.Module, args: Any) -> None:  # noqa: ARG001  # the signature is torch's
            if name in fresh:
                fresh.remove(name)
                shapes.setdefault(name, tuple(args[0].shape[1:]))
                heard.setdefault(name, []).append(args[0].detach().flatten(1).to("cpu", torch.float32).numpy().copy())

        return keep

    with (
        borrowed(model, device) as (home, dtype),
        seeded(seed, (batches, model), home),
        contextlib.ExitStack() as stack,
    ):
        modules = {name: module for name, module in heard_modules(model) if isinstance(module, LINEAR)}
        for name, module in modules.items():
            stack.callback(module.register_forward_pre_hook(hook(name)).remove)
        for batch in batches:
            args, kwargs = forward_arguments(batch, home, dtype, model)
            fresh.update(modules)
            model(*args, **kwargs)
    if not heard:
        raise DnnTopologyError("the model called no Linear layer and no convolution, or there was no input")
    return [
        WeightedLayer(name, layer_strengths(modules[name], shapes[name]), np.concatenate(parts))
        for name, parts in heard.items()
    ]


def layer_strengths(layer: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Return |weight| between the units of a layer's input and output."""
    if isinstance(layer, nn.Linear) and len(input_shape) == 1:
        return np.abs(layer_weight(layer))
    return abs(weight_matrix(layer, input_shape))
