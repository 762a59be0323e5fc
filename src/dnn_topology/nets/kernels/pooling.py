"""Max-pooling of 2×2 and its gradient: arrays in, arrays written. Every row of windows can be done by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnn_topology._compiled import entry


@entry
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


@entry
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
