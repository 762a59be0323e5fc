from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnn_topology.graphs import duplicates
from dnn_topology.graphs.correlation import Edges
from dnn_topology.graphs.duplicates import with_consistent_duplicates


def levelled(edges: Edges, n_nodes: int) -> dict[tuple[int, int], float]:
    """Edges with consistent duplicates, straight from the definition."""
    length = {(int(i), int(j)): float(d) for i, j, d in zip(*edges, strict=True)}
    group = list(range(n_nodes))
    for (i, j), d in length.items():
        if d == 0:
            group = [group[i] if one == group[j] else one for one in group]
    members = {name: [node for node in range(n_nodes) if group[node] == name] for name in set(group)}
    found = {}
    for i, j in combinations(range(n_nodes), 2):
        pairs = [(min(a, b), max(a, b)) for a in members[group[i]] for b in members[group[j]]]
        if group[i] == group[j]:
            found[i, j] = 0.0
        elif all(pair in length for pair in pairs):
            found[i, j] = min(length[pair] for pair in pairs)
    return {pair: d for pair, d in found.items() if pair in length}


@given(seed=st.integers(0, 2**32 - 1), block=st.sampled_from([1, 3, 2**18]))
def test_classes_of_duplicates_are_levelled_as_defined(seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    n_nodes = int(rng.integers(2, 12))
    rows, cols = np.triu_indices(n_nodes, 1)
    kept = rng.random(len(rows)) < 0.8
    lengths = rng.choice([0.0, 0.25, 0.5, 0.75], kept.sum(), p=[0.15, 0.35, 0.25, 0.25])
    edges = Edges(rows[kept].astype(np.int32), cols[kept].astype(np.int32), lengths)
    expected = levelled(edges, n_nodes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BLOCK", block)
        found = with_consistent_duplicates(edges, n_nodes=n_nodes)
    assert {(int(i), int(j)): float(d) for i, j, d in zip(*found, strict=True)} == expected


@pytest.mark.parametrize("copies", [2, 30])
def test_levelling_takes_no_more_than_half_of_the_edges_again(copies: int) -> None:
    n_nodes = 1800
    rows, cols = (ends.astype(np.int32) for ends in np.triu_indices(n_nodes, 1))
    twins = rows // copies == cols // copies
    edges = Edges(rows, cols, np.where(twins, 0.0, 0.25 + 1e-16 * (rows % copies)))
    tracemalloc.start()
    with_consistent_duplicates(edges, n_nodes=n_nodes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(rows)  # the few blocks that are looked at together weigh something in so small a graph
