"""Training an experiment, and going on from what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from dnn_topology import store
from dnn_topology._checks import check_at_least
from dnn_topology.runs.layout import Experiment, Training

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.nets.train import TrainingState


def run_training(
    experiment: Experiment,
    *,
    epochs: int,
    save_epochs: Iterable[int] = (),
    save_every: int = 1,
    on_epoch: Callable[[TrainingState], None] | None = None,
    should_stop: Callable[[int], bool] | None = None,
) -> pd.DataFrame:
    """Train up to an epoch, going on from whatever was finished before.

    Args:
        experiment: What to train, and where its files go.
        epochs: The last epoch.
        save_epochs: Epochs whose weights are kept, besides 0 and the last.
        save_every: Every so many epochs the weights are kept too; 0 for none.
        on_epoch: Called with the state after each finished epoch.
        should_stop: Asked of each finished epoch, the one to go on from included, whether it is the last.

    Returns:
        The history, as in history.csv.

    Raises:
        DnnTopologyError: The folder was made with other settings, a file is damaged, or the training diverged.
    """
    from dnn_topology.nets.train import TrainingState, history_table, save_weights, train
    from dnn_topology.recording.state_dicts import load_weights

    check_at_least("save_every", save_every, 0)
    data = experiment.load_data()
    net = experiment.build_net(data)
    if experiment.weights_file is not None:
        load_weights(experiment.weights_file, net)
    store.claim(
        experiment.trial_folder,
        asdict(experiment.training),
        results="training.pt",
        defaults=asdict(Training()),  # of what could not yet be chosen when the folder was made
    )
    state_file = experiment.trial_folder / "training.pt"
    resume = TrainingState.load(state_file) if state_file.exists() else None
    wanted = {0, epochs, *save_epochs}

    def keep(state: TrainingState) -> bool:
        if state.epoch in wanted or (save_every and state.epoch % save_every == 0):
            save_weights(experiment.checkpoint(state.epoch), state)
        store.write_table(experiment.trial_folder / "history.csv", history_table(state))
        state.save(state_file)  # last: an epoch is finished when this file says so
        if on_epoch:
            on_epoch(state)
        return should_stop is not None and should_stop(state.epoch)

    if resume and resume.epoch in wanted:  # it may not have been when it was reached
        save_weights(experiment.checkpoint(resume.epoch), resume)
    if resume and should_stop and should_stop(resume.epoch):
        return history_table(resume)
    return train(
        net,
        data,
        epochs=epochs,
        lr=experiment.training.lr,
        batch_size=experiment.training.batch_size,
        weight_decay=experiment.training.weight_decay,
        seed=experiment.training.seed,
        device=experiment.device,
        resume=resume,
        on_epoch=keep,
    )
