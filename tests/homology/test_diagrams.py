from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.betti_curve import BettiCurve
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.persistence import persistence
from dnn_topology.homology.points import ESSENTIAL
from dnn_topology.homology.summaries import summarize
from dnn_topology.settings import MIN_PERSISTENCE
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


@given(diagrams(), st.sampled_from([0.0, 0.015, 0.05]))
def test_a_class_alive_at_the_end_is_filtered_by_the_life_that_was_seen(found: Diagrams, least: float) -> None:
    for dim, points in enumerate(found.filtered(min_persistence=least)):
        expected = [[b, d] for b, d in found[dim].tolist() if least == 0 or min(d, 0.3) - b > least]
        assert points.tolist() == expected


def test_filtered_diagrams_know_their_filter_also_after_saving(tmp_path: Path) -> None:
    found = Diagrams([np.array([[0.0, INF], [0.0, 0.01]])], 0.3).filtered(min_persistence=0.015, essential="clip")
    found.save(tmp_path / "a.npz")
    for each in (found, Diagrams.load(tmp_path / "a.npz")):
        assert (each.min_persistence, each.essential, each.n_essential) == (0.015, "clip", (1,))
        assert repr(each) == "Diagrams(H0: 1 point; max_epsilon=0.3, min_persistence=0.015, essential='clip')"
        assert each.points[0].tolist() == [[0.0, 0.3]]


def test_the_default_filter_is_that_of_both_papers() -> None:
    assert (MIN_PERSISTENCE, Diagrams([np.empty((0, 2))], 0.3).filtered().min_persistence) == (0.02, 0.02)


def test_no_filter_changes_nothing() -> None:
    found = Diagrams([np.array([[0.0, 0.0], [0.3, INF]])], 0.3)
    assert found.filtered(min_persistence=0) == found


@pytest.mark.parametrize("asked", [{"min_persistence": 0.01}, {"essential": "count"}, {"essential": "clip"}])
def test_a_filter_that_would_have_to_bring_points_back_is_refused(asked: dict[str, object]) -> None:
    filtered = Diagrams([np.empty((0, 2))], 0.3).filtered(essential="drop")
    with pytest.raises(DnnTopologyError, match="filter the original diagrams"):
        filtered.filtered(**{"essential": "drop", **asked})  # type: ignore[arg-type]


def test_the_old_keywords_warn_and_filter() -> None:
    found = Diagrams([np.array([[0.0, INF], [0.0, 0.01]])], 0.3)
    expected = found.filtered(min_persistence=0.015, essential="clip")
    with pytest.warns(DeprecationWarning, match=r"diagrams\.filtered\(min_persistence=0.015, essential='clip'\)"):
        assert found.select(0, min_persistence=0.015, essential="clip").tolist() == expected[0].tolist()
    with pytest.warns(DeprecationWarning, match="filter the diagrams first"):
        pd.testing.assert_frame_equal(summarize(found, min_persistence=0.015, essential="clip"), summarize(expected))


def test_diagrams_are_a_sequence_of_dimensions() -> None:
    zero, one = np.array([[0.0, 0.1]]), np.array([[0.1, 0.2]])
    found = Diagrams([zero, one], 0.3)
    assert [points.tolist() for points in found] == [zero.tolist(), one.tolist()]
    assert (len(found), found[-1].tolist(), [each.tolist() for each in found[1:]]) == (2, one.tolist(), [one.tolist()])
    assert [each.tolist() for each in reversed(found)] == [one.tolist(), zero.tolist()]
    with pytest.raises(IndexError):
        found[-3]


@pytest.mark.parametrize("row", [[0.31, INF], [0.1, 0.31]])
def test_points_beyond_the_end_are_refused(row: list[float]) -> None:
    with pytest.raises(DnnTopologyError, match=r"beyond max_epsilon=0.3, .* found 0.31"):
        Diagrams([np.array([row])], 0.3)


def test_points_beyond_the_end_by_round_off_lie_at_it() -> None:
    assert Diagrams([np.array([[0, 0.30000001]])], 0.3)[0].tolist() == [[0.0, 0.3]]


@given(found=diagrams(), end=st.sampled_from([0.05, 0.155, 0.3]))
def test_a_cut_diagram_has_the_same_curve_up_to_there(found: Diagrams, end: float) -> None:
    short = found.cut(max_epsilon=end)
    grid = np.linspace(0, end, 40)
    for dim in range(found.max_dim + 1):
        assert short.betti_curve(dim).at(grid).tolist() == found.betti_curve(dim).at(grid).tolist()


