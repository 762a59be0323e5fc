"""One cavity, and the neurons around it; several of them, and their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from dnn_topology import store
from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_at_least, check_type
from dnn_topology.graphs.nodes import NodesAre
from dnn_topology.homology.notebook import table_html

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dnn_topology.graphs.nodes import Neuron

ACROSS = "across"  # the layers that a cavity of neurons of several is in
UNKNOWN = "?"  # the layer of a node of a graph that does not say


class CavityError(DnnTopologyError, IndexError):
    """A number of no cavity; also the `IndexError` that ends a loop over a sequence."""


@checked_fields
@dataclass(frozen=True, eq=False)
class Cavity:
    """A cavity and a cycle around it: loops of edges (H1) or a closed surface of triangles (H2).

    The cycle stands for the class mod 2: all of it is there at `birth` and not before, its boundary is zero, and it
    becomes a boundary itself at `death`. Of the many such cycles it is one.

    Attributes:
        number: Its place among the cavities, from 0, the longest-lived first.
        dim: 1 or 2.
        birth: When it is born, in ε.
        death: When it dies, in ε; inf if it is alive at max_epsilon.
        max_epsilon: Where the filtration ends.
        point: Its row in the unfiltered diagram of its dimension.
        neurons: The nodes of the cycle, each once: of H1 in order around the loops, of H2 by their numbers.
        loops: Of H1: the numbers of the nodes around each loop of the cycle, beginning with the edge of birth. Most
            cycles are one loop. Empty for H2.
        simplices: (m, dim + 1), int64. The cycle itself: the nodes of its edges or triangles, each row and the rows
            rising.
        birth_edge: The nodes of the edge at which it is born.
        death_edge: The nodes of the edge at which it dies, or None.
        tight: Whether the cycle is known to be the shortest of those asked for: of H1, of the closed ways through the
            edge of birth; of H2, where it has the fewest triangles that a cavity can have. False where that could not
            be shown, whether or not it was shortened; None where it was not asked for.
        n_untightened: How many edges or triangles the cycle had before it was shortened.

    Example:
        >>> from dnn_topology import FunctionalGraph, cavities
        >>> ring = FunctionalGraph([0, 1, 2, 0], [1, 2, 3, 3], [0.2] * 4, n_nodes=4, max_epsilon=0.3)
        >>> longest = cavities(ring)[0]
        >>> sorted(longest.loops[0]), longest.birth, longest.death
        ([0, 1, 2, 3], 0.1, inf)
    """

    number: int
    dim: int
    birth: float
    death: float
    max_epsilon: float
    point: int
    neurons: tuple[Neuron, ...]
    loops: tuple[tuple[int, ...], ...]
    simplices: NDArray[np.int64]
    birth_edge: tuple[int, int]
    death_edge: tuple[int, int] | None
    tight: bool | None
    n_untightened: int

    def __post_init__(self) -> None:
        check_type("birth", self.birth, float)
        check_at_least("death", self.death, float("-inf"))  # a number, inf included
        if not self.birth <= self.death:
            raise DnnTopologyError(f"a cavity dies after its birth, found birth {self.birth} and death {self.death}")

    def __repr__(self) -> str:
        """Return where it is and how large."""
        death = "alive at the end" if self.is_essential else f"ε {self.death:.4g}"
        return (
            f"Cavity({self.number}: H{self.dim}, ε {self.birth:.4g} to {death}, {len(self.neurons)} nodes, "
            f"{', '.join(f'{layer} {n}' for layer, n in self.layers.items())})"
        )

    @property
    def is_essential(self) -> bool:
        """Whether it is alive at max_epsilon."""
        return bool(np.isinf(self.death))

    @property
    def life(self) -> float:
        """How long it lives, in ε; of one that is alive at the end, until there."""
        return min(self.death, self.max_epsilon) - self.birth

    @property
    def vertices(self) -> NDArray[np.int64]:
        """The numbers of its nodes, (k,), int64, in the order of `neurons`."""
        return np.array([neuron.node for neuron in self.neurons], np.int64)

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Its edges, (m, 2), int64, each once; of H2 those of its triangles."""
        if self.dim == 1:
            return self.simplices
        pairs = {pair for triangle in self.simplices.tolist() for pair in combinations(triangle, 2)}
        return np.array(sorted(pairs), np.int64).reshape(-1, 2)

    @property
    def triangles(self) -> NDArray[np.int64]:
        """Its triangles, (m, 3), int64: none of H1."""
        return self.simplices if self.dim == 2 else np.empty((0, 3), np.int64)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Layer → how many of its nodes are of it, in the order of the layers."""
        by_node = sorted(self.neurons, key=lambda neuron: neuron.node)
        return dict(Counter(UNKNOWN if neuron.layer is None else neuron.layer for neuron in by_node))

    @property
    def where(self) -> str:
        """The layer within which it lies, "across" where its nodes are of several, "?" where that is not known."""
        one = next(iter(self.layers), UNKNOWN)
        mixed = any(neuron.group is not None and "+" in (neuron.layer or "") for neuron in self.neurons)
        return ACROSS if len(self.layers) > 1 or mixed else one

    def to_frame(self) -> pd.DataFrame:
        """Return a table of its nodes: node, layer, index, channel, position, size, as in `neurons`."""
        import pandas as pd

        from dnn_topology.graphs.nodes import Neuron

        names = [each.name for each in fields(Neuron)]
        return pd.DataFrame([[getattr(neuron, name) for name in names] for neuron in self.neurons], columns=names)

    def words(self) -> str:
        """Return the way around it in words: of H1 the nodes in order, of H2 the nodes."""
        names = {neuron.node: str(neuron) for neuron in self.neurons}
        if self.dim == 2:
            return ", ".join(names.values())
        return "; ".join(" – ".join(names[node] for node in (*loop, loop[0])) for loop in self.loops)


@checked_fields
@dataclass(frozen=True, eq=False)
class Cavities(Sequence[Cavity]):
    """Cavities of a graph, the longest-lived first: a sequence of `Cavity`, and a table.

    Attributes:
        items: The cavities.
        dim: Their dimension.
        max_epsilon: Where the filtration ends.
        n_cavities: How many cavities of this dimension there are that live long enough, with those left out by `top`.
        nodes_are: What a node of the graph stands for: "neurons", "groups" of neurons by their mean signals,
            "centroids" of clusters of neurons, or "nodes" of a graph that does not say.

    Example:
        >>> from dnn_topology import FunctionalGraph, cavities
        >>> ring = FunctionalGraph([0, 1, 2, 0], [1, 2, 3, 3], [0.2] * 4, n_nodes=4, max_epsilon=0.3)
        >>> cavities(ring)
        Cavities(1 of 1 of H1 among nodes, max_epsilon=0.3)
    """

    items: tuple[Cavity, ...]
    dim: int
    max_epsilon: float
    n_cavities: int
    nodes_are: NodesAre

    def __repr__(self) -> str:
        """Return how many there are."""
        return (
            f"Cavities({len(self)} of {self.n_cavities} of H{self.dim} among {self.nodes_are}, "
            f"max_epsilon={self.max_epsilon:g})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the table, with the layers in place of the way around."""
        return table_html(self.to_frame().drop(columns=["simplices", "cycle"]))

    def __len__(self) -> int:
        """Return the number of cavities."""
        return len(self.items)

    def __iter__(self) -> Iterator[Cavity]:
        """Yield the cavities."""
        return iter(self.items)

    @overload
    def __getitem__(self, number: int) -> Cavity: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[Cavity, ...]: ...

    def __getitem__(self, number: int | slice) -> Cavity | tuple[Cavity, ...]:
        """Return a cavity by its number.

        Raises:
            CavityError: There is no such cavity.
        """
        if isinstance(number, slice):
            return self.items[number]
        check_type("number", number, int)
        if not -len(self) <= number < len(self):
            there = f"0 to {len(self) - 1}" if len(self) else "none"
            more = f"; {self.n_cavities} live long enough: raise top=" if len(self) < self.n_cavities else ""
            raise CavityError(f"there is no cavity {number} of H{self.dim} (there are: {there}{more})")
        return self.items[number]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cavity.

        Returns:
            A table with the columns

            * ``cavity``: its number, from 0, the longest-lived first;
            * ``birth``, ``death``, ``life``: in ε, as in `Cavity`;
            * ``neurons``: how many nodes its cycle has; called ``groups``, ``centroids`` or ``nodes`` where the nodes
              are such;
            * ``simplices``: of how many edges or triangles it is;
            * ``layers``: how many of the nodes are of which layer, as text, "conv1 3, fc1 2";
            * ``where``: the layer within which it lies, or "across";
            * ``tight``: as in `Cavity`;
            * ``cycle``: its nodes, of H1 in order around the loops, as text.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "cavity": one.number,
                "birth": one.birth,
                "death": one.death,
                "life": one.life,
                self.nodes_are: len(one.neurons),
                "simplices": len(one.simplices),
                "layers": ", ".join(f"{layer} {n}" for layer, n in one.layers.items()),
                "where": one.where,
                "tight": one.tight,
                "cycle": one.words(),
            }
            for one in self
        ]
        names = ["cavity", "birth", "death", "life", self.nodes_are, "simplices", "layers", "where", "tight", "cycle"]
        return pd.DataFrame(rows, columns=names)

    @checked
    def save(self, path: str | Path) -> None:
        """Write the table as CSV, in one step.

        Raises:
            DnnTopologyError: The file cannot be written.
        """
        store.write_table(Path(path), self.to_frame())
