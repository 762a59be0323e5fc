"""Early stopping, from training inputs alone, in a training loop of one's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from dnn_topology._calls import checked
from dnn_topology._checks import DnnTopologyError, check_max_dim
from dnn_topology.analysis.early_stopping import MAX_EPSILON, NEIGHBOURS, Decision, StoppingRule, stopping_quantities
from dnn_topology.analysis.neighbour_labels import NeighbourLabels
from dnn_topology.measurement import Measurement
from dnn_topology.monitors.plain import FIELDS, TopologyMonitor
from dnn_topology.recording.classes import inputs_and_labels, predicted_classes
from dnn_topology.settings import USUAL_SAMPLES

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.utils.data import Dataset


class TopologicalEarlyStopping(TopologyMonitor):
    """Says when to stop, from training inputs alone, and keeps the weights of the epoch to go back to.

    By default it compares predictions at the training inputs with the labels of the inputs beside them
    (`NeighbourLabels`), and measures no topology. With `quantity` "midlife", "life", "density" or "epsilon" it is a
    `TopologyMonitor` that applies a `StoppingRule` to the loops of each measured epoch. Lightning's and Hugging
    Face's `TopologyCallback` end a training when it says so. Call it for the untrained model too (epoch 0).

    Args:
        batches: Any iterable of batches of training inputs, drawn once, here; for neighbours with the labels that are
            trained on: pairs (inputs, labels), or mappings with a key "labels".
        rule: A rule, or the name of its quantity; instead of the next three.
        quantity: What is looked at: "neighbours", or, of loops, "midlife", "life", "density" or "epsilon".
        patience: Epochs without a good value before the stop; None for what is usual for the quantity.
        min_delta: Share by which it must fall, or, negative, may rise; None for what is usual for the quantity.
        graph: Neighbours are those joined by a minimum spanning tree, "tree", or so many nearest ones.
        features: What stands for the inputs where neighbours are sought, (n_inputs, ...), or a function that makes it
            of the inputs of all batches, in one tensor (mappings: in a list). Needed where inputs are tokens.
        keep_weights: Whether `best_state` is kept.
        every: Epochs that are a multiple of this are looked at; epoch 0 is the untrained model.
        max_samples: Batches are taken until they hold so many samples. None: all for neighbours, 1,000 for loops.
        seed: Of every random state that can be reached while inputs are drawn and the model runs.
        on_measure: Called with each measured epoch and its measurement, such as `to_tensorboard` gives; with neighbours
            it is never called.
        log: Called with the numbers of each epoch and the epoch as the step, such as `wandb.log`.
        **options: The others of `measure`, where loops are looked at; `max_dim` is 1, `max_epsilon` 0.4 unless given.

    Raises:
        DnnTopologyError: There is no input or no label, an argument is out of range, or H1 is not measured.

    Warns:
        UserWarning: Neighbours were given the same label hardly more often than by chance, and are no guide.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.Tanh(), torch.nn.Linear(30, 2))
        >>> inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> batches = list(zip(inputs.split(50), (inputs[:, 0] > 0).long().split(50), strict=True))
        >>> stopping = TopologicalEarlyStopping(batches, patience=2)
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
        batches: Iterable[Any] | Dataset[Any],
        *,
        rule: StoppingRule | str | None = None,
        quantity: str | None = None,
        patience: int | None = None,
        min_delta: float | None = None,
        graph: Literal["tree"] | int = "tree",
        features: Any = None,
        keep_weights: bool = True,
        every: int = 1,
        max_samples: int | None = None,
        seed: int = 0,
        on_measure: Callable[[int, Measurement], None] | None = None,
        log: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        self.rule = _rule(rule, quantity, patience, min_delta)
        self._best_state: dict[str, torch.Tensor] | None = None
        self.neighbours: NeighbourLabels | None = None
        by_neighbours = self.rule.quantity == NEIGHBOURS
        of_loops = {name: value for name, value in options.items() if name in {*FIELDS, "settings", "device"}}
        of_neighbours = {"graph": None if graph == "tree" else graph, "features": features}
        _check_applied(self.rule.quantity, of_loops if by_neighbours else of_neighbours)
        settings = options.get("settings")
        if settings is None:
            options = {"max_dim": 1, "max_epsilon": MAX_EPSILON, **options}
        if check_max_dim(getattr(settings, "max_dim", options.get("max_dim", 1))) < 1:
            raise DnnTopologyError("early stopping reads H1: leave max_dim at 1 or raise it")
        self._keep_weights = keep_weights
        self._values: dict[int, float] = {}
        if max_samples is None and not by_neighbours:
            max_samples = USUAL_SAMPLES
        super().__init__(
            batches, every=every, max_samples=max_samples, seed=seed, on_measure=on_measure, log=log, **options
        )
        if by_neighbours:
            self.neighbours = _neighbours(self._batches, graph, features)

    @property
    def _when(self) -> str:
        """When it measures and has measured, and what it says, in words."""
        best = "" if self.best_epoch is None else f"; best: {self.best_epoch}{', stop' if self.should_stop else ''}"
        return f"{self.rule.quantity}, patience {self.rule.patience}, {super()._when}{best}"

    @checked
    def __call__(self, model: nn.Module, epoch: int) -> Measurement | None:
        """Look at a model, if the epoch is one to look at, and decide anew; see `TopologyMonitor`.

        Args:
            model: The model as it is after that epoch.
            epoch: Number of epochs trained.

        Returns:
            The measurement of loops, or None.

        Raises:
            DnnTopologyError: As for `measure`, or the model gives no logits, one per class.
        """
        if self.neighbours is None:
            measurement = super().__call__(model, epoch)
            if measurement is None:
                return None
            self._values[epoch] = stopping_quantities(measurement.diagrams)[self.rule.quantity]
        else:
            measurement = None
            if not self.is_measured(epoch):
                return None
            self._values[epoch] = self.neighbours.disagreement(predicted_classes(model, self._batches))
            if self._log:
                self._log({"topology/neighbours": self._values[epoch]}, epoch)
        if self._keep_weights and self.best_epoch == epoch:
            self._best_state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        return measurement

    @property
    def decision(self) -> Decision:
        """Which epoch and why.

        Raises:
            DnnTopologyError: Nothing was measured yet.
        """
        return self.rule.decide(self._values)

    @property
    def should_stop(self) -> bool:
        """Whether training should end."""
        return bool(self._values) and self.decision.stop_epoch is not None

    @property
    def best_state(self) -> dict[str, torch.Tensor]:
        """The state dict of `best_epoch`, on the CPU.

        Raises:
            DnnTopologyError: There is none: no epoch with a loop was measured yet, or weights are not kept.
        """
        if self._best_state is None:
            reason = "no epoch to go back to was measured yet" if self._keep_weights else "keep_weights is False"
            raise DnnTopologyError(f"there is no best_state: {reason}")
        return self._best_state

    @property
    def best_epoch(self) -> int | None:
        """The epoch to go back to; None as long as none has a loop."""
        return self.decision.chosen_epoch if self._values else None


