"""Which tasks of a folder are finished: `manifest.json` has every file that they left, with its size and digest."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import CannotWriteError

MANIFEST = "manifest.json"


class Manifest:
    """The files of finished tasks, as they were when they were written.

    Args:
        folder: Where the manifest lies; files are named relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / MANIFEST
        self._places: dict[str, str] = {}  # folder → how names in it begin: a study has tens of thousands of files
        self._entries = self._read()

    def knows(self, name: str) -> bool:
        """Return whether a task was finished."""
        return name in self._entries

    def is_whole(self, name: str, files: Sequence[Path]) -> bool:
        """Return whether the files of a finished task are as they were written."""
        known = self._entries.get(name, {})
        return all(self._is_same(path, known.get(self._key(path))) for path in files)

    def has_lost(self, name: str, path: Path) -> bool:
        """Return whether a file that is written again and again, and only grows, is no longer all that was written.

        One that is larger than was noted has been written since, and is about to be noted.
        """
        known = self._entries.get(name, {}).get(self._key(path))
        size = known.get("size") if isinstance(known, dict) else None
        if not isinstance(size, int) or not path.exists() or self._is_same(path, known):
            return False
        return path.stat().st_size <= size

    def record(self, name: str, files: Sequence[Path]) -> None:
        """Note that a task is finished and left these files."""
        about = {self._key(path): _about(path) for path in files}
        self._entries = {**self._read(), name: about}  # another process may have finished others meanwhile
        lines = (f"{json.dumps(task)}: {json.dumps(files)}" for task, files in self._entries.items())
        finished = ",\n  ".join(lines)  # a line each: thousands that are indented take as long to write as to measure
        store.write_bytes(self._path, f'{{"format": {store.FORMAT}, "finished": {{\n  {finished}\n}}}}\n'.encode())

    def record_if_writable(self, name: str, files: Sequence[Path]) -> None:
        """Do as `record`; a folder that is for reading only stays as it is, for the manifest only saves time.

        Raises:
            CannotWriteError: The disk is full.
        """
        try:
            self.record(name, files)
        except CannotWriteError as error:
            if error.full:
                raise

    def _read(self) -> dict[str, dict[str, Any]]:
        """Return what the file says; nothing where it is missing or damaged.

        It only repeats what the files of the tasks say, which are then looked at one by one.
        """
        if not self._path.exists():
            return {}
        try:
            entries = dict(store.read_json(self._path)["finished"])
        except (DnnTopologyError, KeyError, TypeError, ValueError):
            return {}
        return {str(name): files for name, files in entries.items() if isinstance(files, dict)}

    def _key(self, path: Path) -> str:
        """Return a file's name as the manifest has it."""
        place, name = os.path.split(path)
        if place not in self._places:
            between = os.path.relpath(place or ".", self.folder)
            self._places[place] = "" if between == "." else f"{Path(between).as_posix()}/"  # DIPHA's lie further up
        return f"{self._places[place]}{name}"

    def _is_same(self, path: Path, known: Any) -> bool:
        """Return whether a file is as it was; its content is read only if its time has changed."""
        try:
            status = path.stat()
            if not isinstance(known, dict) or status.st_size != known["size"]:
                return False
            return bool(status.st_mtime_ns == known["time"] or store.digest_of(path) == known["digest"])
        except (OSError, KeyError, DnnTopologyError):
            return False


def _about(path: Path) -> dict[str, Any]:
    """Return what tells whether a file is still the same."""
    status = path.stat()
    return {"size": status.st_size, "time": status.st_mtime_ns, "digest": store.digest_of(path)}
