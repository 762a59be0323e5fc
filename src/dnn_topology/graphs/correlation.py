"""Which columns of a wide array correlate strongly: a blocked product that never holds the whole matrix.

The only place in `topology` that uses torch: its products run on every core, or on a GPU, and in place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology.progress import showing

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

BLOCK = 2048  # columns per block at most: wide enough for products at full speed, and its correlations are 32 MiB
MEMORY = 2**30  # bytes of standardised blocks that are kept at hand
# Nearer than this, float64 cannot tell two signals apart from one: they are the same, at distance exactly 0. By the
# triangle inequality of the angle their distances to others then differ by less than √(2 · 1e-14) = 1.4e-7.
ROUND_OFF = 1e-14


class Edges(NamedTuple):
    """Pairs of columns (i, j), i < j, and their distances.

    Attributes:
        rows: (n_edges,), int32. The lower column of each pair.
        cols: (n_edges,), int32. The higher one.
        distances: (n_edges,), float64. d = 1 - |Pearson r|.
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    distances: NDArray[np.float64]


def near_pairs(
    values: NDArray[np.floating],
    columns: NDArray[np.intp],
    *,
    threshold: float,
    block: int | None = None,
    device: str | None = None,
) -> Edges:
    """Return every pair of columns with d = 1 - |Pearson r| ≤ threshold.

    All arithmetic is float64. Every pair of blocks is one matrix product of standardised columns, of which only
    those within the threshold are kept. Memory beyond `values` and the result is at most about 2 GiB.

    Args:
        values: (n_samples, n_columns), real; it may be memory-mapped.
        columns: (n,), int. Which columns; none of them constant. Results are positions within this array.
        threshold: The largest distance, in [0, 1].
        block: Columns per block; by default 2048, fewer where there are very many samples.
        device: Where torch multiplies: by default the CUDA GPU where there is one, else the CPU, as also
            for a device without float64 (mps).

    Returns:
        The pairs, in no particular order.

    Raises:
        DnnTopologyError: The device is not there, or has no room.

    Example:
        >>> signals = np.array([[0, 1, 5], [1, -1, 0], [2, -3, 1]])
        >>> near_pairs(signals, np.arange(3), threshold=0.2)
        Edges(rows=array([0], dtype=int32), cols=array([1], dtype=int32), distances=array([0.]))
    """
    import torch

    options: dict[str, Any] = {"threshold": threshold, "block": block}
    if device is None and torch.cuda.is_available():
        with contextlib.suppress(DnnTopologyError):  # another program may have filled a GPU that nobody asked for
            return _near_pairs(values, columns, **options, device="cuda")
    return _near_pairs(values, columns, **options, device=device or "cpu")


def _near_pairs(
    values: NDArray[np.floating], columns: NDArray[np.intp], *, threshold: float, block: int | None, device: str
) -> Edges:
    """Return what `near_pairs` does, computed on a device.

    Raises:
        DnnTopologyError: It is not there, or has no room.
    """
    import torch

    try:
        return _all_pairs(values, columns, threshold=threshold, block=block, device=_with_float64(device))
    except torch.cuda.OutOfMemoryError as error:
        raise DnnTopologyError(
            f"device={device} has no room for the correlations of {len(columns)} neurons over {len(values)} samples: "
            "use device=cpu, or a smaller block"
        ) from error


def _all_pairs(
    values: NDArray[np.floating],
    columns: NDArray[np.intp],
    *,
    threshold: float,
    block: int | None,
    device: torch.device,
) -> Edges:
    """Return every pair within the threshold, from all pairs of blocks."""
    column_bytes = 8 * len(values)
    width = block or max(1, min(BLOCK, MEMORY // (8 * column_bytes)))
    rows, cols, distances = [], [], []
    blocks = _near_blocks(
        values,
        columns,
        threshold=threshold,
        width=width,
        at_hand=MEMORY // (column_bytes * width),
        device=device,
    )
    n_blocks = -(-len(columns) // width)
    with showing(f"correlations of {len(columns)} neurons", total=n_blocks * (n_blocks + 1) / 2) as step:
        for near in blocks:
            rows.append(near.rows)
            cols.append(near.cols)
            distances.append(near.distances)
            step()
    # One after the other, so that the pieces of one array are freed before the next is put together.
    return Edges(_joined(rows), _joined(cols), _joined(distances))


def standardised(signals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return columns of mean 0 and Euclidean norm 1, so that their inner products are correlations.

    Args:
        signals: (n_samples, n), real; no column is constant.

    Returns:
        (n_samples, n), float64.
    """
    centred = signals.astype(np.float64)
    # Scaling by a power of two is exact and keeps the squares of tiny and huge signals representable.
    centred = np.ldexp(centred, -np.frexp(np.abs(centred).max(axis=0))[1])
    centred -= centred.mean(axis=0)
    unit: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=0)
    return unit


def _near_blocks(
    values: NDArray[np.floating],
    columns: NDArray[np.intp],
    *,
    threshold: float,
    width: int,
    at_hand: int,
    device: torch.device,
) -> Iterator[Edges]:
    """Yield the pairs within the threshold of every pair of blocks."""
    import torch

    @lru_cache(maxsize=at_hand)
    def block(start: int) -> torch.Tensor:
        return torch.from_numpy(standardised(values[:, columns[start : start + width]])).to(device)

    starts = range(0, len(columns), width)
    for turn, low in enumerate(starts):
        left = block(low)
        # There and back again: what was used last is at hand, however few blocks that is.
        for high in starts[turn:] if turn % 2 == 0 else reversed(starts[turn:]):
            distances = torch.mm(left.T, block(high)).abs_().neg_().add_(1)
            kept = distances <= threshold
            if low == high:
                kept.triu_(diagonal=1)
            place = kept.view(-1).nonzero().squeeze(1)
            near = distances.view(-1)[place]
            near[near < ROUND_OFF] = 0.0
            n_high = distances.shape[1]
            yield Edges(
                (low + place // n_high).to("cpu", torch.int32).numpy(),
                (high + place % n_high).to("cpu", torch.int32).numpy(),
                near.cpu().numpy(),
            )


def _with_float64(device: str) -> torch.device:
    """Return where to multiply in float64."""
    from dnn_topology.recording.devices import usable_device

    return usable_device("cpu" if device.startswith("mps") else device)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the parts as one array, and forget them."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole
