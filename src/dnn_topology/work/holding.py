"""Folders that a process works in: while it lives, no other process makes them the home of other settings."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

if sys.platform != "win32":
    import fcntl

MOST = 32  # folders that are held at a time: each takes an open file, of which a process has few
_held: dict[str, int] = {}  # folder → the open file whose lock ends with this process, however that ends


def holding(folder: Path, write: Callable[[], None]) -> bool:
    """Do something to a folder if no other process holds it, and hold it from now on.

    Args:
        folder: The folder, which exists.
        write: What is done while nobody else is in it; not called if the folder is held.

    Returns:
        Whether it was done. Where folders cannot be locked, as on Windows and some network file systems, it always is.
    """
    place = _opened(folder)
    if sys.platform == "win32" or place is None:
        write()
        return True
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(place, fcntl.LOCK_SH)  # at most as long as another one writes
        return False
    except OSError:
        write()
        return True
    try:
        write()
    finally:
        fcntl.flock(place, fcntl.LOCK_SH)
    return True


def _opened(folder: Path) -> int | None:
    """Return the open file of a folder, the same one every time; None where folders are not opened."""
    try:
        about = folder.stat()
        key = str(folder.resolve())
        place = _held.pop(key, None)
        if place is not None and not os.path.samestat(os.fstat(place), about):  # deleted and made anew
            os.close(place)
            place = None
        _held[key] = os.open(folder, os.O_RDONLY) if place is None else place
    except OSError:
        return None
    while len(_held) > MOST:
        with contextlib.suppress(OSError):
            os.close(_held.pop(next(iter(_held))))
    return _held[key]
