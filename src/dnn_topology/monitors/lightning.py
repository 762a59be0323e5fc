"""The monitor as a callback of Lightning's Trainer; needs `pip install lightning`."""

from __future__ import annotations

from typing import Any

from dnn_topology._calls import checked
from dnn_topology.monitors.plain import TopologyMonitor, scalars
from dnn_topology.monitors.tensorboard import add_betti_curves
from dnn_topology.nets._torchvision import torchvision

torchvision()  # Lightning's metrics import it too
from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402


class TopologyCallback(Callback):
    """Measures the module before training and after every so many epochs, and logs the numbers and Betti curves.

    Numbers go to the trainer's loggers and metrics under the names of `scalars`, so that other callbacks can monitor
    them; figures to its TensorBoard logger, if it has one. Only the first process measures.

    Args:
        monitor: Decides when and what; keeps the measurements. A `TopologicalEarlyStopping` ends the training too.
    """

    @checked
    def __init__(self, monitor: TopologyMonitor) -> None:
        self.monitor = monitor

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the untrained module."""
        if trainer.is_global_zero and trainer.current_epoch == 0:
            self.monitor(pl_module, 0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure and log."""
        measured = self.monitor(pl_module, trainer.current_epoch + 1) if trainer.is_global_zero else None
        if measured:
            pl_module.log_dict(scalars(measured), rank_zero_only=True)
            writers: list[Any] = [logger.experiment for logger in trainer.loggers if hasattr(logger, "experiment")]
            for writer in writers:
                if hasattr(writer, "add_figure"):
                    add_betti_curves(writer, measured, step=trainer.global_step)
        stop = trainer.strategy.reduce_boolean_decision(self.monitor.should_stop, all=False)
        trainer.should_stop = trainer.should_stop or stop
