"""What a network does with each of some inputs: all that a detector of adversarial inputs may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, counted, shown
from dnn_topology.analysis.adversarial.squeezing import parts_of
from dnn_topology.analysis.adversarial.tree_free import heaviest_edges
from dnn_topology.homology.spanning_trees import tree_weights
from dnn_topology.recording.activations import Activations, record
from dnn_topology.recording.layer_inputs import weighted_layers
from dnn_topology.recording.layers import output_name, unwrapped

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

BATCH = 100
BY_NAME = ("trees", "heaviest", "entering", "squeezed")  # what is observed by layer or squeezer


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Observation:
    """A network's answers to some inputs, in their order.

    Attributes:
        inputs: (n, n_pixels), float32: the inputs themselves, as the network takes them.
        outputs: (n, n_classes), float64: log-probabilities.
        activations: The signals of the network's nodes; see `record`.
        trees: Layer with weights → (n, n_in + n_out - 1), float32: the 0-dimensional persistence of its activation
            graph on each input, falling; see `tree_weights`. Empty where nobody asked for them.
        heaviest: Layer with weights → (n, n_out + n_in), float32: the heaviest edge of every unit; see
            `heaviest_edges`. Empty where nobody asked for them.
        entering: Layer with weights → (n, n_in), float32: |x|, what enters it. Empty with `heaviest`.
        squeezed: Squeezer → (n, n_classes), float64: log-probabilities of squeezed inputs. Empty where none were given.

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
    heaviest: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    entering: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    squeezed: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outputs, values = np.shape(self.outputs), self.activations.values
        if len(outputs) != 2:
            raise DnnTopologyError(f"outputs must be (n, n_classes), found shape {outputs}")
        parts = {"trees": self.trees, "heaviest": self.heaviest, "entering": self.entering, "squeezed": self.squeezed}
        named: dict[str, Any] = {"inputs": self.inputs, "activations": values}
        for part, of_names in parts.items():
            named |= {f"{part}[{name!r}]": one for name, one in of_names.items()}
        for name, one in named.items():
            if np.ndim(one) != 2 or len(one) != outputs[0]:
                raise DnnTopologyError(
                    f"{name} must have a row for each of the {outputs[0]} inputs that outputs are of, found shape "
                    f"{np.shape(one)}"
                )

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

    @checked
    def take(self, places: Any) -> Observation:
        """Return what was observed of some inputs: a mask, a slice or places.

        Raises:
            DnnTopologyError: There are no such inputs.
        """
        try:
            is_list = np.empty(len(self))[places].ndim == 1
        except (IndexError, ValueError, TypeError, OverflowError, RuntimeError):
            is_list = False
        if not is_list:
            raise DnnTopologyError(
                f"places must be a mask, a slice or places of the {len(self)} inputs, found {shown(places)}"
            )
        return replace(
            self,
            inputs=self.inputs[places],
            outputs=self.outputs[places],
            activations=Activations(self.activations.values[places], self.activations.neurons),
            **{kind: {name: rows[places] for name, rows in getattr(self, kind).items()} for kind in BY_NAME},
        )


