from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import dnn_topology as dt
from dnn_topology.analysis.early_stopping import stopping_quantities

Loader = DataLoader[tuple[torch.Tensor, ...]]


def shaken(net: nn.Module, seed: int) -> nn.Module:
    """The network with other weights, as training would leave it."""
    other = copy.deepcopy(net)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for weights in other.parameters():
            nn.init.normal_(weights, std=0.1)
    return other


def test_a_network_that_no_longer_changes_is_stopped_after_patience_and_its_weights_are_given_back(
    net: nn.Module, digits: Loader
) -> None:
    stopping = dt.TopologicalEarlyStopping(digits, patience=2, min_delta=0)
    assert (stopping.should_stop, stopping.best_epoch) == (False, None)
    with pytest.raises(dt.DnnTopologyError, match="there is no best_state: no epoch with a loop was measured yet"):
        _ = stopping.best_state
    ended = []
    for epoch in range(6):
        stopping(net, epoch)
        ended.append(stopping.should_stop)
        if stopping.should_stop:
            break
    assert ended == [False, False, True]
    assert stopping.best_epoch == 0
    assert stopping.best_state
    for name, value in net.state_dict().items():
        assert torch.equal(stopping.best_state[name], value)


def test_the_weights_kept_are_those_of_the_chosen_epoch_and_copies(net: nn.Module, digits: Loader) -> None:
    nets = [shaken(net, seed) for seed in range(6)]
    stopping = dt.TopologicalEarlyStopping(digits, quantity="life", patience=6, min_delta=0)
    states = [copy.deepcopy(each.state_dict()) for each in nets]
    for epoch, each in enumerate(nets):
        stopping(each, epoch)
        for weights in each.parameters():
            nn.init.zeros_(weights)
    values = {e: stopping_quantities(m.diagrams)["life"] for e, m in stopping.measurements.items()}
    assert stopping.best_epoch == min(values, key=values.__getitem__)
    assert stopping.best_state
    for name, value in states[stopping.best_epoch].items():
        assert torch.equal(stopping.best_state[name], value)


def test_it_decides_as_the_rule_does_afterwards(net: nn.Module, digits: Loader) -> None:
    stopping = dt.TopologicalEarlyStopping(digits, quantity="epsilon", patience=1, min_delta=0.01, keep_weights=False)
    for epoch in range(0, 8, 2):
        stopping(shaken(net, epoch), epoch)
    values = {e: stopping_quantities(m.diagrams)["epsilon"] for e, m in stopping.measurements.items()}
    offline = dt.StoppingRule("epsilon", patience=1, min_delta=0.01).decide(values)
    assert (stopping.best_epoch, stopping.should_stop) == (offline.chosen_epoch, offline.stop_epoch is not None)
    with pytest.raises(dt.DnnTopologyError, match="there is no best_state: keep_weights is False"):
        _ = stopping.best_state


def test_a_plain_monitor_never_says_to_stop(net: nn.Module, digits: Loader) -> None:
    monitor = dt.TopologyMonitor(digits, max_dim=1)
    monitor(net, 0)
    assert not monitor.should_stop


@pytest.mark.parametrize(
    ("options", "message"),
    [({"quantity": "peak"}, "quantity"), ({"patience": 0}, "patience"), ({"max_dim": 0}, "H1")],
)
def test_a_wrong_option_fails_before_any_epoch(options: dict[str, object], message: str, digits: Loader) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.TopologicalEarlyStopping(digits, **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        dt.TopologicalEarlyStopping(digits, patients=3)
