"""How units move on their way between layers of weights: pooling, slicing, padding, turning, as sparse matrices.

Which operation a forward pass made, and with which kernel, stride or padding, is read off the node that it left in
autograd's record, so that modules and functions are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, kron

from dnn_topology._checks import DnnTopologyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = csr_array[Any, Any]

# Names of autograd's nodes, without what follows "Backward".
RESHAPES = ("View", "UnsafeView", "ReshapeAlias", "_ReshapeAlias", "Unsqueeze", "Squeeze", "_Unsafe", "Alias")
REARRANGED = (
    "Flip",
    "Roll",
    "Index",
    "Gather",
    "Take",
    "Scatter",
    "Sort",
    "Cum",
    "Logcumsumexp",
    "Rot90",
    "GridSampler",
    "Fft",
    "AsStrided",
    "Tril",
    "Triu",
    "MaxUnpool",
    "FractionalMaxPool",
    "PixelS",
    "ChannelS",
)
REDUCED = ("Mean", "Sum", "Amax", "Amin", "Max", "Min")


@dataclass(frozen=True)
class Way:
    """An operation that gives units other places.

    Attributes:
        before: Shape of its input, without the batch.
        after: Shape of its output, without the batch.
        matrices: For every dimension of the input the (extent after, extent before) matrix, whose rows say of which
            places a place is made.
        order: The input's dimensions in the order of the output.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    order: tuple[int, ...]

    def matrix(self, *, channels: bool) -> Matrix:
        """Return the (units after, units before) matrix of the operation.

        Args:
            channels: Whether nodes are channels, which no operation within a channel tells apart.

        Raises:
            DnnTopologyError: Nodes are channels, and their dimension is given up.
        """
        if channels:
            if self.order[:1] != (0,) or len(self.matrices) < 1 or self.after[:1] != self.matrices[0].shape[:1]:
                raise DnnTopologyError("channels are mixed with places on the way between two layers: use nodes='unit'")
            return self.matrices[0]
        whole = reduce(lambda left, right: csr_array(kron(left, right, format="csr")), self.matrices)
        if self.order == tuple(range(len(self.order))):
            return whole
        extents = [matrix.shape[0] for matrix in self.matrices]
        rows = np.arange(math.prod(extents)).reshape(extents).transpose(self.order).ravel()
        return csr_array(whole[rows])


def way(node: Any) -> Way | None:
    """Return what an operation does to the places of units; None if it leaves them, or only reshapes the whole.

    Args:
        node: Of autograd's record.

    Raises:
        DnnTopologyError: It gives them other places in a manner that is not known.
    """
    name = node.name().split("Backward")[0]
    if name.startswith(REARRANGED):
        raise DnnTopologyError(f"how units pass through {node.name()} is not known: use the partition 'metis'")
    if name.startswith(("MaxPool", "AvgPool")):
        return _without_extra(node, [_pooled(node, place) for place in range(len(node._saved_kernel_size))])
    if name.startswith("Adaptive"):
        after = shape_after(node)
        before = tuple(node._saved_self.shape[1:])
        return _without_extra(node, [_adapted(b, a) for b, a in zip(before[1:], after[1:], strict=True)])
    if name.startswith("UpsampleNearest"):
        before, after = tuple(node._saved_self_sym_sizes[1:]), shape_after(node)
        return _way(before, after, [_nearest(node, place) for place in range(len(before) - 1)])
    if name in REDUCED and hasattr(node, "_saved_dim"):
        return _reduced(node, name)
    if name in {"Slice", "Select"}:
        return _selected(node, name)
    if name == "ConstantPadNd":
        return _padded(node)
    if name in {"Permute", "Transpose"}:
        return _turned(node, name)
    return None


def shape_after(node: Any, place: int = 0) -> tuple[int, ...]:
    """Return the shape of what an operation returned, without the batch."""
    return tuple(int(extent) for extent in node._input_metadata[place].shape[1:])


def _way(before: tuple[int, ...], after: tuple[int, ...], in_space: Sequence[Matrix]) -> Way:
    """Return an operation on the space of every channel."""
    return Way(before, after, (csr_array(eye_array(before[0])), *in_space), tuple(range(len(before))))


def _without_extra(node: Any, in_space: Sequence[Matrix]) -> Way:
    """Return a pooling, without the dimension that torch adds where it pools in one."""
    before, after = list(node._saved_self.shape[1:]), list(shape_after(node))
    matrices = list(in_space)
    inner = node.next_functions[0][0]
    if inner is not None and inner.name().startswith("Unsqueeze") and len(before) == 3:
        extra = dimension(inner._saved_dim, len(before) + 1) - 1
        if extra > 0:
            del before[extra], after[extra], matrices[extra - 1]
    return _way(tuple(before), tuple(after), matrices)


def _pooled(node: Any, place: int) -> Matrix:
    """Return the windows of a pooling along one dimension: the mean of a window, or the part that torch divides by."""
    before, after = node._saved_self.shape[2 + place], shape_after(node)[1 + place]
    kernel = node._saved_kernel_size[place]
    stride = node._saved_stride[place] if node._saved_stride else kernel
    padding = node._saved_padding[place]
    dilation = getattr(node, "_saved_dilation", (1, 1, 1))[place]
    starts = np.arange(after) * stride - padding
    windows = starts[:, None] + dilation * np.arange(kernel)
    divisors = ((windows >= 0) & (windows < before)).sum(axis=1)
    if getattr(node, "_saved_count_include_pad", False):
        divisors = np.minimum(starts + kernel, before + padding) - starts
    if (fixed := getattr(node, "_saved_divisor_override", None)) is not None:
        divisors = np.full(after, fixed if place == 0 else 1)
    return _means(windows, before, divisors)


