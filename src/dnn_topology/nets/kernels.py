"""Loops of a training step that PyTorch is slow at, compiled by Numba: arrays in, arrays written.

All run on one thread. With the environment variable NUMBA_DISABLE_JIT=1 they are plain Python, which no training takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

logger = logging.getLogger(__name__)


def _compiled(function: Callable[..., None]) -> Any:
    """Compile a function without the interpreter's lock, and keep its machine code where some folder can be written."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError as error:  # no folder
        logger.debug("machine code is not kept on disk: %s", error)
        return numba.njit(nogil=True)(function)


@_compiled
def take_largest(images: Any, pooled: Any, places: Any) -> None:
    """Write the largest pixel of every window of 2×2, and its place in the window.

    The places are 0 1 above and 2 3 below; of equal pixels the first is taken, as PyTorch does.

    Args:
        images: (rows, 2, columns, 2, channels), float32: a window is [row, :, column, :, channel].
        pooled: (rows, columns, channels), float32, written: NaN where the window has a NaN, as PyTorch does.
        places: (rows, columns, channels), uint8, written: 0 to 3.
    """
    nan = np.float32(np.nan)
    for row in range(pooled.shape[0]):
        for column in range(pooled.shape[1]):
            first, second = images[row, 0, column, 0], images[row, 0, column, 1]
            third, fourth = images[row, 1, column, 0], images[row, 1, column, 1]
            for channel in range(pooled.shape[2]):
                a, b, c, d = first[channel], second[channel], third[channel], fourth[channel]
                # Choices, not branches, which compilers turn into vectors.
                largest, place = (b, np.uint8(1)) if b > a else (a, np.uint8(0))
                largest, place = (c, np.uint8(2)) if c > largest else (largest, place)
                largest, place = (d, np.uint8(3)) if d > largest else (largest, place)
                # A NaN is neither at most nor more than anything.
                numbers = ((a <= b) | (a > b)) & ((c <= d) | (c > d))
                pooled[row, column, channel] = largest if numbers else nan
                places[row, column, channel] = place


@_compiled
def give_back(gradient: Any, places: Any, images: Any) -> None:
    """Write the gradient of every pooled pixel to the pixel that it came from, and 0 to the others.

    Args:
        gradient: (rows, columns, channels), float32.
        places: The same shape, uint8, as `take_largest` writes them.
        images: (rows, 2 · 2 · columns · channels), float32, written: the rows above and below of each row of windows.
    """
    channels, width = gradient.shape[2], gradient.shape[1] * gradient.shape[2]
    for row in range(gradient.shape[0]):
        pixels = images[row]
        pixels[:] = 0
        for column in range(gradient.shape[1]):
            for channel in range(channels):
                place = np.intp(places[row, column, channel])
                start = (place >> 1) * 2 * width + (2 * column + (place & 1)) * channels
                pixels[start + channel] = gradient[row, column, channel]


@_compiled
def convolve_back(gradient: Any, images: Any, weights: Any, of_images: Any, of_weights: Any, of_bias: Any) -> None:
    """Add what every pixel of a gradient that is not 0 gives to the gradients of a convolution: stride 1, no padding.

    The pixel g at (y, x) of output o adds g · weights[o] to the images' gradient at the window that it saw, and
    g · window to that of weights[o].

    Args:
        gradient: (n, height, width, outputs), float32.
        images: (n, rows, columns · channels), float32: the channels of a pixel are neighbours.
        weights: (outputs, kernel rows, kernel columns · channels), float32.
        of_images: As the images, added to.
        of_weights: As the weights, added to.
        of_bias: (outputs,), float32, added to.
    """
    height, width, outputs = gradient.shape[1:]
    rows, length = weights.shape[1:]
    channels = (images.shape[2] - length) // (width - 1) if width > 1 else 0
    for image in range(gradient.shape[0]):
        for y in range(height):
            for x in range(width):
                start = x * channels
                for output in range(outputs):
                    g = gradient[image, y, x, output]
                    if g != 0:
                        of_bias[output] += g
                        for row in range(rows):
                            # Slices of their own, or the loops become no vectors.
                            seen, given = weights[output, row], of_weights[output, row]
                            window = images[image, y + row, start : start + length]
                            of_window = of_images[image, y + row, start : start + length]
                            for place in range(length):
                                given[place] += g * window[place]
                            for place in range(length):
                                of_window[place] += g * seen[place]


@cache
def is_ready() -> bool:
    """Tell whether the kernels can be used, which compiles them or reads their machine code, once in a process."""

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, dtype=np.float32)

    if numba.config.DISABLE_JIT:
        return False
    places = np.zeros((1, 1, 1), dtype=np.uint8)
    try:
        _try(take_largest, zeros(1, 2, 1, 2, 1), zeros(1, 1, 1), places)
        _try(give_back, zeros(1, 1, 1), places, zeros(1, 4))
        _try(convolve_back, zeros(1, 1, 1, 1), *(zeros(1, 1, 1) for _ in range(4)), zeros(1))
    except Exception as error:  # a compiler's failures are many
        logger.debug("the kernels of training are not compiled: %s", error)
        return False
    return True


def _try(kernel: Callable[..., None], *arrays: Any) -> None:
    """Call a kernel for the first time."""
    try:
        kernel(*arrays)
    except OSError as error:  # a full disk keeps no machine code; it is in memory all the same
        logger.debug("machine code is not kept on disk: %s", error)
        kernel(*arrays)
