"""Where bars begin and end in the graph, and the cavities that they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnn_topology.homology.diagrams import Diagrams
    from dnn_topology.homology.engines.morse.lifting import Lifting


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class PersistencePairs:
    """Diagrams, and for each of their points the edges at which the class is born and dies.

    Where distances are equal, the edges are those of one order of the equal ones, the same in every run.

    Attributes:
        diagrams: The diagrams, as without pairs.
        births: One (k, 2) int64 array per dimension, rows as in the diagram: the nodes of the edge that gives birth;
            (-1, -1) in H0, whose classes are born with a node.
        deaths: The same for the edge at which the class dies; (-1, -1) for one that is alive at max_epsilon.

    Example:
        >>> from dnn_topology import FunctionalGraph, persistence
        >>> square = [[0, 0.1, 0.4, 0.2], [0.1, 0, 0.2, 0.5], [0.4, 0.2, 0, 0.3], [0.2, 0.5, 0.3, 0]]
        >>> pairs = persistence(FunctionalGraph.from_distances(square, max_epsilon=0.3), max_dim=1, pairs=True)
        >>> pairs.diagrams[1], pairs.births[1], pairs.deaths[1]
        (array([[0.15, 0.2 ]]), array([[2, 3]]), array([[0, 2]]))
        >>> pairs.cycle(1, 0).tolist()
        [[0, 1], [0, 3], [1, 2], [2, 3]]
    """

    diagrams: Diagrams
    births: tuple[NDArray[np.int64], ...]
    deaths: tuple[NDArray[np.int64], ...]
    _lifting: Lifting
    _rows: tuple[NDArray[np.int64], ...]  # of the engine, for each point

    def __post_init__(self) -> None:
        expected = [(len(self.diagrams[dim]), 2) for dim in range(self.diagrams.max_dim + 1)]
        for name, nodes in (("births", self.births), ("deaths", self.deaths)):
            shapes = [getattr(each, "shape", None) for each in nodes]
            if shapes != expected:
                raise DnnTopologyError(f"{name} must have a row per point, {expected}, found {shapes}")

    def __repr__(self) -> str:
        """Return how many points each dimension has."""
        return f"PersistencePairs({repr(self.diagrams).removeprefix('Diagrams(')}"

    @checked
    def cycle(self, dim: int, point: int) -> NDArray[np.int64]:
        """Return a cycle that stands for a class: it is born with the class and becomes a boundary when that dies.

        Mod 2, every node (H1) or edge (H2) is in an even number of its simplices. Of the many cycles of a class it is
        one, not the shortest.

        Args:
            dim: 1 or 2.
            point: Row of the class in the diagram.

        Returns:
            (m, dim + 1), int64. The nodes of its edges (H1) or triangles (H2), each row and the rows rising.

        Raises:
            DnnTopologyError: The dimension is neither 1 nor 2, was not computed, or has no such point.
        """
        if dim not in {1, 2} or dim > self.diagrams.max_dim:
            raise DnnTopologyError(
                f"dim must be 1 or 2 and at most max_dim {self.diagrams.max_dim}, found {dim}: compute with a higher "
                "max_dim"
            )
        return self._lifting.cycle(dim, self._row(dim, point))

    @checked
    def shortest_loop(self, point: int, *, of_bar: bool = False) -> NDArray[np.int64] | None:
        """Return the shortest loop for a class of H1 that runs through the edge that gives birth to it.

        Args:
            point: Row of the class in the diagram of H1.
            of_bar: By default the loop differs from `cycle(1, point)` by a boundary at birth, and so dies with it. With
                this, it may be any that is born with the class and becomes a boundary when that dies, if it does: it
                may differ by classes that are older and have died by then.

        Returns:
            (m, 2), int64. The nodes of its edges, each row and the rows rising. No closed way through that edge that
            is such a loop has fewer. None where the search, which takes long where there are only long ones, was given
            up.

        Raises:
            DnnTopologyError: H1 was not computed, or has no such point.
        """
        if self.diagrams.max_dim < 1:
            raise DnnTopologyError("there is no loop without H1: compute with max_dim=1")
        return self._lifting.shortest_loop(self._row(1, point), of_bar=of_bar)

    def _row(self, dim: int, point: int) -> int:
        """Return the engine's row of a point.

        Raises:
            DnnTopologyError: There is no such point.
        """
        if not 0 <= point < len(self.births[dim]):
            raise DnnTopologyError(
                f"point must be a row of the diagram of H{dim}, 0 to {len(self.births[dim]) - 1}, found {point}"
            )
        return int(self._rows[dim][point])