def _adapted(before: int, after: int) -> Matrix:
    """Return the windows of an adaptive pooling along one dimension."""
    starts, ends = np.arange(after) * before // after, -(-np.arange(1, after + 1) * before // after)
    windows = starts[:, None] + np.arange((ends - starts).max())
    windows[windows >= ends[:, None]] = -1
    return _means(windows, before, ends - starts)


def _nearest(node: Any, place: int) -> Matrix:
    """Return the nearest places of an enlarging along one dimension, in torch's own arithmetic, which is float32's."""
    before, after = node._saved_self_sym_sizes[2 + place], shape_after(node)[1 + place]
    names = (
        ("_saved_scales",)
        if hasattr(node, "_saved_scales")
        else ("_saved_scales_d", "_saved_scales_h", "_saved_scales_w")
    )
    scales = [getattr(node, name) for name in names if hasattr(node, name)]
    scale = np.float32(1 / scales[place]) if scales[place] else np.float32(before) / np.float32(after)
    exact = "Exact" in node.name()
    if not exact and after in {before, 2 * before}:  # which torch does without the scale
        return _chosen(np.arange(after) * before // after, before)
    middle = np.float32(0.5 if exact else 0)
    nearest = ((np.arange(after, dtype=np.float32) + middle) * scale).astype(np.intp)
    return _chosen(np.minimum(nearest, before - 1), before)


def _means(windows: NDArray[np.intp], before: int, divisors: NDArray[np.intp]) -> Matrix:
    """Return the matrix of sums over windows of places, divided; places outside count nothing."""
    rows, columns = np.nonzero((windows >= 0) & (windows < before))
    entries = (1 / divisors[rows], (rows, windows[rows, columns]))
    return csr_array(coo_array(entries, shape=(len(windows), before)))


def _chosen(places: NDArray[np.intp], before: int) -> Matrix:
    """Return the matrix that takes a place for each row, or none where it lies outside."""
    return _means(places[:, None], before, np.ones(len(places), dtype=np.intp))


def dimension(dim: int, n_dims: int) -> int:
    """Return a dimension that autograd wrote down, counted from the front."""
    return _signed(dim) % n_dims


def _along(before: Sequence[int], after: tuple[int, ...], changed: dict[int, Matrix]) -> Way:
    """Return an operation on some of the dimensions, numbered with the batch.

    Raises:
        DnnTopologyError: Samples are mixed.
    """
    if 0 in changed:
        raise DnnTopologyError("samples are mixed on the way between two layers, so weights do not say how it goes")
    matrices = [changed.get(dim, csr_array(eye_array(extent))) for dim, extent in enumerate(before) if dim]
    return Way(tuple(before[1:]), after, tuple(matrices), tuple(range(len(matrices))))


def _reduced(node: Any, name: str) -> Way:
    """Return a mean, a sum or a maximum over some dimensions."""
    before = getattr(node, "_saved_self_sym_sizes", None) or node._saved_self.shape
    saved = node._saved_dim if isinstance(node._saved_dim, tuple) else (node._saved_dim,)
    dims = {dimension(dim, len(before)) for dim in saved} or set(range(len(before)))
    sums = {dim: csr_array(np.ones((1, before[dim]))) for dim in dims}
    changed = sums if name == "Sum" else {dim: ones / before[dim] for dim, ones in sums.items()}
    return _along(before, shape_after(node), {dim: csr_array(matrix) for dim, matrix in changed.items()})


def _selected(node: Any, name: str) -> Way | None:
    """Return the choice of one or of every so many places of a dimension; None if it takes them all."""
    before = node._saved_self_sym_sizes
    dim = dimension(node._saved_dim, len(before))
    index = node._saved_index if name == "Select" else None
    places = np.arange(before[dim])
    if index is None:
        places = places[slice(_signed(node._saved_start), _signed(node._saved_end), node._saved_step)]
    else:
        places = places[[dimension(index, before[dim])]]
    if index is None and len(places) == before[dim]:
        return None
    return _along(before, shape_after(node), {dim: _chosen(places, before[dim])})


def _padded(node: Any) -> Way:
    """Return a padding with a constant, or a cutting of edges."""
    after = (1, *shape_after(node))
    widths = [_signed(width) for width in node._saved_pad]
    changed, before = {}, list(after)
    for place, (left, right) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
        dim = len(after) - 1 - place
        before[dim] = after[dim] - left - right
        changed[dim] = _chosen(np.arange(after[dim]) - left, before[dim])
    return _along(before, after[1:], changed)


def _signed(number: int) -> int:
    """Return a number that autograd wrote down."""
    return number - 2**64 if number >= 2**63 else number


def _turned(node: Any, name: str) -> Way | None:
    """Return an exchange of dimensions; None if there is none.

    Raises:
        DnnTopologyError: One of them is the samples.
    """
    after = node._input_metadata[0].shape
    order = list(range(len(after)))
    if name == "Permute":
        order = [dimension(dim, len(after)) for dim in node._saved_dims]
    else:
        one, other = (dimension(dim, len(after)) for dim in (node._saved_dim0, node._saved_dim1))
        order[one], order[other] = order[other], order[one]
    if order == sorted(order):
        return None
    if order[0] != 0:
        raise DnnTopologyError("samples change their dimension between two layers: use the partition 'metis'")
    before = [after[order.index(dim)] for dim in range(len(after))]
    matrices = tuple(csr_array(eye_array(extent)) for extent in before[1:])
    return Way(tuple(before[1:]), shape_after(node), matrices, tuple(dim - 1 for dim in order[1:]))
