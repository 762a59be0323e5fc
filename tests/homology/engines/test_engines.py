"""One conformance test over all engines that are installed, `auto` and every way that a plan can take."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.engines import AUTO, ENGINES, check_engine, get_engine
from dnn_topology.homology.persistence import persistence
from tests.oracles import assert_same_diagram, oracle_persistence
from tests.strategies import distance_matrices

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:SyntaxWarning")  # in a peer's own source

HERE = [name for name in ENGINES if get_engine(name).version()]
IN_PROCESS = [name for name in HERE if name != "dipha"]  # which starts a program each time
INF = np.inf


def noise(n: int, *, copies: int = 0, decimals: int | None = None) -> NDArray[np.float64]:
    """Distances of random points in space, some of them twice, or rounded so that many are equal."""
    points = np.random.default_rng(n).normal(size=(n, 3))
    points[n - copies :] = points[:copies]
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) / 4
    return symmetric(distances if decimals is None else np.round(distances, decimals))


def symmetric(upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric matrix with this upper triangle."""
    strict = np.triu(upper, 1)
    return strict + strict.T


def without_long(distances: NDArray[np.float64], longest: float) -> NDArray[np.float64]:
    """The same, with long edges missing."""
    return np.where(distances > longest, INF, distances)


ALONE = np.where(np.eye(5) > 0, 0.0, INF)
CASES = {
    "a single node": np.zeros((1, 1)),
    "nodes without edges": ALONE,
    "two duplicates": np.zeros((2, 2)),
    "only duplicates": np.zeros((6, 6)),
    "a complete graph of one length": np.where(np.eye(12) > 0, 0.0, 0.3),
    "random": noise(40),
    "duplicates": noise(30, copies=6),
    "ties": noise(30, decimals=1),
    "disconnected": without_long(noise(40), 0.3),
    "zero distances that are no duplicates": symmetric(
        np.random.default_rng(0).integers(0, 3, (12, 12)).astype(float) / 10
    ),
}


@pytest.mark.parametrize("max_dim", range(4))
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", [AUTO, *HERE])
def test_every_engine_gives_the_same_diagrams(engine: str, case: str, max_dim: int) -> None:
    graph = FunctionalGraph.from_distances(CASES[case], max_epsilon=0.5)
    found = persistence(graph, max_dim=max_dim, engine=engine, threads=2)
    assert_same_diagram(found, persistence(graph, max_dim=max_dim, engine="gudhi"), atol=1e-12)
    assert len(found[0]) == graph.n_nodes


@pytest.mark.parametrize("engine", [AUTO, *HERE])
def test_every_engine_agrees_on_a_real_graph(engine: str, real_graph: FunctionalGraph) -> None:
    found = persistence(real_graph, max_dim=2, engine=engine, threads=2)
    assert_same_diagram(found, persistence(real_graph, max_dim=2, engine="gudhi"), atol=1e-12)


@pytest.mark.parametrize("engine", IN_PROCESS)
@settings(max_examples=30)
@given(matrix=distance_matrices(), max_dim=st.integers(0, 3))
def test_every_engine_gives_the_diagrams_of_the_boundary_matrix(
    engine: str, matrix: NDArray[np.float64], max_dim: int
) -> None:
    found = persistence(FunctionalGraph.from_distances(matrix), max_dim=max_dim, engine=engine)
    assert_same_diagram(found, oracle_persistence(matrix, max_dim=max_dim, max_epsilon=0.5))


@pytest.mark.parametrize("engine", IN_PROCESS)
def test_coefficients_are_mod_2(engine: str) -> None:
    """The projective plane, as the order complex of its six-vertex triangulation, has H2 mod 2 and none mod 3."""
    triangles = ["123", "134", "145", "156", "126", "235", "346", "452", "563", "624"]
    cells = {frozenset(part) for t in triangles for part in (t, *t, t[:2], t[1:], t[0] + t[2])}
    order = sorted(cells, key=lambda cell: (len(cell), sorted(cell)))
    joined = np.array([[a < b or b < a for b in order] for a in order])
    distances = np.where(joined, 0.2, INF)
    np.fill_diagonal(distances, 0.0)
    found = persistence(FunctionalGraph.from_distances(distances, max_epsilon=0.3), max_dim=2, engine=engine)
    assert [len(points) for points in found.points[1:]] == [1, 1]


def test_an_engine_that_needs_the_agpl_is_imported_only_by_name(real_graph: FunctionalGraph) -> None:
    had = "gph" in sys.modules
    persistence(real_graph, max_dim=2)
    assert ("gph" in sys.modules) == had
    assert "giotto" not in str(persistence(real_graph, max_dim=1).provenance["plan"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ripsr", "unknown engine 'ripsr': did you mean ripser"),
        ("dipha:/nowhere/dipha", "not installed: build DIPHA"),
        ("gudhi:/nowhere", "takes no path"),
    ],
)
def test_an_engine_that_is_not_there_is_explained(name: str, message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        check_engine(name)
