"""Numba, in one place: which functions are compiled, where the machine code is kept, and whether it is there.

A *room* is a folder of compiled functions, which call only each other. With the environment variable
NUMBA_DISABLE_JIT=1 all of them run as plain Python.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

logger = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])


# Numba counts references to arrays at every call, with instructions that lock the memory bus: more than half of the
# time of the engine's flow. Compiled without its runtime, a function counts none; it then can make no array, and is
# given all. Nobody calls it through a pointer, nor, but for entries, from Python: code for that would be compiled, too.
OPTIONS = {"nogil": True, "boundscheck": False, "_nrt": False, "no_cfunc_wrapper": True}


def kernel(function: Function) -> Function:
    """Compile a function that other compiled functions call, without the interpreter's lock."""
    compiled: Function = numba.njit(forceinline=True, no_cpython_wrapper=True, **OPTIONS)(function)
    return compiled


def entry(function: Function) -> Function:
    """Compile a function that Python calls, and keep its machine code on disk for later processes."""
    compiled: Function = numba.njit(**OPTIONS)(function)
    if not is_plain():
        _keep_on_disk(compiled, Path(function.__code__.co_filename).parent)
    return compiled


def is_plain() -> bool:
    """Return whether all functions run as plain Python."""
    return bool(numba.config.DISABLE_JIT)


def is_ready(compiled: Any, n_none: int = 0) -> bool:
    """Return whether the machine code of an entry is in this process or on disk.

    Args:
        compiled: The entry.
        n_none: How much of its arguments is None, which tells the variants of one entry apart.
    """
    if is_plain():
        return True
    signatures = [*compiled.signatures, *_stored(compiled)]
    return any(str(types).count("none") == n_none for types in signatures)


def _keep_on_disk(compiled: Any, room: Path) -> None:
    """Turn Numba's cache on: in NUMBA_CACHE_DIR, else beside the source, else in the user's cache folder.

    Numba would take the machine code of a function for current while the file of that function is unchanged, though
    a file of what it calls has changed; so the stamp here is of all files of its room. Where no folder can be written,
    or its disk is full, each process compiles for itself; over files that a failing machine damaged, anew.
    """
    try:
        compiled.enable_caching()
        cache_file = compiled._cache._cache_file
        cache_file._source_stamp = _sources(room)
        cache_file._load_index = _if_whole(cache_file._load_index, dict)
        cache_file._load_data = _if_whole(cache_file._load_data, lambda: None)
        compiled._cache.save_overload = _if_there_is_room(compiled._cache.save_overload)
    except (RuntimeError, OSError, AttributeError) as error:  # no folder; or another Numba, of other insides
        logger.debug("machine code is not kept on disk: %s", error)


def _if_there_is_room(save: Callable[..., None]) -> Callable[..., None]:
    """Return a function that keeps machine code on disk, or does not."""

    def saved(*arguments: Any) -> None:
        try:
            save(*arguments)
        except OSError as error:
            logger.debug("machine code is not kept on disk: %s", error)

    return saved


def _if_whole(load: Callable[..., Any], nothing: Callable[[], Any]) -> Callable[..., Any]:
    """Return a function that reads a file of machine code, or returns nothing if the file is damaged."""

    def loaded(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except OSError:
            raise
        except Exception as error:  # pickle raises what the bytes make it
            logger.debug("machine code on disk is damaged: %s", error)
            return nothing()

    return loaded


def _stored(compiled: Any) -> list[tuple[Any, ...]]:
    """Return for which types of arguments a function's machine code is on disk."""
    try:
        return [key[0] for key in compiled._cache._cache_file._load_index()]
    except (OSError, AttributeError):  # there is no cache; or another Numba, of other insides
        return []


@cache
def _sources(room: Path) -> str:
    """Return a digest of every file of a room, and of this one, which says how they are compiled."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted(room.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
