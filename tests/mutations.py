"""Files as broken disks, cut downloads and strangers leave them: a seeded loop of damage to a good one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]


def mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n damaged versions of a file: cut, lengthened, bits flipped, words overwritten, pieces doubled."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Mutation, ...] = (_cut, _grown, _flipped, _word, _word, _header, _moved)
    for number in range(n):
        yield kinds[number % len(kinds)](content, rng)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _grown(content: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 40)))


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=int(rng.integers(1, 8))):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _word(content: bytes, rng: np.random.Generator, *, within: int | None = None) -> bytes:
    """One of the numbers that programs stumble over, as eight bytes at a place that is a multiple of eight."""
    numbers = [-1, 0, 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63)]
    floats = [float("nan"), float("inf"), -float("inf"), -1.0, 1e300, 1e-320]
    words = [*(np.int64(one).tobytes() for one in numbers), *(np.float64(one).tobytes() for one in floats)]
    place = 8 * int(rng.integers(max(1, (within or len(content)) // 8)))
    return content[:place] + words[int(rng.integers(len(words)))] + content[place + 8 :]


def _header(content: bytes, rng: np.random.Generator) -> bytes:
    return _word(content, rng, within=64)


def _moved(content: bytes, rng: np.random.Generator) -> bytes:
    one, other, place = (int(at) for at in rng.integers(len(content), size=3))
    start, stop = min(one, other), max(one, other)
    piece = content[start:stop]
    return content[:start] + content[stop:] if rng.random() < 0.5 else content[:place] + piece + content[place:]
