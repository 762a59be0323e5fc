"""The cavities of a run's epochs, traced to their neurons, and the inputs that excite those."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from dnn_topology.homology.cavities import cavities
from dnn_topology.pipeline import graph_named
from dnn_topology.runs.measuring import groups_of, snapshot_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.cavity import Cavities, Cavity
    from dnn_topology.recording.activations import Activations
    from dnn_topology.runs.measurements import RunMeasurement
    from dnn_topology.settings import TraceSettings

SIDE = 28  # pixels of a thumbnail's longer side
MOST_BYTES = 600_000  # of all thumbnails of a run
SHOWN = 3  # inputs beside each neuron
LARGEST = 40  # pixels up to which an image is shown as it is


@dataclass(frozen=True, eq=False)
class Traced:
    """One epoch whose cavities were traced.

    Attributes:
        epoch: The epoch.
        cavities: The longest-lived.
        graph: The graph that they are in.
        layers: Which layers were recorded.
        exciting: Node → the inputs that it answers to most strongly, the strongest first.
    """

    epoch: int
    cavities: Cavities
    graph: FunctionalGraph
    layers: pd.DataFrame | None
    exciting: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of an input.

    Attributes:
        uri: The picture itself, as a data: URI.
        width: In pixels.
        height: In pixels.
        label: What it is, in words.
    """

    uri: str
    width: int
    height: int
    label: str


def trace(measurement: RunMeasurement, epoch: int, name: str, chosen: TraceSettings) -> Traced:
    """Trace the longest-lived cavities of an epoch.

    Args:
        measurement: What was measured; it says which cavities live long enough to count.
        epoch: The epoch.
        name: Of its graph, "" for a single one.
        chosen: Which of those are traced, and how.

    Raises:
        DnnTopologyError: The data or the checkpoint are not there any more, or not those that were measured.
    """
    run, settings = measurement.run, measurement.settings
    run.trained([epoch])
    snapshot = snapshot_of(run, settings, epoch)
    graph = graph_named(snapshot, name, groups=groups_of(measurement, [epoch]))
    essential: Literal["drop", "count"] = "drop" if settings.essential == "drop" else "count"
    counted = {**chosen.keywords, "min_persistence": settings.min_persistence}
    of_epoch = cavities(graph, essential=essential, **counted)
    answers = snapshot.recorded(settings.n_inputs) if settings.graph_type == "per-sample" else snapshot.activations
    exciting = exciting_inputs(answers, graph, of_epoch, n=SHOWN) if of_epoch else {}
    return Traced(epoch, of_epoch, graph, snapshot.activations.layers, exciting)


def exciting_inputs(
    activations: Activations, graph: FunctionalGraph, of_epoch: Sequence[Cavity], *, n: int
) -> dict[int, tuple[int, ...]]:
    """Return the inputs to which the neurons of some cavities answer most strongly.

    Args:
        activations: What was recorded.
        graph: The graph that was made of it.
        of_epoch: The cavities.
        n: How many inputs of each neuron.

    Returns:
        Node → places of inputs, the strongest answer first; no node that stands for several neurons.
    """
    if graph.neurons is None or n == 0:
        return {}
    single = {
        neuron.node: (neuron.layer, neuron.index)
        for one in of_epoch
        for neuron in one.neurons
        if neuron.size == 1 and neuron.group is None
    }
    everything = pd.MultiIndex.from_arrays([activations.neurons["layer"].astype(str), activations.neurons["index"]])
    columns = everything.get_indexer(pd.MultiIndex.from_tuples(list(single.values()) or [("", 0)]))
    strongest = {}
    for node, column in zip(single, columns, strict=False):
        if column >= 0:
            order = np.argsort(-activations.values[:, column], kind="stable")[:n]
            strongest[node] = tuple(int(place) for place in order)
    return strongest


def thumbnails(measurement: RunMeasurement, epoch: int, places: Sequence[int]) -> dict[int, Thumbnail]:
    """Return small pictures of some of the inputs that a measurement looked at; none where inputs are no images.

    Args:
        measurement: What was measured.
        epoch: Any of its epochs: all look at the same inputs.
        places: Which inputs, the most important first: what makes the page too large is left out.
    """
    snapshot: Any = snapshot_of(measurement.run, measurement.settings, epoch)
    images, labels = snapshot.batches.dataset.tensors[:2]
    if images.ndim != 4 or images.shape[1] not in {1, 3} or min(images.shape[2:]) < 4:
        return {}
    mean, std = measurement.run.load_data().normalisation or ((0.0,), (1.0,))
    small: dict[int, Thumbnail] = {}
    left = MOST_BYTES
    for place in places:
        small[place] = _thumbnail(images[place].numpy(), mean, std, f"input {place}, label {int(labels[place])}")
        left -= len(small[place].uri)
        if left < 0:
            break
    return small


def _thumbnail(image: NDArray[Any], mean: Sequence[float], std: Sequence[float], label: str) -> Thumbnail:
    """Return an input (channels, height, width) as a small picture."""
    pixels = image * np.reshape(std, (-1, 1, 1)) + np.reshape(mean, (-1, 1, 1))
    levels = np.clip(np.round(pixels * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))
    if max(picture.size) > LARGEST:
        scale = SIDE / max(picture.size)
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(uri, picture.width, picture.height, label)
