"""Rows that are samples and something else at once, (samples · steps, …): told from what follows when samples repeat.

A module that applies a layer to every step by itself folds time into the samples, in one of two orders. Two passes over
few samples show which one: a sample's rows are the same in both. A batch is then held against one in which samples are
there twice, since a choice of tokens may have as many rows by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from dnn_topology.recording.signals import Nodes

Fold = Literal["", "samples outer", "samples inner"]

TOLERANCE = 1e-3  # relative, of two passes over other numbers of rows


def digest(leaf: torch.Tensor) -> torch.Tensor:
    """Return a number for each row of a tensor (n_rows, …), (n_rows,), float64, that tells rows apart."""
    rows = leaf.detach().reshape(len(leaf), -1).double()
    return rows @ torch.cos(torch.arange(rows.shape[1], dtype=torch.float64, device=rows.device))


def fold_of(two: torch.Tensor, three: torch.Tensor) -> Fold:
    """Return how rows are made of samples and steps.

    Args:
        two: The digests of a pass over the samples a and b.
        three: Those of a pass over a, b and b again.

    Returns:
        "samples outer" for rows in the order a a … b b …, "samples inner" for a b a b …, "" where it is neither or
        where they cannot be told apart.
    """
    each, rest = divmod(len(two), 2)
    if rest or each < 2 or len(three) != 3 * each:
        return ""
    orders: dict[Fold, tuple[torch.Tensor, torch.Tensor]] = {
        "samples outer": (two.reshape(2, each), three.reshape(3, each)),
        "samples inner": (two.reshape(each, 2).T, three.reshape(each, 3).T),
    }
    fitting = [name for name, (few, more) in orders.items() if same(few[[0, 1, 1]], more)]
    return fitting[0] if len(fitting) == 1 else ""


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Tell whether two passes gave the same numbers but for rounding."""
    scale = max(float(one.nan_to_num(0, 0, 0).abs().max()), 1e-30)
    return torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True)


def unfolded(leaf: torch.Tensor, fold: Fold, size: int, nodes: Nodes) -> torch.Tensor:
    """Return rows as samples: (size, steps, …), or with channels as nodes (size, channels, steps, …)."""
    rows = leaf if leaf.ndim > 1 else leaf[:, None]
    if fold == "samples outer":
        samples = rows.reshape(size, -1, *rows.shape[1:])
    else:
        samples = rows.reshape(-1, size, *rows.shape[1:]).transpose(0, 1)
    return samples.transpose(1, 2) if nodes == "channel" else samples


def repeated(size: int) -> list[int]:
    """Return places in which every sample is there twice, the last one once: rows of other lengths do not fit that.

    Samples stay in their order, because packed sequences have to be sorted.
    """
    return [place for place in range(size) for _ in range(2)][: max(2 * size - 1, 2)]


def strayed(
    parts: Mapping[str, torch.Tensor], again: Mapping[str, torch.Tensor], rows: Sequence[int], layers: Sequence[str]
) -> str | None:
    """Return a layer with folded rows that gave a sample something else than its repetition, None if none did.

    Args:
        parts: Layer → (n_samples, n_neurons).
        again: The same of a pass over the repeated samples.
        rows: Which sample each of these is.
        layers: Those whose rows are folded.
    """
    for name in layers:
        expected = parts[name][rows]
        if expected.shape != again[name].shape or not same(expected, again[name]):
            return name
    return None


def untold(name: str, remedy: str) -> str:
    """Return what to say of a layer whose rows cannot be told apart."""
    return (
        f"layer {name!r} folds another dimension, such as time, into that of the samples, and which rows are whose "
        f"does not follow from repeating samples: {remedy}"
    )
