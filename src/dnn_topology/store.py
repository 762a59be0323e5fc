"""Files that are either whole or absent: atomic writes, and settings that keep unlike results apart."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import signal
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


FORMAT = 1  # of every file written here; raised when an older reader would misread a newer file
PARTIAL = ".partial-"  # start of the name of a file that is being written
STALE = 3600.0  # seconds after which such a file is what a killed process left


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an exception.

    A reader, a killed process or a full disk therefore never meets half a file.

    Args:
        path: The file to write; its folder is made if it is missing. The temporary file keeps its suffix.

    Yields:
        The path to write to.

    Raises:
        DnnTopologyError: The folder or the file cannot be written.
    """
    with readable_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def readable_errors(verb: str, path: Path) -> Iterator[None]:
    """Turn what the operating system says of a file into one line with a remedy.

    Args:
        verb: What was tried, for the message: "read", "write".
        path: The file or folder.

    Yields:
        Nothing.

    Raises:
        DnnTopologyError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DnnTopologyError(
            f"cannot {verb} {path}: {reason}; free some space or name another folder (--save-path)"
            if verb == "write"
            else f"cannot {verb} {path}: {reason}"
        ) from error


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the block has ended, in the main thread, which alone is interrupted.

    An interrupt inside a library's first import leaves that library half imported, and what is written then fails.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught and callable(before):
        before(signal.SIGINT, None)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file in one step."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, in one step."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no JSON object.
    """
    with readable_errors("read", path):
        text = path.read_bytes()
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DnnTopologyError(f"{path} is damaged: {error}; delete it and run again") from error
    if not isinstance(content, dict):
        raise DnnTopologyError(f"{path} is damaged: expected a JSON object; delete it and run again")
    return content


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index, in one step. Floats keep every digit."""
    write_bytes(path, table.to_csv(index=False).encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as one compressed npz, in one step and without pickle.

    The same arrays always give the same bytes.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getbuffer())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz, without pickle.

    Raises:
        DnnTopologyError: The file is missing, damaged, or would need pickle.
    """
    with readable_errors("read", path):
        content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError, AttributeError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        # not what numpy says, which advises to load it unsafely
        raise DnnTopologyError(f"{path} is damaged ({type(error).__name__}); delete it and run again") from error


@contextlib.contextmanager
def growing_array(path: Path) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Yield a function that adds rows (n, width), float32, to a `.npy` file, which never lie in memory all at once.

    The file is there, whole, once the block has ended without an exception and after at least one row.

    Args:
        path: The file; its folder is made if it is missing.

    Yields:
        The function.

    Raises:
        DnnTopologyError: The file cannot be written.
    """
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")  # others write it too
    n_rows, width = 0, 0

    def header() -> bytes:
        # NumPy pads a header so that the number of rows can grow in place.
        buffer = io.BytesIO()
        about = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, width)}
        np.lib.format.write_array_header_1_0(buffer, about)
        return buffer.getvalue()

    def add(rows: NDArray[np.float32]) -> None:
        nonlocal n_rows, width
        width = rows.shape[1]
        with readable_errors("write", path), temporary.open("ab") as file:
            if not n_rows:
                file.truncate(0)  # what parts without rows left
                file.write(header())
            file.write(rows.astype("<f4").tobytes())
        n_rows += len(rows)

    # What goes wrong between two calls is the caller's, so only what is done here is explained as an error of the file.
    with readable_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield add
        if n_rows:
            with readable_errors("write", path):
                with temporary.open("rb+") as file:
                    file.write(header())
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def claim(
    folder: Path, settings: Mapping[str, Any], *, results: str, defaults: Mapping[str, Any] | None = None
) -> None:
    """Mark a folder as the home of results made with these settings, or check that it already is.

    Also removes what a process that was killed while writing left there.

    Args:
        folder: The folder; it is made if it is missing.
        settings: What distinguishes these results from others, as JSON values.
        results: Pattern of the files that are results: settings that led to none bind nobody.
        defaults: The values of settings that an older version's folder does not name.

    Raises:
        DnnTopologyError: The folder holds results of other settings. Nothing is changed.
    """
    for leftover in folder.glob(f"**/{PARTIAL}*"):
        if time.time() - leftover.stat().st_mtime > STALE:
            leftover.unlink(missing_ok=True)
    path = folder / "settings.json"
    wanted = json.loads(json.dumps({"format": FORMAT, **settings}))
    if not any(folder.glob(results)):
        write_json(path, wanted)
        return
    found = {**json.loads(json.dumps(defaults or {})), **read_json(path)}
    differing = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    if differing:
        changes = ", ".join(f"{key} was {found.get(key)!r} and is now {wanted.get(key)!r}" for key in differing)
        raise DnnTopologyError(
            f"{folder} was made with other settings ({changes}): ask for the same, take another --trial "
            "or --save-path, or delete that folder"
        )


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
