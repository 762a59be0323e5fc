"""The gradient of a convolution, stride 1, no padding, from what of its outputs' gradient is not 0."""

from __future__ import annotations

from typing import Any

from dnn_topology._compiled import entry


@entry
def convolve_back(gradient: Any, images: Any, weights: Any, of_images: Any, of_weights: Any, of_bias: Any) -> None:
    """Add what every pixel of a gradient that is not 0 gives to the gradients of a convolution.

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
