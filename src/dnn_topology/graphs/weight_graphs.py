"""The graph of a network's own weights: nodes joined by how strongly the weights connect them, without any input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, triu

from dnn_topology._checks import DnnTopologyError, check_max_epsilon
from dnn_topology.graphs.graph import FunctionalGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from scipy.sparse import csr_array


def weight_graph(
    strengths: csr_array[Any, Any],
    *,
    max_epsilon: float = 0.3,
    neurons: pd.DataFrame | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> FunctionalGraph:
    """Join every two nodes that weights connect: d = 1 - s / max s, s being the strength of their connection.

    Strong connections come first, as in neural persistence, whose filtration runs from the largest |weight| down; the
    strongest of the whole network has d = 0. Nodes without a connection, such as those of one layer, are never joined,
    so that triangles appear only where weights skip a layer, and loops hardly ever die.

    Args:
        strengths: (n, n), sparse, symmetric, not negative: between two recorded layers next to each other |weight|, and
            else the sum over paths of its products; see `recording.structure`.
        max_epsilon: The largest scale of the filtration, in (0, 0.5]; at 0.5 every connection is there.
        neurons: The table of the nodes, if there is one.
        shapes: Layer → the shape in which its nodes lie, where that is known.

    Returns:
        The graph. Without edges if no weight connects two nodes.

    Raises:
        DnnTopologyError: A strength is not finite, or `max_epsilon` lies outside (0, 0.5].

    Source:
        Rieck et al., Neural persistence: a complexity measure for deep neural networks using algebraic topology, ICLR
        2019: weights as |w| / max |w|, in falling order. Theirs is a graph per layer and H0 alone.

    Example:
        >>> from scipy.sparse import csr_array
        >>> graph = weight_graph(csr_array([[0, 4, 1.0], [4, 0, 3], [1, 3, 0]]), max_epsilon=0.3)
        >>> graph.rows.tolist(), graph.cols.tolist(), graph.distances.tolist()
        ([0, 1], [1, 2], [0.0, 0.25])
    """
    check_max_epsilon(max_epsilon)
    upper: Any = coo_array(triu(strengths, k=1))
    values = upper.data.astype(np.float64)
    if not np.isfinite(values).all():
        raise DnnTopologyError("a weight is not finite: the training has diverged")
    rows, cols = upper.coords
    distances = 1 - values / values.max() if len(values) and values.max() > 0 else np.full(len(values), np.inf)
    kept = (values > 0) & (distances <= 2 * max_epsilon)
    order = np.lexsort((cols[kept], rows[kept]))
    return FunctionalGraph(
        rows[kept][order].astype(np.int32),
        cols[kept][order].astype(np.int32),
        distances[kept][order],
        strengths.shape[0],
        max_epsilon,
        neurons,
        shapes=dict(shapes or {}),
    )
