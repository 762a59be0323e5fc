"""What the figures of a benchmark depend on besides its code."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("dnn-topology", "numpy", "torch", "scikit-learn", "gudhi")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, system and versions."""
    cpu = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else [platform.processor()]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def command_line(words: Sequence[str] | None = None) -> str:
    """Return the command that was given, without paths of this machine: a folder is FOLDER, a file its name.

    Args:
        words: The words after "python"; None for those of this process.
    """
    script, *options = sys.argv if words is None else words
    return " ".join(["python", f"benchmarks/{Path(script).name}", *map(_as_elsewhere, options)])


def _as_elsewhere(word: str) -> str:
    """Return a word whose absolute path, if it has one, is named as it may be anywhere."""
    before, path = re.fullmatch(r"((?:[^/]*[=:])?)(.*)", word, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    if not path.startswith(("/", "~")):
        return word
    return before + ("FOLDER" if Path(path).expanduser().is_dir() else Path(path).name)
