from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import ESSENTIAL, Diagrams
from tests.oracles import oracle_betti

INF = float("inf")


@st.composite
def diagrams(draw: st.DrawFn) -> Diagrams:
    """Diagrams of one to three dimensions with ties, essential classes and points of length zero."""
    points = []
    for _ in range(draw(st.integers(1, 3))):
        k = draw(st.integers(0, 12))
        births = draw(npst.arrays(np.float64, k, elements=st.integers(0, 29).map(lambda i: i / 100)))
        lives = draw(npst.arrays(np.float64, k, elements=st.sampled_from([0.0, 0.01, 0.02, 0.05, INF])))
        deaths = np.where(np.isinf(lives), INF, np.minimum(births + lives, 0.3))
        points.append(np.column_stack([births, deaths]))
    return Diagrams(points, 0.3)


@given(diagrams(), st.sampled_from(["count", "drop", "clip"]), st.sampled_from([0.0, 0.015]))
def test_the_betti_curve_counts_the_living_at_every_scale(found: Diagrams, essential: str, least: float) -> None:
    options = {"min_persistence": least, "essential": essential}
    counted = found.filtered(**options)  # type: ignore[arg-type]
    for dim in range(found.max_dim + 1):
        points = counted.select(dim)
        curve = counted.betti_curve(dim)
        grid = np.unique(np.concatenate([np.linspace(0, 0.3, 31), curve.epsilon, curve.epsilon[:-1] + 1e-9]))
        grid = grid[grid <= 0.3]
        assert curve.at(grid).tolist() == [oracle_betti(points, epsilon) for epsilon in grid]


@given(diagrams())
def test_the_area_under_the_betti_curve_is_the_total_persistence(found: Diagrams) -> None:
    for dim in range(found.max_dim + 1):
        points = found.filtered(min_persistence=0, essential="clip")[dim]
        total = (points[:, 1] - points[:, 0]).sum()
        for essential in ESSENTIAL[::2]:
            assert found.filtered(min_persistence=0, essential=essential).betti_curve(dim).integral() == pytest.approx(
                total
            )


@given(found=diagrams())
def test_saving_and_loading_gives_equal_diagrams(found: Diagrams, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("diagrams") / "a.npz"
    found.save(path)
    assert Diagrams.load(path) == found


def test_everything_about_the_diagrams_is_saved(tmp_path: Path) -> None:
    density = np.array([[0.0, 0.0], [0.3, 0.5]])
    found = Diagrams([np.array([[0, INF]])], 0.3, 4, density, {"engine": "gudhi", "n_edges": 3})
    found.save(tmp_path / "a.npz")
    back = Diagrams.load(tmp_path / "a.npz")
    assert back.density is not None
    assert back.density.tolist() == density.tolist()
    assert (back.n_nodes, dict(back.provenance)) == (4, {"engine": "gudhi", "n_edges": 3})


def test_the_same_diagrams_are_the_same_bytes(tmp_path: Path) -> None:
    rows = np.array([[0.2, 0.25], [0.1, 0.3]])
    Diagrams([rows], 0.3).save(tmp_path / "a.npz")
    Diagrams([rows[::-1]], 0.3).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_diagrams_that_differ_in_one_point_or_scale_are_not_equal() -> None:
    rows = np.array([[0.1, 0.2]])
    assert Diagrams([rows], 0.3) != Diagrams([rows + 0.01], 0.3)
    assert Diagrams([rows], 0.3) != Diagrams([rows], 0.4)
    assert Diagrams([rows], 0.3) != Diagrams([rows, rows], 0.3)
    assert Diagrams([rows], 0.3) != "diagrams"


def test_an_essential_class_lives_up_to_and_at_the_end() -> None:
    found = Diagrams([np.array([[0.1, INF]])], 0.3)
    assert found.betti_curve(0).at([0.05, 0.1, 0.3]).tolist() == [0, 1, 1]
    assert found.filtered(essential="drop").betti_curve(0).at([0.1, 0.3]).tolist() == [0, 0]
    assert found.filtered(essential="clip").betti_curve(0).at([0.1, 0.3]).tolist() == [1, 0]


def test_a_point_as_short_as_min_persistence_does_not_count() -> None:
    found = Diagrams([np.array([[0.25, 0.5], [0.25, 0.375]])], 0.5)
    assert found.filtered(min_persistence=0.125)[0].tolist() == [[0.25, 0.5]]
    assert len(found.filtered(min_persistence=0.12)[0]) == 2


def test_the_peak_is_the_first_maximum() -> None:
    found = Diagrams([np.array([[0.1, 0.15], [0.2, 0.25]])], 0.3)
    assert found.betti_curve(0).peak() == (0.1, 1)


def test_an_empty_dimension_has_a_flat_curve_without_a_peak() -> None:
    curve = Diagrams([np.empty((0, 2))], 0.3).betti_curve(0)
    assert (curve.epsilon.tolist(), curve.beta.tolist()) == ([0.0, 0.3], [0, 0])
    assert np.isnan(curve.peak()[0])


def test_points_cannot_be_changed_afterwards() -> None:
    found = Diagrams([np.array([[0.1, 0.2]])], 0.3)
    with pytest.raises(ValueError, match="read-only"):
        found[0][0, 0] = 0


def test_a_dimension_that_was_not_computed_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="dimension 1 was not computed: there are 0 to 0"):
        Diagrams([np.empty((0, 2))], 0.3)[1]


