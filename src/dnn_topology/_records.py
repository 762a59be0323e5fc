"""What a JSON or TOML file says, as the record that annotations describe: one way for every file that is read."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from dnn_topology._checks import DnnTopologyError, check_type, is_plainly, nearest, shown

Record = TypeVar("Record")


def record_of(content: Any, kind: type[Record], *, name: str = "", strict: bool = True) -> Record:
    """Return plain values as a record, every part of it checked.

    Args:
        content: What a file says: dicts, lists, texts, numbers.
        kind: A dataclass, whose fields may be dataclasses, dicts, lists and tuples of such, or an annotation.
        name: Where the content stands, for messages.
        strict: Whether a key that is no field of the dataclass is refused, rather than passed over.

    Raises:
        DnnTopologyError: A part is missing, unknown, or of another type; the message names it.

    Example:
        >>> record_of({"sizes": [1, 2]}, dict[str, tuple[int, ...]])
        {'sizes': (1, 2)}
        >>> record_of({"sizes": [1, "b"]}, dict[str, tuple[int, ...]])
        Traceback (most recent call last):
        dnn_topology._checks.DnnTopologyError: sizes[1] must be a whole number, found 'b'
    """
    made: Record = _made(content, kind, name, strict=strict)
    return made


def _made(content: Any, hint: Any, name: str, *, strict: bool) -> Any:
    """Return a value as its annotation says.

    Raises:
        DnnTopologyError: It is of another type.
    """
    if is_plainly(content, hint):
        return content
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _dataclass(content, hint, name, strict=strict)
    if origin is dict and isinstance(content, dict):
        inside = f"{name}." if name else ""
        return {key: _made(value, args[1], f"{inside}{_key(key)}", strict=strict) for key, value in content.items()}
    if origin in {list, tuple} and isinstance(content, (list, tuple)):
        hints = args if origin is tuple and args[-1] is not Ellipsis else (args[0],) * len(content)
        if len(hints) != len(content):
            raise DnnTopologyError(f"{name or 'it'} must be {len(hints)} values, found {shown(content)}")
        places = enumerate(zip(content, hints, strict=True))
        return origin(_made(value, one, f"{name}[{place}]", strict=strict) for place, (value, one) in places)
    choices = args if origin in {Union, types.UnionType} else (hint,)
    inner = [
        one for one in choices if one is not hint and (get_origin(one) in {list, tuple, dict} or is_dataclass(one))
    ]
    if len(inner) == 1 and isinstance(content, (list, dict)):  # such as tuple[str, ...] | None
        return _made(content, inner[0], name, strict=strict)
    check_type(name or "it", content, hint)
    # A whole number may be too large for what takes floats.
    return float(content) if float in choices and int not in choices and type(content) is int else content


def _dataclass(content: Any, kind: Any, name: str, *, strict: bool) -> Any:
    """Return a table as a dataclass.

    Raises:
        DnnTopologyError: It is none, or a field is missing, unknown or of another type.
    """
    inside = f"{name}." if name else ""
    if not isinstance(content, Mapping):
        raise DnnTopologyError(f"{name or 'it'} must be a table of values by name, found {shown(content)}")
    known = {one.name: one for one in fields(kind) if one.init}
    unknown = [key for key in content if key not in known]
    if unknown and strict:
        raise DnnTopologyError(f"{inside}{_key(unknown[0])} is unknown: {nearest(str(unknown[0])[:100], known)}")
    missing = [
        one.name
        for one in known.values()
        if one.name not in content and one.default is MISSING and one.default_factory is MISSING
    ]
    if missing:
        raise DnnTopologyError(f"{inside}{missing[0]} is missing")
    hints = _hints(kind)
    return kind(
        **{key: _made(content[key], hints[key], f"{inside}{key}", strict=strict) for key in known if key in content}
    )


def _key(key: Any) -> str:
    """Return a key of a table as a message shows it."""
    return key if isinstance(key, str) and len(key) < 100 and key.isprintable() else shown(key)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Return the annotations of a class, resolved."""
    return get_type_hints(kind)
