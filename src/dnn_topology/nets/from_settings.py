"""From `TrainSettings` to the data and the network that they describe."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.claims import warn_if_worse
from dnn_topology.nets.data import load_data
from dnn_topology.nets.zoo import build_net, find_network
from dnn_topology.recording.state_dicts import load_weights

if TYPE_CHECKING:
    from torch import nn

    from dnn_topology.nets.data import DataSet
    from dnn_topology.settings import TrainSettings


@lru_cache(maxsize=1)
def data_of(training: TrainSettings, data_dir: Path | None = None) -> DataSet:
    """Return the data set of a training in the form that its network expects; the last one is kept for its next epoch.

    Args:
        training: What is trained.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.

    Raises:
        DnnTopologyError: It cannot be read, the network cannot take it, or it is no longer what was trained on.
    """
    shape_for = find_network(training.net).shape_for
    data = load_data(training.data_name, shape=shape_for, data_dir=data_dir, **training.data_options)
    if training.data_digest is not None and training.data_digest != digest_of_data(data):
        raise DnnTopologyError(
            f"the data in {data.source} are not those that {training.net} was trained on: put them back, or train "
            "again with another trial= or save_path="
        )
    return data


def net_of(
    training: TrainSettings, data: DataSet, weights: Path | None = None, *, own: bool = True, device: str = "cpu"
) -> nn.Module:
    """Return the network of a training.

    Weights from elsewhere that do far worse on these data than their file says are warned of.

    Args:
        training: What is trained.
        data: Its data.
        weights: A file of weights, ours or those of the original's network of its name; None for the seeded ones.
        own: Whether the weights are from that training.
        device: Where the network goes.

    Raises:
        DnnTopologyError: The network cannot be made so, or the weights do not fit.
    """
    net = build_net(training.net, n_classes=data.n_classes, shape=data.shape, seed=training.seed, **training.variation)
    if weights is not None:
        load_weights(weights, net, rename=find_network(training.net).rename)
        if not own:
            warn_if_worse(net, data, weights, device=device)
    return net.to(device)


def digest_of_data(data: DataSet) -> str:
    """Return what tells what a network is trained on from other data, in few letters."""
    return hashlib.sha256(data.train_digest.encode()).hexdigest()[:16]
