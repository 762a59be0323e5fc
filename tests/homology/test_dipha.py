from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import POINT, read_dipha, write_dipha
from dnn_topology.homology.dipha_format import HEADER
from dnn_topology.homology.summaries import summarize
from tests.homology.test_diagrams import diagrams

# The table of the original pipeline's real results: with persistence > 0.02, finite points only.
# epoch: points, H1 all, H1 kept, H1 life, H1 midlife, H1 essential, H2 kept, H2 life, H2 midlife, H2 essential, max β1
GOLDEN = {
    1: (3173, 914, 305, 0.0353, 0.1638, 63, 44, 0.0325, 0.2340, 81, 91),
    5: (3571, 1085, 381, 0.0354, 0.1660, 52, 80, 0.0304, 0.2434, 75, 92),
    10: (3824, 1263, 445, 0.0365, 0.1674, 39, 107, 0.0303, 0.2414, 50, 129),
    20: (4014, 1356, 509, 0.0383, 0.1688, 29, 127, 0.0311, 0.2435, 103, 139),
    30: (4130, 1404, 549, 0.0379, 0.1715, 34, 136, 0.0307, 0.2483, 106, 153),
    40: (4185, 1432, 585, 0.0380, 0.1760, 30, 138, 0.0303, 0.2498, 108, 173),
    50: (4291, 1497, 611, 0.0383, 0.1777, 31, 144, 0.0295, 0.2499, 121, 185),
}


@pytest.mark.parametrize("epoch", GOLDEN)
def test_the_originals_results_give_the_numbers_of_the_table(epoch: int, golden: Path) -> None:
    found = read_dipha(golden / f"adj_epc{epoch}_trl0_0.3.bin.out")
    table = summarize(found.filtered(essential="drop")).set_index("dim")
    h1, h2 = table.loc[1], table.loc[2]
    numbers = (
        sum(len(points) for points in found.points),
        np.isfinite(found[1][:, 1]).sum(),
        h1["count"],
        round(h1["life"], 4),
        round(h1["midlife"], 4),
        h1["essential"],
        h2["count"],
        round(h2["life"], 4),
        round(h2["midlife"], 4),
        h2["essential"],
        h1["betti_max"],
    )
    assert numbers == GOLDEN[epoch]
    assert found.max_epsilon == 0.3


@pytest.mark.parametrize("epoch", [1, 50])
def test_writing_what_was_read_gives_the_originals_records(epoch: int, golden: Path, tmp_path: Path) -> None:
    path = golden / f"adj_epc{epoch}_trl0_0.3.bin.out"
    write_dipha(read_dipha(path), tmp_path / path.name)
    ours, theirs = (np.sort(np.frombuffer(p.read_bytes()[24:], POINT)) for p in (tmp_path / path.name, path))
    finite = theirs["dim"] >= 0
    assert (ours["dim"] == theirs["dim"]).all()
    assert (ours["birth"] == theirs["birth"]).all()
    assert (ours["death"][finite] == theirs["death"][finite]).all()
    # the death of an essential class is where the filtration ends: there, its last cell
    assert (ours["death"][~finite] == 0.3).all()


