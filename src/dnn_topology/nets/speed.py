"""What makes training faster. All of it is decided here.

Max-pooling of PyTorch is slow on the CPU for images that lie channel by channel: in LeNet it costs more than the
convolutions. Pooling otherwise gives the same bits. The memory format "channels last" makes convolutions faster too,
and rounds their sums otherwise: trained weights differ in the last bits, so that it is kept for large data sets, where
it saves minutes; these are also where loss and accuracy are taken of a sample of the training images.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

LARGE = 10_000  # training images beyond which an epoch is worth other bits; infinite: never

NCHW, NHWC = torch.contiguous_format, torch.channels_last


def is_large(n_train: int) -> bool:
    """Tell whether a training is on so many images that speed comes before the last bits."""
    return n_train > LARGE


@contextlib.contextmanager
def hastened(model: nn.Module, *, channels_last: bool = False) -> Iterator[torch.memory_format]:
    """Let a model on the CPU run faster inside the block; its outputs stay the same unless `channels_last` is set.

    Afterwards the model is as it was, its weights in the memory format that they had.

    Args:
        model: Any module. On another device nothing is done.
        channels_last: Whether convolutions may run in that memory format, if the model has some of two dimensions.

    Yields:
        The memory format in which images are to be given.
    """
    weights = [parameter for parameter in model.parameters() if parameter.ndim == 4]
    if any(parameter.device.type != "cpu" for parameter in model.parameters()):
        yield NCHW
        return
    turned = [weight for weight in weights if channels_last and weight.is_contiguous()]
    pools = [module for module in model.modules() if _is_plain(module)]
    try:
        for weight in turned:
            weight.data = laid_out(weight.data, NHWC)
        for pool in pools:
            pool.forward = _pooled  # of this module alone
        yield NHWC if turned else NCHW
    finally:
        for pool in pools:
            vars(pool).pop("forward", None)
        for weight in turned:
            weight.data = laid_out(weight.data, NCHW)


def laid_out(values: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
    """Return values (n, channels, height, width) in a memory format, strides of single channels included.

    `Tensor.contiguous` leaves those as they are, where both formats are the same, and convolutions go by them.
    """
    return torch.empty_like(values, memory_format=memory_format).copy_(values)


def _is_plain(module: Any) -> bool:
    """Tell whether a module is a max-pooling of 2×2 that do not overlap, and no more than that."""
    if type(module) is not nn.MaxPool2d or "forward" in vars(module):
        return False
    sizes = (module.kernel_size, module.stride, module.padding, module.dilation)
    return (
        [size if isinstance(size, tuple) else (size, size) for size in sizes] == [(2, 2), (2, 2), (0, 0), (1, 1)]
        and not module.ceil_mode
        and not module.return_indices
    )


def _pooled(images: torch.Tensor) -> torch.Tensor:
    """Return `functional.max_pool2d(images, 2)`, the same values and gradients, sooner."""
    if images.ndim != 4 or images.shape[1] == 1 or images.device.type != "cpu":
        return functional.max_pool2d(images, 2)
    if torch.is_grad_enabled() and images.requires_grad:
        # Which of equal pixels takes the gradient is torch's business: its own function, in the format that suits it.
        pooled = functional.max_pool2d(images.contiguous(memory_format=NHWC), 2)
        return pooled.contiguous() if images.is_contiguous() else pooled
    height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
    rows = torch.maximum(images[:, :, 0:height:2], images[:, :, 1:height:2])
    return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])
