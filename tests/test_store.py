from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import CannotWriteError
from dnn_topology.store import leftovers


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    with store.atomic(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert names(target.parent) == ["a.txt"]


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with store.atomic(target) as temporary:
            temporary.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    code = (
        "import resource, pathlib, sys; from dnn_topology import store\n"
        "before = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))\n"
        f"try: store.write_bytes(pathlib.Path({str(target)!r}), bytes(5000))\n"
        "finally: resource.setrlimit(resource.RLIMIT_FSIZE, before)"  # what measures coverage writes at the end
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(r"CannotWriteError: cannot write .*a\.bin: .*: free some space or ", done.stderr.splitlines()[-1])
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DnnTopologyError, match=r"cannot write .*: write to another folder"):
        store.write_bytes(tmp_path / "file" / "a.txt", b"")


def test_written_files_are_readable_by_others_as_the_mask_says(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        store.write_bytes(tmp_path / "a.txt", b"")
    finally:
        os.umask(mask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_the_same_arrays_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        store.write_arrays(tmp_path / name, {"x": np.arange(10)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert store.read_arrays(tmp_path / "a.npz")["x"].tolist() == list(range(10))


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DnnTopologyError, match=r"a\.json is damaged.*delete it and run again"):
        store.read_json(tmp_path / "a.json")


def test_what_a_killed_writer_left_is_swept_away_but_not_what_is_being_written(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive = (tmp_path / f"{store.PARTIAL}{pid}@{leftovers.host()}=x.pt" for pid in (gone.pid, os.getpid()))
    elsewhere = [tmp_path / f"{store.PARTIAL}1@other-machine={age}.pt" for age in ("old", "new")]
    for path in (dead, alive, *elsewhere):
        path.write_text("")
    os.utime(elsewhere[0], (0, 0))
    store.sweep(tmp_path)
    assert names(tmp_path) == sorted([alive.name, elsewhere[1].name])


def test_the_first_file_that_is_written_to_a_folder_sweeps_it(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"{store.PARTIAL}{gone.pid}@{leftovers.host()}=half.csv").touch()
    store.write_bytes(tmp_path / "a.txt", b"")
    assert names(tmp_path) == ["a.txt"]


def test_rows_that_a_killed_process_was_writing_are_swept_away(tmp_path: Path) -> None:
    code = (
        "import numpy, os, pathlib, signal; from dnn_topology import store\n"
        f"with store.GrowingArray(pathlib.Path({str(tmp_path)!r}) / 'rows.npy') as file:\n"
        "    file.add(numpy.zeros((2, 3), numpy.float32)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(names(tmp_path)) == 1
    store.sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_known_before_there_is_anything_to_write(tmp_path: Path) -> None:
    store.check_writable(tmp_path / "new")
    assert names(tmp_path / "new") == []
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match=r"cannot write .*file"):
        store.check_writable(tmp_path / "file" / "folder")


@pytest.mark.parametrize("sizes", [[3], [1, 2, 1], [5] * 30, [0, 4]])
def test_rows_that_were_added_are_the_array_in_the_file(tmp_path: Path, sizes: list[int]) -> None:
    chunks = [np.random.default_rng(i).normal(size=(size, 7)).astype(np.float32) for i, size in enumerate(sizes)]
    with store.GrowingArray(tmp_path / "deep" / "rows.npy") as file:
        for chunk in chunks:
            file.add(chunk)
            assert not (tmp_path / "deep" / "rows.npy").exists()
    found = np.load(tmp_path / "deep" / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(found, np.concatenate(chunks))
    assert names(tmp_path / "deep") == ["rows.npy"]


def test_an_exception_between_two_rows_passes_as_it_is_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the loader's own"), store.GrowingArray(tmp_path / "rows.npy") as file:  # noqa: PT012
        file.add(np.zeros((2, 3), np.float32))
        raise FileNotFoundError("the loader's own")
    assert names(tmp_path) == []


def test_rows_replace_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / f"{store.PARTIAL}rows.npy").write_bytes(b"half a file")
    with store.GrowingArray(tmp_path / "rows.npy") as file:
        file.add(np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.ones((2, 3)))


def test_rows_stay_those_that_were_written_when_another_replaces_the_file(tmp_path: Path) -> None:
    with store.GrowingArray(tmp_path / "rows.npy") as first, store.GrowingArray(tmp_path / "rows.npy") as second:
        second.add(np.ones((2, 3), np.float32))
        first.add(np.zeros((4, 3), np.float32))
    np.testing.assert_array_equal(second.values, np.ones((2, 3)))
    np.testing.assert_array_equal(first.values, np.load(tmp_path / "rows.npy"))


def test_a_file_of_rows_may_have_as_long_a_name_as_there_are(tmp_path: Path) -> None:
    with store.GrowingArray(tmp_path / f"{'x' * 251}.npy") as file:
        file.add(np.ones((2, 3), np.float32))
    assert names(tmp_path) == [f"{'x' * 251}.npy"]


def test_a_folder_that_cannot_be_made_for_rows_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DnnTopologyError, match="cannot write"), store.GrowingArray(tmp_path / "file" / "rows.npy"):
        pass


def test_an_interrupt_waits_for_the_end_of_what_must_be_whole() -> None:
    done = []

    def write() -> None:
        with store.uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_nothing_is_put_off() -> None:
    ran = []

    def work() -> None:
        with store.uninterrupted():
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [signal.getsignal(signal.SIGINT)]


def test_an_array_has_whatever_name_and_the_bytes_that_numpy_gives_it(tmp_path: Path) -> None:
    store.write_arrays(tmp_path / "a.npz", {"x": np.arange(3.0), "none": np.zeros((0, 2))})
    np.savez_compressed(tmp_path / "b.npz", x=np.arange(3.0), none=np.zeros((0, 2)))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    names = ("file", "allow_pickle")  # which are arguments of some or all versions of `numpy.savez`
    store.write_arrays(tmp_path / "c.npz", {name: np.ones(1) for name in names})
    assert tuple(store.read_arrays(tmp_path / "c.npz")) == names


def test_numbers_of_a_table_are_read_to_their_last_digit(tmp_path: Path) -> None:
    written = pd.DataFrame({"life": np.random.default_rng(0).random(1000)})
    store.write_table(tmp_path / "a.csv", written)
    pd.testing.assert_frame_equal(store.read_table(tmp_path / "a.csv"), written, check_exact=True)
