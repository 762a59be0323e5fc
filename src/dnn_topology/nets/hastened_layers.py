"""Layers for images that lie channels last, by the kernels of `nets.kernels`: PyTorch's values, sooner."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import Function
from torch.nn import functional

from dnn_topology.nets.kernels import convolution, pooling

MOSTLY_ZERO = 1 / 8  # share of a gradient up to which what is not 0 is gone through one by one


def fits(images: torch.Tensor) -> bool:
    """Tell whether the kernels take these images: float32 on the CPU, channels last."""
    return (
        images.dtype is torch.float32
        and images.device.type == "cpu"
        and images.ndim == 4
        and images.numel() > 0
        and images.is_contiguous(memory_format=torch.channels_last)
    )


class MaxPool2x2(Function):
    """`functional.max_pool2d(images, 2)` of images that `fits` says yes to, of even height and width.

    PyTorch's own notes in eight bytes where a pixel comes from, and goes through channels one by one where they are
    fewer than the processor takes at once. Here one byte says it; values and gradients are the same bits.
    """

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor) -> torch.Tensor:
        """Return the pooled images (n, channels, height / 2, width / 2), channels last."""
        n, channels, height, width = images.shape
        rows, columns = n * height // 2, width // 2
        pooled = images.new_empty(n, height // 2, columns, channels)
        places = torch.empty_like(pooled, dtype=torch.uint8)
        pooling.take_largest(
            _nhwc(images).reshape(rows, 2, columns, 2, channels),
            pooled.numpy().reshape(rows, columns, channels),
            places.numpy().reshape(rows, columns, channels),
        )
        ctx.save_for_backward(places)
        return pooled.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the images, channels last."""
        (gradient,), (places,) = gradients, ctx.saved_tensors
        n, height, width, channels = places.shape
        if torch.is_grad_enabled():  # the gradient of the gradient is asked for
            shares = [torch.where(places == place, gradient.permute(0, 2, 3, 1), 0.0) for place in range(4)]
            windows = torch.stack(shares).reshape(2, 2, n, height, width, channels).permute(2, 3, 0, 4, 1, 5)
            return windows.reshape(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)
        images = gradient.new_empty(n, 2 * height, 2 * width, channels)
        pooling.give_back(
            _nhwc(gradient).reshape(n * height, width, channels),
            places.numpy().reshape(n * height, width, channels),
            images.numpy().reshape(n * height, 4 * width * channels),
        )
        return images.permute(0, 3, 1, 2)


class SparseGradientConv2d(Function):
    """`functional.conv2d(images, weights, bias)`, whose gradient takes less time where most of what comes back is 0.

    Behind max-pooling of 2×2 at least three quarters of it are, and more behind ReLU and dropout. Sums are taken in
    another order than PyTorch's: gradients differ in the last bits.
    """

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Return the convolved images."""
        ctx.save_for_backward(images, weights)
        ctx.bias_sizes = None if bias is None else list(bias.shape)
        return functional.conv2d(images, weights, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of images, weights and bias."""
        (gradient,), (images, weights) = gradients, ctx.saved_tensors
        if torch.is_grad_enabled() or not all(ctx.needs_input_grad[:2]) or not _is_sparse(gradient):
            wanted, sizes = list(ctx.needs_input_grad), ctx.bias_sizes
            fixed = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)  # stride, padding, dilation, no transposition, groups
            of_all: tuple[torch.Tensor | None, ...]
            of_all = torch.ops.aten.convolution_backward(gradient, images, weights, sizes, *fixed, wanted)
            return of_all
        n, channels, height, width = images.shape
        outputs, _, rows, columns = weights.shape
        of_images = images.new_zeros(n, height, width, channels)
        of_weights = images.new_zeros(outputs, rows, columns, channels)
        of_bias = images.new_zeros(outputs)
        convolution.convolve_back(
            _nhwc(gradient),
            _nhwc(images).reshape(n, height, width * channels),
            _nhwc(weights).reshape(outputs, rows, columns * channels),
            of_images.numpy().reshape(n, height, width * channels),
            of_weights.numpy().reshape(outputs, rows, columns * channels),
            of_bias.numpy(),
        )
        bias = of_bias if ctx.needs_input_grad[2] else None
        return of_images.permute(0, 3, 1, 2), of_weights.permute(0, 3, 1, 2), bias


def _is_sparse(gradient: torch.Tensor) -> bool:
    """Tell whether most of a gradient is 0, which that of the first eighth of the images says well enough."""
    part = gradient[: -(-len(gradient) // 8)]
    return int(torch.count_nonzero(part)) <= MOSTLY_ZERO * part.numel()


def _nhwc(images: torch.Tensor) -> Any:
    """Return images (n, channels, height, width) as a contiguous array (n, height, width, channels)."""
    return images.detach().permute(0, 2, 3, 1).contiguous().numpy()
