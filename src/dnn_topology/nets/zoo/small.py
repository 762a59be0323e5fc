"""The small networks: the original's LeNets, perceptron and VGG-like conv_2, conv_4, conv_6; one for sequences."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from dnn_topology.nets.zoo.network import Build, Shape


def lenet(hidden: Sequence[int]) -> Build:
    """Two convolutions, with dropout, and linear layers.

    Args:
        hidden: Widths of the linear layers before the last.

    Returns:
        What builds it.
    """

    def build(n_classes: int, shape: Shape, *, width: float = 1.0, dropout: float = 0.5) -> nn.Module:
        side = ((shape[1] - 4) // 2 - 4) // 2
        first, second, *linear = _widened([10, 20, *hidden], width)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Sequential(nn.Conv2d(shape[0], first, 5), nn.MaxPool2d(2), nn.ReLU()),
            conv2=nn.Sequential(nn.Conv2d(first, second, 5), nn.Dropout2d(dropout), nn.MaxPool2d(2), nn.ReLU()),
            flatten=nn.Flatten(),
        )
        return nn.Sequential(layers | _linear([second * side * side, *linear, n_classes]))

    return build


def perceptron(hidden: Sequence[int]) -> Build:
    """Linear layers alone.

    Args:
        hidden: Widths of those before the last. Where a depth is asked for, the last of them is repeated, or left out.

    Returns:
        What builds it.
    """

    def build(
        n_classes: int, shape: Shape, *, width: float = 1.0, depth: int = len(hidden), dropout: float = 0.0
    ) -> nn.Module:
        chosen = [hidden[min(place, len(hidden) - 1)] for place in range(depth)]
        linear = _linear([math.prod(shape), *_widened(chosen, width), n_classes], dropout)
        flatten: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        net = nn.Sequential(flatten | linear)
        vars(net)["node_layers"] = tuple(linear)
        return net

    return build


def conv(widths: Sequence[int]) -> Build:
    """Pairs of 3×3 convolutions, each pair pooled, and three linear layers.

    Args:
        widths: Channels of each pair.

    Returns:
        What builds it.
    """

    def build(n_classes: int, shape: Shape, *, width: float = 1.0, dropout: float = 0.0) -> nn.Module:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels, side = shape[0], shape[1]
        for pair, n_channels in enumerate(_widened(widths, width)):
            first, second = 2 * pair + 1, 2 * pair + 2
            layers[f"conv{first}"] = nn.Conv2d(channels, n_channels, 3, padding=1)
            layers[f"relu{first}"] = nn.ReLU()
            layers[f"conv{second}"] = nn.Conv2d(n_channels, n_channels, 3, padding=1)
            layers[f"pool{second}"] = nn.MaxPool2d(2)
            layers[f"relu{second}"] = nn.ReLU()
            channels, side = n_channels, side // 2
        layers["flatten"] = nn.Flatten()
        linear = _linear([channels * side * side, *_widened([256, 256], width), n_classes], dropout)
        return nn.Sequential(layers | linear)

    return build


def sequence(widths: Sequence[int]) -> Build:
    """Convolutions along a sequence, each halving it, and a linear layer; images are read row by row.

    Args:
        widths: Channels of each convolution; the first spans 5 numbers, the others 3.

    Returns:
        What builds it.

    Source:
        Greydanus and Kobak, Scaling down deep learning with MNIST-1D, arXiv:2011.14439: its convolutional baseline.
    """

    def build(n_classes: int, shape: Shape, *, width: float = 1.0, dropout: float = 0.0) -> nn.Module:
        length = math.prod(shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            row=nn.Sequential(nn.Flatten(), nn.Unflatten(1, (1, length)))  # one channel, as long as all its numbers
        )
        for place, (before, after) in enumerate(pairwise([1, *_widened(widths, width)])):
            span = 3 if place else 5
            layers[f"conv{place + 1}"] = nn.Sequential(nn.Conv1d(before, after, span, stride=2, padding=1), nn.ReLU())
            length = (length + 2 - span) // 2 + 1
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(dropout)
        return nn.Sequential(layers | _linear([after * length, n_classes]))

    return build


def _widened(widths: Sequence[int], factor: float) -> list[int]:
    """Return widths times a factor, each at least 1."""
    return [max(1, round(factor * width)) for width in widths]


def _linear(widths: Sequence[int], dropout: float = 0.0) -> OrderedDict[str, nn.Module]:
    """Return linear layers fc1, fc2, …, each with its activation; the last gives log-probabilities.

    Dropout, where there is any, follows the activations of all but the last.
    """
    last = len(widths) - 1
    dropped = [nn.Dropout(dropout)] if dropout else []
    return OrderedDict(
        (
            f"fc{i}",
            nn.Sequential(
                nn.Linear(widths[i - 1], widths[i]), *([nn.LogSoftmax(dim=1)] if i == last else [nn.ReLU(), *dropped])
            ),
        )
        for i in range(1, len(widths))
    )
