"""Whatever happened to a file: it is read as what it promises, or refused in one line that names it."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import FunctionalGraph
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import read_dipha, write_dipha
from dnn_topology.homology.dipha_format import DISTANCES, HEADER, MAGIC, SPARSE_DISTANCES
from dnn_topology.homology.dipha_graphs import read_dipha_graph, write_dipha_graph
from dnn_topology.store import arrays
from tests.mutations import mutations

RNG = np.random.default_rng(0)
HALF = np.triu(RNG.uniform(0.05, 0.9, (12, 12)), 1)
GRAPH = FunctionalGraph.from_distances(HALF + HALF.T, max_epsilon=0.3)
LIVES = np.sort(RNG.uniform(0, 0.3, (40, 2)), axis=1)
DIAGRAMS = Diagrams([LIVES[:20], np.where(LIVES[20:] > 0.28, np.inf, LIVES[20:])[:, ::1]], 0.3, 20)


def full(path: Path) -> None:
    """Write a full distance matrix, which DIPHA reads too."""
    path.write_bytes(np.array([(MAGIC, DISTANCES, 12)], HEADER).tobytes() + (HALF + HALF.T).tobytes())


FORMATS: dict[str, tuple[Callable[[Path], object], Callable[[Path], Diagrams | FunctionalGraph]]] = {
    "adj_epc1_trl0_0.3.bin.out": (lambda path: write_dipha(DIAGRAMS, path), read_dipha),
    "other.out": (lambda path: write_dipha(DIAGRAMS, path), lambda path: read_dipha(path, max_epsilon=0.2)),
    "sparse.bin": (lambda path: write_dipha_graph(GRAPH, path), read_dipha_graph),
    "full.bin": (full, lambda path: read_dipha_graph(path, max_epsilon=0.3)),
    "epoch1.npz": (DIAGRAMS.save, Diagrams.load),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_damaged_anyhow_is_read_as_what_it_promises_or_refused_by_name(
    name: str, tmp_path: Path
) -> None:
    write, read = FORMATS[name]
    path = tmp_path / name
    write(path)
    whole, good = path.read_bytes(), read(path)
    refusals = []
    for content in mutations(whole):
        path.write_bytes(content)
        try:
            found = read(path)
        except DnnTopologyError as error:
            refusals.append(str(error))
            continue
        assert type(found) is type(good)
        if isinstance(found, FunctionalGraph):
            assert (found.rows < found.cols).all()
            assert ((found.distances >= 0) & (found.distances <= 2 * found.max_epsilon)).all()
        else:
            assert all(((points[:, 0] >= 0) & (points[:, 1] >= points[:, 0])).all() for points in found)
    assert len(refusals) > 100
    assert all(name in refusal and "\n" not in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([2**62, 0]), "number of entries of a row"),
        (np.array([-1, 1, 1]), "number of entries of a row"),
        (np.array([1, 1, 1, 5, *np.array([0.1, 0.1]).view("<i8")]), "a column is no node from 0 to 1"),
        (np.array([1, 0, 1, *np.array([0.1]).view("<i8")]), "does not stand in the rows of both"),
        (np.array([1, 1, 1, 0, *np.array([0.1, 0.2]).view("<i8")]), "another length in the row of its other node"),
        (np.array([1, 1, 1, 0, *np.array([np.nan, np.nan]).view("<i8")]), "a distance is negative or NaN"),
        (np.array([1, 0, 0, *np.array([0.5]).view("<i8")]), "a node is not at distance 0 from itself"),
        (np.array([2, 2, 1, 1, 0, 0, *np.full(4, 0.1).view("<i8")]), "every edge must be there once"),
    ],
)
def test_a_sparse_matrix_with_false_numbers_is_refused_by_what_is_wrong(
    content: np.ndarray, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(np.array([(MAGIC, SPARSE_DISTANCES, 2)], HEADER).tobytes() + content.astype("<i8").tobytes())
    with pytest.raises(DnnTopologyError, match=f"a.bin is damaged: .*{message}"):
        read_dipha_graph(path)


def test_a_sparse_matrix_of_many_nodes_takes_no_dense_one(tmp_path: Path) -> None:
    graph = FunctionalGraph(np.array([0]), np.array([99_999]), np.array([0.1]), n_nodes=100_000, max_epsilon=0.3)
    write_dipha_graph(graph, tmp_path / "a.bin")
    tracemalloc.start()
    found = read_dipha_graph(tmp_path / "a.bin", max_epsilon=0.3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.n_nodes, found.n_edges) == (100_000, 1)
    assert peak < 2**24


def npz(method: int = zipfile.ZIP_DEFLATED, header: bytes | None = None, body: bytes = bytes(24)) -> bytes:
    """An archive with one array, of three float64 unless its header says otherwise."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        start = io.BytesIO()
        np.lib.format.write_array_header_1_0(start, {"descr": "<f8", "fortran_order": False, "shape": (3,)})
        archive.writestr("a.npy", (header or start.getvalue()) + body)
    return buffer.getvalue()


def header_of(shape: str, descr: str = "'<f8'") -> bytes:
    """The header of an array, whatever it says."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz(zipfile.ZIP_BZIP2), "packed in a way that NumPy does not use"),
        (npz(zipfile.ZIP_LZMA), "packed in a way that NumPy does not use"),
        (npz(header=header_of(f"({10**12},)")), "not as long as its header says"),
        (npz(header=header_of("(-3,)")), "not as long as its header says"),
        (npz(header=header_of("(1, 2)")), "not as long as its header says"),
        (npz(header=header_of("(3,)", "'|O'")), "needs pickle"),
        (npz(header=header_of("(3,", "'<f8'")), "is damaged"),
        (npz(header=header_of("(" * 2000)), "is damaged"),
        (npz(header=b"no array"), "is damaged"),
    ],
    ids=[
        "bzip2",
        "lzma",
        "long",
        "negative",
        "matrix",
        "objects",
        "cut",
        "nested",
        "none",
    ],  # bytes hold the time of day
)
def test_an_archive_that_is_no_npz_of_numbers_is_refused_before_it_is_unpacked(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DnnTopologyError, match=f"a.npz is damaged.*{message}|a.npz {message}"):
        store.read_arrays(path)


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MOST_UNPACKED", 2**16)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(2**16, np.int64))
    with pytest.raises(DnnTopologyError, match=r"announces 52\d+ bytes of arrays, and has \d+"):
        store.read_arrays(path)


def test_arrays_of_every_shape_and_order_are_read_as_written(tmp_path: Path) -> None:
    arrays = {
        "scalar": np.array(3.5),
        "empty": np.empty((0, 2)),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "text": np.array("ε"),
        "no text": np.array(""),
        "flags": np.array([True, False]),
    }
    store.write_arrays(tmp_path / "a.npz", arrays)
    found = store.read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].flags.writeable) == (array.dtype, True)
