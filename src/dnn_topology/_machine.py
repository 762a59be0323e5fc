"""What is wrong with the machine and not with the call, in words; and processes that end as they should."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import errno
import os
import signal
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from dnn_topology._checks import DnnTopologyError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # there is no room left
FAILING = FULL | {errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}  # or a disk or the machine has another fault
UNGUARDED = 79  # status of a process that ran the script of its parent anew
PR_SET_PDEATHSIG = 1  # of Linux' prctl: the signal that a process gets when its parent dies
TMPDIR = "free some space, or name another folder for temporary files in the environment variable TMPDIR"

IN_WORDS = "dnn_topology.in_words"  # what Python's streams do with letters that they lack, see `in_words`
SPELT = {"≤": "<=", "≥": ">=", "≈": "~", "→": "->", "…": "...", "×": "x", "∞": "inf", **dict.fromkeys("–—−·", "-")}


class CannotWriteError(DnnTopologyError):
    """A file that cannot be written.

    Args:
        path: The file.
        what: Which file, and why.
        full: Whether that is for want of room.

    Attributes:
        path: The file.
        what: Which file, and why.
        full: Whether that is for want of room.
    """

    def __init__(self, path: Path, what: str, *, full: bool) -> None:
        self.path, self.what, self.full = path, what, full
        super().__init__(self.with_remedy("write to another folder"))

    def with_remedy(self, elsewhere: str) -> str:
        """Return the message, ending with how to write elsewhere."""
        return f"{self.what}: {' or '.join(['free some space'] * self.full + [elsewhere] * bool(elsewhere))}"


def in_words(error: UnicodeError) -> tuple[str, int]:
    """Return what a stream prints for letters that its encoding lacks: a Greek one by its name.

    Raises:
        UnicodeError: Letters are read, not written.

    Example:
        >>> print("ε ≤ λ: 東".encode("ascii", IN_WORDS).decode())
        epsilon <= lambda: ?
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(SPELT.get(letter) or _greek(letter) or "?" for letter in lacking), error.end


def _greek(letter: str) -> str:
    """Return the name of a Greek letter; "" for any other."""
    script, _, name = unicodedata.name(letter, "").rpartition(" LETTER ")
    return name.lower().replace("lamda", "lambda") if script in {"GREEK SMALL", "GREEK CAPITAL"} else ""


codecs.register_error(IN_WORDS, in_words)


def of_the_machine(error: OSError | ValueError) -> DnnTopologyError | None:
    """Return what to tell the user of an error that some library met on a full, failing or ill-set machine, else None.

    What we write ourselves says which file it is; a library's caches and temporary files are met here.

    Example:
        >>> print(of_the_machine(OSError(errno.ENOSPC, "No space left on device", "/cache/x")))
        cannot write /cache/x: No space left on device: free some space
        >>> of_the_machine(FileNotFoundError(errno.ENOENT, "No such file", "data.npz")) is None
        True
    """
    if isinstance(error, ValueError):
        if "Key backend" not in str(error):  # as matplotlib says it when it is imported
            return None
        backend = os.environ.get("MPLBACKEND", "")
        return DnnTopologyError(f"MPLBACKEND={backend} is no backend that matplotlib knows: unset it, or set it to agg")
    if "temporary directory" in str(error):  # as Python's tempfile says it
        return DnnTopologyError(f"no folder for temporary files can be written to: {TMPDIR}")
    if error.errno not in FAILING:
        return None
    if not error.filename:
        return DnnTopologyError(f"a file cannot be written: {error.strerror}: free some space")
    path = Path(str(error.filename))
    remedy = TMPDIR if tempfile.tempdir and path.is_relative_to(tempfile.tempdir) else "free some space"
    return DnnTopologyError(f"cannot write {path}: {error.strerror}: {remedy}")


def ending_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a function that lets Linux end the process that calls it when its parent dies, whatever it is doing.

    By the parent Linux means the thread that started the process. Elsewhere, or where it is forbidden, it does nothing.

    Args:
        number: The signal that ends it.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl  # looked up here, so that nothing is left to do between a fork and its exec
        return lambda: prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    return lambda: None


def end_if_unguarded() -> None:
    """End a child process that runs its parent's script anew, as Python does with one without a main guard.

    It would do the parent's work a second time, and never come to its own.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and getattr(process.current_process(), "_inheriting", False):  # as multiprocessing asks it
        os._exit(UNGUARDED)