@checked
def observe(
    model: nn.Module,
    inputs: torch.Tensor,
    *,
    layers: Sequence[str] | None = None,
    trees: bool = True,
    edges: bool = False,
    squeezed: Mapping[str, torch.Tensor] | None = None,
    device: torch.device | str | None = None,
) -> Observation:
    """Run a network on inputs and keep what a detector of adversarial inputs may look at.

    Args:
        model: Gives logits or log-probabilities (n, n_classes). It is left as it was found.
        inputs: (n, …), float, as the network takes them; n at least 1.
        layers: Of the nodes; as for `record`.
        trees: Whether to compute the trees of the activation graphs, which take a few milliseconds per input of a
            perceptron and some tens of a small convolutional network. Convolutions are unrolled: one node per unit.
        edges: Whether to keep every unit's heaviest edge, and what enters the layers: the trees' controls.
        squeezed: Squeezer → the same inputs, squeezed; see `squeezed_inputs`. What the network says of them is kept.
        device: Where to run; by default where the model is.

    Returns:
        What was observed.

    Raises:
        DnnTopologyError: As for `record`, or the model gives no row of classes, or NaN.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> seen = observe(model, torch.rand(5, 1, 2, 2))
        >>> seen.outputs.shape, {name: edges.shape for name, edges in seen.trees.items()}
        ((5, 2), {'1': (5, 6), '3': (5, 4)})
    """
    if not inputs.ndim:
        raise DnnTopologyError("inputs must hold samples along its first axis, found a single number")
    places = [slice(start, start + BATCH) for start in range(0, len(inputs), BATCH)]
    given = squeezed or {}
    for name, each in given.items():
        if tuple(getattr(each, "shape", ()))[:1] != (len(inputs),):
            raise DnnTopologyError(
                f"squeezed[{shown(name)}] must hold the {len(inputs)} inputs squeezed, found {shown(each)}: see "
                "`squeezed_inputs`"
            )
    parts = [
        _observe(model, inputs[part], parts_of(given, part), layers=layers, trees=trees, edges=edges, device=device)
        for part in places
    ]
    if not parts:
        raise DnnTopologyError("there is no input to observe")
    if wrong := sum(int(np.isnan(part.outputs).any(axis=1).sum()) for part in parts):
        raise DnnTopologyError(
            f"the model answers {counted(wrong, 'input')} of {len(inputs)} with NaN: look for NaN in inputs and weights"
        )
    return joined(parts)


def joined(parts: Sequence[Observation]) -> Observation:
    """Return observations of one network below one another.

    Raises:
        DnnTopologyError: Some have trees and some have none, or the like.
    """
    if len({tuple(tuple(getattr(part, kind)) for kind in BY_NAME) for part in parts}) > 1:
        raise DnnTopologyError("observations of different layers cannot be joined: observe all with the same `trees`")
    first = parts[0]
    return Observation(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.outputs for part in parts]),
        Activations(np.concatenate([part.activations.values for part in parts]), first.activations.neurons),
        **{
            kind: {name: np.concatenate([getattr(part, kind)[name] for part in parts]) for name in getattr(first, kind)}
            for kind in BY_NAME
        },
    )


def _observe(
    model: nn.Module,
    inputs: torch.Tensor,
    squeezed: Mapping[str, torch.Tensor],
    *,
    layers: Sequence[str] | None,
    trees: bool,
    edges: bool,
    device: torch.device | str | None,
) -> Observation:
    """Observe one batch."""
    activations = record(model, [inputs], layers=layers, max_samples=None, device=device)
    outputs = _answers(model, inputs, device)
    by_layer: dict[str, dict[str, NDArray[np.float32]]] = {kind: {} for kind in BY_NAME[:-1]}
    for layer in weighted_layers(model, [inputs], device=device) if trees or edges else ():
        if trees:
            by_layer["trees"][layer.name] = tree_weights(layer.strengths, layer.inputs).astype(np.float32)
        if edges:
            by_layer["heaviest"][layer.name] = heaviest_edges(layer.strengths, layer.inputs).astype(np.float32)
            by_layer["entering"][layer.name] = np.abs(layer.inputs)
    of_squeezed = {name: _answers(model, each, device) for name, each in squeezed.items()}
    flat = inputs.detach().flatten(1).cpu().float().numpy()
    return Observation(flat, outputs, activations, **by_layer, squeezed=of_squeezed)


def _answers(model: nn.Module, inputs: torch.Tensor, device: torch.device | str | None) -> NDArray[np.float64]:
    """Return the log-probabilities (n, n_classes) that a model gives inputs.

    Raises:
        DnnTopologyError: The model gives no row of classes.
    """
    answers = record(model, [inputs], layers=(output_name(unwrapped(model)),), max_samples=None, device=device)
    if answers.values.shape[1] < 2:
        raise DnnTopologyError(
            f"the model gives {answers.values.shape[1]} output per input, expected at least 2 classes"
        )
    return _log_probabilities(answers.values)


def _log_probabilities(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logits, or what already are log-probabilities, as log-probabilities."""
    from scipy.special import log_softmax

    logs: NDArray[np.float64] = log_softmax(outputs.astype(np.float64), axis=1)
    return logs
