"""Files that are being written, by their names, and those among them that a killed process left."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from functools import cache
from pathlib import Path

import psutil

PARTIAL = ".partial-"  # start of the name of a file that is being written
STALE = 3600.0  # seconds after which such a file of another machine is what a killed process left


def prefix() -> str:
    """Return the start of the name of a file that this process is writing."""
    return f"{PARTIAL}{os.getpid()}@{host()}="


def sweep(folder: Path, *, below: bool = True) -> None:
    """Remove what processes that were killed while writing left in a folder, and below it."""
    for leftover in folder.glob(f"{'**/' if below else ''}{PARTIAL}*"):
        with contextlib.suppress(OSError):  # another process sweeps too, or the folder is for reading only
            if _is_abandoned(leftover):
                leftover.unlink(missing_ok=True)


@cache
def sweep_once(folder: Path) -> None:
    """Sweep a folder that is written to, at the first time that this process does."""
    sweep(folder, below=False)


def _is_abandoned(partial: Path) -> bool:
    """Return whether the process that was writing a file is gone."""
    named = re.match(rf"{re.escape(PARTIAL)}(\d+)@(.+?)=", partial.name)
    if named and named[2] == host():
        return not psutil.pid_exists(int(named[1]))
    return time.time() - partial.stat().st_mtime > STALE


def host() -> str:
    """Return the name of this machine as part of a file's name."""
    return re.sub(r"[^\w.-]", "-", platform.node())
