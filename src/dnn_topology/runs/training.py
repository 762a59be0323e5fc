"""Training a run, going on from what is there, and training again what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.runs.run import Run, named
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
    on_epoch: Callable[[TrainingState], None] | None = None,
    should_stop: Callable[[int], bool] | None = None,
    say: Callable[[str], None] | None = None,
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
    state_file = run.folder / "training.pt"
    manifest = Manifest(run.folder)
    resume = _state(run, say)
    wanted = {0, epochs, *save_epochs}

    def is_kept(epoch: int) -> bool:
        return epoch in wanted or bool(save_every and epoch % save_every == 0)

    def keep(state: TrainingState) -> bool:
        keep_state(run, state, manifest, with_weights=is_kept(state.epoch))
        if on_epoch:
            on_epoch(state)
        return should_stop is not None and should_stop(state.epoch)

    if resume is not None:
        _mend(run, resume, manifest, say, kept=is_kept(resume.epoch))
        _restore(run, data, [epoch for epoch in range(resume.epoch) if is_kept(epoch)], manifest, say)
        if resume.epoch >= epochs or (should_stop and should_stop(resume.epoch)):
            return history_table(resume)
    store.check_writable(run.folder)
    try:
        return train_from(run, data, epochs=epochs, resume=resume, on_epoch=keep)
    except UnfitStateError:
        _say_afresh(state_file, say)
        return train_from(run, data, epochs=epochs, resume=None, on_epoch=keep)


def claim_folder(run: Run, data: Any) -> None:
    """Stamp the folder of a run with what is trained, and remove what a killed process was writing there."""
    from dnn_topology.nets.from_settings import digest_of_data

    store.sweep(run.folder)
    where = {"data_source": data.source, "data_digest": digest_of_data(data)}
    usual = {**asdict(TrainSettings()), **where}  # which an older version's folder does not name
    Stamp({**asdict(run.training), **where}, "training.pt", usual).claim(run.folder, free="data_source")


def keep_state(run: Run, state: TrainingState, manifest: Manifest, *, with_weights: bool) -> None:
    """Write what an epoch gave."""
    from dnn_topology.nets.train import history_table

    files = [run.folder / "training.pt", run.folder / "history.csv"]
    if with_weights:
        _save_checkpoint(run, state, manifest)
    store.write_table(files[1], history_table(state))
    state.save(files[0])  # last: an epoch is finished when this file says so
    manifest.record("training", files)


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


def _state(run: Run, say: Callable[[str], None] | None) -> TrainingState | None:
    """Return the state to resume from, or None where there is none or it is not what was written."""
    from dnn_topology.nets.train import TrainingState

    path = run.folder / "training.pt"
    if not path.exists():
        return None
    try:
        return TrainingState.load(path)
    except DnnTopologyError:
        _say_afresh(path, say)
        return None


def _say_afresh(path: Path, say: Callable[[str], None] | None) -> None:
    """Say that a training starts again, and why."""
    if say:
        say(f"{path} is not what was written, so the training starts again")


def _mend(run: Run, state: TrainingState, manifest: Manifest, say: Callable[[str], None] | None, *, kept: bool) -> None:
    """Write again, from the state to go on from, what of its epoch is not there or not whole."""
    from dnn_topology.nets.train import history_table

    name, weights, history = f"epoch{state.epoch}", run.checkpoint(state.epoch), run.folder / "history.csv"
    if kept and not _is_whole(run, state.epoch, manifest):  # it may not have been wanted when it was reached
        if say and manifest.knows(name):
            say(f"{weights} is not what was written, so it is written again")
        _save_checkpoint(run, state, manifest)
    if not manifest.is_whole("training", [history]):
        if say and manifest.knows("training"):
            say(f"{history} is not what was written, so it is written again")
        store.write_table(history, history_table(state))
        manifest.record("training", [run.folder / "training.pt", history])


def _restore(
    run: Run,
    data: Any,
    kept: list[int],
    manifest: Manifest,
    say: Callable[[str], None] | None,
) -> None:
    """Train again, from the start, the earlier epochs whose weights are asked for and are not there or not whole."""
    missing = [epoch for epoch in kept if not _is_whole(run, epoch, manifest)]
    if not missing:
        return
    if say and missing != [0]:
        say(f"no whole weights of {named(missing)}: training up to epoch {max(missing)} again")

    def keep(state: TrainingState) -> None:
        if state.epoch in missing:
            _save_checkpoint(run, state, manifest)

    train_from(run, data, epochs=max(missing), resume=None, on_epoch=keep)


def _save_checkpoint(run: Run, state: TrainingState, manifest: Manifest) -> None:
    """Write the weights of an epoch."""
    from dnn_topology.nets.train import save_weights

    path = run.checkpoint(state.epoch)
    save_weights(path, state)
    manifest.record(f"epoch{state.epoch}", [path])


def _is_whole(run: Run, epoch: int, manifest: Manifest) -> bool:
    """Return whether the weights of an epoch are there and what was written; those of an older version are read."""
    from dnn_topology.recording.state_dicts import read_state

    name, path = f"epoch{epoch}", run.checkpoint(epoch)
    if manifest.knows(name):
        return manifest.is_whole(name, [path])
    if not path.exists():
        return False
    try:
        read_state(path)
    except DnnTopologyError:
        return False
    manifest.record(name, [path])
    return True