def test_what_cannot_be_known_from_the_diagrams_is_not_cut() -> None:
    made = Diagrams([np.array([[0, 0.1], [0, 0.25]])], max_epsilon=0.3)
    with pytest.raises(
        DnnTopologyError, match=r"max_epsilon must be at most 0\.3, where these diagrams end, found 0\.4"
    ):
        made.cut(max_epsilon=0.4)
    with pytest.raises(DnnTopologyError, match="cut first, then filter"):
        made.filtered().cut(max_epsilon=0.2)


def test_cutting_is_what_a_shorter_filtration_gives(real_graph: FunctionalGraph) -> None:
    short = FunctionalGraph.from_distances(real_graph.to_dense(), max_epsilon=0.2)
    assert persistence(real_graph, max_dim=1).cut(max_epsilon=0.2) == persistence(short, max_dim=1)


@pytest.mark.parametrize("epsilon", [-0.1, 0.5, float("nan"), [0.1, 0.31]])
def test_nothing_is_answered_beyond_the_end(epsilon: object) -> None:
    found = Diagrams([np.array([[0, 0.1]])], 0.3, 2, np.array([[0.0, 0.0], [0.1, 1.0], [0.3, 1.0]]))
    for ask in (found.betti_curve(0).at, found.density_at):
        with pytest.raises(DnnTopologyError, match=r"epsilon must lie in \[0, 0.3\]"):
            ask(epsilon)  # type: ignore[arg-type]


def test_a_curve_says_where_it_is_highest() -> None:
    assert repr(Diagrams([np.array([[0.1, 0.2]])], 0.3).betti_curve(0)) == (
        "BettiCurve(peak 1 at ε 0.1, 4 breakpoints on [0, 0.3])"
    )


@pytest.mark.parametrize(
    ("graph", "note"),
    [
        (FunctionalGraph.from_distances([[0, 5], [5, 0]], max_epsilon=0.3), "no two nodes are within d = .* = 0.6"),
        (
            FunctionalGraph.from_distances([[0, 0.5], [0.5, 0]], max_epsilon=0.3),
            "1 edge up to max_epsilon=0.3 close none",
        ),
    ],
)
def test_diagrams_without_a_cavity_say_why(graph: FunctionalGraph, note: str) -> None:
    assert re.search(note, persistence(graph, max_dim=1).note)
    assert not persistence(graph, max_dim=0).note


def test_diagrams_whose_cavities_were_all_filtered_out_say_so() -> None:
    found = Diagrams([np.empty((0, 2)), np.array([[0.1, 0.11]])], 0.3)
    assert not found.note
    assert found.filtered().note == "there is no cavity that lives longer than min_persistence=0.02"


def test_a_curve_made_by_hand_of_anything_array_like_is_that_of_diagrams() -> None:
    epsilon, beta = Diagrams([np.array([[0, 0.1], [0, INF]])], max_epsilon=0.3).betti_curve(0)
    by_hand = BettiCurve(epsilon.tolist(), beta.astype(float))
    assert by_hand.at([0, 0.05, 0.1, 0.3]).tolist() == [2, 2, 1, 1]
    assert by_hand.integral() == pytest.approx(0.4)
    assert by_hand.peak() == (0.0, 2)
    assert pickle.loads(pickle.dumps(by_hand)).beta.tolist() == beta.tolist()  # noqa: S301  # ours


@pytest.mark.parametrize(
    ("epsilon", "beta", "said"),
    [
        ([0, 0.1], [1], "of the same length"),
        ([], [], "of the same length"),
        ([[0, 0.1]], [[1, 2]], r"\(m,\) each"),
        ([0.1, 0.3], [1, 2], "rise from 0"),  # which would answer below 0.1 with the value at the end
        ([0, 0.3, 0.1], [1, 2, 1], "rise from 0"),
        ([0, INF], [1, 2], "rise from 0"),
        ([0, float("nan")], [1, 2], "rise from 0"),
        ([0, 0.1], [1, -2], "beta must be whole numbers"),
        ([0, 0.1], [1, 0.5], "beta must be whole numbers"),
        ([0, 0.1], [1, float("nan")], "beta must be whole numbers"),
        (None, [1], "epsilon"),
    ],
)
def test_a_curve_made_by_hand_that_is_none_is_refused(epsilon: Any, beta: Any, said: str) -> None:
    with pytest.raises(DnnTopologyError, match=said):
        BettiCurve(epsilon, beta)
