"""A picture of the ways of trainings: epochs as points, as far apart as their diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.comparison.embedding import embedded
from dnn_topology.homology.distances import DistanceName, distances
from dnn_topology.show.sources import EPOCH, is_several, labelled
from dnn_topology.show.styles import (
    GREY,
    LINE_STYLES,
    MANY,
    MARKERS,
    axes_or_new,
    epoch_bar,
    foreground,
    legend_beside,
    palette,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.show.sources import Source


def plot_trajectory(
    runs: Mapping[int, Source] | Mapping[str, Mapping[int, Source]] | list[Mapping[int, Source]],
    *,
    dim: int = 1,
    metric: DistanceName = "bottleneck",
    order: float = 1.0,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the epochs of one or several trainings as points in the plane, joined in their order.

    Two points are as far apart as the diagrams of their epochs, as well as the plane allows: the title says Kruskal's
    stress-1, the share of the distances that it cannot hold. The axes themselves mean nothing; lengths are in ε.

    Args:
        runs: Epoch → diagrams or measurement, as `track` returns; label → such, or a list of them, for several
            trainings, of the same max_epsilon, dimensions and filter.
        dim: Dimension of the cavities.
        metric: "bottleneck" or "wasserstein", between the diagrams; cavities alive at max_epsilon die there.
        order: Of the Wasserstein distance.
        seed: Of the starts of multidimensional scaling.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: There are fewer than two epochs in all, or diagrams are of unlike kinds.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> epochs = {e: Diagrams([[], [(0.1, 0.2 + e / 100)]], max_epsilon=0.3) for e in (0, 1, 4)}
        >>> (line,) = plot_trajectory(epochs).get_lines()
        >>> line.get_xydata()[:, 0].round(3).tolist()  # on a straight line
        [-0.017, -0.007, 0.023]
    """
    check_argument("dim", dim, int)
    tracks = _tracks(runs)
    named = {(label, epoch): one for label, track in tracks.items() for epoch, one in track.items()}
    if len(named) < 2:
        raise DnnTopologyError("a trajectory needs two epochs at least: pass what `track` returns")
    between = distances({_words(key): one for key, one in named.items()}, dim=dim, metric=metric, order=order)
    points, stress = embedded(between.to_numpy(), seed=seed)
    epochs = sorted({epoch for _, epoch in named})
    many = len(epochs) >= MANY
    ax = axes_or_new(ax, square=True, beside=many or len(tracks) > 1)
    place = {epoch: number / max(len(epochs) - 1, 1) for number, epoch in enumerate(epochs)}
    if many:
        place = {epoch: (epoch - epochs[0]) / (epochs[-1] - epochs[0]) for epoch in epochs}
    start, shapes = 0, []
    for number, (label, track) in enumerate(tracks.items()):
        own = points[start : start + len(track)]
        start += len(track)
        style: dict[str, Any] = {"linestyle": LINE_STYLES[number % len(LINE_STYLES)], "linewidth": 1.0}
        marker = MARKERS[number % len(MARKERS)]
        ax.plot(*own.T, color=GREY, zorder=1, **style)
        colours = palette(ax)([place[epoch] for epoch in track])
        ax.scatter(*own.T, c=colours, marker=marker, s=34, zorder=2)
        shapes.append(Line2D([], [], color=GREY, marker=marker, label=label, **style))
        _name_epochs(ax, own, list(track), every=not many)
    ax.set_title(f"$H_{dim}$, {metric} distances in ε, stress {stress:.2f}", fontsize=10, color=foreground(ax))
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12)
    ax.tick_params(labelleft=False, labelbottom=False, length=0)
    if many:
        epoch_bar(epochs, ax)
    if len(tracks) > 1:
        beside: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.02), "ncols": 3} if many else {}
        legend_beside(ax, handles=shapes, **beside)
    return ax


def _tracks(runs: Any) -> dict[str, dict[int, Diagrams]]:
    """Return label → epoch → diagrams.

    Raises:
        DnnTopologyError: There is something else.
    """
    if is_several(runs):
        runs = {str(number): track for number, track in enumerate(runs, start=1)}
    if not isinstance(runs, Mapping) or not runs:
        raise DnnTopologyError("runs must be epoch → diagrams, as `track` returns, or label → such")
    several = runs if all(isinstance(track, Mapping) for track in runs.values()) else {"": runs}
    return {str(label): _epochs(track) for label, track in several.items()}


def _epochs(track: Mapping[Any, Any]) -> dict[int, Diagrams]:
    """Return epoch → diagrams, in the order of the epochs; of several draws of neurons the first.

    Raises:
        DnnTopologyError: A key is no epoch.
    """
    epochs = {}
    for label, group in labelled(track).items():
        match = EPOCH.fullmatch(label)
        if match is None:
            raise DnnTopologyError(f"runs must be epoch → diagrams, found the key {label!r}, which is no epoch")
        epochs[int(match[1])] = group[0]
    return dict(sorted(epochs.items()))


def _words(key: tuple[str, int]) -> str:
    """Return what an epoch of a training is called in a message."""
    return f"epoch {key[1]}{f' of {key[0]!r}' if key[0] else ''}"


def _name_epochs(ax: Axes, points: np.ndarray[Any, np.dtype[np.float64]], epochs: list[int], *, every: bool) -> None:
    """Write the number of the epoch at points: all, or the first and the last."""
    for place, (point, epoch) in enumerate(zip(points, epochs, strict=True)):
        if every or place in {0, len(epochs) - 1}:
            ax.annotate(
                str(epoch), tuple(point), xytext=(5, 4), textcoords="offset points", fontsize=8, color=foreground(ax)
            )
