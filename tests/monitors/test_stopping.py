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
    with pytest.raises(dt.DnnTopologyError, match="there is no best_state: no epoch to go back to was measured yet"):
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
    [
        ({"quantity": "peak"}, "quantity"),
        ({"patience": 0}, "patience"),
        ({"max_dim": 0, "quantity": "midlife"}, "H1"),
        ({"settings": dt.MeasureSettings(max_dim=0), "quantity": "life"}, "H1"),
        ({"max_dim": None}, "max_dim"),
        ({"max_dim": 2}, "max_dim does not apply to quantity 'neighbours'"),
        ({"graph": 3, "quantity": "life"}, "graph does not apply to quantity 'life'"),
    ],
)
def test_a_wrong_option_fails_before_any_epoch(options: dict[str, object], message: str, digits: Loader) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.TopologicalEarlyStopping(digits, **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        dt.TopologicalEarlyStopping(digits, patients=3)


def test_by_default_it_compares_predictions_with_the_labels_of_neighbours(net: nn.Module, digits: Loader) -> None:
    stopping = dt.TopologicalEarlyStopping(digits, patience=2)
    nets = [shaken(net, seed) for seed in range(3)]
    for epoch, each in enumerate(nets):
        assert stopping(each, epoch) is None
    images, labels = (torch.cat(parts) for parts in zip(*digits, strict=True))
    neighbours = dt.NeighbourLabels.of(images, labels)
    with torch.no_grad():
        values = {
            epoch: neighbours.disagreement(each.eval()(images).argmax(dim=1).numpy()) for epoch, each in enumerate(nets)
        }
    assert stopping.decision.table["value"].tolist() == pytest.approx(list(values.values()))
    assert stopping.best_epoch == min(values, key=values.__getitem__)
    assert not stopping.measurements


def test_a_rule_is_given_by_name_or_as_one(digits: Loader) -> None:
    assert dt.TopologicalEarlyStopping(digits, rule="midlife").rule == dt.StoppingRule("midlife")
    rule = dt.StoppingRule("density", patience=4)
    assert dt.TopologicalEarlyStopping(digits, rule=rule).rule == rule
    with pytest.raises(dt.DnnTopologyError, match="that alone"):
        dt.TopologicalEarlyStopping(digits, rule=rule, patience=3)
    with pytest.raises(dt.DnnTopologyError, match="both name"):
        dt.TopologicalEarlyStopping(digits, rule="midlife", quantity="life")


def test_neighbours_without_labels_or_of_tokens_are_one_line_with_the_remedy() -> None:
    inputs = torch.rand(30, 4)
    with pytest.raises(dt.DnnTopologyError, match=r"\(inputs, labels\), or another rule="):
        dt.TopologicalEarlyStopping([inputs])
    tokens = [{"input_ids": torch.arange(20).reshape(10, 2), "labels": torch.arange(10) % 2}]
    with pytest.raises(dt.DnnTopologyError, match="features="):
        dt.TopologicalEarlyStopping(tokens)
    labels = torch.arange(10) % 2
    for several in ([((inputs[:10], inputs[:10]), labels)], [(inputs[:10], labels), (inputs[:10, :3], labels)]):
        with pytest.raises(dt.DnnTopologyError, match=r"inputs of a batch are several tensors.*features="):
            dt.TopologicalEarlyStopping(several)
    features = torch.rand(10, 3) + 9 * (torch.arange(10) % 2)[:, None]
    assert dt.TopologicalEarlyStopping(tokens, features=features).neighbours is not None


def test_labels_that_neighbours_do_not_share_are_warned_of() -> None:
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (400,), generator=rng)
    with pytest.warns(UserWarning, match="hardly more often than by chance"):
        dt.TopologicalEarlyStopping([(torch.rand(400, 8, generator=rng), labels)])
