"""The trainings that `early_stopping.py` judges: every epoch's accuracies, losses and topology, one file per training.

Resumable: a training goes on after its last finished epoch, and a finished one is not touched again. Each keeps its H1
diagrams beside it, so that another variant of a quantity needs no new training.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from dnn_topology import DataSet, Diagrams, build_net, load_data, measure, summarize, train
from dnn_topology.nets.data import batches
from dnn_topology.recording.weight_norms import weight_matrices
from dnn_topology.nets.train import TrainingState, evaluate
from dnn_topology.nets.zoo import find_network
from dnn_topology.store import write_json
from dnn_topology.homology.neural_persistence import neural_persistence

HELD_OUT = 0.2  # of the training images, for the rules that look at a validation split
N_INPUTS = 1000
MAX_EPSILON = 0.4
# name → max_epsilon, what becomes of essential classes, min_persistence
VARIANTS: dict[str, tuple[float, str, float]] = {
    "clip": (0.4, "clip", 0.02),
    "count": (0.4, "count", 0.02),
    "clip_e30": (0.3, "clip", 0.02),
    "count_e30": (0.3, "count", 0.02),
    "clip_all": (0.4, "clip", 0.0),
}


@dataclass(frozen=True)
class Run:
    """One training; `noise` is the share of its labels that is permuted, in the validation split too.

    `held_out` is the share of its images that is the validation split; 0 for none.
    """

    net: str
    dataset: str
    noise: float
    seed: int
    train_size: int
    epochs: int = 60
    lr: float = 0.02
    batch_size: int = 64
    held_out: float = HELD_OUT

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.net}-{self.dataset}-{round(100 * self.noise)}-{self.train_size}-{self.seed}" + (
            "" if self.held_out else "-all"
        )


def carry_out(run: Run, folder: Path) -> list[dict[str, Any]]:
    """Train, unless it is done, and return one row per epoch.

    Raises:
        SystemExit: The folder holds the same training with other settings.
    """
    rows_file, state_file = folder / f"{run.name}.json", folder / f"{run.name}.pt"
    about = asdict(run)
    rows: list[dict[str, Any]] = []
    if rows_file.exists():
        held = json.loads(rows_file.read_text())
        if {"held_out": HELD_OUT, **held["run"]} != about:
            raise SystemExit(f"{rows_file} was made with other settings: delete it, or name another --work folder")
        rows = held["epochs"]
    if rows and rows[-1]["epoch"] == run.epochs:
        return rows
    resume = TrainingState.load(state_file) if state_file.exists() else None
    rows = [row for row in rows if resume and row["epoch"] <= resume.epoch]
    data, validation = split(run)
    model = build_net(run.net, n_classes=data.n_classes, shape=data.shape, seed=run.seed)

    def keep(state: TrainingState) -> None:
        rows.append({**asdict(state.history[-1]), **observed(run, model, data, validation, folder, state.epoch)})
        write_json(rows_file, {"run": about, "epochs": rows})
        state.save(state_file)

    train(
        model,
        data,
        epochs=run.epochs,
        lr=run.lr,
        batch_size=run.batch_size,
        seed=run.seed,
        resume=resume,
        on_epoch=keep,
    )
    state_file.unlink()
    return rows


def split(run: Run) -> tuple[DataSet, TensorDataset]:
    """Return the data without the validation split, and that."""
    whole = load_data(
        run.dataset,
        shape=find_network(run.net).shape_for,
        train_size=run.train_size,
        permute_labels=run.noise,
        seed=run.seed,
    )
    images, labels = whole.train.tensors
    order = torch.from_numpy(np.random.default_rng(run.seed + 1000).permutation(len(labels)))
    n_held = round(run.held_out * len(labels))
    held, kept = order[:n_held], order[n_held:]
    test = TensorDataset(*whole.test.tensors)
    rest = DataSet(whole.name, TensorDataset(images[kept], labels[kept]), test, whole.n_classes)
    return rest, TensorDataset(images[held], labels[held])


def observed(
    run: Run, model: nn.Module, data: DataSet, validation: TensorDataset, folder: Path, epoch: int
) -> dict[str, Any]:
    """Return what an epoch has besides its history: topology on training inputs, validation, neural persistence."""
    loss, accuracy = evaluate(model, validation) if len(validation) else (None, None)
    inputs = batches(data.train, batch_size=500)
    measured = measure(model, inputs, max_samples=N_INPUTS, max_dim=1, max_epsilon=MAX_EPSILON, threads=1)
    measured.diagrams.save(folder / run.name / f"epoch{epoch}.npz")
    return {
        "val_loss": loss,
        "val_accuracy": accuracy,
        "neural_persistence": neural_persistence(weight_matrices(model)),
        "edges": float(measured.diagrams.density_at(MAX_EPSILON)),
        **quantities(measured.diagrams),
    }


def quantities(diagrams: Diagrams) -> dict[str, float]:
    """Return the numbers of H1 under every variant, as `quantity/variant`."""
    found = {}
    for variant, (end, essential, least) in VARIANTS.items():
        table = summarize(cut(diagrams, end), min_persistence=least, essential=essential)  # type: ignore[arg-type]
        row = table[table["dim"] == 1].to_dict("records")[0]
        for name, column in COLUMNS.items():
            found[f"{name}/{variant}"] = round(float(row[column]), 7)
    return found


COLUMNS = {
    "density": "peak_density",
    "epsilon": "peak_epsilon",
    "midlife": "midlife",
    "life": "life",
    "count": "count",
    "betti_max": "betti_max",
}


def cut(diagrams: Diagrams, end: float) -> Diagrams:
    """Return the diagrams as they would be had the filtration ended earlier."""
    points = [np.where(one > end, np.inf, one)[one[:, 0] <= end] for one in diagrams.points]
    density = diagrams.density
    kept = None if density is None else density[density[:, 0] <= end]
    if kept is not None and kept[-1, 0] < end:
        kept = np.vstack([kept, [end, kept[-1, 1]]])
    return Diagrams(points, end, diagrams.n_nodes, kept)
