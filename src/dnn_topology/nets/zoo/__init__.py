"""The networks: those of the original by their names, torchvision's, and the user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import nn

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_extent, nearest, shown_name
from dnn_topology._checks import shown as shown_value
from dnn_topology.nets.zoo.network import Network, Shape, shape_text
from dnn_topology.nets.zoo.networks import NETWORKS
from dnn_topology.nets.zoo.own import TORCHVISION, own_network, torchvision_network

__all__ = ["NETWORKS", "Network", "Shape", "build_net", "check_options", "find_network"]

MOST_WEIGHTS = 10**9  # of a network that is made wider or deeper: 4 GB, and three times that in training
WIDEST, DEEPEST = 1000, 1000

_NAMES = {name: network for network in NETWORKS.values() for name in (network.name, *network.aliases)}


def find_network(name: str) -> Network:
    """Return the network of a name.

    Args:
        name: One of `NETWORKS` or an alias, "torchvision:NAME", or "package.module:factory".

    Returns:
        The network.

    Raises:
        DnnTopologyError: There is none.
    """
    if name.startswith(TORCHVISION):
        return torchvision_network(name)
    if ":" in name:
        return own_network(name)
    if name not in _NAMES:
        raise DnnTopologyError(
            f"unknown net {shown_name(name)}: {nearest(name, _NAMES)}; torchvision:NAME and package.module:factory go "
            "too"
        )
    return _NAMES[name]


@checked
def build_net(
    name: str,
    *,
    n_classes: int = 10,
    shape: Shape | None = None,
    seed: int = 0,
    width: float | None = None,
    depth: int | None = None,
    dropout: float | None = None,
) -> nn.Module:
    """Make a network with seeded initial weights; the global random state is left as it was.

    Args:
        name: One that `list_nets` lists or an alias, "torchvision:NAME", or "package.module:factory" of your own.
        n_classes: Number of classes.
        shape: (channels, height, width) of its images; by default its usual one.
        seed: Seed of the initial weights.
        width: By which the widths of all hidden layers are multiplied; None, as for the others, for its own.
        depth: Number of hidden layers.
        dropout: Share of the hidden linear layers' units that is dropped in training; of a LeNet, of the second
            convolution's channels; of conv_1d, of what the last layer is given.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        DnnTopologyError: There is no network of that name, or it cannot take such images or so many classes, or has
            no such width, depth or dropout.

    Example:
        >>> build_net("conv_2").node_layers["channel"]
        ('conv1', 'conv2', 'fc1', 'fc2', 'fc3')
    """
    check_at_least("n_classes", n_classes, 1)
    network = find_network(name)
    options = check_options(name, width=width, depth=depth, dropout=dropout)
    if network.n_classes not in {None, n_classes}:
        raise DnnTopologyError(
            f"{name} tells {network.n_classes} classes apart and the data set has {n_classes}: add binarize_labels=C"
        )
    if shape is None:
        if not network.shapes:
            raise DnnTopologyError(f"{name} does not say which images it takes: give `shape`")
        shape = network.shapes[0]
    shape = _whole_shape(shape)
    if shape not in network.shapes and not network.any_shape:
        taken = " or ".join(map(shape_text, network.shapes))
        raise DnnTopologyError(f"{name} takes images of {taken}, found {shape_text(shape)}")
    if network.options and (options or shape not in network.shapes):
        _check_weights(network, n_classes, shape, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = network.build(n_classes, shape, **options)
    if network.node_layers is not None:
        vars(net)["node_layers"] = dict(network.node_layers)
    return net


def _whole_shape(shape: Any) -> Shape:
    """Return the shape of images as three positive whole numbers.

    Raises:
        DnnTopologyError: It is none.
    """
    extents = tuple(shape) if isinstance(shape, tuple | list) else ()
    if len(extents) != 3 or not all(isinstance(extent, Integral) and int(extent) >= 1 for extent in extents):
        raise DnnTopologyError(
            f"shape must be (channels, height, width), such as (1, 28, 28), found {shown_value(shape)}"
        )
    check_extent(tuple(map(int, extents)))
    return int(extents[0]), int(extents[1]), int(extents[2])


def check_options(name: str, **asked: float | None) -> dict[str, float]:
    """Return what is asked of a network besides its name: those of width, depth and dropout that are not None.

    Raises:
        DnnTopologyError: There is no such network, it cannot be varied so, or a number is out of range.
    """
    network, options = find_network(name), {option: value for option, value in asked.items() if value is not None}
    for option in options:
        if option not in network.options:
            able = [other.name for other in NETWORKS.values() if option in other.options]
            raise DnnTopologyError(
                f"{network.name} has no {option} to choose: leave it out, or take one of {', '.join(able)}"
            )
    if "width" in options and not 0 < options["width"] < math.inf:
        raise DnnTopologyError(f"width must be positive and finite, found {options['width']}: 1 is the usual one")
    depth = options.get("depth", 1)
    check_at_least("depth", depth, 1)
    if depth != int(depth):
        raise DnnTopologyError(f"depth must be a whole number, found {depth}")
    for option, most in (("width", WIDEST), ("depth", DEEPEST)):
        if options.get(option, 1) > most:
            raise DnnTopologyError(f"{option} must be at most {most}, found {options[option]}: make it smaller")
    if not 0 <= options.get("dropout", 0) < 1:
        raise DnnTopologyError(f"dropout must lie in [0, 1), found {options['dropout']}")
    return options


def _check_weights(network: Network, n_classes: int, shape: Shape, options: Mapping[str, float]) -> None:
    """Check that a network that is varied has no more weights than memory is for, before it needs any.

    Raises:
        DnnTopologyError: It has more.
    """
    with torch.device("meta"):
        n_weights = sum(weight.numel() for weight in network.build(n_classes, shape, **options).parameters())
    if n_weights > MOST_WEIGHTS:
        asked = ", ".join(f"{option}={value}" for option, value in {**options, "shape": shape_text(shape)}.items())
        raise DnnTopologyError(
            f"{network.name} with {asked} has {n_weights:.3g} weights, expected at most {MOST_WEIGHTS:.0e}: make it "
            "smaller"
        )
