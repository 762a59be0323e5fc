"""What the page says of each traced cavity, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dnn_topology.report.network_map import NetworkMap, map_rows

if TYPE_CHECKING:
    from dnn_topology.homology.cavity import Cavity
    from dnn_topology.report.tracing import Traced

MOST_LISTED = 12  # neurons of a cavity that are listed


@dataclass(frozen=True)
class CavityCard:
    """One cavity on the page.

    Attributes:
        id: Of its card.
        cavity: The cavity.
        edges: Its edges in the map, in the words of SVG.
        dots: Its nodes in the map, likewise.
        listed: (neuron, inputs that excite it most) of the first nodes.
    """

    id: str
    cavity: Cavity
    edges: str
    dots: str
    listed: Sequence[tuple[str, Sequence[int]]]

    @property
    def layers(self) -> str:
        """How many of its nodes are of which layer."""
        return ", ".join(f"{layer} × {n}" for layer, n in self.cavity.layers.items())


@dataclass(frozen=True)
class EpochPart:
    """One epoch on the page.

    Attributes:
        epoch: The epoch.
        diagram: Its persistence diagram, as SVG.
        cards: Its longest-lived cavities; None where they were not traced.
    """

    epoch: int
    diagram: str
    cards: Sequence[CavityCard] | None


def cards_of(traced: Traced, network: NetworkMap | None, prefix: str) -> list[CavityCard]:
    """Return the cards of an epoch's cavities.

    Args:
        traced: The cavities.
        network: The map of the network; None where its neurons are not known.
        prefix: Of every id.
    """
    known = traced.graph.neurons is not None
    here = replace(network, neurons=map_rows(traced.graph)) if network and known else None
    return [
        CavityCard(
            id=f"{prefix}-c{one.number + 1}",
            cavity=one,
            edges=here.path(one.edges) if here else "",
            dots=here.dots(one.vertices) if here else "",
            listed=[(str(each), traced.exciting.get(each.node, ())) for each in one.neurons[:MOST_LISTED]],
        )
        for one in traced.cavities
    ]
