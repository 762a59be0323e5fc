"""What a network does with each of some inputs: all that a detector of adversarial inputs may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, counted
from dnn_topology.homology.spanning_trees import tree_weights
from dnn_topology.recording.activations import Activations, record
from dnn_topology.recording.layer_inputs import weighted_layers
from dnn_topology.recording.layers import output_name, unwrapped

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

BATCH = 100


@dataclass(frozen=True, eq=False, repr=False)
class Observation:
    """A network's answers to some inputs, in their order.

    Attributes:
        inputs: (n, n_pixels), float32: the inputs themselves, as the network takes them.
        outputs: (n, n_classes), float64: log-probabilities.
        activations: The signals of the network's nodes; see `record`.
        trees: Layer with weights → (n, n_in + n_out - 1), float32: the 0-dimensional persistence of its activation
            graph on each input, falling; see `tree_weights`. Empty where nobody asked for them.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> seen = observe(model, torch.rand(5, 1, 2, 2), trees=False)
        >>> len(seen), seen.predicted.shape, len(seen.take(slice(2)))
        (5, (5,), 2)
    """

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float64]
    activations: Activations
    trees: Mapping[str, NDArray[np.float32]]

    def __repr__(self) -> str:
        """Return how many inputs, classes and neurons there are."""
        n_classes, n_neurons = self.outputs.shape[1], self.activations.values.shape[1]
        sizes = f"{counted(len(self), 'input')} of {counted(self.inputs.shape[1], 'number')}, {n_classes} classes"
        trees = f", trees of {counted(len(self.trees), 'layer')}" if self.trees else ""
        return f"Observation({sizes}, {counted(n_neurons, 'neuron')}{trees})"

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.outputs)

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(n,): the class that the network gives each input."""
        classes: NDArray[np.intp] = self.outputs.argmax(axis=1)
        return classes

    def take(self, places: Any) -> Observation:
        """Return what was observed of some inputs: a mask, a slice or places."""
        return replace(
            self,
            inputs=self.inputs[places],
            outputs=self.outputs[places],
            activations=Activations(self.activations.values[places], self.activations.neurons),
            trees={name: edges[places] for name, edges in self.trees.items()},
        )


@checked
def observe(
    model: nn.Module,
    inputs: torch.Tensor,
    *,
    layers: Sequence[str] | None = None,
    trees: bool = True,
    device: torch.device | str | None = None,
) -> Observation:
    """Run a network on inputs and keep what a detector of adversarial inputs may look at.

    Args:
        model: Gives logits or log-probabilities (n, n_classes). It is left as it was found.
        inputs: (n, …), float, as the network takes them; n at least 1.
        layers: Of the nodes; as for `record`.
        trees: Whether to compute the trees of the activation graphs, which take a few milliseconds per input of a
            perceptron and some tens of a small convolutional network. Convolutions are unrolled: one node per unit.
        device: Where to run; by default where the model is.

    Returns:
        What was observed.

    Raises:
        DnnTopologyError: As for `record`, or the model gives no row of classes.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> seen = observe(model, torch.rand(5, 1, 2, 2))
        >>> seen.outputs.shape, {name: edges.shape for name, edges in seen.trees.items()}
        ((5, 2), {'1': (5, 6), '3': (5, 4)})
    """
    starts = range(0, len(inputs), BATCH)
    parts = [_observe(model, inputs[start : start + BATCH], layers, trees, device) for start in starts]
    if not parts:
        raise DnnTopologyError("there is no input to observe")
    return joined(parts)


def joined(parts: Sequence[Observation]) -> Observation:
    """Return observations of one network below one another.

    Raises:
        DnnTopologyError: Some have trees and some have none.
    """
    if len({tuple(part.trees) for part in parts}) > 1:
        raise DnnTopologyError("observations of different layers cannot be joined: observe all with the same `trees`")
    first = parts[0]
    return Observation(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.outputs for part in parts]),
        Activations(np.concatenate([part.activations.values for part in parts]), first.activations.neurons),
        {name: np.concatenate([part.trees[name] for part in parts]) for name in first.trees},
    )


def _observe(
    model: nn.Module,
    inputs: torch.Tensor,
    layers: Sequence[str] | None,
    trees: bool,
    device: torch.device | str | None,
) -> Observation:
    """Observe one batch.

    Raises:
        DnnTopologyError: The model gives no row of classes.
    """
    activations = record(model, [inputs], layers=layers, max_samples=None, device=device)
    answers = record(model, [inputs], layers=(output_name(unwrapped(model)),), max_samples=None, device=device)
    if answers.values.shape[1] < 2:
        raise DnnTopologyError(
            f"the model gives {answers.values.shape[1]} output per input, expected at least 2 classes"
        )
    grown = {}
    if trees:
        for layer in weighted_layers(model, [inputs], device=device):
            grown[layer.name] = tree_weights(layer.strengths, layer.inputs).astype(np.float32)
    return Observation(
        inputs.detach().flatten(1).cpu().float().numpy(), _log_probabilities(answers.values), activations, grown
    )


def _log_probabilities(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logits, or what already are log-probabilities, as log-probabilities."""
    from scipy.special import log_softmax

    logs: NDArray[np.float64] = log_softmax(outputs.astype(np.float64), axis=1)
    return logs
