"""What is trained, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dnn_topology._checks import DnnTopologyError, check_at_least, check_fraction, check_types, check_whole, shown

LARGEST = 3.4e38  # number that weights take
MOST_TRIALS = 10_000


@dataclass(frozen=True)
class TrainSettings:
    """What is trained, and how. The number of epochs may grow later.

    Attributes:
        net: Network: a name that `dnn-topology nets` lists, torchvision:NAME, or package.module:factory of your own.
        dataset: Data set: a name that `dnn-topology datasets` lists, folder:PATH, or npz:PATH.
        trial: Number that tells trainings of the same kind apart.
        seed: Seed of everything random (default: the trial's number).
        lr: Initial learning rate.
        batch_size: Images per step of training.
        data_subset: Share of the training images that is used, at random (0: all, as in the original).
        binarize_labels: Set this class against an equally large sample of the others (-1: no).
        permute_labels: Share of the training labels that is permuted, once and for all.
        weights: Digest of the file of initial weights, if there is one.
        weight_decay: Pull of the weights to 0.
        train_size: Number of training images that is used, at random (0: all).
        width: Multiply the widths of a small network's hidden layers.
        depth: Number of a perceptron's hidden layers.
        dropout: Share of a small network's units dropped in training.
        normalise: What is fed to the network: 'data', pixels less the mean of the training images over their standard
            deviation; 'none', pixels in [0, 1]; or 'MEAN,STD' of your own.
        data_source: Where the data came from, whatever the folder that it is named in.
        data_digest: Digest of the data.

    Raises:
        DnnTopologyError: A value is out of range.
    """

    net: str = "lenet"
    dataset: str = "mnist-5k"
    trial: int = 0
    seed: int = 0
    lr: float = 0.01
    batch_size: int = 128
    data_subset: float = 1.0
    binarize_labels: int = -1
    permute_labels: float = 0.0
    weights: str | None = None
    weight_decay: float = 5e-4
    train_size: int = 0
    width: float | None = None
    depth: int | None = None
    dropout: float | None = None
    normalise: str = "data"
    data_source: str | None = None
    data_digest: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        for name, least in (("trial", 0), ("seed", 0), ("batch_size", 1), ("train_size", 0), ("weight_decay", 0)):
            check_at_least(name, getattr(self, name), least)
        check_fraction("permute_labels", self.permute_labels)
        check_fraction("data_subset", self.data_subset)
        if not 0 < self.lr < LARGEST or self.weight_decay > LARGEST:
            name = "lr" if self.weight_decay <= LARGEST else "weight_decay"
            raise DnnTopologyError(f"{name} must be positive and below {LARGEST}, found {getattr(self, name)}")

    @property
    def optimisation(self) -> dict[str, Any]:
        """How it is trained: options of `dt.train`."""
        return self._options("lr", "batch_size", "weight_decay", "seed")

    @property
    def variation(self) -> dict[str, Any]:
        """How the network differs from its usual form: options of `dt.build_net`."""
        return self._options("width", "depth", "dropout")

    @property
    def data_options(self) -> dict[str, Any]:
        """What becomes of the data set: options of `dt.load_data`."""
        drawn = ("data_subset", "train_size", "binarize_labels", "permute_labels")
        return self._options(*drawn, "normalise", "seed")

    @property
    def data_name(self) -> str:
        """The data set; a path as it was when the network was trained."""
        is_path = self.dataset.startswith(("npz:", "folder:"))
        return self.data_source if is_path and self.data_source is not None else self.dataset

    def _options(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


def of_trials(training: TrainSettings, seed: int | None, n_trials: int) -> list[dict[str, Any]]:
    """Return `training` and `seed` of each of several trials: the first as given, the next one more each time.

    Raises:
        DnnTopologyError: They are too many.
    """
    if n_trials > MOST_TRIALS:
        raise DnnTopologyError(f"trials must be at most {MOST_TRIALS}, found {shown(n_trials)}")
    return [
        {"training": replace(training, trial=training.trial + n), "seed": None if seed is None else seed + n}
        for n in range(n_trials)
    ]


def usual_epochs(last: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, 50, … up to the last epoch, and that one.

    Raises:
        DnnTopologyError: The last is negative, or none that anybody trains to.
    """
    check_whole("n_epochs_train", last, 0)
    steps = (factor * 10**power for power in range(len(str(last))) for factor in (1, 2, 5))
    return sorted({last, *(step for step in steps if step <= last)})
