"""Cavities drawn into the network: the loop through its neurons, what excites them, who takes part in many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize

from dnn_topology._calls import check_argument, checked
from dnn_topology._checks import DnnTopologyError, check_choice, check_whole
from dnn_topology.graphs.nodes import nodes_are
from dnn_topology.homology.cavity import UNKNOWN
from dnn_topology.show.network_map import NetworkMap
from dnn_topology.show.styles import foreground, is_dark, palette
from dnn_topology.show.thumbnails import room_of, strongest_inputs, thumbnails

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from dnn_topology.graphs.graph import FunctionalGraph
    from dnn_topology.homology.cavity import Cavity
    from dnn_topology.homology.participation import Participation
    from dnn_topology.recording.activations import Activations

LOOP = "#d95f02"  # readable on white and on black, and darker than the tiles in grey print
NUMBERED = 40  # nodes that can be told apart by numbers
APART = 0.03  # of two nodes with numbers, the height of the map being 1
MOST_THUMBNAILS = 24  # neurons


@checked
def plot_cavity(
    cavity: Cavity,
    graph: FunctionalGraph,
    *,
    inputs: ArrayLike | None = None,
    activations: Activations | None = None,
    n_inputs: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Draw a cavity into the network: its layers as columns, units of a convolution at their place in the feature map.

    The nodes of a loop are numbered around it, where there is room; a void is drawn as its triangles. The edge of birth
    is dashed.

    Args:
        cavity: What `cavities` returned, one of them.
        graph: The graph that it is of.
        inputs: Images (n_samples, height, width) or (n_samples, channels, height, width): beside the network, those
            that excite each neuron most are shown, for the first 24 neurons.
        activations: What the neurons answer to these inputs: what `record` returned of them.
        n_inputs: How many images per neuron.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        DnnTopologyError: The cavity is of another graph; `inputs` are no images, come without their `activations`, or
            the nodes are groups, which are no neurons of `activations`.

    Example:
        >>> from dnn_topology import FunctionalGraph, cavities
        >>> apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
        >>> ring = FunctionalGraph.from_distances(np.minimum(apart, 6 - apart) * 0.2)
        >>> plot_cavity(cavities(ring)[0], ring).get_title()
        '$H_1$, ε 0.100 to 0.200, 6 nodes'
    """
    check_whole("n_inputs", n_inputs, 1)
    if len(cavity.vertices) and int(cavity.vertices.max()) >= graph.n_nodes:
        raise DnnTopologyError(f"the cavity has node {int(cavity.vertices.max())}, the graph {graph.n_nodes} nodes")
    images = None if inputs is None else strongest_inputs(cavity, inputs, activations, n_inputs, MOST_THUMBNAILS)
    table = graph.neurons
    if table is None:
        table = pd.DataFrame({"layer": UNKNOWN, "index": np.arange(graph.n_nodes)})
    network = NetworkMap(table, graph.shapes, are_groups=nodes_are(graph) == "groups")
    ax = network.new_axes(beside=0 if images is None else 0.2 + room_of(images)) if ax is None else ax
    network.outline(ax)
    places = {node: network.centre(node) for node in cavity.vertices.tolist()}
    _draw_cycle(ax, cavity, places)
    death = "the end" if cavity.is_essential else f"{cavity.death:.3f}"
    are = nodes_are(graph)
    ax.set_title(f"$H_{cavity.dim}$, ε {cavity.birth:.3f} to {death}, {len(cavity.vertices)} {are}", fontsize=10)
    if images is not None:
        numbered = len(places) <= NUMBERED and cavity.dim == 1
        labels = [f"{n}  {each}" if numbered else str(each) for n, each in enumerate(cavity.neurons, start=1)]
        thumbnails(ax, labels, images, left=network.width + 0.2)
        ax.set_xlim(right=network.width + 0.2 + room_of(images))
    return ax


