"""Trials trained side by side: in child processes or on a cluster, each finished one kept through the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology._checks import DnnTopologyError
from dnn_topology.runs.run import HISTORY, Run
from dnn_topology.runs.training import TrainingFiles, claim_folder, kept_epochs, train_from
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import reported

if TYPE_CHECKING:
    from dnn_topology.nets.train import TrainingState
    from dnn_topology.settings import Resources

States = list["TrainingState"]


@dataclass(frozen=True, eq=False)
class TrialWork(Work[int, States]):
    """Training trials from the start: what `Ledger` finishes. A trial is trained as `run_training` trains it.

    Attributes:
        runs: The trials.
        epochs: The last epoch.
        kept: The epochs whose weights are kept, the last included.
    """

    runs: Sequence[Run]
    epochs: int
    kept: frozenset[int]

    def name(self, trial: int) -> str:
        """Return a trial's name in the manifest, with the epochs that were asked for."""
        return f"{self.runs[trial].folder.name}_epochs{self.epochs}"

    def files(self, trial: int) -> Sequence[Path]:
        """Return the files of a trial."""
        run = self.runs[trial]
        checkpoints = [run.checkpoint(epoch) for epoch in sorted(self.kept)]
        return [run.folder / "training.pt", run.folder / HISTORY, *checkpoints]

    def do(self, trial: int) -> States:
        """Train a trial and return its states at the epochs that are kept."""
        states: States = []

        def keep(state: TrainingState) -> None:
            if state.epoch in self.kept:
                states.append(state)

        run = self.runs[trial]
        train_from(run, run.load_data(), epochs=self.epochs, resume=None, on_epoch=keep)
        return states

    def keep(self, trial: int, result: States) -> None:
        """Write the weights and the history of a trial into its folder."""
        run = self.runs[trial]
        claim_folder(run, run.load_data())
        files = TrainingFiles(run)
        for state in result:
            files.keep(state, with_weights=True)

    def load(self, trial: int) -> States:
        """Return the last state of a trial.

        Raises:
            DnnTopologyError: The file is damaged, or the training has not come that far.
        """
        from dnn_topology.nets.train import TrainingState

        state = TrainingState.load(self.runs[trial].folder / "training.pt")
        if state.epoch < self.epochs:
            raise DnnTopologyError(f"{self.runs[trial].folder} was trained up to epoch {state.epoch} alone")
        return [state]


def train_trials(
    runs: Sequence[Run], *, epochs: int, save_epochs: Sequence[int], save_every: int, resources: Resources
) -> None:
    """Train trials that have not begun, side by side, and say how they did; `run_training` goes on with others.

    Args:
        runs: The trials, of one network and data set.
        epochs: The last epoch.
        save_epochs: Epochs whose weights are kept, besides 0 and the last.
        save_every: Every so many epochs the weights are kept too; 0 for none.
        resources: Where, and how many at a time.

    Raises:
        DnnTopologyError: A trial could not be trained; the others are kept.
    """
    work = TrialWork(runs, epochs, frozenset(kept_epochs(epochs, save_epochs, save_every)))
    new = [number for number, run in enumerate(runs) if not (run.folder / "training.pt").exists()]
    ledger: Ledger[int, States] = Ledger(runs[0].original_folder / "trials", work)
    titles = [run.folder.name for run in runs]
    with reported("training", len(new), title=titles.__getitem__, described=_described) as reports:
        outcomes = ledger.finish(new, resources, reports=reports)
    if outcomes.failed:
        trial, why = next(iter(outcomes.failed.items()))
        raise DnnTopologyError(f"{runs[trial].folder} could not be trained: {why.last_line}; the others are kept")


def _described(states: States) -> str:
    """Return how well a trial did, in few words."""
    last = states[-1].history[-1]
    return f"epoch {last.epoch}: accuracy {last.train_accuracy:.3f} train, {last.test_accuracy:.3f} test"
