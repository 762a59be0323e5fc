"""Blocks: eight words of a row of bits at once, in one or a few of the processor's vectors.

A set of vertices is a row of words, which is looked at block by block. Out of a loop over words Numba makes vectors,
too, but with so much ado about its ends and about arrays that may overlap, that this takes longer than the words. So a
block is a type of its own, which LLVM divides into such vectors as the processor has. In plain Python it is an array.
"""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from dnn_topology._compiled import kernel
from dnn_topology.homology.engines.morse.bits import Whole, Words

Block: TypeAlias = Any  # eight words; `&` and `|` go word by word
EIGHT = np.uint64(8)  # words of a block: rows are a multiple of it long
VECTOR = ir.VectorType(ir.IntType(64), 8)


class BlockType(types.Type):  # type: ignore[misc]
    """A block, as Numba knows it."""


BLOCK = BlockType("Block")


@register_model(BlockType)
class BlockModel(models.PrimitiveModel):  # type: ignore[misc]
    """A block, as LLVM knows it."""

    def __init__(self, manager: Any, block_type: Any) -> None:
        super().__init__(manager, block_type, VECTOR)


def _teach(operation: Any, instruction: str) -> None:
    """Teach Numba an operation of two blocks, which is an instruction of LLVM's."""

    @type_callable(operation)  # type: ignore[untyped-decorator]
    def type_operation(_: Any) -> Any:
        return lambda one, other: BLOCK if one == other == BLOCK else None

    @lower_builtin(operation, BLOCK, BLOCK)  # type: ignore[untyped-decorator]
    def generate(_: Any, builder: Any, __: Any, blocks: Any) -> Any:
        return getattr(builder, instruction)(*blocks)


_teach(operator.and_, "and_")
_teach(operator.or_, "or_")


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the pointer to a block of an array: array, row and word are the first three arguments."""
    array_type = signature.args[0]
    array = context.make_array(array_type)(context, builder, arguments[0])
    word = cgutils.get_item_pointer(context, builder, array_type, array, arguments[1:3])
    return builder.bitcast(word, VECTOR.as_pointer())


def _call(builder: Any, name: str, result: Any, block: Any) -> Any:
    """Return what a function of LLVM's own makes of a block."""
    function_type = ir.FunctionType(result, [VECTOR])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), [block])


@intrinsic  # type: ignore[untyped-decorator]
def _get(_context: Any, array: Any, row: Any, k: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, arguments), align=8)

    return BLOCK(array, types.uint64, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _put(_context: Any, array: Any, row: Any, k: Any, block: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[3], _pointer(context, builder, signature, arguments), align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64, BLOCK), generate


@intrinsic  # type: ignore[untyped-decorator]
def _but(_context: Any, block: Any, other: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.and_(arguments[0], builder.not_(arguments[1]))

    return BLOCK(BLOCK, BLOCK), generate


@intrinsic  # type: ignore[untyped-decorator]
def _alone(_context: Any, place: Any, word: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        def everywhere(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.IntType(32)(0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8))

        places = ir.Constant(VECTOR, list(range(8)))
        is_there = builder.icmp_unsigned("==", everywhere(arguments[0]), places)
        return builder.select(is_there, everywhere(arguments[1]), ir.Constant(VECTOR, None))

    return BLOCK(types.uint64, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _filled(_context: Any, block: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        are_filled = builder.icmp_unsigned("!=", arguments[0], ir.Constant(VECTOR, None))
        return builder.zext(builder.bitcast(are_filled, ir.IntType(8)), ir.IntType(64))

    return types.uint64(BLOCK), generate


@intrinsic  # type: ignore[untyped-decorator]
def _size(_context: Any, block: Any) -> Any:  # noqa: ARG001  # Numba reads the names
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        of_words = _call(builder, "llvm.ctpop.v8i64", VECTOR, arguments[0])
        return _call(builder, "llvm.vector.reduce.add.v8i64", ir.IntType(64), of_words)

    return types.int64(BLOCK), generate


@kernel
def get_block(array: Words, row: Whole, k: Whole) -> Block:
    """Return the block of a row that begins at word k."""
    return _get(array, np.uint64(row), np.uint64(k))


@kernel
def put_block(array: Words, row: Whole, k: Whole, block: Block) -> None:
    """Write the block of a row that begins at word k."""
    _put(array, np.uint64(row), np.uint64(k), block)


@kernel
def but(block: Block, other: Block) -> Block:
    """Return the bits of a block that another has not."""
    return _but(block, other)


@kernel
def alone(place: Whole, word: Whole) -> Block:
    """Return the block that has a word at a place, 0 to 7, and nothing else."""
    return _alone(np.uint64(place), np.uint64(word))


@kernel
def filled(block: Block) -> np.uint64:
    """Return which words of a block have bits, as eight bits."""
    return _filled(block)  # type: ignore[no-any-return]


@kernel
def size(block: Block) -> int:
    """Return how many bits of a block are set."""
    return _size(block)  # type: ignore[no-any-return]


if numba.config.DISABLE_JIT:

    def get_block(array: Words, row: Whole, k: Whole) -> Block:
        """Return the block of a row that begins at word k."""
        return array[int(row), int(k) : int(k) + 8].copy()

    def put_block(array: Words, row: Whole, k: Whole, block: Block) -> None:
        """Write the block of a row that begins at word k."""
        array[int(row), int(k) : int(k) + 8] = block

    def but(block: Block, other: Block) -> Block:
        """Return the bits of a block that another has not."""
        return block & ~other

    def alone(place: Whole, word: Whole) -> Block:
        """Return the block that has a word at a place, 0 to 7, and nothing else."""
        block = np.zeros(8, np.uint64)
        block[int(place)] = word
        return block

    def filled(block: Block) -> np.uint64:
        """Return which words of a block have bits, as eight bits."""
        return np.uint64(np.packbits(block != 0, bitorder="little")[0])

    def size(block: Block) -> int:
        """Return how many bits of a block are set."""
        return sum(int(word).bit_count() for word in block)
