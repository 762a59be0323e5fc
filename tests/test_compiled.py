"""Machine code on disk: where it is kept, for how long it is current, and that none is no error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numba
import pytest

from dnn_topology import _compiled
from dnn_topology.homology.engines.morse import sweep
from dnn_topology.homology.engines.morse.persistent import reduce_graph
from tests.homology.engines.families import random_graph


def twice(number: int) -> int:
    """A function to compile."""
    return 2 * number


def test_a_cache_folder_without_room_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fresh = _compiled.entry(twice)
    monkeypatch.setattr(fresh._cache, "load_overload", lambda *_: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(fresh._cache._cache_file, "save", full)  # type: ignore[attr-defined]
    assert fresh(21) == 42


def test_a_cache_folder_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    for name in ("CacheImpl", "_CacheImpl"):
        if hasattr(caching, name):
            monkeypatch.setattr(getattr(caching, name), "_locator_classes", [])
    fresh = _compiled.entry(twice)
    assert not _compiled.is_ready(fresh)
    assert fresh(21) == 42
    assert _compiled.is_ready(fresh)


def test_machine_code_of_other_sources_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    reduce_graph(random_graph("cloud", 0), max_dim=1, threads=1)
    assert _compiled._stored(sweep.toggle)
    cache_file = sweep.toggle._cache._cache_file  # type: ignore[attr-defined]
    monkeypatch.setattr(cache_file, "_source_stamp", "of another version")
    assert not _compiled._stored(sweep.toggle)


def test_machine_code_is_current_until_a_file_of_its_room_changes(tmp_path: Path) -> None:
    for room in ("one", "other"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "loops.py").write_text("1")

    def stamps() -> list[str]:
        _compiled._sources.cache_clear()
        return [_compiled._sources(tmp_path / room) for room in ("one", "other")]

    before = stamps()
    (tmp_path / "one" / "called.py").write_text("2")
    after = stamps()
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("content", [b"", b"x", bytes(200)])
def test_damaged_machine_code_is_compiled_anew(
    ending: str, content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert _compiled.entry(twice)(21) == 42
    (stored,) = tmp_path.rglob(f"*{ending}")
    whole = stored.read_bytes()
    stored.write_bytes(content)
    fresh = _compiled.entry(twice)
    assert fresh(21) == 42
    assert len(stored.read_bytes()) > len(whole) // 2
    assert _compiled._stored(_compiled.entry(twice))
