"""A stopping rule at work on the tables of a training's epochs, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dnn_topology import progress, store
from dnn_topology.analysis.early_stopping import Decision, StoppingRule
from dnn_topology.work.epoch_tables import EpochTables
from dnn_topology.work.reports import Reports

DECIDING = ("n_inputs", "max_epsilon", "neighbours", "features")  # settings that stand beside a decision


def values_of(tables: Mapping[int, pd.DataFrame], quantity: str, *, draw: int = 0) -> dict[int, float]:
    """Return the value of every epoch in one draw of the inputs; draw 0 is the inputs themselves."""
    return {epoch: float(table[quantity].iloc[draw]) for epoch, table in tables.items()}


@dataclass(frozen=True, eq=False)
class EarlyStopping:
    """A rule at work on a training.

    Attributes:
        epochs: What it looks at.
        rule: The rule.
    """

    epochs: EpochTables
    rule: StoppingRule

    def should_stop(self, epoch: int) -> bool:
        """Return whether an epoch is the last, by what its checkpoint and the earlier ones say."""
        return self.decision(until=epoch)[0].stop_epoch is not None

    def decision(self, *, until: int | None = None) -> tuple[Decision, dict[int, pd.DataFrame]]:
        """Return what the rule makes of the checkpoints up to an epoch, and what it looked at."""
        trained = self.epochs.run.trained()
        looked_at = [epoch for epoch in trained if until is None or epoch <= until]
        tables = self.epochs.quantities(looked_at, reports=Reports(say=progress.say))
        return self.rule.decide(values_of(tables, self.rule.quantity)), tables


def write_decision(
    decision: Decision,
    tables: Mapping[int, pd.DataFrame],
    looked_at: EpochTables,
    folder: Path,
    *,
    sureness: pd.DataFrame | None = None,
) -> list[Path]:
    """Write a decision, its table and its picture.

    Args:
        decision: The decision.
        tables: What it was made of.
        looked_at: What was measured.
        folder: Where the files go.
        sureness: How often draws of the inputs agree, if there are any.

    Returns:
        The paths of the files.
    """
    from dnn_topology.show.early_stopping import plot_early_stopping
    from dnn_topology.show.report import save_figure

    values = values_of(tables, decision.rule.quantity)
    table = decision.of_all_epochs(values, sureness)
    inputs = {name: value for name, value in looked_at.settings.results.items() if name in DECIDING}
    about = {"format": store.FORMAT, **decision.record, **inputs}
    store.write_json(folder / "early_stopping.json", about)
    store.write_table(folder / "early_stopping.csv", table)
    paths = [folder / "early_stopping.json", folder / "early_stopping.csv"]
    if decision.chosen_epoch is None:
        return paths
    history = looked_at.run.history()
    ax = plot_early_stopping(decision, history, values=table)
    return [*paths, *save_figure(ax, folder / "early_stopping", formats=["png"])]
