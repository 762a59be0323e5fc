"""Training a run, going on from what is there, and training again what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.runs.run import HISTORY, STATE, Run, named
from dnn_topology.settings import TrainSettings
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.stamps import Stamp

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.nets.train import TrainingState


def run_training(
    run: Run,
    *,
    epochs: int,
    save_epochs: Iterable[int] = (),
    save_every: int = 1,
    on_epoch: Callable[[TrainingState], object] | None = None,
    should_stop: Callable[[int], bool] | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> pd.DataFrame:
    """Train up to an epoch, going on from whatever was finished before.

    Args:
        run: What to train, and where its files go.
        epochs: The last epoch.
        save_epochs: Epochs whose weights are kept, besides 0 and the last.
        save_every: Every so many epochs the weights are kept too; 0 for none.
        on_epoch: Called with the state after each finished epoch.
        should_stop: Asked of each finished epoch, the one to go on from included, whether it is the last.
        say: Called with what else there is to know: that epochs are trained again.

    Returns:
        The history, as in history.csv.

    Raises:
        DnnTopologyError: The folder was made with other settings, a file cannot be read, or the training diverged.
    """
    from dnn_topology.nets.train import UnfitStateError, history_table

    check_at_least("save_every", save_every, 0)
    check_at_least("epochs", epochs, 0)
    data = run.load_data()
    claim_folder(run, data)
    files = TrainingFiles(run)
    kept = kept_epochs(epochs, save_epochs, save_every)

    def keep(state: TrainingState) -> bool:
        files.keep(state, with_weights=state.epoch in kept)
        if on_epoch:
            on_epoch(state)
        return should_stop is not None and should_stop(state.epoch)

    resume = files.state(say)
    if resume is not None:
        files.mend(resume, say, with_weights=resume.epoch in kept)
        _restore(files, data, [epoch for epoch in kept if epoch < resume.epoch], say)
        if resume.epoch >= epochs or (should_stop and should_stop(resume.epoch)):
            return history_table(resume)
    store.check_writable(run.folder)
    try:
        return train_from(run, data, epochs=epochs, resume=resume, on_epoch=keep)
    except UnfitStateError:
        files.say_afresh(say)
        return train_from(run, data, epochs=epochs, resume=None, on_epoch=keep)


def kept_epochs(last: int, save_epochs: Iterable[int], save_every: int) -> list[int]:
    """Return the epochs whose weights are kept: 0, the last, those that are asked for, and every so many."""
    every = range(0, last + 1, save_every) if save_every else ()
    return sorted({0, last, *save_epochs, *every})


def claim_folder(run: Run, data: Any) -> None:
    """Stamp the folder of a run with what is trained, and remove what a killed process was writing there."""
    from dnn_topology.nets.from_settings import digest_of_data

    store.sweep(run.folder)
    where = {"data_source": data.source, "data_digest": digest_of_data(data)}
    usual = {**asdict(TrainSettings()), **where}  # which an older version's folder does not name
    Stamp({**asdict(run.training), **where}, STATE, usual).claim(run.folder, free="data_source")


def train_from(run: Run, data: Any, **options: Any) -> pd.DataFrame:
    """Train the network of a run from its initial weights, or from a state.

    Raises:
        DnnTopologyError: The initial weights are in a file that is not named.
    """
    from dnn_topology.nets.train import train

    if run.weights_file is None and run.training.weights is not None and options["resume"] is None:
        raise DnnTopologyError(
            f"{run.folder} was trained from weights of a file (digest {run.training.weights}): name it with checkpoint="
        )
    return train(run.load_net(run.weights_file), data, device=run.device, **run.training.optimisation, **options)


class TrainingFiles:
    """What a training leaves in the folder of a run: weights, the history, and the state to go on from.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.manifest = Manifest(run.folder)
        self.state_file, self.history_file = run.folder / STATE, run.folder / HISTORY

    def keep(self, state: TrainingState, *, with_weights: bool) -> None:
        """Write what an epoch gave; it is finished when the state to go on from, which comes last, says so."""
        if with_weights:
            self.keep_weights(state)
        self.keep_history(state)
        state.save(self.state_file)
        self.manifest.record("training", [self.state_file, self.history_file])

    def keep_weights(self, state: TrainingState) -> None:
        """Write the weights of an epoch."""
        from dnn_topology.nets.train import save_weights

        path = self.run.checkpoint(state.epoch)
        save_weights(path, state)
        self.manifest.record(f"epoch{state.epoch}", [path])

    def has_weights(self, epoch: int) -> bool:
        """Return whether the weights of an epoch are there and what was written; those of an older version are read."""
        from dnn_topology.recording.state_dicts import read_state

        name, path = f"epoch{epoch}", self.run.checkpoint(epoch)
        if self.manifest.knows(name):
            return self.manifest.is_whole(name, [path])
        if not path.exists():
            return False
        try:
            read_state(path)
        except DnnTopologyError:
            return False
        self.manifest.record(name, [path])
        return True

    def state(self, say: Callable[[str], object]) -> TrainingState | None:
        """Return the state to go on from, or None where there is none or it is not what was written."""
        from dnn_topology.nets.train import TrainingState

        if not self.state_file.exists():
            return None
        try:
            return TrainingState.load(self.state_file)
        except DnnTopologyError:
            self.say_afresh(say)
            return None

    def say_afresh(self, say: Callable[[str], object]) -> None:
        """Say that a training starts again, and why."""
        say(f"{self.state_file} is not what was written, so the training starts again")

    def mend(self, state: TrainingState, say: Callable[[str], object], *, with_weights: bool) -> None:
        """Write again, from the state to go on from, what of its epoch is not there or not whole."""
        lost = "is not what was written, so it is written again"
        if with_weights and not self.has_weights(state.epoch):  # it may not have been wanted when it was reached
            if self.manifest.knows(f"epoch{state.epoch}"):
                say(f"{self.run.checkpoint(state.epoch)} {lost}")
            self.keep_weights(state)
        if not self.manifest.is_whole("training", [self.history_file]):
            if self.manifest.knows("training"):
                say(f"{self.history_file} {lost}")
            self.keep_history(state)
            self.manifest.record("training", [self.state_file, self.history_file])

    def keep_history(self, state: TrainingState) -> None:
        """Write how the training went up to an epoch."""
        from dnn_topology.nets.train import history_table

        store.write_table(self.history_file, history_table(state))


def _restore(files: TrainingFiles, data: Any, kept: Iterable[int], say: Callable[[str], object]) -> None:
    """Train again, from the start, the earlier epochs whose weights are asked for and are not there or not whole."""
    missing = [epoch for epoch in kept if not files.has_weights(epoch)]
    if not missing:
        return
    if missing != [0]:
        say(f"no whole weights of {named(missing)}: training up to epoch {max(missing)} again")

    def keep(state: TrainingState) -> None:
        if state.epoch in missing:
            files.keep_weights(state)

    train_from(files.run, data, epochs=max(missing), resume=None, on_epoch=keep)
