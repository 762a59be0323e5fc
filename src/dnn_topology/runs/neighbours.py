"""What early stopping by neighbours looks at in a training on disk: predictions at its training inputs."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import NEIGHBOURS
from dnn_topology.runs.run import Run
from dnn_topology.settings import NeighbourSettings
from dnn_topology.work.epoch_tables import EpochTables

if TYPE_CHECKING:
    from dnn_topology.analysis.neighbour_labels import NeighbourLabels

EDGES = "edges.npz"


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

    def prepare(self) -> None:
        """Make the graph, unless it is there, and say if it is no guide; once in a command, before it trains."""
        _ = self._advice

    @cached_property
    def _advice(self) -> str | None:
        """Why neighbours are no guide, which is said when it is first asked for; None where they may be one."""
        advice = self.neighbours().advice
        if advice:
            warnings.warn(advice, stacklevel=2)
        return advice

    def do(self, epoch: int) -> pd.DataFrame:
        """Predict at the inputs with the weights of one epoch, and compare with the labels of neighbours."""
        from dnn_topology.nets.data import batches
        from dnn_topology.recording.classes import predicted_classes

        net = self.run.load_net(self.run.checkpoint(epoch))
        classes = predicted_classes(net, batches(self._inputs(), batch_size=500))
        graph, seed = self.neighbours(), self.run.training.seed
        values = [graph.disagreement(classes), *graph.drawn(classes, self.draws, seed=seed)]
        return pd.DataFrame({"draw": range(len(values)), NEIGHBOURS: values})

    def neighbours(self) -> NeighbourLabels:
        """Return the graph on the inputs and their labels; it is made once, and then read.

        Raises:
            DnnTopologyError: The inputs cannot be compared; see `NeighbourLabels.of`.
        """
        from dnn_topology.analysis.neighbour_labels import NeighbourLabels
        from dnn_topology.progress import by_share

        images, labels = self._inputs().tensors
        path, settings = self.folder / EDGES, self.settings
        with suppress(DnnTopologyError, KeyError):  # not there, or damaged
            return NeighbourLabels(store.read_arrays(path)["edges"], labels.numpy())
        graph: Literal["tree"] | int = "tree" if settings.neighbours == "tree" else int(settings.neighbours)
        with by_share("neighbours") as told:
            made = NeighbourLabels.of(images, labels, graph=graph, features=settings.features, on_progress=told)
        store.write_arrays(path, {"edges": made.edges})
        return made

    def _inputs(self) -> Any:
        """Return images and labels of the training."""
        from dnn_topology.nets.data.loading import some

        train = self.run.load_data().train
        return train if self.settings.n_inputs is None else some(train, self.settings.n_inputs)
