"""What must be in a file of scores before it is taken for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS_MADE = ("noise", "adversarial")
CONTROLS = ("l2noise", "shuffled")  # which files of earlier versions lack


def check_score_arrays(
    arrays: Mapping[str, NDArray[Any]], *, clean: bool, detectors: Sequence[str], batch_sizes: Sequence[int]
) -> None:
    """Check that arrays are the scores of clean inputs, or of what an attack made of them.

    Args:
        arrays: Name → array, as `Detection` keeps them: those of `Scores.arrays`, and what else is known of the inputs.
        clean: Whether they are of clean inputs.
        detectors: The detectors of single inputs that gave the scores.
        batch_sizes: The sizes of the batches that were judged.

    Raises:
        DnnTopologyError: One is missing, or has another shape or other values.
    """
    whole = ("place", "label") if clean else ("predicted_adversarial", "predicted_noise")
    n = _of(arrays, whole[0], "iu", 1).shape[0]
    for name in whole:
        _of(arrays, name, "iu", 1, n)
    if not clean:
        _of(arrays, "fooled", "b", 1, n)
    for name in arrays:
        if name.startswith("size/"):
            _of(arrays, name, "f", 1, n)
    there = [kind for kind in CONTROLS if any(name.startswith(f"{kind}/") for name in arrays)]
    for prefix in ("",) if clean else tuple(f"{kind}/" for kind in (*KINDS_MADE, *there)):
        for detector in detectors:
            _of(arrays, f"{prefix}single/{detector}", "f", 1, n)
        for size in batch_sizes:
            curves = _of(arrays, f"{prefix}curves/{size}", "f", 2)
            _of(arrays, f"{prefix}batches/{size}", "f", 1, len(curves))
            if clean:
                for name in (f"scales/{size}", f"usual/{size}"):
                    _of(arrays, name, "f", 1, curves.shape[1])


def _of(arrays: Mapping[str, NDArray[Any]], name: str, kinds: str, n_dims: int, n: int | None = None) -> NDArray[Any]:
    """Return an array of so many numbers of some kinds.

    Raises:
        DnnTopologyError: It is missing or another.
    """
    if name not in arrays:
        raise DnnTopologyError(f"it has no array {name!r}")
    array = arrays[name]
    if array.ndim != n_dims or array.dtype.kind not in kinds or (n is not None and len(array) != n):
        raise DnnTopologyError(f"array {name!r} is {array.dtype} {array.shape}")
    return array