@pytest.mark.parametrize("rows", [[[0.2, 0.1]], [[np.nan, 0.1]], [[0.1, np.nan]], [[INF, INF]], [[0.1, 0.2, 0.3]]])
def test_points_that_are_no_lives_are_refused(rows: list[list[float]]) -> None:
    with pytest.raises(DnnTopologyError, match="points of dimension 0 must"):
        Diagrams([np.array(rows)], 0.3)


def test_the_density_of_diagrams_without_their_graph_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="edge density is not known"):
        Diagrams([np.empty((0, 2))], 0.3).density_at(0.1)


@pytest.mark.parametrize("option", [{"essential": "keep"}, {"min_persistence": -1}, {"min_persistence": np.nan}])
def test_an_unknown_option_is_refused(option: dict[str, object]) -> None:
    with pytest.raises(DnnTopologyError):
        Diagrams([np.empty((0, 2))], 0.3).filtered(**option)  # type: ignore[arg-type]


def damage(content: bytes, how: str) -> bytes:
    """A file that was cut off, overwritten, or is of another kind."""
    middle = len(content) // 2
    return {
        "cut": content[:middle],
        "empty": b"",
        "overwritten": content[: middle - 4] + bytes(8) + content[middle + 4 :],
        "text": b"no archive",
    }[how]


@pytest.mark.parametrize("how", ["cut", "empty", "overwritten", "text"])
def test_a_damaged_file_is_refused_with_the_remedy(how: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    Diagrams([np.sort(np.random.default_rng(0).uniform(0, 0.3, (500, 2)), axis=1)], 0.3).save(path)
    path.write_bytes(damage(path.read_bytes(), how))
    with pytest.raises(
        DnnTopologyError, match=r"a\.npz (is damaged|holds no diagrams).*delete it and run again"
    ) as caught:
        Diagrams.load(path)
    assert "allow_pickle" not in str(caught.value)


def test_an_archive_of_other_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(DnnTopologyError, match="holds no diagrams"):
        Diagrams.load(tmp_path / "a.npz")


def test_a_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", about=np.array([object()], dtype=object))
    with pytest.raises(DnnTopologyError, match="is damaged"):
        Diagrams.load(tmp_path / "a.npz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match="cannot read"):
        Diagrams.load(tmp_path / "a.npz")


@given(diagrams())
def test_selecting_never_changes_the_diagrams(found: Diagrams) -> None:
    before: list[NDArray[np.float64]] = [points.copy() for points in found.points]
    found.filtered(essential="clip")
    found.betti_curve(0)
    assert all(np.array_equal(a, b) for a, b in zip(before, found.points, strict=True))
