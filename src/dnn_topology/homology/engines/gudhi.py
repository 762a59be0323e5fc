"""GUDHI's RipsPersistence: a fork of Ripser, with edge collapses in higher dimensions.

The engine that is always there: it reads a sparse graph, keeps stored zeros as edges, computes in float64, and
its licence (MIT for this part) lets it into every install.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dnn_topology.homology.engines import distribution_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph


@dataclass(frozen=True)
class Gudhi:
    """GUDHI; see `Engine`.

    Attributes:
        collapses: How often edges are collapsed first; "auto" is GUDHI's own choice, once from H2 on.
    """

    collapses: int | Literal["auto"] = "auto"
    about = "always there; sparse graphs, high dimensions (MIT)"
    install = "pip install gudhi"

    def version(self) -> str | None:
        """Return GUDHI's version."""
        return distribution_version("gudhi")

    def compute(
        self,
        graph: FunctionalGraph,
        *,
        max_dim: int,
        threads: int,  # noqa: ARG002  # it knows only one
    ) -> list[NDArray[np.float64]]:
        """Compute persistence on the sparse graph; see `Engine.compute`."""
        from gudhi.sklearn.rips_persistence import RipsPersistence
        from scipy.sparse import coo_matrix

        edges = coo_matrix((graph.distances, (graph.rows, graph.cols)), shape=(graph.n_nodes, graph.n_nodes))
        rips = RipsPersistence(
            list(range(max_dim + 1)),
            input_type="distance coo_matrix",
            num_collapses=self.collapses,
            homology_coeff_field=2,
            n_jobs=1,
        )
        return [np.asarray(points, dtype=np.float64).reshape(-1, 2) for points in rips.fit_transform([edges])[0]]
