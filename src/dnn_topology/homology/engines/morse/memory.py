"""Arrays in one block of memory: a large block lies in large pages, where the system has them.

A page that was never used is cleared when something is first written into it: 0.55 ms for a MiB in pages of 4 KiB, 0.1
in large ones of 2 MiB. NumPy asks for those for arrays from 4 MiB on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE_PAGE = 1 << 21  # bytes
LEAST = 1 << 22  # bytes of an array for which NumPy asks for large pages; what is not used of it takes no memory
LINE = 64  # bytes of a line of the processor's cache


def block_of(*arrays: tuple[int, DTypeLike]) -> list[NDArray[Any]]:
    """Return arrays, nothing written into them, that lie one after the other.

    Args:
        arrays: The length and the type of each.
    """
    sizes = [-(-length * np.dtype(dtype).itemsize // LINE) * LINE for length, dtype in arrays]
    is_large = sum(sizes) >= LARGE_PAGE // 2
    unit = LARGE_PAGE if is_large else LINE
    block = np.empty(max(sum(sizes), LEAST if is_large else 0) + unit, np.uint8)
    begin = -block.ctypes.data % unit
    parts = []
    for (length, dtype), size in zip(arrays, sizes, strict=True):
        parts.append(block[begin : begin + size].view(dtype)[:length])
        begin += size
    return parts
