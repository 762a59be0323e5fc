"""Bits of a 64-bit word: how many are set, which is the lowest, which the highest.

A set of vertices is a row of words; vertex v is bit v mod 64 of word v div 64. Numba has no name for the processor's
instructions that count, so they are asked for from LLVM; plain Python has its own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from dnn_topology._compiled import kernel

Whole: TypeAlias = Any  # a number: an int or one of NumPy's; compiled code knows which
Words: TypeAlias = NDArray[np.uint64]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
ONE = np.uint64(1)
ZERO = np.uint64(0)
SIX = np.uint64(6)  # a vertex shifted right by this is the number of its word
LAST = np.uint64(63)  # a vertex masked by this is the number of its bit


@intrinsic  # type: ignore[untyped-decorator]
def _popcount(_context: Any, word: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _lowest(_context: Any, word: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _leading(_context: Any, word: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_context: Any, array: Any, place: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(values.data, [arguments[1]]), ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(prefetch, [pointer, flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@kernel
def popcount(word: np.uint64) -> int:
    """Return how many bits of a word are set."""
    return _popcount(word)  # type: ignore[no-any-return]


@kernel
def lowest(word: np.uint64) -> np.uint64:
    """Return the place of the lowest set bit of a word that is not 0."""
    return _lowest(word)  # type: ignore[no-any-return]


@kernel
def highest(word: np.uint64) -> np.uint64:
    """Return the place of the highest set bit of a word that is not 0."""
    return LAST - _leading(word)  # type: ignore[no-any-return]


@kernel
def prefetch(array: Any, place: Whole) -> None:
    """Have a number of an array brought near, since it will be asked for soon."""
    _prefetch(array, np.int64(place))


if numba.config.DISABLE_JIT:

    def prefetch(array: Any, place: Whole) -> None:
        """Have a number of an array brought near: nothing to do."""

    def popcount(word: np.uint64) -> int:
        """Return how many bits of a word are set."""
        return int(word).bit_count()

    def lowest(word: np.uint64) -> np.uint64:
        """Return the place of the lowest set bit of a word that is not 0."""
        return np.uint64((int(word) & -int(word)).bit_length() - 1)

    def highest(word: np.uint64) -> np.uint64:
        """Return the place of the highest set bit of a word that is not 0."""
        return np.uint64(int(word).bit_length() - 1)


@kernel
def bit(vertex: np.uint64) -> np.uint64:
    """Return the word with the bit of a vertex alone."""
    return ONE << (vertex & LAST)


@kernel
def vertex_at(place: np.uint64, word: np.uint64) -> np.uint64:
    """Return the lowest vertex of the word at a place, which is not 0."""
    return (np.uint64(place) << SIX) + lowest(word)
