"""What makes training faster. All of it is decided here.

Max-pooling of PyTorch is slow on the CPU for images that lie channel by channel: in LeNet it costs more than the
convolutions. Pooling otherwise gives the same bits. The memory format "channels last" makes convolutions faster too,
and so do sums that leave out what is 0 (`nets.hastened_layers`); both round otherwise: trained weights differ in the
last bits, so that they are kept for large data sets, where they save minutes; these are also where loss and accuracy
are taken of a sample of the training images. Numba, and the machine code of the kernels, are loaded once in a process
(half a second; the first time ever they are compiled in one more).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

LARGE = 10_000  # training images beyond which an epoch is worth other bits; infinite: never
VECTOR = 16  # numbers that a processor takes at once, at most

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
    forwards = _sooner(model, by_kernels=bool(turned) and _has_kernels())
    try:
        for weight in turned:
            weight.data = laid_out(weight.data, NHWC)
        for module, forward in forwards.items():
            module.forward = forward  # of this module alone
        yield NHWC if turned else NCHW
    finally:
        for module in forwards:
            vars(module).pop("forward", None)
        for weight in turned:
            weight.data = laid_out(weight.data, NCHW)


def _sooner(model: nn.Module, *, by_kernels: bool) -> dict[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """Return other ways to compute the same, of the modules that have some.

    Args:
        model: The network.
        by_kernels: Whether those of `nets.kernels` are among them, which take images that lie channels last.
    """
    forwards = dict[nn.Module, Callable[[torch.Tensor], torch.Tensor]]()
    for module in model.modules():
        if "forward" in vars(module):
            continue
        if _pools_by_two(module):
            forwards[module] = _pooled_by_kernel if by_kernels else _pooled
        elif by_kernels and _has_few_channels(module):
            forwards[module] = partial(_convolved, cast(nn.Conv2d, module))
        elif by_kernels and type(module) is nn.Flatten:
            forwards[module] = partial(_flattened, module)
    return forwards


def _has_kernels() -> bool:
    """Tell whether the kernels work here and are worth their while.

    They run on one thread. With two, PyTorch's own are the sooner ones: the other thread would fall asleep meanwhile,
    or, given half of the work, share its core with PyTorch's, which waits awake. Half of the work given to that thread
    of PyTorch's itself, by the function of OpenMP with which PyTorch does, gained nothing either on two quiet cores.
    """
    from dnn_topology.nets import kernels

    return torch.get_num_threads() == 1 and kernels.is_ready()


def laid_out(values: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
    """Return values (n, channels, height, width) in a memory format, strides of single channels included.

    `Tensor.contiguous` leaves those as they are, where both formats are the same, and convolutions go by them.
    """
    return torch.empty_like(values, memory_format=memory_format).copy_(values)


def _pools_by_two(module: Any) -> bool:
    """Tell whether a module is a max-pooling of 2×2 that do not overlap, and no more than that."""
    if type(module) is not nn.MaxPool2d:
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
        with contextlib.suppress(RuntimeError):  # the transforms of torch.func know no memory formats
            pooled = functional.max_pool2d(images.contiguous(memory_format=NHWC), 2)
            return pooled.contiguous() if images.is_contiguous() else pooled
        return functional.max_pool2d(images, 2)
    height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
    rows = torch.maximum(images[:, :, 0:height:2], images[:, :, 1:height:2])
    return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])


def _pooled_by_kernel(images: torch.Tensor) -> torch.Tensor:
    """Return what `_pooled` returns; while training, by a kernel."""
    from dnn_topology.nets import hastened_layers

    if images.shape[-1] % 2 == images.shape[-2] % 2 == 0 and _is_training(images):
        with contextlib.suppress(RuntimeError):  # the transforms of torch.func take no function of one's own
            return cast(torch.Tensor, hastened_layers.MaxPool2x2.apply(images))  # type: ignore[no-untyped-call]
    return _pooled(images)


def _has_few_channels(module: Any) -> bool:
    """Tell whether a module is a plain convolution of so few channels that half of PyTorch's work on it is in vain.

    Its convolutions fill up the channels that go in and those that come out to whole vectors of the processor.
    """
    if type(module) is not nn.Conv2d or module.kernel_size < (3, 3) or module.in_channels == 1:
        return False
    done = math.prod(-(-n // VECTOR) * VECTOR for n in (module.in_channels, module.out_channels))
    plain = (module.stride, module.padding, module.dilation, module.groups) == ((1, 1), (0, 0), (1, 1), 1)
    return plain and done >= 2 * module.in_channels * module.out_channels


def _convolved(module: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """Return the convolved images; while training, with a gradient that makes use of its zeros."""
    from dnn_topology.nets import hastened_layers

    if _is_training(images):
        with contextlib.suppress(RuntimeError):
            given = (images, module.weight, module.bias)
            return cast(torch.Tensor, hastened_layers.SparseGradientConv2d.apply(*given))  # type: ignore[no-untyped-call]
    return type(module).forward(module, images)


def _flattened(module: nn.Flatten, images: torch.Tensor) -> torch.Tensor:
    """Return the flattened images, whose gradient comes back channels last: layers are slow where formats are mixed."""
    if _is_training(images) and not images.is_leaf:
        images.register_hook(_turned)  # type: ignore[no-untyped-call]
    return type(module).forward(module, images)


def _turned(gradient: torch.Tensor) -> torch.Tensor:
    """Return a gradient channels last, if it can be."""
    with contextlib.suppress(RuntimeError):  # the transforms of torch.func know no memory formats
        return gradient.contiguous(memory_format=NHWC)
    return gradient


def _is_training(images: torch.Tensor) -> bool:
    """Tell whether gradients of images are asked for, where the kernels take those."""
    from dnn_topology.nets import hastened_layers

    wanted = torch.is_grad_enabled() and images.requires_grad and not torch.compiler.is_compiling()
    return wanted and hastened_layers.fits(images)
