"""What a file of weights says of its own accuracy, held against what the network does on the images it is given."""

from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet
from dnn_topology.nets.data.loading import some
from dnn_topology.nets.train import evaluate
from dnn_topology.recording.state_dicts import read_state

# Under which people keep it beside the weights, those of training first; the original's is `acc`, in percent.
KEYS = ("train_accuracy", "train_acc", "acc", "accuracy", "best_acc", "best_accuracy", "val_acc", "test_acc")
LOOKED_AT = 2_000  # training images
FAR = 0.025  # below what is claimed: three times the spread that so many images leave


def claimed_accuracy(path: Path) -> float | None:
    """Return the accuracy in [0, 1] that a file of weights claims, or that the history of its run has; None for none.

    Args:
        path: The file.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    epoch = re.fullmatch(r"epoch(\d+)\.pt", path.name)
    history = path.parent.parent / "history.csv"
    if epoch and history.exists():
        with suppress(DnnTopologyError):
            table = store.read_table(history, columns={"epoch": int, "train_accuracy": float})
            rows = table.loc[table["epoch"] == int(epoch[1]), "train_accuracy"]
            return float(rows.iloc[0]) if len(rows) else None
    if path.suffix == ".safetensors" or path.suffix == ".json":
        return None
    content = read_state(path)
    claimed = next((content[key] for key in KEYS if isinstance(content.get(key), (int, float, torch.Tensor))), None)
    if claimed is None or (isinstance(claimed, torch.Tensor) and claimed.numel() != 1):
        return None
    share = float(claimed)
    return share / 100 if share > 1 else share


def warn_if_worse(net: nn.Module, data: DataSet, path: Path, *, device: str = "cpu") -> None:
    """Warn where a network does far worse on training images than the file of its weights claims.

    Most often it was trained on pixels on another scale than those that it is given.

    Args:
        net: The network with these weights.
        data: Its data, in the form that it is given.
        path: The file of the weights.
        device: Where to run.
    """
    claimed = claimed_accuracy(path)
    if claimed is None or not math.isfinite(claimed):
        return
    _, accuracy = evaluate(net.to(device), some(data.train, LOOKED_AT), device=device)
    if accuracy < claimed - FAR:
        warnings.warn(
            f"{path} says that its network is right about {100 * claimed:.1f} % of the images, and it is right about "
            f"{100 * accuracy:.1f} % of the training images as it is given them: if it was trained on other pixels, "
            "`dnn-topology run --no-train --normalise none` (or MEAN,STD) gives it those",
            stacklevel=2,
        )
