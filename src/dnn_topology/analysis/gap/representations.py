"""How a network sees inputs: one point per input, in the space of a few of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnn_topology.recording.activations import record
from dnn_topology.recording.signals import Nodes

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

MOST_UNITS = 20_000  # of a layer; of one with more, channels are taken, so that all fits into memory


def representations(model: nn.Module, images: torch.Tensor) -> dict[str, NDArray[np.float64]]:
    """Return the inputs and what the model makes of them in its first and last hidden layer and its output.

    Args:
        model: Any module with an output (n_samples, n_classes); it is left as it was found.
        images: (n_samples, …).

    Returns:
        "input", "first", "last" and "output" → (n_samples, n_units), float64; of a model without a hidden layer first
        and last are the output. Of layers with more than 20,000 units, means over each channel are taken.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        >>> {place: points.shape for place, points in representations(model, torch.zeros(5, 4)).items()}
        {'input': (5, 4), 'first': (5, 3), 'last': (5, 3), 'output': (5, 2)}
    """
    layers = record(model, images[:2], max_samples=None, progress=False).layers
    assert layers is not None
    units = dict(zip(layers["layer"].astype(str), layers["neurons"].tolist(), strict=True))
    names = [*units]
    hidden = names[:-1] or names
    places = {"first": hidden[0], "last": hidden[-1], "output": names[-1]}
    points = {name: _points(model, images, name, units[name]) for name in dict.fromkeys(places.values())}
    inputs: NDArray[np.float64] = images.flatten(1).cpu().numpy().astype(np.float64)
    return {"input": inputs, **{place: points[name] for place, name in places.items()}}


def _points(model: nn.Module, images: torch.Tensor, layer: str, n_units: int) -> NDArray[np.float64]:
    """Return (n_samples, n_units) of one layer, or its channels."""
    nodes: Nodes = "unit" if n_units <= MOST_UNITS else "channel"
    signals = record(model, images, layers=[layer], nodes=nodes, max_samples=None, progress=False)
    return signals.values.astype(np.float64)
