from __future__ import annotations

import torch

from dnn_topology.nets.data import load_data
from dnn_topology.nets.from_settings import net_of
from dnn_topology.nets.zoo import build_net
from dnn_topology.settings import TrainSettings


def test_a_training_begins_with_the_weights_of_its_seed() -> None:
    data = load_data("digits")
    nets = [net_of(TrainSettings(net="mlp", dataset="digits", seed=seed), data).state_dict() for seed in (0, 1)]
    asked = build_net("mlp", n_classes=data.n_classes, shape=data.shape, seed=1).state_dict()
    assert all(torch.equal(nets[1][name], weights) for name, weights in asked.items())
    assert not torch.equal(*(net[next(iter(asked))] for net in nets))
