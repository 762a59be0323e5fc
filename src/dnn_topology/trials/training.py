"""Trials trained side by side: in child processes or on a cluster, each finished one kept through the ledger."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.runs.run import HISTORY, Run
from dnn_topology.runs.training import claim_folder, run_training
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import reported
from dnn_topology.work.stamps import SETTINGS

if TYPE_CHECKING:
    from dnn_topology.settings import Resources
    from dnn_topology.work.decisions import EarlyStopping

Files = Mapping[str, bytes]  # name within the folder of a run → what is in it
Watched = Callable[[Run], "EarlyStopping | None"]
STATE = "training.pt"


def unwatched(run: Run) -> None:
    """Let a training go on to its last epoch."""
    del run


@dataclass(frozen=True, eq=False)
class TrialWork(Work[int, Files]):
    """Training trials from the start: what `Ledger` finishes. A trial is trained as `run_training` trains it.

    It is trained in a folder that is there only meanwhile, for this may be another machine; what the training left
    there, early stopping's tables included, comes back and is put into the folder of the trial.

    Attributes:
        runs: The trials.
        epochs: The last epoch.
        save_epochs: Epochs whose weights are kept, besides 0 and the last.
        save_every: Every so many epochs the weights are kept too; 0 for none.
        watched: Gives what may end the training of a run before that; importable where trials are trained.
    """

    runs: Sequence[Run]
    epochs: int
    save_epochs: Sequence[int]
    save_every: int
    watched: Watched

    def name(self, trial: int) -> str:
        """Return a trial's name in the manifest, with the epochs that were asked for."""
        return f"{self.runs[trial].folder.name}_epochs{self.epochs}"

    def files(self, trial: int) -> Sequence[Path]:
        """Return the files that every trial leaves; of the checkpoints its own manifest knows."""
        return [self.runs[trial].folder / name for name in (STATE, HISTORY)]

    def do(self, trial: int) -> Files:
        """Train a trial and return what that left."""
        run = self.runs[trial]
        with tempfile.TemporaryDirectory() as folder:
            there = replace(run, folder=Path(folder) / run.original_folder.name / run.folder.name)
            watch = self.watched(there)
            run_training(
                there,
                epochs=self.epochs,
                save_epochs=self.save_epochs,
                save_every=self.save_every,
                should_stop=watch.should_stop if watch else None,
            )
            paths = [path for path in sorted(there.folder.rglob("*")) if path.is_file()]
            return {path.relative_to(there.folder).as_posix(): path.read_bytes() for path in paths}

    def keep(self, trial: int, result: Files) -> None:
        """Write what a trial left into its folder; the state, which says that it was trained, comes last."""
        run = self.runs[trial]
        claim_folder(run, run.load_data())
        for name in sorted(result, key=lambda name: (name == STATE, name)):
            if name != SETTINGS:
                store.write_bytes(run.folder / name, result[name])

    def load(self, trial: int) -> Files:
        """Return how the training of a trial went.

        Raises:
            DnnTopologyError: The file is damaged.
        """
        self.runs[trial].history()  # which says whether it is damaged
        return {HISTORY: (self.runs[trial].folder / HISTORY).read_bytes()}


def train_trials(
    runs: Sequence[Run],
    *,
    epochs: int,
    save_epochs: Sequence[int],
    save_every: int,
    resources: Resources,
    watched: Watched = unwatched,
) -> None:
    """Train trials that have not begun, side by side, and say how they did; `run_training` goes on with others.

    Args:
        runs: The trials, of one network and data set.
        epochs: The last epoch.
        save_epochs: Epochs whose weights are kept, besides 0 and the last.
        save_every: Every so many epochs the weights are kept too; 0 for none.
        resources: Where, and how many at a time.
        watched: Gives what may end the training of a run before its last epoch, or None.

    Raises:
        DnnTopologyError: A trial could not be trained; the others are kept.
    """
    work = TrialWork(runs, epochs, tuple(save_epochs), save_every, watched)
    new = [number for number, run in enumerate(runs) if not (run.folder / STATE).exists()]
    ledger: Ledger[int, Files] = Ledger(runs[0].original_folder / "trials", work)
    titles = [run.folder.name for run in runs]
    with reported("training", len(new), title=titles.__getitem__, described=_described) as reports:
        outcomes = ledger.finish(new, resources, reports=reports)
    if outcomes.failed:
        trial, why = next(iter(outcomes.failed.items()))
        raise DnnTopologyError(f"{runs[trial].folder} could not be trained: {why.last_line}; the others are kept")


def _described(files: Files) -> str:
    """Return how well a trial did, in few words."""
    last = pd.read_csv(io.BytesIO(files[HISTORY])).iloc[-1]
    return f"epoch {int(last['epoch'])}: accuracy {last['train_accuracy']:.3f} train, {last['test_accuracy']:.3f} test"
