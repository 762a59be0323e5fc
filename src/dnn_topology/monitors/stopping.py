"""Early stopping by topology in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.early_stopping import MAX_EPSILON, Decision, StoppingRule, stopping_quantities
from dnn_topology.measurement import Measurement
from dnn_topology.monitors.plain import TopologyMonitor

if TYPE_CHECKING:
    import torch
    from torch import nn


class TopologicalEarlyStopping(TopologyMonitor):
    """Says when to stop, from training inputs alone, and keeps the weights of the epoch to go back to.

    A `TopologyMonitor` that also applies a `StoppingRule` to the loops of each measured epoch. Lightning's and Hugging
    Face's `TopologyCallback` end a training when it says so. Measure the untrained model too (epoch 0): the rule
    compares with the lowest value so far.

    Args:
        batches: Any iterable of batches of training inputs, drawn once, here; that no others are needed is the point.
        quantity: What of H1 is looked at: "midlife", "life", "density" or "epsilon" of its peak.
        patience: Epochs without a good value before the stop.
        min_delta: Share of the lowest value so far by which it must fall; negative: by which it may rise.
        keep_weights: Whether `best_state` is kept.
        every: Epochs that are a multiple of this are measured; epoch 0 is the untrained model.
        max_samples: The first so many samples are used; None for all.
        seed: Of every random state that can be reached while inputs are drawn and the model runs.
        on_measure: Called with each measured epoch and its measurement, such as `to_tensorboard` gives.
        log: Called with the numbers of each measured epoch and the epoch as the step, such as `wandb.log`.
        **options: The others of `measure`; `max_dim` is 1 and `max_epsilon` 0.4 unless given.

    Raises:
        DnnTopologyError: There is no input, an argument is out of range, or H1 is not measured.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.Tanh(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> stopping = TopologicalEarlyStopping(inputs.split(50), patience=2, min_delta=0)
        >>> for epoch in range(5):  # train for an epoch, then
        ...     m = stopping(model, epoch)
        ...     if stopping.should_stop:
        ...         break
        >>> epoch, stopping.best_epoch  # nothing was trained, so nothing fell
        (2, 0)
        >>> model.load_state_dict(stopping.best_state)
        <All keys matched successfully>
    """

    @checked
    def __init__(
        self,
        batches: Iterable[Any],
        *,
        quantity: str = StoppingRule.quantity,
        patience: int = StoppingRule.patience,
        min_delta: float = StoppingRule.min_delta,
        keep_weights: bool = True,
        every: int = 1,
        max_samples: int | None = 1000,
        seed: int = 0,
        on_measure: Callable[[int, Measurement], None] | None = None,
        log: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        self.rule = StoppingRule(quantity, patience, min_delta)
        self._best_state: dict[str, torch.Tensor] | None = None
        options = {"max_dim": 1, "max_epsilon": MAX_EPSILON, **options}
        if options["max_dim"] < 1:
            raise DnnTopologyError("early stopping reads H1: leave max_dim at 1 or raise it")
        self._keep_weights = keep_weights
        self._readings: dict[int, dict[str, float]] = {}
        super().__init__(
            batches, every=every, max_samples=max_samples, seed=seed, on_measure=on_measure, log=log, **options
        )

    @property
    def _when(self) -> str:
        """When it measures and has measured, and what it says, in words."""
        best = "" if self.best_epoch is None else f"; best: {self.best_epoch}{', stop' if self.should_stop else ''}"
        return f"{self.rule.quantity}, patience {self.rule.patience}, {super()._when}{best}"

    def __call__(self, model: nn.Module, epoch: int) -> Measurement | None:
        """Measure a model, if the epoch is one to measure, and decide anew; see `TopologyMonitor`.

        Args:
            model: The model as it is after that epoch.
            epoch: Number of epochs trained.

        Returns:
            The measurement, or None.

        Raises:
            DnnTopologyError: As for `measure`.
        """
        measurement = super().__call__(model, epoch)
        if measurement:
            self._readings[epoch] = stopping_quantities(measurement.diagrams)
            if self._keep_weights and self.best_epoch == epoch:
                self._best_state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        return measurement

    @property
    def decision(self) -> Decision:
        """Which epoch and why.

        Raises:
            DnnTopologyError: Nothing was measured yet.
        """
        return self.rule.decide({epoch: found[self.rule.quantity] for epoch, found in self._readings.items()})

    @property
    def should_stop(self) -> bool:
        """Whether training should end."""
        return bool(self._readings) and self.decision.stop_epoch is not None

    @property
    def best_state(self) -> dict[str, torch.Tensor]:
        """The state dict of `best_epoch`, on the CPU.

        Raises:
            DnnTopologyError: There is none: no epoch with a loop was measured yet, or weights are not kept.
        """
        if self._best_state is None:
            reason = "no epoch with a loop was measured yet" if self._keep_weights else "keep_weights is False"
            raise DnnTopologyError(f"there is no best_state: {reason}")
        return self._best_state

    @property
    def best_epoch(self) -> int | None:
        """The epoch to go back to; None as long as none has a loop."""
        return self.decision.chosen_epoch if self._readings else None
