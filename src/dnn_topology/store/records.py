"""Settings and records: JSON that was written here, TOML that somebody wrote by hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from dnn_topology._checks import DnnTopologyError
from dnn_topology._records import record_of
from dnn_topology.store.problems import AGAIN, readable_errors
from dnn_topology.store.writing import write_bytes

Record = TypeVar("Record")
FORMAT = 1  # of every file written here; raised when an older reader would misread a newer file
MOST_TYPED = 2**18  # bytes of a file that somebody wrote by hand
LONGEST_KEY = 500  # parts of a dotted key in TOML


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, in one step."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path, *, remedy: str = AGAIN) -> dict[str, Any]:
    """Read a JSON object, in UTF-8 or another encoding of Unicode.

    Args:
        path: The file.
        remedy: What to do where it is none, for the message.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no JSON object.
    """
    with readable_errors("read", path):
        text = path.read_bytes()
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:200]
        raise DnnTopologyError(f"{path} is damaged: {reason}; {remedy}") from error
    if not isinstance(content, dict):
        raise DnnTopologyError(f"{path} is damaged: expected a JSON object; {remedy}")
    return content


def read_record(path: Path, kind: type[Record], *, remedy: str = AGAIN, strict: bool = True) -> Record:
    """Read a JSON object as the record that a dataclass describes.

    Args:
        path: The file.
        kind: The dataclass, or an annotation such as `dict[str, int]`.
        remedy: What to do where it is none, for the message.
        strict: Whether a key that is no field is refused.

    Raises:
        DnnTopologyError: The file is missing or unreadable, or a part of it is missing or of another type.
    """
    content = read_json(path, remedy=remedy)
    try:
        return record_of(content, kind, strict=strict)
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{path} is damaged: {error}; {remedy}") from error


def _no_number(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON has not.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is no number in JSON")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, with or without a byte order mark.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no TOML.
    """
    if path.is_dir():
        raise DnnTopologyError(f"{path} is a folder, and a file in TOML is read here: name that")
    with readable_errors("read", path):
        text = path.read_bytes()
    if len(text) > MOST_TYPED:
        raise DnnTopologyError(
            f"{path} has {len(text)} bytes, and nobody writes more than {MOST_TYPED} of TOML by hand"
        )
    deep = f"{path} is not TOML that anyone wrote by hand: it is nested too deeply"
    try:
        readable = text.decode("utf-8-sig")
        if any(part.count(".") > LONGEST_KEY for line in readable.splitlines() for part in line.split("=")):
            raise DnnTopologyError(deep)  # time grows with the square of a key's length
        return tomllib.loads(readable)
    except DnnTopologyError:
        raise
    except RecursionError as error:
        raise DnnTopologyError(deep) from error
    except ValueError as error:  # also of a number of more digits than Python reads
        raise DnnTopologyError(f"{path} is not TOML: {' '.join(str(error).split())[:200]}") from error
