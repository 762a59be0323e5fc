"""The monitor as a callback of Hugging Face's Trainer; needs `pip install accelerate transformers`."""

from __future__ import annotations

import math
from typing import Any

from dnn_topology._calls import checked
from dnn_topology.monitors.plain import TopologyMonitor, scalars
from dnn_topology.nets._torchvision import torchvision

torchvision()  # transformers imports it too
from accelerate.utils import broadcast_object_list  # noqa: E402
from transformers import TrainerCallback, TrainerState  # noqa: E402


class TopologyCallback(TrainerCallback):
    """Measures the model before training and after every so many epochs, and logs the numbers.

    They go to the trainer's `state.log_history` under the names of `scalars`. For TensorBoard give the monitor
    `on_measure=to_tensorboard(writer)`, with the writer of the trainer's own `TensorBoardCallback(writer)` if both
    are to be seen together. Only the first process measures; all stop when it says so.

    Args:
        monitor: Decides when and what; keeps the measurements. A `TopologicalEarlyStopping` ends the training too.
    """

    @checked
    def __init__(self, monitor: TopologyMonitor) -> None:
        self.monitor = monitor

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:  # noqa: ARG002  # theirs
        """Measure the untrained model."""
        if not state.epoch:
            self._measure(state, kwargs["model"], 0)

    def on_epoch_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:  # noqa: ARG002  # theirs
        """Measure and log; an epoch that `max_steps` cut short counts as one."""
        self._measure(state, kwargs["model"], math.ceil((state.epoch or 0) - 1e-6))
        (stop,) = broadcast_object_list([self.monitor.should_stop])  # what the first process says
        control.should_training_stop = control.should_training_stop or stop

    def _measure(self, state: TrainerState, model: Any, epoch: int) -> None:
        measured = self.monitor(model, epoch) if state.is_world_process_zero else None
        if measured:
            state.log_history.append({**scalars(measured), "epoch": epoch, "step": state.global_step})
