"""What a user knows of a network without running it, as numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

LEAST_DECAY = 1e-6  # a smaller one is as good as none


def settings_features(
    model: nn.Module,
    *,
    n_train: int,
    lr: float,
    batch_size: int,
    weight_decay: float = 0.0,
    dropout: float | None = None,
) -> dict[str, float]:
    """Return the numbers of the set "settings"; names of networks and data sets are columns of a table already.

    The share of labels that is permuted is not among them: who trains on wrong labels does not know how many.

    Args:
        model: The network.
        n_train: Number of its training inputs.
        lr: Initial learning rate.
        batch_size: Samples per step of training.
        weight_decay: Pull of the weights to 0.
        dropout: Share of units dropped in training; None for none.

    Returns:
        ``log_n_train``, ``log_n_parameters``, ``log_lr``, ``log_batch_size``, ``log_weight_decay`` (with 1e-6 added),
        natural logarithms; ``dropout_share``, in [0, 1].

    Example:
        >>> import torch
        >>> features = settings_features(torch.nn.Linear(9, 1), n_train=100, lr=0.1, batch_size=1)
        >>> round(features["log_n_parameters"], 3), features["log_batch_size"], features["dropout_share"]
        (2.303, 0.0, 0.0)
    """
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "log_n_train": math.log(max(1, n_train)),
        "log_n_parameters": math.log(max(1, n_parameters)),
        "log_lr": math.log(lr),
        "log_batch_size": math.log(batch_size),
        "log_weight_decay": math.log(weight_decay + LEAST_DECAY),
        "dropout_share": dropout or 0.0,
    }
