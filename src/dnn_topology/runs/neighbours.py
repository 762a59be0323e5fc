"""What early stopping by neighbours looks at in a training on disk: predictions at its training inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import NEIGHBOURS
from dnn_topology.runs.run import Run
from dnn_topology.settings import NeighbourSettings
from dnn_topology.work.epoch_tables import EpochTables
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.analysis.neighbour_labels import NeighbourLabels

EDGES = "edges"


@dataclass(frozen=True, eq=False)
class NeighbourGraphWork(Work[str, "NDArray[np.int64]"]):
    """Joining the training inputs, once for all epochs: what is done before these are looked at.

    Attributes:
        run: The training.
        settings: Which inputs are neighbours.
        folder: Where the graph goes.
    """

    run: Run
    settings: NeighbourSettings
    folder: Path

    def name(self, task: str) -> str:
        """Return the name of the graph in the manifest."""
        return task

    def files(self, task: str) -> Sequence[Path]:
        """Return the file of the graph."""
        return [self.folder / f"{task}.npz"]

    def do(self, task: str) -> NDArray[np.int64]:
        """Join the inputs, and warn where neighbours are no guide.

        Raises:
            DnnTopologyError: The inputs cannot be compared; see `NeighbourLabels.of`.
        """
        from dnn_topology.analysis.neighbour_labels import NeighbourLabels
        from dnn_topology.progress import by_share

        del task
        images, labels = self.inputs().tensors
        neighbours, features = self.settings.neighbours, self.settings.features
        graph: Literal["tree"] | int = "tree" if neighbours == "tree" else int(neighbours)
        with by_share("neighbours") as told:
            made = NeighbourLabels.of(images, labels, graph=graph, features=features, on_progress=told)
        if made.advice:
            warnings.warn(made.advice, stacklevel=2)
        return made.edges

    def keep(self, task: str, result: NDArray[np.int64]) -> None:
        """Write the graph."""
        store.write_arrays(self.files(task)[0], {EDGES: result})

    def load(self, task: str) -> NDArray[np.int64]:
        """Read the graph.

        Raises:
            DnnTopologyError: The file is damaged.
        """
        (path,) = self.files(task)
        edges = store.read_arrays(path).get(EDGES)
        n_inputs = len(self.inputs())
        if edges is None or edges.dtype != "int64" or edges.ndim != 2 or edges.shape[1] != 2 or not len(edges):
            raise DnnTopologyError(f"{path} is damaged: it has no pairs of neighbours; {store.AGAIN}")
        if edges.min() < 0 or edges.max() >= n_inputs:
            raise DnnTopologyError(f"{path} is damaged: it joins other inputs than the {n_inputs}; {store.AGAIN}")
        return edges

    def inputs(self) -> Any:
        """Return images and labels of the training."""
        from dnn_topology.nets.data.loading import some

        train = self.run.load_data().train
        return train if self.settings.n_inputs is None else some(train, self.settings.n_inputs)


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
        """Make the graph, unless it is there and as it was written."""
        Ledger(self.folder, self._graph).finish([EDGES], reports=Reports(say=say))

    def do(self, epoch: int) -> pd.DataFrame:
        """Predict at the inputs with the weights of one epoch, and compare with the labels of neighbours."""
        from dnn_topology.nets.data import batches
        from dnn_topology.recording.classes import predicted_classes

        net = self.run.load_net(self.run.checkpoint(epoch))
        classes = predicted_classes(net, batches(self._graph.inputs(), batch_size=500))
        graph, seed = self.neighbours(), self.run.training.seed
        values = [graph.disagreement(classes), *graph.drawn(classes, self.draws, seed=seed)]
        return pd.DataFrame({"draw": range(len(values)), NEIGHBOURS: values})

    def neighbours(self) -> NeighbourLabels:
        """Return the graph on the inputs, once it is made, and their labels.

        Raises:
            DnnTopologyError: Its file is missing or damaged.
        """
        from dnn_topology.analysis.neighbour_labels import NeighbourLabels

        return NeighbourLabels(self._graph.load(EDGES), self._graph.inputs().tensors[1].numpy())

    @property
    def _graph(self) -> NeighbourGraphWork:
        """How the graph is made and read."""
        return NeighbourGraphWork(self.run, self.settings, self.folder)
