"""A picture of the ways of trainings: epochs as points, as far apart as their diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    runs: Mapping[int, Source] | Mapping[str, Any] | Sequence[Mapping[int, Source]],
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
        runs: Epoch → diagrams or measurement, as `track` returns; a list of such, a group of trials; or label → either,
            whose marks differ. All have the same max_epsilon, dimensions and filter.
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
    groups = _groups(runs)
    tracks = [(label, track) for label, group in groups.items() for track in group]
    named = [(_words(label, epoch), one) for label, track in tracks for epoch, one in track.items()]
    if len(named) < 2:
        raise DnnTopologyError("a trajectory needs two epochs at least: pass what `track` returns")
    words = [
        f"number {place}, {name}" if len(tracks) > len(groups) else name for place, (name, _) in enumerate(named, 1)
    ]
    sources = dict(zip(words, (one for _, one in named), strict=True))
    points, stress = embedded(distances(sources, dim=dim, metric=metric, order=order).to_numpy(), seed=seed)
    epochs = sorted({epoch for _, track in tracks for epoch in track})
    many = len(epochs) >= MANY
    ax = axes_or_new(ax, square=True, beside=many)
    place_of = {epoch: number / max(len(epochs) - 1, 1) for number, epoch in enumerate(epochs)}
    if many:
        place_of = {epoch: (epoch - epochs[0]) / (epochs[-1] - epochs[0]) for epoch in epochs}
    start = 0
    looks = {label: _look(number) for number, label in enumerate(groups)}
    for label, track in tracks:
        own = points[start : start + len(track)]
        start += len(track)
        marker = looks[label]["marker"]
        ax.plot(*own.T, color=GREY, zorder=1, linewidth=1.0, linestyle=looks[label]["linestyle"])
        colours = palette(ax)([place_of[epoch] for epoch in track])
        ax.scatter(own[:, 0], own[:, 1], c=colours, marker=marker, s=34, zorder=2)
        _name_epochs(ax, own, list(track), every=not many)
    ax.set_title(f"$H_{dim}$, {metric} distances in ε, stress {stress:.2f}", fontsize=10, color=foreground(ax))
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12)
    ax.tick_params(labelleft=False, labelbottom=False, length=0)
    if many:
        epoch_bar(epochs, ax)
    if len(groups) > 1:
        shapes = [Line2D([], [], color=GREY, linewidth=1.0, label=label, **looks[label]) for label in groups]
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.01), "ncols": 2}
        legend_beside(ax, handles=shapes, **place)
    return ax


def _groups(runs: Any) -> dict[str, list[dict[int, Diagrams]]]:
    """Return label → the trials of a group, each epoch → diagrams.

    Raises:
        DnnTopologyError: There is something else.
    """
    given = {"": list(runs)} if is_several(runs) else runs
    if not isinstance(given, Mapping) or not given:
        raise DnnTopologyError("runs must be epoch → diagrams, as `track` returns, or label → such")
    several = given if all(isinstance(one, Mapping) or is_several(one) for one in given.values()) else {"": given}
    return {
        str(label): [_epochs(track) for track in (list(one) if is_several(one) else [one])]
        for label, one in several.items()
    }


def _look(number: int) -> dict[str, Any]:
    """Return mark and line style of a group."""
    return {"marker": MARKERS[number % len(MARKERS)], "linestyle": LINE_STYLES[number % len(LINE_STYLES)]}


def _epochs(track: Any) -> dict[int, Diagrams]:
    """Return epoch → diagrams, in the order of the epochs; of several draws of neurons the first.

    Raises:
        DnnTopologyError: A key is no epoch, or there are none.
    """
    if not isinstance(track, Mapping):
        raise DnnTopologyError(f"runs must be epoch → diagrams, as `track` returns, found a {type(track).__name__}")
    epochs = {}
    for label, group in labelled(track).items():
        match = EPOCH.fullmatch(label)
        if match is None:
            raise DnnTopologyError(f"runs must be epoch → diagrams, found the key {label!r}, which is no epoch")
        epochs[int(match[1])] = group[0]
    return dict(sorted(epochs.items()))


def _words(label: str, epoch: int) -> str:
    """Return what an epoch of a training is called in a message."""
    return f"epoch {epoch}{f' of {label!r}' if label else ''}"


def _name_epochs(ax: Axes, points: np.ndarray[Any, np.dtype[np.float64]], epochs: list[int], *, every: bool) -> None:
    """Write the number of the epoch at points: all, or the first and the last."""
    for place, (point, epoch) in enumerate(zip(points, epochs, strict=True)):
        if every or place in {0, len(epochs) - 1}:
            ax.annotate(
                str(epoch), tuple(point), xytext=(5, 4), textcoords="offset points", fontsize=8, color=foreground(ax)
            )
