from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import dnn_topology as dt
from dnn_topology.monitors.plain import scalars
from dnn_topology.monitors.tensorboard import to_tensorboard

pytest.importorskip("tensorboard")


def events(folder: Path) -> Any:
    """What TensorBoard itself reads from a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def test_tensorboard_reads_back_the_numbers_and_a_figure_per_dimension_and_epoch(
    tmp_path: Path, net: nn.Module, digits: DataLoader[tuple[torch.Tensor, ...]]
) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        monitor = dt.TopologyMonitor(digits, on_measure=to_tensorboard(writer), max_dim=1)
        for epoch in (0, 3):
            monitor(net, epoch)
    read = events(tmp_path)
    for name, value in scalars(monitor.measurements[3]).items():
        assert [event.step for event in read.Scalars(name)] == [0, 3]
        assert read.Scalars(name)[1].value == pytest.approx(value)
    assert set(read.Tags()["images"]) == {"topology/H0/betti_curve", "topology/H1/betti_curve"}
    image = read.Images("topology/H1/betti_curve")[1]
    assert image.step == 3
    assert image.encoded_image_string.startswith(b"\x89PNG")


@pytest.mark.parametrize("writer", [None, "runs", object()])
def test_what_is_no_writer_is_refused_before_any_training(writer: object) -> None:
    with pytest.raises(dt.DnnTopologyError, match=r"writer must be a torch.utils.tensorboard.SummaryWriter"):
        to_tensorboard(writer)
