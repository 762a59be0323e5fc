"""Rows that are the samples in another order, as where a model sorts them by length: told from what follows exchanges.

Such rows pass every look at shapes, and correlations between them and those of other layers mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from dnn_topology.recording.folding import same

MOST = 16  # samples that are exchanged: enough that equal lengths among them hide no order
# Functions without which rows stay where they are; a model that calls none of them is not run again.
REORDERING = {
    *(
        "sort",
        "argsort",
        "topk",
        "msort",
        "getitem",
        "index_select",
        "gather",
        "take",
        "take_along_dim",
        "flip",
        "roll",
    ),
    *("index_put", "index_put_", "index_copy", "scatter", "randperm", "searchsorted", "unique", "flipud", "rot90"),
}

Placed = Mapping[tuple[str, int], torch.Tensor]


def exchanged(n_rows: int) -> list[int]:
    """Return the places of some rows in an order that neither turning round nor moving on gives.

    Example:
        >>> sorted(exchanged(5)) == [0, 1, 2, 3, 4]
        True
    """
    order: list[int] = torch.randperm(n_rows, generator=torch.Generator().manual_seed(1), device="cpu").tolist()
    return order


def reordered(plain: Placed, other: Placed, order: list[int]) -> set[tuple[str, int]]:
    """Return the tensors whose rows are samples that do not follow when samples change places.

    Args:
        plain: (Layer, dimension) → a number per place along it, of a pass over some samples.
        other: The same of a pass over these samples in another order.
        order: That order.

    Returns:
        Those of which the second pass has the same rows, and not in that order. Rows that depend on the whole batch
        are others altogether, and not meant.
    """
    moved = set()
    for key in plain.keys() & other.keys():
        one, two = plain[key], other[key]
        if not same(one[order], two) and same(one.sort().values, two.sort().values):
            moved.add(key)
    return moved