def _draw_cycle(ax: Axes, cavity: Cavity, places: dict[int, tuple[float, float]]) -> None:
    """Draw the edges or triangles of a cavity, and its nodes with numbers where these can be read."""
    if cavity.dim == 2:
        faces = [[places[node] for node in triangle] for triangle in cavity.triangles.tolist()]
        ax.add_collection(PolyCollection(faces, facecolors=LOOP, alpha=0.06, linewidths=0, zorder=2))
    many = len(cavity.edges) > NUMBERED
    born = [edge == list(cavity.birth_edge) for edge in cavity.edges.tolist()]
    ax.add_collection(
        LineCollection(
            [[places[a], places[b]] for a, b in cavity.edges.tolist()],
            colors=LOOP,
            linewidths=0.6 if many else 1.6,
            alpha=0.6 if many else 0.9,
            linestyles=["--" if is_birth else "-" for is_birth in born],
            zorder=3,
        )
    )
    x, y = np.array(list(places.values())).T
    paper = "black" if is_dark(ax) else "white"
    ax.scatter(x, y, s=12 if many else 26, color=LOOP, edgecolors=paper, linewidths=0.6, zorder=4)
    if cavity.dim == 2 or len(places) > NUMBERED:
        return
    numbered: list[tuple[float, float]] = []
    for number, (node, (dx, dy)) in enumerate(_outward(cavity, places).items(), start=1):
        if any(np.hypot(*np.subtract(places[node], other)) < APART for other in numbered):
            continue  # its number would lie on another
        numbered.append(places[node])
        ax.annotate(
            str(number),
            places[node],
            xytext=(7 * dx, 7 * dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=7,
            color=foreground(ax),
            zorder=5,
        )


def _outward(cavity: Cavity, places: dict[int, tuple[float, float]]) -> dict[int, NDArray[np.float64]]:
    """Return for each node of loops the direction away from its two neighbours, where its number is in nobody's way."""
    away: dict[int, NDArray[np.float64]] = {}
    for loop in cavity.loops:
        for at, node in enumerate(loop):
            beside = np.array([places[loop[at - 1]], places[loop[(at + 1) % len(loop)]]]) - places[node]
            lengths = np.linalg.norm(beside, axis=1, keepdims=True)
            direction = -(beside / np.where(lengths, lengths, 1)).sum(axis=0)
            if np.linalg.norm(direction) < 0.3:  # both lie in one line: aside
                direction = np.array([-beside[0, 1], beside[0, 0]])
            size = float(np.linalg.norm(direction))
            away.setdefault(node, direction / size if size else np.array([0.0, 1.0]))
    return {node: away[node] for node in places}


@checked
def plot_participation(
    participation: Participation, *, dim: int = 1, by: Literal["life", "cavities"] = "life", ax: Axes | None = None
) -> Axes:
    """Draw the network with every neuron coloured by how much it takes part in cavities.

    Args:
        participation: What `participation` returned.
        dim: Of cavities of which dimension.
        by: "life", the total life of its cavities, in ε, or "cavities", their number.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. Neurons that are no nodes of the graph, such as constant ones, are empty.

    Raises:
        DnnTopologyError: The dimension was not looked at.

    Example:
        >>> from dnn_topology import FunctionalGraph, participation
        >>> apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
        >>> ring = FunctionalGraph.from_distances(np.minimum(apart, 6 - apart) * 0.2)
        >>> plot_participation(participation(ring)).get_title()
        '1 cavity of $H_1$: 100 % of the life lies within one layer'
    """
    check_argument("dim", dim, int)
    check_choice("by", by, ("life", "cavities"))
    if dim not in participation.dims:
        raise DnnTopologyError(f"dim must be one of {participation.dims}, found {dim}: ask for dims=({dim},)")
    values = participation.neurons[f"{by}_H{dim}"].to_numpy(dtype=np.float64)
    groups = participation.nodes_are == "groups"
    network = NetworkMap(participation.neurons, participation.shapes, are_groups=groups)
    ax = network.new_axes(beside=0.4) if ax is None else ax
    network.outline(ax)
    colours: dict[str, Any] = {"norm": Normalize(0, max(values.max(initial=0), 1e-12)), "cmap": palette(ax)}
    image = network.paint(ax, values, **colours)
    network.outline(ax)
    figure = ax.get_figure()
    if image is not None and figure is not None:
        words = {"life": "total life of its cavities (ε)", "cavities": "number of its cavities"}
        bar = figure.colorbar(image, ax=ax, label=words[by], shrink=0.8)
        bar.ax.yaxis.label.set_color(foreground(ax))
        bar.ax.tick_params(colors=foreground(ax))
    rows = participation.layers[participation.layers["dim"] == dim]
    n = int(rows["cavities"].sum())
    within = f": {100 * participation.share_within(dim):.0f} % of the life lies within one layer" if n else ""
    ax.set_title(f"{n} {'cavity' if n == 1 else 'cavities'} of $H_{dim}${within}", fontsize=10)
    return ax
