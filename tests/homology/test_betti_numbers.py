from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology import Diagrams, DnnTopologyError, FunctionalGraph, persistence
from dnn_topology.homology.betti_numbers import betti_numbers
from tests.strategies import distance_matrices


@given(distances=distance_matrices(max_size=7), threshold=st.sampled_from([0.1, 0.35, 0.5, 0.75, 0.95]))
def test_betti_numbers_are_those_of_the_graph_cut_there(distances: NDArray[np.float64], threshold: float) -> None:
    whole = persistence(FunctionalGraph.from_distances(distances, max_epsilon=0.5), max_dim=1)
    cut = np.where(distances <= 1 - threshold, 0.5, np.inf)
    np.fill_diagonal(cut, 0)
    one = persistence(FunctionalGraph.from_distances(cut, max_epsilon=0.5), max_dim=1)
    expected = [one.betti_curve(dim).at(0.25) for dim in (0, 1)]
    assert betti_numbers(whole, [threshold])["betti"].tolist() == expected


def test_a_density_adds_the_strongest_edges_up_to_that_share() -> None:
    distances = [[0, 0.1, 0.3, 0.4], [0.1, 0, 0.2, 0.5], [0.3, 0.2, 0, 0.6], [0.4, 0.5, 0.6, 0]]
    diagrams = persistence(FunctionalGraph.from_distances(distances, max_epsilon=0.5), max_dim=0)
    found = betti_numbers(diagrams, [0.0, 1 / 6, 0.4, 4 / 6, 1.0], filtration="density")
    assert found["betti"].tolist() == [4, 3, 2, 1, 1]


def test_a_threshold_beyond_the_end_of_the_graph_has_no_betti_number() -> None:
    diagrams = persistence(FunctionalGraph.from_distances([[0, 0.9], [0.9, 0]], max_epsilon=0.3), max_dim=0)
    nominal = betti_numbers(diagrams, [0.1, 0.6])
    density = betti_numbers(diagrams, [0.0, 0.5], filtration="density")
    assert nominal["betti"].isna().tolist() == [True, False]
    assert density["betti"].isna().tolist() == [False, True]


def test_density_is_not_known_of_diagrams_without_a_graph() -> None:
    with pytest.raises(DnnTopologyError, match="edge density is not known"):
        betti_numbers(Diagrams([np.array([(0, 0.1)])], 0.3), [0.5], filtration="density")
