"""The images that excite neurons most, as small pictures beside a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.checks import real_array
from dnn_topology.show.styles import foreground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from dnn_topology.homology.cavity import Cavity
    from dnn_topology.recording.activations import Activations

PER_COLUMN = 12
TEXT, GAP = 0.45, 0.08  # the room of a label, and between columns, the height of the map being 1


def strongest_inputs(
    cavity: Cavity, inputs: ArrayLike, activations: Activations | None, n_inputs: int, most: int
) -> list[NDArray[np.float64]]:
    """Return the images that excite each of the first neurons of a cavity most, those of highest activation first.

    Args:
        cavity: The cavity.
        inputs: (n_samples, height, width) or (n_samples, channels, height, width).
        activations: Of the same inputs.
        n_inputs: How many per neuron.
        most: How many neurons.

    Returns:
        Of each neuron (n, height, width, 3), in [0, 1].

    Raises:
        DnnTopologyError: They are no images, not those of the activations, or a neuron is not among these.
    """
    if activations is None:
        raise DnnTopologyError("inputs= need activations=, what `record` returned of the same inputs")
    images: NDArray[Any] = real_array("inputs", inputs)
    images = images[:, None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise DnnTopologyError(
            f"inputs must be images (n, height, width) or (n, 1 or 3, height, width), found shape {images.shape}"
        )
    if len(images) != len(activations.values):
        raise DnnTopologyError(f"there are {len(images)} inputs and activations of {len(activations.values)}")
    table = activations.neurons
    columns: dict[Any, int] = {
        pair: at for at, pair in enumerate(zip(table["layer"].astype(str), table["index"], strict=True))
    }
    chosen = []
    for neuron in cavity.neurons[:most]:
        if neuron.size > 1 or neuron.group is not None or (neuron.layer, neuron.index) not in columns:
            raise DnnTopologyError(f"{neuron} is no neuron of activations: leave inputs= out")
        answers = activations.values[:, columns[neuron.layer, neuron.index]]
        best = images[np.argsort(-answers, kind="stable")[:n_inputs]]
        chosen.append(_coloured(best))
    return chosen


def _coloured(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return images (n, channels, height, width) as (n, height, width, 3), each stretched to [0, 1]."""
    values = images.astype(np.float64)
    low, high = (values.min(axis=(1, 2, 3), keepdims=True), values.max(axis=(1, 2, 3), keepdims=True))
    scaled = (values - low) / np.where(high > low, high - low, 1)
    coloured: NDArray[np.float64] = np.moveaxis(np.broadcast_to(scaled, (len(scaled), 3, *scaled.shape[2:])), 1, -1)
    return coloured


def room_of(images: Sequence[NDArray[np.float64]]) -> float:
    """Return how wide the images are beside a map of height 1, with their labels."""
    n_columns = -(-len(images) // PER_COLUMN)
    return n_columns * (TEXT + len(images[0]) * _pitch(images) + GAP) if images else 0.0


def thumbnails(ax: Axes, labels: Sequence[str], images: Sequence[NDArray[np.float64]], *, left: float) -> None:
    """Draw a row of images per label at the right of a map of height 1, in columns of twelve.

    Args:
        ax: The axes of the map.
        labels: Of the rows.
        images: Of each row (n, height, width, 3).
        left: Where the first column begins.
    """
    pitch = _pitch(images)
    side = 0.88 * pitch
    for at, row in enumerate(images):
        column, line = divmod(at, PER_COLUMN)
        begin, top = left + column * (TEXT + len(row) * pitch + GAP), 1 - line * pitch
        ax.text(begin, top - side / 2, labels[at], va="center", fontsize=7, color=foreground(ax))
        for place, image in enumerate(row):
            x = begin + TEXT + place * pitch
            ax.imshow(image, extent=(x, x + side, top - side, top), interpolation="nearest")


def _pitch(images: Sequence[NDArray[np.float64]]) -> float:
    """Return the height of a row."""
    return 1 / max(min(len(images), PER_COLUMN), 8)