def _check_applied(quantity: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a quantity passes over.

    Raises:
        DnnTopologyError: There is one.
    """
    given = [name for name, value in options.items() if value is not None]
    if given and quantity == NEIGHBOURS:
        raise DnnTopologyError(
            f"{given[0]} does not apply to quantity 'neighbours', which measures no loops: leave it out, or give "
            "quantity='midlife'"
        )
    if given:
        raise DnnTopologyError(
            f"{given[0]} does not apply to quantity {quantity!r}, which looks at loops, not at neighbours: leave it out"
        )


def _rule(
    rule: StoppingRule | str | None, quantity: str | None, patience: int | None, min_delta: float | None
) -> StoppingRule:
    """Return the rule that is asked for.

    Raises:
        DnnTopologyError: It is asked for in two ways.
    """
    if isinstance(rule, StoppingRule):
        if (quantity, patience, min_delta) != (None, None, None):
            raise DnnTopologyError("rule is a StoppingRule: give quantity, patience and min_delta to that alone")
        return rule
    if rule is not None and quantity is not None:
        raise DnnTopologyError(f"rule={rule!r} and quantity={quantity!r} both name what is looked at: give one")
    named = quantity if rule is None else rule
    return StoppingRule(NEIGHBOURS if named is None else named, patience, min_delta)


def _neighbours(batches: list[Any], graph: Literal["tree"] | int, features: Any) -> NeighbourLabels:
    """Return the graph on the inputs of batches, and their labels.

    Raises:
        DnnTopologyError: There are no labels, or inputs cannot be compared.
    """
    inputs, labels = inputs_and_labels(batches)
    if labels is None:
        raise DnnTopologyError(
            "early stopping by neighbours needs the labels that are trained on: give batches of (inputs, labels), or "
            "another rule=, such as 'midlife', which needs none"
        )
    if features is None and isinstance(inputs, list):
        raise DnnTopologyError(
            "the inputs of a batch are several tensors, or of another shape than those of the next, so that none can "
            "be compared: give features=, one row of numbers for each input, such as embeddings of tokens"
        )
    neighbours = NeighbourLabels.of(inputs, labels, graph=graph, features=features)
    if neighbours.advice:
        warnings.warn(neighbours.advice, stacklevel=4)
    return neighbours
