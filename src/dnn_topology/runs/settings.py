"""What a run trains and measures, and what it may use: the fields that flags, grids and settings.json are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dnn_topology._checks import (
    DnnTopologyError,
    check_at_least,
    check_choice,
    check_fraction,
    check_types,
)
from dnn_topology.homology.diagrams import MIN_PERSISTENCE
from dnn_topology.settings import Compute, MeasureSettings

Split = Literal["train", "test"]


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
        data_subset: Share of the training images that is used, at random.
        binarize_labels: Set this class against an equally large sample of the others (-1: no).
        permute_labels: Share of the training labels that is permuted, once and for all.
        weights: Digest of the file of initial weights, if there is one.
        weight_decay: Pull of the weights to 0.
        train_size: Number of training images that is used, at random (0: all).
        width: Multiply the widths of a small network's hidden layers.
        depth: Number of a perceptron's hidden layers.
        dropout: Share of a small network's units dropped in training.

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

    def __post_init__(self) -> None:
        check_types(self)
        for name, least in (("trial", 0), ("seed", 0), ("batch_size", 1), ("train_size", 0), ("weight_decay", 0)):
            check_at_least(name, getattr(self, name), least)
        check_fraction("permute_labels", self.permute_labels)
        check_fraction("data_subset", self.data_subset)
        if not self.lr > 0:
            raise DnnTopologyError(f"lr must be positive, found {self.lr}")


@dataclass(frozen=True)
class RunMeasureSettings(MeasureSettings):
    """What is measured of a run's epochs: inputs are drawn, seeded, from one split of its data.

    Attributes:
        metric: Of two signals: pearson, spearman, distance-correlation, or your own package.module:function from
            signals (n_samples, n) to distances (n, n).
        n_inputs: Number of inputs that the graph is built from.
        min_persistence: In pictures and tables, only cavities that live longer than this (ε) count.
        graph_split: Inputs of the graph: 'train', or 'test' as in the original, which then looks at test data.
    """

    metric: str = "pearson"
    n_inputs: int = 1000
    min_persistence: float = MIN_PERSISTENCE
    graph_split: Split = "train"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metric != "pearson":
            from dnn_topology.graphs.metrics import resolve_metric

            resolve_metric(self.metric)


@dataclass(frozen=True)
class PictureSettings:
    """How pictures are drawn.

    Attributes:
        filtration: Axis of Betti curves: 'nominal' (ε) or 'density', the share of pairs joined.
        smooth: Smooth Betti curves as the original does.
    """

    filtration: Literal["nominal", "density"] = "nominal"
    smooth: bool = False

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True)
class Resources(Compute):
    """What a run may use; none of it changes a result.

    Attributes:
        threads: Threads of each job (default: the libraries' own choice).
        jobs: How many epochs or networks are worked on at the same time, each in a process of its own if there are
            several.
        timeout: Give one up after so many seconds.
        isolated: Whether a single job has a process of its own too, so that its death is not that of the caller.
        scheduler: Work on the Dask cluster of this scheduler, tcp://host:8786.

    Raises:
        DnnTopologyError: A number is not positive, or an option means nothing beside another.
    """

    jobs: int = 1
    timeout: float | None = None
    isolated: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("jobs", self.jobs, 1)
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise DnnTopologyError(f"timeout must be positive, found {self.timeout}")
        if self.scheduler is not None and (self.jobs != 1 or self.timeout is not None):
            raise DnnTopologyError(
                "jobs and timeout apply to this machine and scheduler to a cluster, whose workers decide how many "
                "work at a time: leave out one or the other"
            )

    def of_each_job(self, n_tasks: int) -> Resources:
        """Return what one of several jobs may use: their threads, and its share of the memory."""
        jobs = min(self.jobs, n_tasks)
        if jobs <= 1 or self.scheduler is not None:
            return self
        limit = self.memory_limit or free_memory()
        return replace(self, memory_limit=limit / jobs)


@dataclass(frozen=True)
class DetectSettings:
    """What is judged, and by what.

    Attributes:
        attacks: fgsm, pgd, deepfool, deepfool-linf.
        strengths: Largest change of a pixel in [0, 1], of fgsm and pgd; deepfool changes as much as need be.
        detectors: Detectors of single inputs: softmax, entropy, inputs, penultimate, activations, sample-graph,
            uncertainty, profile; +noise after the last five but sample-graph counts noise as usual (default: those that
            served best).
        batch_sizes: Sizes of the batches whose Betti curves are judged (0: none).
        n_inputs: Test images to judge, that the network is right about.
        n_fit: Clean training images that the detectors are fitted on.
        noise: How strong the noise is, at most, that +noise detectors are fitted on.
        seed: Of every draw.
        layers: Layers whose outputs are nodes, by name or glob (default: the network's own).

    Raises:
        DnnTopologyError: A name is unknown, or a number out of range.
    """

    attacks: tuple[str, ...] = ("fgsm", "pgd", "deepfool")
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    detectors: tuple[str, ...] | None = None
    batch_sizes: tuple[int, ...] = (50,)
    n_inputs: int = 300
    n_fit: int = 1000
    noise: float = 0.35
    seed: int = 0
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least("n_inputs", self.n_inputs, 2)
        check_at_least("n_fit", self.n_fit, 20)
        if not self.attacks or not self.strengths:
            raise DnnTopologyError("name at least one attack and one strength")
        if (self.attacks, self.detectors) != (DetectSettings.attacks, None):
            self._check_names()
        if not all(0 <= each <= 1 for each in self.strengths):
            raise DnnTopologyError(f"strengths are changes of pixels in [0, 1], found {self.strengths}")
        beyond = [size for size in self.batch_sizes if size > min(self.n_inputs, self.n_fit)]
        if beyond:
            raise DnnTopologyError(
                f"a batch of {beyond[0]} inputs needs as many to judge and to fit on, found {self.n_inputs} and "
                f"{self.n_fit}: take smaller batch_sizes, or more inputs"
            )

    @property
    def results(self) -> dict[str, Any]:
        """The settings that decide scores, as JSON values; every attack has files of its own, so more may come."""
        of_all = {name: getattr(self, name) for name in ("n_inputs", "n_fit", "noise", "seed", "layers")}
        return {"detectors": self.all_detectors, "batch_sizes": self.batch_sizes, **of_all}

    @property
    def all_detectors(self) -> tuple[str, ...]:
        """The detectors by name, each once."""
        from dnn_topology.analysis.adversarial.detection import DEFAULT

        return DEFAULT if self.detectors is None else tuple(dict.fromkeys(self.detectors))

    @property
    def all_attacks(self) -> list[tuple[str, float | None]]:
        """Every attack at every strength."""
        return [
            (name, strength)
            for name in dict.fromkeys(self.attacks)
            for strength in ((None,) if name.startswith("deepfool") else sorted({*self.strengths}))
        ]

    def _check_names(self) -> None:
        """Check the names of attacks and detectors.

        Raises:
            DnnTopologyError: One is unknown.
        """
        from dnn_topology.analysis.adversarial import NAMES
        from dnn_topology.analysis.adversarial.attacks import ATTACKS

        for name in self.detectors or ():
            check_choice("detector", name, NAMES)
        for name in self.attacks:
            check_choice("attack", name, ATTACKS)


def free_memory() -> float:
    """Return how many GiB may be used by default: 80 % of what is free."""
    import psutil

    from dnn_topology.homology.engines.estimate import FREE_SHARE, GIB

    return float(FREE_SHARE * psutil.virtual_memory().available / GIB)


def use_threads(threads: int | None) -> None:
    """Set the number of threads of torch and of the libraries under NumPy and SciPy; None leaves their choice."""
    if threads is None:
        return
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)


def digest_of(path: Path) -> str:
    """Return what tells the content of a file from others.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    import hashlib

    from dnn_topology.store import readable_errors

    with readable_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
