"""Loops of a training step that PyTorch is slow at, compiled: arrays in, arrays written.

All run on one thread. With the environment variable NUMBA_DISABLE_JIT=1 they are plain Python, which no training takes.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)


@cache
def is_ready() -> bool:
    """Tell whether the kernels can be used, which compiles them or reads their machine code, once in a process."""
    from dnn_topology import _compiled
    from dnn_topology.nets.kernels import convolution, pooling

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, dtype=np.float32)

    if _compiled.is_plain():
        return False
    places = np.zeros((1, 1, 1), dtype=np.uint8)
    try:
        pooling.take_largest(zeros(1, 2, 1, 2, 1), zeros(1, 1, 1), places)
        pooling.give_back(zeros(1, 1, 1), places, zeros(1, 4))
        small = (zeros(1, 1, 1), zeros(1, 1, 1), zeros(1, 1, 1), zeros(1, 1, 1))
        convolution.convolve_back(zeros(1, 1, 1, 1), *small, zeros(1))
    except Exception as error:  # a compiler's failures are many
        logger.debug("the kernels of training are not compiled: %s", error)
        return False
    return True
