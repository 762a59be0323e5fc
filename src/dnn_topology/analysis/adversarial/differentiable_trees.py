"""The trees of activation graphs as torch can differentiate them with respect to the inputs.

A tree's weights are |w · x| of its edges, and as long as x moves so little that no other edge takes the place of one
they change as these do. So the gradient through the tree of x as it is is exact almost everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from dnn_topology.analysis.adversarial.uncertainty import QUANTILES
from dnn_topology.homology.spanning_trees import tree_edges
from dnn_topology.recording.layer_inputs import layer_strengths
from dnn_topology.recording.layers import heard_modules
from dnn_topology.recording.weights import LINEAR


class DifferentiableTrees:
    """A network that gives, beside its outputs, the trees of its layers' activation graphs, with their gradients.

    Args:
        model: Gives (n, n_classes). Its Linear layers and convolutions are those with trees, as in `weighted_layers`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._layers = {name: module for name, module in heard_modules(model) if isinstance(module, LINEAR)}
        self._strengths: dict[str, Any] = {}

    def __call__(self, inputs: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the outputs, and layer → (n, n_in + n_out - 1), float64: its trees' weights, falling.

        Args:
            inputs: (n, …), as the network takes them.
        """
        entered: dict[str, torch.Tensor] = {}
        handles: list[Any] = []

        def keep(name: str) -> Any:
            def hook(module: nn.Module, args: Any) -> None:  # noqa: ARG001  # the signature is torch's
                entered.setdefault(name, args[0])

            return hook

        try:
            handles.extend(module.register_forward_pre_hook(keep(name)) for name, module in self._layers.items())
            outputs = self._model(inputs)
        finally:
            for handle in handles:
                handle.remove()
        return outputs, {name: self._trees(name, signals) for name, signals in entered.items()}

    def _trees(self, name: str, signals: torch.Tensor) -> torch.Tensor:
        """Return the trees' weights of a layer, (n, k), falling."""
        if name not in self._strengths:
            self._strengths[name] = layer_strengths(self._layers[name], tuple(signals.shape[1:]))
        strengths, magnitudes = self._strengths[name], signals.flatten(1).double().abs()
        n_out, n_in = strengths.shape
        places = np.zeros((len(magnitudes), n_in + n_out - 1), dtype=np.int64)
        weights = np.zeros(places.shape)
        trees = tree_edges(strengths, magnitudes.detach().cpu().numpy())
        for number, (outputs, inputs) in enumerate(trees):
            places[number, : len(inputs)] = inputs
            weights[number, : len(inputs)] = np.asarray(strengths[outputs, inputs]).ravel()
        device = magnitudes.device
        chosen = magnitudes.gather(1, torch.from_numpy(places).to(device)) * torch.from_numpy(weights).to(device)
        return chosen.sort(dim=1, descending=True).values


def differentiable_profile(trees: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return what `profile` does, (n, layers · points), differentiable.

    Args:
        trees: Layer → (n, k), float64.
    """
    levels = torch.linspace(0, 1, QUANTILES, dtype=torch.float64)
    return torch.cat([each.quantile(levels.to(each.device), dim=1).T for each in trees.values()], dim=1)


def differentiable_uncertainty(
    trees: Mapping[str, torch.Tensor], classes: torch.Tensor, means: Mapping[str, Any]
) -> torch.Tensor:
    """Return what `topological_uncertainty` does, (n,), differentiable.

    Args:
        trees: Layer → (n, k), float64, each row falling.
        classes: (n,): the class that the network predicts.
        means: Layer → (n_classes, k), as `barycentres` returned them.
    """
    apart = [
        (weights - torch.from_numpy(means[name]).to(weights.device)[classes]).norm(dim=1) / weights.shape[1]
        for name, weights in trees.items()
    ]
    return torch.stack(apart).mean(dim=0)
