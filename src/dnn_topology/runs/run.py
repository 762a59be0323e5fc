"""One training on disk: what was trained, and where its files lie.

Layout of the folder of a run, by default `<save_path>/<net>_<dataset>/trial0/`:

    settings.json                     what was trained
    manifest.json                     which files are finished, with sizes and digests
    history.csv, training.pt          the history, and the state to resume from
    checkpoints/epoch<E>.pt           weights
    eps<MAX_EPSILON>[_<WHAT DIFFERS>]/  what was measured; see `measurements`
    early_stopping[_…]/, detection/   what stopping looked at, what detectors said
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.settings import TrainSettings
from dnn_topology.work.expectation import listed as listed
from dnn_topology.work.expectation import named as named
from dnn_topology.work.manifest import Manifest
from dnn_topology.work.near_runs import CHECKPOINTS, is_run, near_runs
from dnn_topology.work.stamps import SETTINGS, read_settings

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from dnn_topology.nets.data import DataSet


HISTORY, STATE = "history.csv", "training.pt"
TRAINED_AGAIN = "`dnn-topology run` or `train` with the settings of this run makes it again"
MEASURED_WHILE = ("lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy")  # an epoch of a history


@dataclass(frozen=True)
class Run:
    """A training and the folder of its files, which may be copied, moved and renamed.

    Attributes:
        folder: The folder of this training.
        training: What is trained.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.
        device: Where to train and record.
        weights_file: Initial weights; None for seeded ones.
    """

    folder: Path
    training: TrainSettings = field(default_factory=TrainSettings)
    data_dir: Path | None = None
    device: str = "cpu"
    weights_file: Path | None = None

    @classmethod
    def open(cls, folder: str | Path, *, data_dir: Path | None = None, device: str = "cpu") -> Run:
        """Open the folder that a training left, wherever it lies now.

        Args:
            folder: The folder.
            data_dir: The folder of downloaded data sets; None for the user's cache folder.
            device: Where to record.

        Returns:
            The run, which knows its network, data and weights.

        Raises:
            DnnTopologyError: It is no such folder, or its settings are damaged.
        """
        folder = Path(folder)
        if not is_run(folder):
            raise DnnTopologyError(f"{folder} is no folder of a run{near_runs(folder)}")
        return cls(folder, read_settings(folder, TrainSettings), data_dir, device)

    @classmethod
    def that_left(cls, weights: Path, *, data_dir: Path | None = None, device: str = "cpu") -> Run | None:
        """Return the run whose folder a file of weights lies in, under whatever name; None for one from elsewhere."""
        file = weights.resolve()
        folder = file.parent if file.name == STATE else file.parents[1] if file.parent.name == CHECKPOINTS else None
        if folder is not None and (folder / SETTINGS).exists():
            with suppress(DnnTopologyError):  # another program's settings
                return cls.open(folder, data_dir=data_dir, device=device)
        return None

    @classmethod
    def named(
        cls,
        training: TrainSettings,
        save_path: Path,
        *,
        data_dir: Path | None = None,
        device: str = "cpu",
        weights_file: Path | None = None,
    ) -> Run:
        """Return the run of that network, data set and trial, in the folder that the original would give it."""
        folder = save_path / f"{_file_part(training.net)}_{_file_part(training.dataset)}" / f"trial{training.trial}"
        return cls(folder, training, data_dir, device, weights_file)

    @property
    def original_folder(self) -> Path:
        """The folder of this network and data set, where the original leaves its diagrams."""
        return self.folder.parent

    @property
    def trial(self) -> int:
        """The number in the names of the original's files: that of the folder, for one may be another's copy."""
        numbered = re.fullmatch(r"trial(\d+)", self.folder.name)
        return int(numbered[1]) if numbered else self.training.trial

    @property
    def title(self) -> str:
        """The network and its data, in words."""
        return f"{self.training.net} on {self.training.dataset}, {self.folder}"

    def checkpoint(self, epoch: int) -> Path:
        """Return the file of an epoch's weights."""
        return self.folder / CHECKPOINTS / f"epoch{epoch}.pt"

    def load_data(self) -> DataSet:
        """Return the data set, in the form that the network expects.

        Raises:
            DnnTopologyError: It cannot be read, or is no longer what the network was trained on.
        """
        from dnn_topology.nets.from_settings import data_of

        return data_of(self.training, self.data_dir)

    def load_net(self, weights: Path | None = None) -> nn.Module:
        """Return the network with the weights of a file, ours or those of the original's network of its name.

        Args:
            weights: The file; None for the seeded weights that a training starts from.

        Raises:
            DnnTopologyError: The weights do not fit, or as for `load_data`.
        """
        from dnn_topology.nets.from_settings import net_of

        own = weights is None or weights.parent == self.folder / CHECKPOINTS
        return net_of(self.training, self.load_data(), weights, own=own, device=self.device)

    def history(self) -> pd.DataFrame:
        """Return how the training went, epoch by epoch, as in history.csv.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        path = self.folder / HISTORY
        if not path.exists() and self.folder.is_dir():
            raise DnnTopologyError(f"{path} is missing: {TRAINED_AGAIN}")
        if Manifest(self.folder).has_lost("training", path):
            raise DnnTopologyError(f"{path} is not as it was written: {TRAINED_AGAIN}")
        return store.read_table(path, TRAINED_AGAIN, columns={"epoch": int, **dict.fromkeys(MEASURED_WHILE, float)})

    def epochs(self) -> list[int]:
        """Return the epochs that have a checkpoint, in order."""
        return sorted(epochs_in(self.folder / CHECKPOINTS, r"epoch(\d+)\.pt"))

    def trained(self, epochs: Iterable[int] | None = None) -> list[int]:
        """Return the epochs wanted, or all that have a checkpoint.

        Args:
            epochs: Which epochs; None for all.

        Returns:
            The epochs, in order.

        Raises:
            DnnTopologyError: One has no checkpoint, or one that is not what was written; the message names those that
                have.
        """
        there = self.epochs()
        wanted = there if epochs is None else sorted(set(epochs))
        missing = sorted(set(wanted) - set(there))
        if missing or not there:
            raise DnnTopologyError(
                f"there is no checkpoint of {named(missing or [0])} of {self.title} (there are: {listed(there)})"
                f"{'' if self.folder.is_dir() else near_runs(self.folder)}: train them with `dnn-topology run` or "
                "`train`"
            )
        manifest = Manifest(self.folder)
        for epoch in wanted:
            if manifest.knows(f"epoch{epoch}") and not manifest.is_whole(f"epoch{epoch}", [self.checkpoint(epoch)]):
                raise DnnTopologyError(
                    f"{self.checkpoint(epoch)} is damaged: it is not what was written; {TRAINED_AGAIN}"
                )
        return wanted


def epochs_in(folder: Path, pattern: str) -> set[int]:
    """Return the epochs that file names in a folder carry."""
    if not folder.is_dir():
        return set()
    matches = (re.fullmatch(pattern, path.name) for path in folder.iterdir())
    return {int(match[1]) for match in matches if match}


def _file_part(name: str) -> str:
    """Return the name of a network or data set as part of a file's name; of a path, its last part."""
    kind, _, rest = name.partition(":")
    return re.sub(r"[^\w.-]+", "-", f"{kind}-{Path(rest).name}" if rest else name)
