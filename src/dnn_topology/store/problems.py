"""What the operating system says of a file, in one line with a remedy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import FULL, CannotWriteError

AGAIN = "delete it and run again"  # the remedy of files that running again makes again, and of no others


@contextlib.contextmanager
def readable_errors(verb: str, path: Path) -> Iterator[None]:
    """Turn what the operating system says of a file into one line with a remedy.

    Args:
        verb: What was tried, for the message: "read", "write".
        path: The file or folder.

    Yields:
        Nothing.

    Raises:
        DnnTopologyError: The block raised an OSError, or no file has such a name.
        CannotWriteError: The same, of a file that was to be written.
    """
    try:
        os.fsencode(path)
        named = "\0" not in str(path)
    except UnicodeEncodeError:
        named = False
    if not named:
        raise DnnTopologyError(f"cannot {verb} {_named(path)}: no file has such a name")
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if verb == "write":
            full = error.errno in FULL
            raise CannotWriteError(path, f"cannot write {_named(path)}: {reason}", full=full) from error
        raise DnnTopologyError(f"cannot {verb} {_named(path)}: {reason}") from error


def _named(path: Path) -> str:
    """Return a path as a message shows it, whatever characters it has."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


class UnreadableError(Exception):
    """Why a member of an archive is no array."""
