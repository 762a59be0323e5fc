"""Numbers and Betti curves for TensorBoard, through a SummaryWriter that the user has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology.measurement import Measurement
from dnn_topology.monitors.plain import scalars
from dnn_topology.show.plots import plot_betti_curves


def to_tensorboard(writer: Any) -> Callable[[int, Measurement], None]:
    """Return what writes each measurement of a `TopologyMonitor` to TensorBoard.

    Args:
        writer: A `torch.utils.tensorboard.SummaryWriter`, which stays open.

    Returns:
        A function of epoch and measurement, for the monitor's `on_measure`.

    Raises:
        DnnTopologyError: It is no such writer.
    """
    missing = [name for name in ("add_scalar", "add_figure") if not callable(getattr(writer, name, None))]
    if missing:
        raise DnnTopologyError(
            f"writer must be a torch.utils.tensorboard.SummaryWriter, found {shown(writer)} without {missing[0]}"
        )

    def write(epoch: int, measurement: Measurement) -> None:
        for name, value in scalars(measurement).items():
            writer.add_scalar(name, value, epoch)
        add_betti_curves(writer, measurement, step=epoch)

    return write


def add_betti_curves(writer: Any, measurement: Measurement, *, step: int) -> None:
    """Draw the Betti curve of each dimension; TensorBoard's slider runs through the steps.

    Args:
        writer: A `torch.utils.tensorboard.SummaryWriter`.
        measurement: What `measure` returned.
        step: The step at which it is shown.
    """
    for dim in range(measurement.diagrams.max_dim + 1):
        axes = plot_betti_curves({"": measurement}, dim=dim)
        writer.add_figure(f"topology/H{dim}/betti_curve", axes.figure, step)
