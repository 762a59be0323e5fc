from __future__ import annotations

import copy
import math
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import dnn_topology as dt
from dnn_topology.monitors.plain import scalars

Loader = DataLoader[tuple[torch.Tensor, ...]]


def train(net: nn.Module, loader: Loader, epochs: int, monitor: dt.TopologyMonitor | None = None) -> dict[str, Any]:
    """Train as a user does, with a monitor or without, and return the weights."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if monitor:
            monitor.step(net)
    return net.state_dict()


def test_step_measures_every_so_many_epochs_and_counts_from_one(net: nn.Module, digits: Loader) -> None:
    monitor = dt.TopologyMonitor(digits, every=2, max_dim=1)
    train(net, digits, 5, monitor)
    assert list(monitor.measurements) == [2, 4]


def test_a_call_outside_the_rhythm_measures_nothing(net: nn.Module, digits: Loader) -> None:
    monitor = dt.TopologyMonitor(digits, every=3, max_dim=1)
    assert monitor(net, 2) is None
    assert monitor(net, 3) is monitor.measurements[3]


@pytest.mark.parametrize("own_generator", [False, True])
def test_a_monitored_training_ends_bit_for_bit_as_an_unmonitored_one(
    net: nn.Module, digits: Loader, own_generator: bool
) -> None:
    weights = []
    for monitored in (False, True):
        torch.manual_seed(1)
        generator = torch.Generator().manual_seed(1) if own_generator else None
        loader = DataLoader(digits.dataset, batch_size=20, shuffle=True, generator=generator)
        monitor = dt.TopologyMonitor(loader, max_dim=1) if monitored else None
        weights.append(train(copy.deepcopy(net), loader, 3, monitor))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_every_epoch_sees_the_same_inputs_though_the_loader_shuffles(net: nn.Module, digits: Loader) -> None:
    monitor = dt.TopologyMonitor(digits, max_samples=25, max_dim=1)
    first = monitor(net, 0)
    list(digits)
    second = monitor(net, 1)
    assert first
    assert second
    assert first.diagrams == second.diagrams
    torch.manual_seed(5)
    assert monitor.measurements[0].diagrams == dt.measure(net, digits, max_samples=25, max_dim=1).diagrams


def test_only_as_many_batches_are_drawn_as_are_needed(net: nn.Module) -> None:
    drawn = []

    def endless() -> Any:
        while True:
            drawn.append(torch.randn(20, 784))
            yield drawn[-1]

    dt.TopologyMonitor(endless(), max_samples=50, max_dim=1)(net, 0)
    assert len(drawn) == 3


def test_the_table_stacks_the_summaries_in_the_order_of_epochs(net: nn.Module, digits: Loader) -> None:
    monitor = dt.TopologyMonitor(digits, max_dim=1)
    for epoch in (4, 0):
        monitor(net, epoch)
    table = monitor.table
    assert table["epoch"].tolist() == [0, 0, 4, 4]
    pd.testing.assert_frame_equal(table.iloc[:2].drop(columns="epoch"), monitor.measurements[0].summary)
    dt.plot_history(table)


def test_the_table_of_nothing_is_an_error(digits: Loader) -> None:
    with pytest.raises(dt.DnnTopologyError, match="no epoch was measured yet"):
        _ = dt.TopologyMonitor(digits).table


def test_every_measurement_is_told_once(net: nn.Module, digits: Loader) -> None:
    told: list[tuple[int, dt.Measurement]] = []
    monitor = dt.TopologyMonitor(digits, every=2, on_measure=lambda *what: told.append(what), max_dim=1)
    for epoch in range(4):
        monitor(net, epoch)
    assert told == list(monitor.measurements.items())


def test_a_mistyped_option_fails_before_any_training(digits: Loader) -> None:
    with pytest.raises(TypeError, match="max_dims"):
        dt.TopologyMonitor(digits, max_dims=1)


@pytest.mark.parametrize(
    "options",
    [{"max_epsilon": 9}, {"nodes": "x"}, {"max_dim": None}, {"threads": 0}, {"settings": 3}, {"layers": 3}],
)
def test_a_wrong_value_of_an_option_fails_before_any_training(options: dict[str, Any], digits: Loader) -> None:
    with pytest.raises(dt.DnnTopologyError, match=next(iter(options))):
        dt.TopologyMonitor(digits, **options)


@pytest.mark.parametrize(("batches", "message"), [([], "there is no input"), (["text"], "a batch must be a tensor")])
def test_unusable_inputs_fail_before_any_training(batches: list[Any], message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.TopologyMonitor(batches)


@pytest.mark.parametrize("every", [0, -1])
def test_every_must_be_positive(every: int, digits: Loader) -> None:
    with pytest.raises(dt.DnnTopologyError, match="every must be at least 1"):
        dt.TopologyMonitor(digits, every=every)


def test_scalars_are_the_defined_numbers_of_the_summary() -> None:
    diagrams = dt.Diagrams([[(0, 0.1), (0, math.inf)], []], max_epsilon=0.3)  # type: ignore[list-item]
    found = scalars(dt.Measurement(diagrams, dt.summarize(diagrams)))
    assert found["topology/H0/life"] == pytest.approx(0.1)
    assert found["topology/H1/count"] == 0
    assert "topology/H1/life" not in found
    assert "topology/H0/dim" not in found


def test_a_training_with_labels_in_a_tensor_data_set_is_measured_on_its_inputs_alone(net: nn.Module) -> None:
    images = torch.randn(30, 784)
    for labels in (torch.zeros(30), torch.ones(30)):
        monitor = dt.TopologyMonitor(DataLoader(TensorDataset(images, labels), batch_size=10), max_dim=1)
        assert monitor(net, 0)
    assert (
        monitor.measurements[0].diagrams
        == dt.measure(net, [images[start : start + 10] for start in (0, 10, 20)], max_dim=1).diagrams
    )


def test_a_logger_is_given_the_numbers_of_every_measured_epoch_and_the_step(
    net: nn.Module, digits: DataLoader[tuple[torch.Tensor, ...]]
) -> None:
    logged: list[tuple[dict[str, float], int]] = []

    def log(numbers: dict[str, float], step: int) -> None:
        logged.append((numbers, step))

    for monitor in (
        dt.TopologyMonitor(digits, every=2, max_dim=1, log=log),
        dt.TopologicalEarlyStopping(digits, rule="midlife", every=2, log=log),
    ):
        logged.clear()
        for epoch in (0, 1, 2):
            monitor(net, epoch)
        assert [step for _, step in logged] == [0, 2]
        assert logged[1][0] == scalars(monitor.measurements[2])


def test_a_logger_that_cannot_be_called_is_refused(digits: DataLoader[tuple[torch.Tensor, ...]]) -> None:
    with pytest.raises(dt.DnnTopologyError, match="log must be"):
        dt.TopologyMonitor(digits, log="wandb")  # type: ignore[arg-type]
