"""A network as it is at one epoch, and the inputs that it is measured on: all that a graph can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology.nets.data import batches
from dnn_topology.recording.activations import Activations, record
from dnn_topology.recording.layers import OUTPUT
from dnn_topology.recording.signals import Nodes
from dnn_topology.recording.structure import structural_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from torch import nn
    from torch.utils.data import TensorDataset

BATCH = 100


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network and its inputs.

    Attributes:
        net: The network, with the weights of one epoch.
        inputs: Images and labels, in the order of the rows of every recording.
        layers: See `record`.
        nodes: See `record`.
        seed: See `record`.
    """

    net: nn.Module
    inputs: TensorDataset
    layers: Sequence[str] | None
    nodes: Nodes
    seed: int

    def activations(self, n_samples: int | None = None) -> Activations:
        """Return the signals of the nodes on the first inputs; None for all."""
        return self._record(self.layers, self.nodes, n_samples)

    def predicted(self, n_samples: int | None = None) -> NDArray[np.intp]:
        """Return the class (n_samples,) that the network gives each of the first inputs."""
        classes: NDArray[np.intp] = self._record((OUTPUT,), "unit", n_samples).values.argmax(axis=1)
        return classes

    def predictions(self, n_samples: int) -> list[dict[str, int]]:
        """Return the label of each of the first inputs, and what the network takes it for."""
        pairs = zip(self.labels(), self.predicted(n_samples), strict=False)
        return [{"label": int(label), "predicted": int(predicted)} for label, predicted in pairs]

    def labels(self) -> NDArray[np.int64]:
        """Return the class (n_samples,) that each input has."""
        labels: NDArray[np.int64] = self.inputs.tensors[1].numpy()
        return labels

    def strengths(self) -> csr_array[Any, Any]:
        """Return how strongly the weights connect every two nodes."""
        first = self.inputs.tensors[0][:1].to(next(self.net.parameters()).device)
        return structural_graph(self.net, first, layers=self.layers, nodes=self.nodes)

    def _record(self, layers: Sequence[str] | None, nodes: Nodes, n_samples: int | None) -> Activations:
        """Record the first inputs."""
        loader = batches(self.inputs, batch_size=BATCH)
        return record(self.net, loader, layers=layers, nodes=nodes, max_samples=n_samples, seed=self.seed)
