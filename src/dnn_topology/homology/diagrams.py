"""Persistence diagrams, and the one place that says which of their points count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice, check_max_epsilon

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Essential = Literal["count", "drop", "clip"]
ESSENTIAL: tuple[Essential, ...] = ("count", "drop", "clip")


class BettiCurve(NamedTuple):
    """β_k(ε), the number of living cavities, as an exact step function on [0, max_epsilon].

    Attributes:
        epsilon: (m,), float64. Where the curve may change, rising from 0 to max_epsilon.
        beta: (m,), int64. `beta[i]` holds from `epsilon[i]` until just before `epsilon[i + 1]`; the last
            value holds at max_epsilon.
    """

    epsilon: NDArray[np.float64]
    beta: NDArray[np.int64]

    def at(self, epsilon: ArrayLike) -> NDArray[np.int64]:
        """Return β at any scales (…) in [0, max_epsilon], as int64 of the same shape."""
        place = np.searchsorted(self.epsilon, np.asarray(epsilon), side="right") - 1
        return self.beta[np.clip(place, 0, None)]

    def integral(self) -> float:
        """Return the area under the curve, ∫ β dε."""
        return float(np.dot(self.beta[:-1], np.diff(self.epsilon)))

    def peak(self) -> tuple[float, int]:
        """Return (ε, β) at the first maximum; ε is NaN where the curve is 0 throughout."""
        place = int(np.argmax(self.beta))
        highest = int(self.beta[place])
        return (float(self.epsilon[place]) if highest else float("nan")), highest


@dataclass(frozen=True, eq=False)
class Diagrams:
    """The birth and death of every cavity, per dimension, in ε (a radius).

    Which points count is decided here, once, for every curve, summary and picture:

    * A point counts if death - birth > `min_persistence`; so one of length zero never does.
    * An *essential* class, still alive at max_epsilon, has death inf. `essential="count"` (the default) lets it
      live up to and including max_epsilon in Betti curves, and leaves it out of means, which are over
      finite points; `"drop"` forgets it, as the original does; `"clip"` sets its death to max_epsilon and
      treats it as any finite point.
    * Where no point counts, the curve is 0 and a mean is NaN.

    Two diagrams are equal if their points and max_epsilon are; where they came from does not matter.

    Attributes:
        points: One (k, 2) float64 array per dimension from 0: rows (birth, death), sorted by birth, then death.
            H0 has one row per node, those of length zero (duplicate neurons) included; higher dimensions
            have only points of positive length.
        max_epsilon: Where the filtration ends.
        n_nodes: Number of nodes of the graph, or None if unknown (a DIPHA file does not say).
        density: (m, 2) float64 or None: rows (ε, share of pairs joined at ε), rising, with a row at every birth
            and death, so that curves can be drawn over density exactly.
        provenance: How the diagrams were computed: engine, version, sizes.
    """

    points: Sequence[NDArray[np.float64]]
    max_epsilon: float
    n_nodes: int | None = None
    density: NDArray[np.float64] | None = None
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    min_persistence: float = 0.0

    def __post_init__(self) -> None:
        check_max_epsilon(self.max_epsilon)
        object.__setattr__(self, "points", tuple(_canonical(p, dim) for dim, p in enumerate(self.points)))
        if not self.points:
            raise DnnTopologyError("diagrams need at least dimension 0, found none")

    def filtered(self, *, min_persistence: float = 0.0, essential: Essential = "count") -> Diagrams:
        """Return only what counts."""
        points = [
            self.select(dim, min_persistence=min_persistence, essential=essential) for dim in range(self.max_dim + 1)
        ]
        return replace(self, points=points, min_persistence=min_persistence)

    @property
    def max_dim(self) -> int:
        """The highest dimension computed."""
        return len(self.points) - 1

    def __getitem__(self, dim: int) -> NDArray[np.float64]:
        """Return all points (k, 2) of one dimension, unfiltered.

        Raises:
            DnnTopologyError: That dimension was not computed.
        """
        if not 0 <= dim <= self.max_dim:
            raise DnnTopologyError(
                f"dimension {dim} was not computed: there are 0 to {self.max_dim}; compute with max_dim={dim}"
            )
        return self.points[dim]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagrams):
            return NotImplemented
        return (
            self.max_epsilon == other.max_epsilon
            and self.max_dim == other.max_dim
            and all(np.array_equal(a, b) for a, b in zip(self.points, other.points, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside

    def select(self, dim: int, *, min_persistence: float = 0.0, essential: Essential = "count") -> NDArray[np.float64]:
        """Return the points of one dimension that count; see the class for the policy.

        Args:
            dim: Dimension.
            min_persistence: Points must live longer than this, in ε.
            essential: What becomes of classes alive at max_epsilon.

        Returns:
            (k, 2), float64; death is inf only with `essential="count"`.

        Raises:
            DnnTopologyError: The dimension was not computed, or an option is unknown.

        Example:
            >>> dgms = Diagrams([[(0, 0.1), (0, float("inf"))]], max_epsilon=0.3)
            >>> dgms.select(0, essential="clip").tolist()
            [[0.0, 0.1], [0.0, 0.3]]
        """
        check_at_least("min_persistence", min_persistence, 0)
        check_choice("essential", essential, ESSENTIAL)
        points = self[dim]
        if essential == "drop":
            points = points[np.isfinite(points[:, 1])]
        elif essential == "clip":
            points = np.column_stack([points[:, 0], np.minimum(points[:, 1], self.max_epsilon)])
        return points[points[:, 1] - points[:, 0] > min_persistence]

    def betti_curve(self, dim: int, *, min_persistence: float = 0.0, essential: Essential = "count") -> BettiCurve:
        """Return β_dim(ε) = number of classes with birth ≤ ε < death, exactly.

        Args:
            dim: Dimension.
            min_persistence: Only classes that live longer than this count, in ε.
            essential: What becomes of classes alive at max_epsilon; "count" keeps them up to and at the end.

        Returns:
            The step function (epsilon, beta).

        Raises:
            DnnTopologyError: The dimension was not computed, or an option is unknown.

        Example:
            >>> dgms = Diagrams([[(0, 0.1), (0, float("inf"))]], max_epsilon=0.3)
            >>> epsilon, beta = dgms.betti_curve(0)
            >>> epsilon.tolist(), beta.tolist()
            ([0.0, 0.1, 0.3], [2, 1, 1])
        """
        births, deaths = self.select(dim, min_persistence=min_persistence, essential=essential).T
        deaths = np.sort(deaths[np.isfinite(deaths)])
        epsilon = np.unique(np.concatenate([[0.0, self.max_epsilon], births, deaths]))
        alive = np.searchsorted(np.sort(births), epsilon, side="right")
        alive -= np.searchsorted(deaths, epsilon, side="right")
        return BettiCurve(epsilon, alive.astype(np.int64))

    def density_at(self, epsilon: ArrayLike) -> NDArray[np.float64]:
        """Return the share of pairs of nodes joined at scales (…), float64; exact at every birth and death.

        Raises:
            DnnTopologyError: The diagrams came without their graph, so the density is not known.
        """
        if self.density is None:
            raise DnnTopologyError(
                "the edge density is not known for diagrams read from a DIPHA file: "
                "use filtration='nominal', or compute them with `persistence`"
            )
        scales, shares = self.density.T
        joined: NDArray[np.float64] = shares[np.searchsorted(scales, np.asarray(epsilon), side="right") - 1]
        return joined

    def save(self, path: str | Path) -> None:
        """Write everything to a compressed npz, in one step and without pickle.

        Raises:
            DnnTopologyError: The file cannot be written.
        """
        arrays = {f"H{dim}": points for dim, points in enumerate(self.points)}
        if self.density is not None:
            arrays["density"] = self.density
        about = {
            "format": store.FORMAT,
            "max_epsilon": self.max_epsilon,
            "n_nodes": self.n_nodes,
            "provenance": dict(self.provenance),
        }
        store.write_arrays(Path(path), {"about": np.array(json.dumps(about)), **arrays})

    @classmethod
    def load(cls, path: str | Path) -> Diagrams:
        """Read what `save` wrote.

        Raises:
            DnnTopologyError: The file is missing, damaged, or not of this kind.
        """
        arrays = store.read_arrays(Path(path))
        try:
            about = json.loads(str(arrays["about"]))
            n_dims = sum(name.startswith("H") for name in arrays)
            return cls(
                [arrays[f"H{dim}"] for dim in range(n_dims)],
                about["max_epsilon"],
                about["n_nodes"],
                arrays.get("density"),
                about["provenance"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DnnTopologyError(f"{path} holds no diagrams ({error}); delete it and run again") from error


def _canonical(points: ArrayLike, dim: int) -> NDArray[np.float64]:
    """Return points as a read-only (k, 2) float64 array sorted by birth, then death.

    Raises:
        DnnTopologyError: The shape is wrong, a birth is not finite, or a class dies before it is born.
    """
    array = np.array(points, dtype=np.float64).reshape(-1, 2) if np.size(points) == 0 else np.array(points, float)
    if array.ndim != 2 or array.shape[1] != 2:
        raise DnnTopologyError(f"points of dimension {dim} must be (k, 2), found shape {array.shape}")
    if not np.isfinite(array[:, 0]).all() or not (array[:, 1] >= array[:, 0]).all():
        raise DnnTopologyError(f"points of dimension {dim} must have a finite birth ≤ death")
    array = array[np.lexsort((array[:, 1], array[:, 0]))]
    array.setflags(write=False)
    return array
