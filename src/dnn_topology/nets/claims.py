"""What a file of weights says of its own accuracy, held against what the network does on the images it is given."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet
from dnn_topology.nets.data.loading import some
from dnn_topology.nets.train import evaluate
from dnn_topology.recording.state_dicts import read_state

# Under which people keep it beside the weights, those of training first; the original's is `acc`, in percent.
KEYS = (
    *("train_accuracy", "train_acc", "acc", "accuracy", "best_acc", "best_accuracy", "best_acc1", "best_prec1"),
    *("val_accuracy", "val_acc", "best_val_acc", "test_accuracy", "test_acc"),
)
LOOKED_AT = 2_000  # training images
FAR = 0.025  # below what is claimed: three times the spread that so many images leave


def claimed_accuracy(path: Path) -> float | None:
    """Return the accuracy in [0, 1] that a file of weights claims, or that the history of its run has; None for none.

    Args:
        path: The file.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    home = path.resolve()
    epoch = re.fullmatch(r"epoch(\d+)\.pt", home.name)
    history = home.parents[1] / "history.csv"
    if epoch and history.exists():
        with suppress(DnnTopologyError):
            table = store.read_table(history, columns={"epoch": int, "train_accuracy": float})
            rows = table.loc[table["epoch"] == int(epoch[1]), "train_accuracy"]
            return float(rows.iloc[0]) if len(rows) else None
    if path.suffix == ".safetensors" or path.suffix == ".json":
        return None
    content = read_state(path)
    within = (part for part in content.values() if isinstance(part, Mapping))  # such as {"metrics": {"acc": 0.9}}
    share = next((share for part in (content, *within) if (share := _share(part)) is not None), None)
    return share / 100 if share is not None and share > 1 else share


def _share(content: Mapping[str, Any]) -> float | None:
    """Return the accuracy that a mapping names, in [0, 1] or in percent; None where it names none."""
    for key in KEYS:
        claimed: Any = content.get(key)
        is_number = isinstance(claimed, torch.Tensor) and claimed.numel() == 1
        if is_number or (isinstance(claimed, (int, float)) and not isinstance(claimed, bool)):
            return float(claimed)
    return None


def described_feed(data: DataSet) -> str:
    """Return in words what a network is given of these data."""
    if data.normalisation is None:
        return "the images as they are"
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in data.normalisation)
    return "pixels in [0, 1]" if (mean, std) == ("0", "1") else f"pixels in [0, 1] less {mean}, over {std}"


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
