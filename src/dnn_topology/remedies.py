"""What a message adds of the command that was called: where else it can write, and which file its flags come from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path


def elsewhere(path: Path, words: Sequence[str], flags: Collection[str]) -> str:
    """Return how the files of a command go elsewhere.

    Args:
        path: The file that cannot be written.
        words: The command line, every flag and value a word of its own.
        flags: The flags that the command has, without hyphens.
    """
    named = [(before, word) for before, word in pairwise(words) if not word.startswith("-")]
    for before, word in named:
        if before.startswith("-") and path.is_relative_to(word):
            return f"name another {before}"
    if "out" in flags:
        return "name another folder with --out"
    for before, word in named:
        if not before.startswith("-") and Path(word).is_dir():  # results lie in a run and beside it
            return f"copy {word} to where it can be written to and name the copy"
    return "name another folder with --save-path" if "save-path" in flags else ""


def of_file(words: Sequence[str]) -> str:
    """Return the end of a message about flags that may come from a file, which names it."""
    path = next((word for before, word in pairwise(words) if before == "--config"), None)
    return "" if path is None else f" (with the flags in {path})"
