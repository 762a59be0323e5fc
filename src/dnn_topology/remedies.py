"""Messages in the words of the command that was called: its flags, where else it can write, the file of its flags."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

LONGEST = 800  # characters of a message


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


def in_flags(message: str, flags: Mapping[str, str]) -> str:
    """Return a message of the library in which arguments are named as the flags of a command.

    Args:
        message: The message.
        flags: Argument → its flag, without hyphens.

    Example:
        >>> in_flags("n_inputs must be at least 2, found 1: raise n_inputs=", {"n_inputs": "n-inputs"})
        '--n-inputs must be at least 2, found 1: raise --n-inputs'
    """
    for argument in sorted(flags, key=len, reverse=True):
        flag, name = flags[argument], re.escape(argument)
        value = r"(?:'([^']*)'|([\w./:+-]+))?"
        message = re.sub(rf"(?<![\w`'/.-]){name}={value}", rf"--{flag} \1\2", message).replace(
            f"--{flag} ,", f"--{flag},"
        )
        plain = rf"(?<![\w`'/.-]){name}\b(?![\w'=/.-])"
        plain += "" if "_" in name else r"(?= must | does | takes | '|, found)"
        message = re.sub(plain, f"--{flag}", message)
    return message.rstrip()


def one_line(text: str) -> str:
    """Return what is wrong with a command line, on one line that nobody needs to scroll."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) < LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 4 :]}"


def flag_names(command: Any) -> set[str]:
    """Return the names of a command's flags, without the leading hyphens."""
    return {name[2:] for names in _flags(command).values() for name in names}


def flags_of_arguments(command: Any) -> dict[str, str]:
    """Return the flags, without the leading hyphens, of the arguments that messages of the library name."""
    named = {name[2:].replace("-", "_"): name[2:] for names in _flags(command).values() for name in names}
    return named | {argument: names[0][2:] for argument, names in _flags(command).items() if names}


def _flags(command: Any) -> dict[str, list[str]]:
    """Return the flags of a command by the names that they have in Python."""
    arguments = [] if command.default_command is None else command.assemble_argument_collection()
    taken = {argument.field_info.name: argument.names for argument in arguments if argument.parse}
    return {name: [flag for flag in names if flag.startswith("--")] for name, names in taken.items()}
