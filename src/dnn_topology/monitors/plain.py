"""Measuring a model every so many epochs, whatever loop trains it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_at_least, check_type
from dnn_topology.measurement import Breakdown, Measurement
from dnn_topology.pipeline import measure, measure_options
from dnn_topology.recording.batches import take_batches
from dnn_topology.settings import USUAL_SAMPLES, Compute, MeasureSettings

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.data import Dataset


FIELDS = {*MeasureSettings.__dataclass_fields__, *Compute.__dataclass_fields__}


class TopologyMonitor:
    """Measures a model as it trains: every so many epochs, always on the same inputs.

    The inputs are drawn once, here, so that the loader may shuffle and augment, and may be the one that the training
    uses. A measurement changes nothing about the training: see `record`.

    Args:
        batches: Any iterable of batches; see `record`.
        every: Epochs that are a multiple of this are measured; epoch 0 is the untrained model.
        max_samples: The first so many samples are used; None for all.
        seed: Of every random state that can be reached while inputs are drawn and the model runs.
        on_measure: Called with each measured epoch and its measurement; see `to_tensorboard`.
        log: Called with the numbers of each measured epoch, name → number as `scalars` gives them, and the epoch as the
            step: `wandb.log`, `mlflow.log_metrics`, `trackio.log` or any other function that takes such.
        **options: The others of `measure`.

    Attributes:
        measurements: Epoch → measurement, in the order in which they were made.

    Raises:
        DnnTopologyError: There is no input, or an argument is out of range.
        TypeError: An option is none of `measure`.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.Tanh(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> monitor = TopologyMonitor(inputs.split(50), every=2, max_dim=1)
        >>> for epoch in range(5):  # train for an epoch, then
        ...     m = monitor(model, epoch)
        >>> list(monitor.measurements)
        [0, 2, 4]
        >>> monitor.table[["epoch", "dim"]].to_numpy().tolist()
        [[0, 0], [0, 1], [2, 0], [2, 1], [4, 0], [4, 1]]
    """

    @checked
    def __init__(
        self,
        batches: Iterable[Any] | Dataset[Any],
        *,
        every: int = 1,
        max_samples: int | None = USUAL_SAMPLES,
        seed: int = 0,
        on_measure: Callable[[int, Measurement], None] | None = None,
        log: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        check_at_least("every", every, 1)
        n_inputs = _measured_options({"max_samples": max_samples, **options}).n_inputs
        self.measurements: dict[int, Measurement] = {}
        self._batches = take_batches(batches, max_samples=n_inputs, seed=seed)
        self._every = every
        self._options = {"max_samples": max_samples, "seed": seed, **options}
        self._on_measure = on_measure
        self._log = log
        self._steps = 0

    def __repr__(self) -> str:
        """Return when it measures, and which epochs it has measured."""
        return f"{type(self).__name__}({self._when})"

    @property
    def _when(self) -> str:
        """When it measures and has measured, in words."""
        epochs = [str(epoch) for epoch in self.measurements]
        listed = ", ".join(epochs if len(epochs) <= 8 else [*epochs[:3], "…", *epochs[-3:]])
        every = "every epoch" if self._every == 1 else f"every {self._every} epochs"
        return f"{every}; measured: {listed or 'none yet'}"

    @checked
    def __call__(self, model: nn.Module, epoch: int) -> Measurement | None:
        """Measure a model, if the epoch is one to measure.

        Args:
            model: The model as it is after that epoch.
            epoch: Number of epochs trained; an epoch measured before is replaced.

        Returns:
            The measurement, or None.

        Raises:
            DnnTopologyError: As for `measure`.
        """
        if not self.is_measured(epoch):
            return None
        measurement: Measurement = measure(model, self._batches, **self._options)
        self.measurements[epoch] = measurement
        if self._on_measure:
            self._on_measure(epoch, measurement)
        if self._log:
            self._log(scalars(measurement), epoch)
        return measurement

    @checked
    def is_measured(self, epoch: int) -> bool:
        """Return whether an epoch is one to measure.

        Args:
            epoch: Number of epochs trained.

        Raises:
            DnnTopologyError: It is negative.
        """
        check_at_least("epoch", epoch, 0)
        return epoch % self._every == 0

    @checked
    def step(self, model: nn.Module) -> Measurement | None:
        """Measure a model at the end of an epoch, if it is one to measure: the first call ends epoch 1.

        Args:
            model: The model as it is now.

        Returns:
            The measurement, or None.

        Raises:
            DnnTopologyError: As for `measure`.
        """
        self._steps += 1
        return self(model, self._steps)

    @property
    def should_stop(self) -> bool:
        """Whether training should end, which a monitor never says; see `TopologicalEarlyStopping`."""
        return False

    @property
    def table(self) -> pd.DataFrame:
        """What was measured: `epoch`, then the columns of `summarize`; one row per epoch and dimension (and layer, …).

        Raises:
            DnnTopologyError: Nothing was measured yet.
        """
        if not self.measurements:
            raise DnnTopologyError("no epoch was measured yet: call the monitor after each epoch, or lower `every`")
        parts = [measured.table.assign(epoch=epoch) for epoch, measured in sorted(self.measurements.items())]
        table = pd.concat(parts, ignore_index=True)
        return table[["epoch", *table.columns.drop("epoch")]]


def _measured_options(options: Mapping[str, Any]) -> MeasureSettings:
    """Return what options of `measure` say is measured, so that a wrong one fails now and not after an epoch.

    Raises:
        DnnTopologyError: A value is of a wrong type or out of range.
    """
    given = inspect.signature(measure).bind(None, None, **options).arguments
    check_type("settings", given.get("settings"), MeasureSettings | None)
    fields = {name: value for name, value in options.items() if name in FIELDS}
    return measure_options(given.get("settings"), fields, given["max_samples"])[0]


def scalars(measurement: Measurement) -> dict[str, float]:
    """Return the numbers of a measurement by name, for a logger; those that are not defined (NaN) are left out.

    Args:
        measurement: What `measure` returned.

    Returns:
        "topology/H<dim>/<column of `summarize`>" → number; of a layer or class, its name comes before the dimension.
    """
    tables = {"": measurement.summary}
    if isinstance(measurement, Breakdown):
        tables |= {f"{name}/": part.summary for name, part in measurement.items()}
    return {
        f"topology/{name}H{row['dim']}/{column}": float(value)
        for name, table in tables.items()
        for row in table.to_dict("records")
        for column, value in row.items()
        if column != "dim" and not math.isnan(value)
    }