@given(found=diagrams())
def test_writing_and_reading_gives_equal_diagrams(found: Diagrams, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("dipha") / "adj_epc3_trl0_0.3.bin.out"
    write_dipha(found, path)
    back = read_dipha(path)
    # an empty highest dimension leaves no trace in such a file
    assert back.max_dim <= found.max_dim
    for dim, points in enumerate(found.points):
        np.testing.assert_array_equal(back.points[dim] if dim <= back.max_dim else np.empty((0, 2)), points)


def test_max_epsilon_comes_from_the_argument_the_name_or_the_largest_value(tmp_path: Path) -> None:
    found = Diagrams([np.array([[0.0, 0.2]])], 0.3)
    for name in ("adj_epc3_trl0_0.3.bin.out", "adj_epc3_trl1_part2_0.3.bin.out", "other.out"):
        write_dipha(found, tmp_path / name)
    assert read_dipha(tmp_path / "adj_epc3_trl0_0.3.bin.out").max_epsilon == 0.3
    assert read_dipha(tmp_path / "adj_epc3_trl1_part2_0.3.bin.out").max_epsilon == 0.3
    assert read_dipha(tmp_path / "other.out").max_epsilon == 0.2
    assert read_dipha(tmp_path / "other.out", max_epsilon=0.5).max_epsilon == 0.5


def header(magic: int = 8067171840, kind: int = 2, n_points: int = 1) -> bytes:
    return np.array([(magic, kind, n_points)], HEADER).tobytes()


def record(dim: int = 0, birth: float = 0.0, death: float = 0.1) -> bytes:
    return np.array([(dim, birth, death)], POINT).tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated: 0 bytes"),
        (header()[:20], "is truncated: 20 bytes"),
        (header(magic=7) + record(), "is not a DIPHA file"),
        (header(kind=7) + record(), "of type 7, not a diagram"),
        (header(n_points=2) + record(), "is damaged: its header announces 2 points, 72 bytes in all, and it has 48"),
        (header(n_points=-1), "is damaged"),
        (header() + record() + b"more", "is damaged"),
        (header() + record(birth=0.2), "is damaged"),
        (header() + record(birth=float("nan")), "is damaged"),
        (header() + record(death=float("nan")), "is damaged"),
        (header() + record(dim=2**40), "is damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "adj_epc3_trl0_0.3.bin.out"
    path.write_bytes(content)
    with pytest.raises(DnnTopologyError, match=message):
        read_dipha(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match="cannot read"):
        read_dipha(tmp_path / "none.out")


WITH_GRAPH = Diagrams(
    [np.array([[0.0, 0.1], [0.0, np.inf]]), np.array([[0.1, 0.2]]), np.empty((0, 2))],
    0.3,
    4,
    np.array([[0.0, 0.0], [0.1, 0.5], [0.2, 1.0], [0.3, 1.0]]),
)


def test_empty_dimensions_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    write_dipha(WITH_GRAPH, tmp_path / "other.out")
    assert read_dipha(tmp_path / "other.out", max_epsilon=0.3).max_dim == 1
    assert read_dipha(tmp_path / "other.out", max_epsilon=0.3, max_dim=2) == WITH_GRAPH
    assert len(read_dipha(tmp_path / "other.out", max_epsilon=0.3, max_dim=0)) == 1


@pytest.mark.parametrize("ours", ["epoch3.npz", "trial1/eps0.3/epoch3.npz"])
def test_what_the_format_does_not_say_comes_from_the_npz_of_the_same_points(ours: str, tmp_path: Path) -> None:
    path = tmp_path / "adj_epc3_trl1_0.3.bin.out"
    write_dipha(WITH_GRAPH, path)
    WITH_GRAPH.save(tmp_path / ours)
    found = read_dipha(path)
    pd.testing.assert_frame_equal(summarize(found), summarize(WITH_GRAPH))
    assert (found.max_dim, found.n_nodes) == (2, 4)


def test_an_npz_of_other_points_or_a_damaged_one_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "adj_epc3_trl1_0.3.bin.out"
    write_dipha(WITH_GRAPH, path)
    Diagrams([np.array([[0.0, 0.2]])], 0.3, 4).save(tmp_path / "epoch3.npz")
    assert (read_dipha(path).max_dim, read_dipha(path).n_nodes) == (1, None)
    (tmp_path / "epoch3.npz").write_bytes(b"no archive")
    assert (read_dipha(path).max_dim, read_dipha(path).n_nodes) == (1, None)


@pytest.mark.parametrize("epoch", [1, 50])
def test_a_shorter_end_cuts_the_originals_results(epoch: int, golden: Path) -> None:
    path = golden / f"adj_epc{epoch}_trl0_0.3.bin.out"
    assert read_dipha(path, max_epsilon=0.2) == read_dipha(path).cut(max_epsilon=0.2)


def test_a_file_that_does_not_say_where_it_ends_asks_for_it(tmp_path: Path) -> None:
    write_dipha(Diagrams([np.array([[0.0, 0.0]])], 0.3), tmp_path / "a.out")
    with pytest.raises(DnnTopologyError, match="name it with max_epsilon="):
        read_dipha(tmp_path / "a.out")
