"""Arrays in one block of memory: a large block lies in large pages, where the system has them.

A page that was never used is cleared when something is first written into it, which takes longer than writing. NumPy
asks for large pages (2 MiB) for blocks from 4 MiB on: then it takes a fourth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE_PAGE = 1 << 21  # bytes
LINE = 64  # bytes of a line of the processor's cache


def block_of(*arrays: tuple[int, DTypeLike]) -> list[NDArray[Any]]:
    """Return arrays, nothing written into them, that lie one after the other.

    Args:
        arrays: The length and the type of each.
    """
    sizes = [-(-length * np.dtype(dtype).itemsize // LINE) * LINE for length, dtype in arrays]
    unit = LARGE_PAGE if sum(sizes) >= 2 * LARGE_PAGE else LINE
    block = np.empty(sum(sizes) + unit, np.uint8)
    begin = -block.ctypes.data % unit
    parts = []
    for (length, dtype), size in zip(arrays, sizes, strict=True):
        parts.append(block[begin : begin + size].view(dtype)[:length])
        begin += size
    return parts
