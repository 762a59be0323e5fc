from __future__ import annotations

import os

# One thread here and in every child process: two workers share two cores, and a sum is rounded in the same order.
os.environ["OMP_NUM_THREADS"] = "1"

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from dnn_topology.graphs.graph import FunctionalGraph

# What a script starts in the background ignores Ctrl-C, and so would the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")

GOLDEN = Path(__file__).parent / "data" / "golden"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Draw the weights of what a module of tests makes of itself from one seed; some draws are dead networks."""
    if isinstance(collector, pytest.Module):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _alike() -> Iterator[None]:
    """Draw every test's weights from one seed, and give it one thread, whatever another left: sums round as ever."""
    torch.manual_seed(0)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def golden() -> Path:
    """Seven real outputs of the original pipeline: LeNet, MNIST, max_epsilon 0.3."""
    return GOLDEN


@pytest.fixture(scope="session")
def real_signals() -> NDArray[np.float32]:
    """(300, 410) activations of a LeNet-300-100 after one epoch on the real digits, dead neurons included."""
    from dnn_topology.nets.data import batches, load_data, sample
    from dnn_topology.nets.train import train
    from dnn_topology.nets.zoo import build_net
    from dnn_topology.recording.activations import record

    data = load_data("digits", shape=(1, 28, 28))
    net = build_net("lenet_300_100")
    train(net, data, epochs=1, lr=0.05)
    return record(net, batches(sample(data.train, 300))).values


@pytest.fixture(scope="session")
def real_graph(real_signals: NDArray[np.float32]) -> FunctionalGraph:
    """The functional graph of `real_signals` up to ε 0.3."""
    from dnn_topology.graphs.graph import functional_graph

    return functional_graph(real_signals, max_epsilon=0.3)
