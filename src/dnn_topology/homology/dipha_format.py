"""What all of DIPHA's files have in common: the header, and what is said of one that is damaged.

All numbers are little-endian: int64 magic, int64 type, int64 size, and what that type of file holds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError

MAGIC = 8067171840
DIAGRAM, DISTANCES, SPARSE_DISTANCES = 2, 7, 8
HEADER = np.dtype([("magic", "<i8"), ("type", "<i8"), ("size", "<i8")])
REMEDY = "compute it again, or take another copy"


def read_content(path: Path, types: set[int], wanted: str) -> tuple[bytes, int, int]:
    """Return a DIPHA file's content, its type and the size that its header names.

    Raises:
        DnnTopologyError: The file is missing, does not start with DIPHA's header, or is of another type.
    """
    with store.readable_errors("read", path), path.open("rb") as file:
        start = file.read(HEADER.itemsize)
        if len(start) < HEADER.itemsize:
            raise DnnTopologyError(
                f"{path} is truncated: {len(start)} bytes, a DIPHA header alone is {HEADER.itemsize}; {REMEDY}"
            )
        header = np.frombuffer(start, HEADER, count=1)[0]
        if header["magic"] != MAGIC:
            raise DnnTopologyError(
                f"{path} is not a DIPHA file: it starts with {header['magic']}, not {MAGIC}; name one that DIPHA or "
                "`write_dipha` wrote"
            )
        kind = int(header["type"])
        if kind not in types:
            other = "`read_dipha`" if kind == DIAGRAM else "`read_dipha_graph`"
            advice = f"read it with {other}" if kind in {DIAGRAM, DISTANCES, SPARSE_DISTANCES} else REMEDY
            raise DnnTopologyError(f"{path} is a DIPHA file of type {kind}, not {wanted}: {advice}")
        return start + file.read(), kind, int(header["size"])


def check_length(path: Path, content: bytes, size: int, expected: int, things: str) -> None:
    """Hold the length of a file against what its header announces.

    Raises:
        DnnTopologyError: They differ.
    """
    if size < 0 or len(content) != HEADER.itemsize + expected:
        raise DnnTopologyError(
            f"{path} is damaged: its header announces {size} {things}, {HEADER.itemsize + expected} bytes in all, "
            f"and it has {len(content)}; {REMEDY}"
        )


def damage(path: Path, reason: str) -> str:
    """Return the line that says what is wrong in a file."""
    return f"{path} is damaged: {reason}; {REMEDY}"
