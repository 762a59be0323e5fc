"""What is known of a network before it is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from dnn_topology.nets.zoo.original import Renames

T = TypeVar("T")
Shape = tuple[int, int, int]
Build = Callable[..., nn.Module]  # (n_classes, shape, **options)


@dataclass(frozen=True)
class Network:
    """A network that can be named.

    Attributes:
        name: As on the command line.
        about: One line for the list.
        build: Makes it for a number of classes, a shape of images, and those of `options` that are asked for.
        shapes: Shapes (channels, height, width) of images that it takes, the usual one first.
        n_nodes: How many units and how many channels those layers have, for the usual shape and 10 classes, or its
            only number of classes; None if nobody has counted.
        node_layers: The layers whose outputs are its nodes, for "unit" and for "channel"; None leaves it to the model.
        aliases: Its other names.
        n_classes: The only number of classes that it tells apart, if there is one.
        any_shape: Whether it may take other shapes too; only the model itself then knows which.
        options: What of it can be varied: some of "width", "depth" and "dropout".
        renames: What the original calls its parameters, and what they are called here; see `rename`.
    """

    name: str
    about: str
    build: Build
    shapes: tuple[Shape, ...]
    n_nodes: tuple[int, int] | None = None
    node_layers: Mapping[str, tuple[str, ...]] | None = None
    aliases: tuple[str, ...] = ()
    n_classes: int | None = None
    any_shape: bool = False
    options: tuple[str, ...] = ()
    renames: Renames = ()

    def shape_for(self, wished: Shape, *, exact: bool = False) -> Shape:
        """Return the shape that images of a data set are given for this network.

        Among those that the network takes, one with the same channels is preferred, then one of a near size.

        Args:
            wished: (channels, height, width) of the data set; height 1 means sequences.
            exact: Whether somebody asked for that very shape, as in "cifar10_color64".

        Returns:
            The shape.
        """
        if wished in self.shapes or not self.shapes or (self.any_shape and (exact or wished[1] == 1)):
            return wished
        return min(self.shapes, key=lambda shape: (shape[0] != wished[0], abs(shape[1] - wished[1])))

    def rename(self, state: Mapping[str, T]) -> dict[str, T]:
        """Return a state dict of the original's network of this name as one of ours; ours stay as they are.

        Args:
            state: Parameter → value, without prefixes that wrappers leave.

        Returns:
            The same values, in the same order, under our names.

        Example:
            >>> from dnn_topology.nets.zoo import find_network
            >>> find_network("lenet").rename({"conv1.weight": 1, "fc2.0.bias": 2})
            {'conv1.0.weight': 1, 'fc2.0.bias': 2}
        """
        return {self._renamed(name): value for name, value in state.items()}

    def _renamed(self, name: str) -> str:
        for pattern, ours in self.renames:
            if match := re.fullmatch(pattern, name):
                return match.expand(ours)
        return name


def shape_text(shape: Shape) -> str:
    """Return a shape as text: 3×32×32."""
    return "×".join(map(str, shape))
