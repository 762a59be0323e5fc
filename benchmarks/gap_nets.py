"""Networks of benchmarks/gap.py that are not among the named ones; `net = "gap_nets:NAME"` in its grids."""

from __future__ import annotations

import itertools
import math

from torch import nn

Shape = tuple[int, int, int]


def bn_cnn(n_classes: int, shape: Shape) -> nn.Module:
    """Three convolutions of stride 2, each followed by batch normalisation, and one linear layer."""
    widths = (shape[0], 16, 32, 64)
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        for before, after in itertools.pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], n_classes))


def tanh_mlp(n_classes: int, shape: Shape) -> nn.Module:
    """A perceptron 128-64 with tanh."""
    hidden = [nn.Linear(math.prod(shape), 128), nn.Tanh(), nn.Linear(128, 64), nn.Tanh()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, n_classes))


class Block(nn.Module):
    """Two convolutions with batch normalisation, and what came in added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.relu = nn.ReLU()

    def forward(self, images):
        """Return the sum, rectified."""
        return self.relu(images + self.second(self.first(images)))


def residual(n_classes: int, shape: Shape) -> nn.Module:
    """One convolution of stride 2, two residual blocks with a pooling between them, and one linear layer."""
    stem = [nn.Conv2d(shape[0], 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    body = [Block(16), nn.MaxPool2d(2), Block(16), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*stem, *body, nn.Linear(64, n_classes))
