"""Files that are written in one step, and folders that can be written to."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from dnn_topology._machine import CannotWriteError
from dnn_topology.store.leftovers import prefix, sweep_once
from dnn_topology.store.problems import readable_errors


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
        sweep_once(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix(), suffix=path.suffix)
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step; one that says just this already may lie in a folder that is for reading only.

    Raises:
        CannotWriteError: It cannot be written, and says something else.
    """
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    except CannotWriteError as error:
        if error.full or not _says(path, content):
            raise


def _says(path: Path, content: bytes) -> bool:
    """Return whether a file can be read and says just this."""
    try:
        return path.read_bytes() == content
    except OSError:  # there is none, or can be none of such a name
        return False


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


def check_writable(folder: Path) -> None:
    """Find out, before the work whose results go there, whether a folder can be written to.

    Args:
        folder: The folder; it is made if it is missing.

    Raises:
        CannotWriteError: It cannot.
    """
    with readable_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=prefix())
        os.close(handle)
        Path(name).unlink()


def is_writable(folder: Path) -> bool:
    """Return whether a folder, which is made if it is missing, can be written to."""
    try:
        check_writable(folder)
    except CannotWriteError:
        return False
    return True


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
