"""Persistence diagrams, and the one place that says which of their points count."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np

from dnn_topology import store
from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_max_epsilon, check_type, shown
from dnn_topology._records import record_of
from dnn_topology.graphs.checks import check_count, check_scales
from dnn_topology.homology.betti_curve import BettiCurve
from dnn_topology.homology.filter_keywords import filter_keywords
from dnn_topology.homology.notebook import diagrams_html
from dnn_topology.homology.points import canonical_points, check_filter, density_table
from dnn_topology.settings import MIN_PERSISTENCE, Essential

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

REMEDY = "if a run left it there, delete it and run again; else save the diagrams again"
FILTER = ("min_persistence", "essential", "n_essential")  # the fields of diagrams that say what they went through


class HasDiagrams(Protocol):
    """What a measurement is to homology: something with diagrams."""

    @property
    def diagrams(self) -> Diagrams:
        """The diagrams."""
        ...


class DimensionError(DnnTopologyError, IndexError):
    """A dimension that was not computed; also the `IndexError` that ends a loop over a sequence."""


@dataclass(frozen=True, eq=False)
class Diagrams:
    """The birth and death of every cavity, per dimension, in ε (a radius): a sequence of arrays, one per dimension.

    Which points count is decided here, once, for every curve, summary and picture: they count the points that they are
    given, and `filtered` gives fewer. Apart from that:

    * A point of length zero (a duplicate neuron's, in H0) never counts.
    * An *essential* class, still alive at max_epsilon, has death inf. It lives up to and including max_epsilon in Betti
      curves, and is left out of means, which are over finite points.
    * Where no point counts, the curve is 0 and a mean is NaN.

    Two diagrams are equal if their points and max_epsilon are; where they came from does not matter.

    Attributes:
        points: One (k, 2) float64 array per dimension from 0: rows (birth, death), sorted by birth, then death.
            Unfiltered, H0 has one row per node, those of length zero (duplicate neurons) included; higher dimensions
            have only points of positive length.
        max_epsilon: Where the filtration ends.
        n_nodes: Number of nodes of the graph, or None if unknown (a DIPHA file does not say).
        density: (m, 2) float64 or None: rows (ε, share of pairs joined at ε), rising, with a row at every birth
            and death, so that curves can be drawn over density exactly.
        provenance: How the diagrams were computed: engine, version, sizes.
        min_persistence: The filter that the points went through: all live longer than this, in ε; 0 for none.
        essential: What became of the classes alive at max_epsilon: "count" if they are there, "drop" or "clip".
        n_essential: Per dimension, how many classes alive at max_epsilon there were before any filter; by default those
            that are there.

    Raises:
        DnnTopologyError: There is no dimension, a point is no (birth, death), or lies beyond max_epsilon; `density` is
            no table.

    Example:
        >>> dgms = Diagrams([[(0, 0.1), (0, float("inf"))], [(0.1, 0.11), (0.1, 0.2)]], max_epsilon=0.3)
        >>> len(dgms), dgms[-1].tolist(), dgms.filtered()[1].tolist()
        (2, [[0.1, 0.11], [0.1, 0.2]], [[0.1, 0.2]])
        >>> dgms
        Diagrams(H0: 2 points, 1 alive at the end; H1: 2 points; max_epsilon=0.3)
    """

    points: Sequence[NDArray[np.float64]]
    max_epsilon: float
    n_nodes: int | None = None
    density: NDArray[np.float64] | None = None
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    min_persistence: float = 0.0
    essential: Essential = "count"
    n_essential: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_max_epsilon(self.max_epsilon, bounded=False)
        check_filter(self.min_persistence, self.essential)
        if not hasattr(self.points, "__iter__") or getattr(self.points, "ndim", 1) == 0:
            raise DnnTopologyError(f"points must be one array (k, 2) per dimension, found {shown(self.points)}")
        points = tuple(canonical_points(p, dim, self.max_epsilon) for dim, p in enumerate(self.points))
        object.__setattr__(self, "points", points)
        if not points:
            raise DnnTopologyError("points must be of dimension 0 at least, found none")
        check_type("provenance", self.provenance, Mapping)
        if self.n_nodes is not None:
            check_count("n_nodes", self.n_nodes, 0)
        if self.density is not None:
            object.__setattr__(self, "density", density_table(self.density, self.max_epsilon))
        alive = tuple(int(np.isinf(p[:, 1]).sum()) for p in points)
        if self.n_essential is not None:
            check_type("n_essential", self.n_essential, tuple | list)
            alive = tuple(check_count("n_essential", count, 0) for count in self.n_essential)
            if len(alive) != len(points):
                raise DnnTopologyError(f"n_essential must be {len(points)} numbers, one per dimension, found {alive}")
        object.__setattr__(self, "n_essential", alive)

    @property
    def max_dim(self) -> int:
        """The highest dimension computed."""
        return len(self.points) - 1

    def __len__(self) -> int:
        """Return the number of dimensions."""
        return len(self.points)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Yield the points (k, 2) of each dimension from 0."""
        return iter(self.points)

    @overload
    def __getitem__(self, dim: int) -> NDArray[np.float64]: ...

    @overload
    def __getitem__(self, dim: slice) -> tuple[NDArray[np.float64], ...]: ...

    def __getitem__(self, dim: int | slice) -> NDArray[np.float64] | tuple[NDArray[np.float64], ...]:
        """Return all points (k, 2) of one dimension, -1 being the highest, or those of several as a tuple.

        Raises:
            DimensionError: That dimension was not computed.
        """
        if isinstance(dim, slice):
            return tuple(self.points[dim])
        check_type("dim", dim, int)
        place = operator.index(dim)
        if not -len(self) <= place < len(self):
            raise DimensionError(
                f"dimension {dim} was not computed: there are 0 to {self.max_dim}; compute with max_dim={dim}, or "
                "look at one that is there, such as dim=0"
            )
        return self.points[place]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagrams):
            return NotImplemented
        return (
            self.max_epsilon == other.max_epsilon
            and self.max_dim == other.max_dim
            and all(np.array_equal(a, b) for a, b in zip(self.points, other.points, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside
    __array_ufunc__ = None  # diagrams beside an array are compared by `__eq__`, not entry by entry

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the Betti curves, small."""
        return diagrams_html(self)

    def __repr__(self) -> str:
        """Return how many points each dimension has, and the filter that they went through."""
        parts = []
        for dim, points in enumerate(self.points):
            alive = int(np.isinf(points[:, 1]).sum())
            plural = "" if len(points) == 1 else "s"
            parts.append(f"H{dim}: {len(points)} point{plural}" + (f", {alive} alive at the end" if alive else ""))
        about = f"max_epsilon={self.max_epsilon:g}"
        if self.is_filtered:
            about += f", min_persistence={self.min_persistence:g}, essential={self.essential!r}"
        return f"Diagrams({'; '.join([*parts, about])})"

    @property
    def is_filtered(self) -> bool:
        """Whether the points went through a filter."""
        return self.min_persistence > 0 or self.essential != "count"

    @property
    def note(self) -> str:
        """Why there is no cavity of dimension 1 or more, in one sentence; empty where there is one."""
        n_edges = self.provenance.get("n_edges")
        if self.max_dim == 0 or any(len(points) for points in self.points[1:]):
            return ""
        if self.n_nodes == 0:
            return "there is no cavity: the graph has no node"
        if n_edges == 0:
            return (
                f"there is no cavity: no two nodes are within d = 2 · max_epsilon = {2 * self.max_epsilon:g}; "
                "raise max_epsilon"
            )
        if self.is_filtered:
            alive = "" if self.essential == "count" else ", those alive at the end aside"
            return f"there is no cavity that lives longer than min_persistence={self.min_persistence:g}{alive}"
        edges = "the edges" if n_edges is None else f"{n_edges} edge{'s' * (n_edges != 1)}"
        end = f"max_epsilon={self.max_epsilon:g}"
        return f"there is no cavity: {edges} up to {end} close none; raise it, or take more nodes"

    @checked
    def filtered(self, *, min_persistence: float = MIN_PERSISTENCE, essential: Essential = "count") -> Diagrams:
        """Return diagrams with only the points that live long enough, which know the filter that they went through.

        Everything made of them (curves, summaries, intervals, pictures) counts these points alone. A class alive at the
        end has lived for max_epsilon - birth, and is filtered like others.

        Args:
            min_persistence: Points must live longer than this, in ε. The default is that of both papers; with 0
                nothing is left out.
            essential: What becomes of classes alive at max_epsilon: "count" keeps them, with death inf: they live up to
                and at the end of Betti curves, and are left out of means. "drop" forgets them. "clip" sets their
                death to max_epsilon and treats them as any finite point.

        Returns:
            The diagrams, with the same max_epsilon, density and provenance.

        Raises:
            DnnTopologyError: `min_persistence` is negative or not finite, `essential` is unknown, or these diagrams
                went through a stricter filter already.

        Example:
            >>> dgms = Diagrams([[], [(0.1, 0.11), (0.1, float("inf")), (0.29, float("inf"))]], max_epsilon=0.3)
            >>> dgms.filtered()[1].tolist(), dgms.filtered(essential="clip")[1].tolist()
            ([[0.1, inf]], [[0.1, 0.3]])
            >>> dgms.filtered(min_persistence=0.05, essential="drop")
            Diagrams(H0: 0 points; H1: 0 points; max_epsilon=0.3, min_persistence=0.05, essential='drop')
        """
        check_filter(min_persistence, essential)
        if min_persistence < self.min_persistence or self.essential not in ("count", essential):
            raise DnnTopologyError(
                f"these diagrams were filtered already with min_persistence={self.min_persistence:g} and "
                f"essential={self.essential!r}, which {min_persistence:g} and {essential!r} cannot undo: "
                "filter the original diagrams"
            )
        longer = [_longer(points, self.max_epsilon, min_persistence) for points in self.points]
        if essential == "drop":
            kept = [points[np.isfinite(points[:, 1])] for points in longer]
        elif essential == "clip":
            kept = [np.column_stack([p[:, 0], np.minimum(p[:, 1], self.max_epsilon)]) for p in longer]
        else:
            kept = longer
        return replace(self, points=kept, min_persistence=float(min_persistence), essential=essential)

    def cut(self, *, max_epsilon: float) -> Diagrams:
        """Return the diagrams as they are where the filtration ends earlier.

        What is born later is not there, what dies later is alive at the end.

        Args:
            max_epsilon: The new end, at most the present one.

        Returns:
            The diagrams, as exact as these.

        Raises:
            DnnTopologyError: These diagrams end before, or are filtered (what lives long enough now may not by then).

        Example:
            >>> dgms = Diagrams([[(0, 0.1), (0, 0.25), (0.25, 0.3)]], max_epsilon=0.3)
            >>> dgms.cut(max_epsilon=0.2)[0].tolist()
            [[0.0, 0.1], [0.0, inf]]
        """
        end = check_max_epsilon(max_epsilon, bounded=False)
        if end > self.max_epsilon:
            raise DnnTopologyError(
                f"max_epsilon must be at most {self.max_epsilon:g}, where these diagrams end, found {end:g}: compute "
                "with a larger one"
            )
        if self.is_filtered:
            raise DnnTopologyError("filtered diagrams cannot be cut: cut first, then filter")
        points = [np.where(one > end, np.inf, one)[one[:, 0] <= end] for one in self.points]
        density = self.density
        if density is not None:
            density = density[density[:, 0] <= end]
            if density[-1, 0] < end:  # between two breakpoints the share is only known from below
                density = np.vstack([density, [end, density[-1, 1]]])
        return replace(self, points=points, max_epsilon=end, density=density, n_essential=None)

    @filter_keywords
    def select(self, dim: int) -> NDArray[np.float64]:
        """Return the points of one dimension that count, those of positive length.

        Args:
            dim: Dimension.

        Returns:
            (k, 2), float64; death is inf for a class alive at max_epsilon.

        Raises:
            DnnTopologyError: The dimension was not computed.

        Example:
            >>> Diagrams([[(0, 0), (0, 0.1), (0, float("inf"))]], max_epsilon=0.3).select(0).tolist()
            [[0.0, 0.1], [0.0, inf]]
        """
        check_type("dim", dim, int)
        points = self[dim]
        return points[points[:, 1] > points[:, 0]]

    @filter_keywords
    def betti_curve(self, dim: int) -> BettiCurve:
        """Return β_dim(ε) = number of classes with birth ≤ ε < death, exactly.

        Args:
            dim: Dimension.

        Returns:
            The step function (epsilon, beta). Classes alive at max_epsilon live up to and at the end.

        Raises:
            DnnTopologyError: The dimension was not computed.

        Example:
            >>> dgms = Diagrams([[(0, 0.1), (0, float("inf"))]], max_epsilon=0.3)
            >>> epsilon, beta = dgms.betti_curve(0)
            >>> epsilon.tolist(), beta.tolist()
            ([0.0, 0.1, 0.3], [2, 1, 1])
        """
        births, deaths = self.select(dim).T
        deaths = np.sort(deaths[np.isfinite(deaths)])
        epsilon = np.unique(np.concatenate([[0.0, self.max_epsilon], births, deaths]))
        alive = np.searchsorted(np.sort(births), epsilon, side="right")
        alive -= np.searchsorted(deaths, epsilon, side="right")
        return BettiCurve._make((epsilon, alive.astype(np.int64)))

    def density_at(self, epsilon: ArrayLike) -> NDArray[np.float64]:
        """Return the share of pairs of nodes joined at scales (…) in [0, max_epsilon], float64.

        It is exact at every birth and death; in between, where the table has no row, it is that of the scale before, a
        lower bound. `FunctionalGraph.density` is exact everywhere.

        Raises:
            DnnTopologyError: The diagrams came without their graph, so the density is not known; or a scale lies
                outside.
        """
        if self.density is None:
            raise DnnTopologyError(
                "the edge density is not known for diagrams read from a DIPHA file: "
                "use filtration='nominal', or compute them with `persistence`"
            )
        wanted = check_scales(epsilon, self.max_epsilon)
        scales, shares = self.density.T
        joined: NDArray[np.float64] = shares[np.searchsorted(scales, wanted, side="right") - 1]
        return joined

    @checked
    def save(self, path: str | Path) -> None:
        """Write everything to a compressed npz, in one step and without pickle.

        Raises:
            DnnTopologyError: The file cannot be written.
        """
        store.write_arrays(Path(path), self.to_arrays())

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays, as `save` writes them."""
        arrays: dict[str, NDArray[Any]] = {f"H{dim}": points for dim, points in enumerate(self.points)}
        if self.density is not None:
            arrays["density"] = self.density
        about: dict[str, Any] = {
            "format": store.FORMAT,
            "max_epsilon": self.max_epsilon,
            "n_nodes": self.n_nodes,
            "provenance": dict(self.provenance),
        }
        if self.is_filtered:
            about["filter"] = {name: getattr(self, name) for name in FILTER}
        return {"about": np.array(json.dumps(about)), **arrays}

    @classmethod
    @checked
    def load(cls, path: str | Path) -> Diagrams:
        """Read what `save` wrote.

        Raises:
            DnnTopologyError: The file is missing, damaged, or not of this kind.
        """
        arrays = store.read_arrays(Path(path), remedy=REMEDY)
        try:
            return cls.of_arrays(arrays)
        except DnnTopologyError as error:
            raise DnnTopologyError(f"{path} holds no diagrams ({error}); {REMEDY}") from error

    @classmethod
    @checked
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Diagrams:
        """Return what `to_arrays` gave.

        Args:
            arrays: Name → array: `about`, what is known of the diagrams, as JSON; `H0`, `H1`, … (k, 2), float64; and
                perhaps `density` (m, 2), float64.

        Returns:
            The diagrams.

        Raises:
            DnnTopologyError: An array is missing, or is not what `to_arrays` gives.
        """
        if "about" not in arrays or "H0" not in arrays:
            raise DnnTopologyError("arrays must be those of `Diagrams.to_arrays`, found no 'about' and 'H0' among them")
        try:
            content = json.loads(str(arrays["about"]))
        except (ValueError, RecursionError) as error:
            raise DnnTopologyError(f"arrays['about'] must be JSON, found {shown(arrays['about'])}") from error
        about = record_of(content, _About, name="about", strict=False)
        n_dims = next(dim for dim in itertools.count() if f"H{dim}" not in arrays)
        passed = {name: getattr(about.filter, name) for name in FILTER if about.filter is not None}
        points = [arrays[f"H{dim}"] for dim in range(n_dims)]
        return cls(points, about.max_epsilon, about.n_nodes, arrays.get("density"), about.provenance, **passed)


@dataclass(frozen=True)
class _Filter:
    """What a file says of the filter that diagrams went through."""

    min_persistence: float
    essential: Essential
    n_essential: tuple[int, ...]


@dataclass(frozen=True)
class _About:
    """What a file says of diagrams beside their arrays."""

    max_epsilon: float
    n_nodes: int | None
    provenance: dict[str, str | int | float]
    filter: _Filter | None = None


def diagrams_of(source: Diagrams | HasDiagrams) -> Diagrams:
    """Return the diagrams of a measurement, or those given.

    Raises:
        DnnTopologyError: It is neither.
    """
    diagrams = getattr(source, "diagrams", source)
    if not isinstance(diagrams, Diagrams):
        raise DnnTopologyError(f"expected diagrams or a measurement, found {type(source).__name__}")
    return diagrams


def _longer(points: NDArray[np.float64], end: float, least: float) -> NDArray[np.float64]:
    """Return the points that live longer, a class alive at the end having lived until there; with 0, all."""
    if least == 0:  # no filter: even a class that is born at the very end is there
        return points
    return points[np.minimum(points[:, 1], end) - points[:, 0] > least]
