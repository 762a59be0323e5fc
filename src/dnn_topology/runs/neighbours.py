"""What early stopping by neighbours looks at in a training on disk: predictions at its training inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import NEIGHBOURS
from dnn_topology.runs.run import Run
from dnn_topology.settings import NeighbourSettings
from dnn_topology.work.epoch_tables import EpochTables
from dnn_topology.work.index_arrays import IndexArrays
from dnn_topology.work.ledger import Ledger
from dnn_topology.work.reports import Reports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.analysis.neighbour_labels import NeighbourLabels

EDGES = "edges"


@dataclass(frozen=True, eq=False)
class NeighbourEpochs(EpochTables):
    """How often the predictions of a run's epochs disagree with the labels of neighbours; training inputs alone.

    Attributes:
        settings: Which inputs are neighbours.
    """

    run: Run
    settings: NeighbourSettings = NeighbourSettings()  # noqa: RUF009  # frozen, and a constant
    columns: ClassVar[Collection[str]] = (NEIGHBOURS,)
    stem: ClassVar[str] = NEIGHBOURS
    usual: ClassVar[NeighbourSettings] = NeighbourSettings()

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make the graph, unless it is there and as it was written, and say if it is no guide."""
        Ledger(self.folder, self._graph).finish([0], reports=Reports(say=say))
        _ = self._advice

    @cached_property
    def _advice(self) -> str | None:
        """Why neighbours are no guide, which is said when it is first asked for; None where they may be one."""
        advice = self._neighbours().advice
        if advice:
            warnings.warn(advice, stacklevel=2)
        return advice

    def do(self, epoch: int) -> pd.DataFrame:
        """Predict at the inputs with the weights of one epoch, and compare with the labels of neighbours."""
        from dnn_topology.nets.data import batches
        from dnn_topology.recording.classes import predicted_classes

        net = self.run.load_net(self.run.checkpoint(epoch))
        classes = predicted_classes(net, batches(self._inputs(), batch_size=500))
        graph, seed = self._neighbours(), self.run.training.seed
        values = [graph.disagreement(classes), *graph.drawn(classes, self.draws, seed=seed)]
        return pd.DataFrame({"draw": range(len(values)), NEIGHBOURS: values})

    def _neighbours(self) -> NeighbourLabels:
        """Return the graph on the inputs, which was made before, and their labels."""
        from dnn_topology.analysis.neighbour_labels import NeighbourLabels

        return NeighbourLabels(self._graph.load(0), self._inputs().tensors[1].numpy())

    @property
    def _graph(self) -> IndexArrays:
        """How the graph on the inputs is made and read; it is the same at all epochs."""
        return IndexArrays(self.folder, EDGES, EDGES, self._joined, self._joins_inputs)

    def _joined(self, _: int) -> NDArray[np.intp]:
        """Join the inputs.

        Raises:
            DnnTopologyError: The inputs cannot be compared; see `NeighbourLabels.of`.
        """
        from dnn_topology.analysis.neighbour_labels import NeighbourLabels
        from dnn_topology.progress import by_share

        (images, labels), settings = self._inputs().tensors, self.settings
        graph: Literal["tree"] | int = "tree" if settings.neighbours == "tree" else int(settings.neighbours)
        if graph != "tree" and graph >= len(images):
            raise DnnTopologyError(f"neighbours must be 'tree' or fewer than the {len(images)} inputs, found {graph}")
        with by_share("neighbours") as told:
            made = NeighbourLabels.of(images, labels, graph=graph, features=settings.features, on_progress=told)
        return made.edges

    def _joins_inputs(self, edges: NDArray[np.intp]) -> bool:
        """Return whether an array is pairs of the inputs."""
        pairs = edges.ndim == 2 and edges.shape[1] == 2 and len(edges) > 0
        return bool(pairs and edges.min() >= 0 and edges.max() < len(self._inputs()))

    def _inputs(self) -> Any:
        """Return images and labels of the training."""
        from dnn_topology.nets.data.loading import some

        train = self.run.load_data().train
        return train if self.settings.n_inputs is None else some(train, self.settings.n_inputs)
