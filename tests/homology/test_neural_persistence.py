from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.neural_persistence import neural_persistence


def oracle(weights: list[NDArray[np.float64]]) -> float:
    """Kruskal's algorithm, edge by edge from the strongest: where components meet, one of them dies."""
    highest = max(np.abs(layer).max() for layer in weights)
    layers = []
    for layer in weights:
        strengths = np.abs(layer) / highest
        component = list(range(sum(layer.shape)))
        lives = []
        for place in np.argsort(-strengths, axis=None, kind="stable"):
            out, into = np.unravel_index(place, layer.shape)
            a, b = component[int(out)], component[len(layer) + int(into)]
            if a != b:
                lives.append(1 - strengths[out, into])
                component = [a if one == b else one for one in component]
        layers.append(np.linalg.norm(lives) / np.sqrt(len(lives)))
    return float(np.mean(layers))


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_it_is_what_kruskals_algorithm_gives(shapes: list[tuple[int, int]], seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    weights = [
        np.asarray(rng.integers(-3, 4, shape) + 0.5 if ties else rng.normal(size=shape), float) for shape in shapes
    ]
    found = neural_persistence(weights)
    assert found == pytest.approx(oracle(weights))
    assert 0 <= found <= 1


@given(st.floats(0.01, 100.0))
def test_it_does_not_depend_on_the_scale_of_the_weights(scale: float) -> None:
    weights = np.random.default_rng(0).normal(size=(4, 6))
    assert neural_persistence([scale * weights]) == pytest.approx(neural_persistence([weights]))


def test_weights_that_are_missing_zero_or_not_finite_are_answered_plainly() -> None:
    assert math.isnan(neural_persistence([np.zeros((2, 2))]))
    with pytest.raises(DnnTopologyError, match="one layer at least"):
        neural_persistence([])
    with pytest.raises(DnnTopologyError):
        neural_persistence([[[1.0, np.nan]]])
