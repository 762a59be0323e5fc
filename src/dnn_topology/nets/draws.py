"""A network measured on several draws of its training inputs, which says how much its numbers depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import batches, sample
from dnn_topology.pipeline import Snapshot, measured_graphs
from dnn_topology.settings import Compute, RunMeasureSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.nets.data import DataSet, Samples

BATCH = 100  # inputs that are recorded at a time
MOST_INPUTS = 20_000  # of a training set, of which a kernel regression takes seconds


def measured_draws(
    net: nn.Module, data: DataSet, settings: RunMeasureSettings, *, draws: int, seed: int
) -> list[Diagrams]:
    """Measure a network on several draws of training inputs.

    Args:
        net: The network.
        data: Its data; the training part is drawn from.
        settings: What to measure.
        draws: Number of draws, draw d with the seed `seed + d`. Of as many inputs as there are all are the same, and
            one is measured.
        seed: Of the first draw.

    Returns:
        The diagrams of each draw.

    Raises:
        DnnTopologyError: There are fewer training images than `n_inputs`, or as for `measure`.
    """
    check_enough(data, settings)
    drawn = []
    distinct = draws if settings.n_inputs < len(data.train) else 1
    for draw in range(distinct):
        inputs = drawn_inputs(data.train, settings.n_inputs, seed=seed + draw)
        (diagrams,) = measured_graphs(Snapshot(net, inputs, settings, seed), compute=Compute(threads=1)).values()
        drawn.append(diagrams)
    return drawn * (draws // distinct)


def drawn_inputs(part: Samples, n_inputs: int, *, seed: int) -> Iterable[Any]:
    """Return batches of some images of one part of a data set and their labels, drawn by a seed."""
    return batches(sample(part, n_inputs, seed=seed), batch_size=BATCH)


def labelled_draws(
    data: DataSet, settings: RunMeasureSettings, *, draws: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the training inputs of each draw that `measured_draws` takes, with their given labels.

    Args:
        data: The data; the training part is drawn from.
        settings: What is measured, of how many inputs.
        draws: Number of draws; of as many inputs as there are all are the same, and one is yielded.
        seed: Of the first draw.
    """
    for draw in range(draws if settings.n_inputs < len(data.train) else 1):
        images, labels = sample(data.train, settings.n_inputs, seed=seed + draw).tensors
        yield images, labels


def labelled_training(data: DataSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all training inputs, or 20,000 of more, the same for every network, with their given labels."""
    images, labels = sample(data.train, MOST_INPUTS).tensors
    return images, labels


def check_enough(data: DataSet, settings: RunMeasureSettings) -> None:
    """Check that there are enough training images to draw inputs from.

    Raises:
        DnnTopologyError: There are not.
    """
    if len(data.train) < settings.n_inputs:
        raise DnnTopologyError(
            f"n_inputs asks for {settings.n_inputs} training inputs and there are {len(data.train)}: every network "
            "is measured on as many, so lower n_inputs or raise train_size"
        )
