"""Files as broken disks, cut downloads and strangers leave them: a seeded loop of damage to a good one."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

Mutation = Callable[[bytes, np.random.Generator], bytes]

# What a stranger's program, or a stranger, writes where another value is expected, as JSON and (most) as TOML has it.
STRANGE = [
    *("null", "true", "0", "-1", "3.5", "1e400", "-1e-400", "NaN", "Infinity", "-Infinity", "nan", "inf"),
    *(
        '""',
        '"text"',
        '"\\u0000"',
        '"\\ud800"',
        '"../../x"',
        '"a\\nb"',
        "[]",
        "{}",
        "[[]]",
        "[1, [2]]",
        '{"a": {"a": 1}}',
    ),
    *("9" * 60, "9" * 5000, "1e300", "9223372036854775808", '"' + "x" * 10_000 + '"', "[" * 3000 + "]" * 3000),
    *("[" + "0, " * 5000 + "0]", '{"a": ' * 2000 + "1" + "}" * 2000, "1979-05-27", "[true, null]", '["a", 1]'),
]
VALUE = re.compile(rb'"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b|\[[^\[\]{}]*\]|\{[^{}]*\}')


def mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n damaged versions of a file: cut, lengthened, bits flipped, words overwritten, pieces doubled."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Mutation, ...] = (_cut, _grown, _flipped, _word, _word, _header, _moved)
    for number in range(n):
        yield kinds[number % len(kinds)](content, rng)


def text_mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n versions of a text file with other values, lines, encodings, ends of line, and with all other damage."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Mutation, ...] = (_value, _value, _value, _lines, _encoded, _cut, _flipped, _moved)
    for number in range(n):
        yield kinds[number % len(kinds)](content, rng)


def json_mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n versions of a JSON file: with another value, key or level somewhere within, and with all other damage."""
    rng = np.random.default_rng(seed)
    texts = text_mutations(content, n=n, seed=seed)
    for number in range(n):
        if number % 2:
            yield next(texts)
            continue
        whole = [json.loads(content)]
        parent, key = _place(whole, rng)
        kind = int(rng.integers(4))
        if kind == 0 and isinstance(parent, dict):
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[str(rng.integers(100))] = parent.pop(key)
        elif kind == 2:
            parent[key] = [parent[key]] if rng.random() < 0.5 else {"a": parent[key]}
        else:
            parent[key] = "STRANGE"
        text = json.dumps(whole[0]).replace('"STRANGE"', STRANGE[int(rng.integers(len(STRANGE)))])
        yield text.encode()


def zip_mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n versions of an archive: damaged as a whole, or sound and with a member damaged, missing or doubled."""
    rng = np.random.default_rng(seed)
    plain = mutations(content, n=n, seed=seed)
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    for number in range(n):
        if number % 2:
            yield next(plain)
            continue
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        victim = [*members][int(rng.integers(len(members)))]
        kind = int(rng.integers(3))
        if kind == 0:
            del members[victim]
        elif kind == 1:
            members[victim] = next(mutations(members[victim] or b"\0", n=7, seed=int(rng.integers(1000))))
        else:
            members[victim] = members[[*members][int(rng.integers(len(members)))]]
        buffer = io.BytesIO()
        method = methods[int(rng.integers(4))] if rng.random() < 0.3 else zipfile.ZIP_STORED
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        yield buffer.getvalue()


def about_mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n versions of an npz that describes itself in JSON: with another description, and with all other damage."""
    archives = zip_mutations(content, n=n, seed=seed)
    with np.load(io.BytesIO(content)) as arrays:
        whole = {**arrays}
    described = json_mutations(str(whole["about"]).encode(), n=n, seed=seed)
    for number in range(n):
        if number % 2:
            yield next(archives)
            continue
        buffer = io.BytesIO()
        np.savez(buffer, **{**whole, "about": np.array(next(described).decode(errors="replace"))})
        yield buffer.getvalue()


def state_mutations(content: bytes, *, n: int = 300, seed: int = 0) -> Iterator[bytes]:
    """Yield n versions of a file of torch.save: with another value somewhere within, and with all other damage."""
    rng = np.random.default_rng(seed)
    archives = zip_mutations(content, n=n, seed=seed)
    strange: list[Any] = [None, "text", -1, 1e300, math.nan, math.inf, 10**60, True, [], {}, [1], {"a": 1}, (1, 2)]
    strange += [torch.zeros(0), torch.zeros(2), torch.zeros(3, 4, dtype=torch.int64), torch.zeros(1).expand(10**9)]
    for number in range(n):
        if number % 3 == 2:
            yield next(archives)
            continue
        whole = [torch.load(io.BytesIO(content), weights_only=True)]
        parent, key = _place(whole, rng)
        if isinstance(parent, dict) and rng.random() < 0.2:
            del parent[key]
        else:
            parent[key] = strange[int(rng.integers(len(strange)))]
        buffer = io.BytesIO()
        torch.save(whole[0], buffer)
        yield buffer.getvalue()


def _place(whole: list[Any], rng: np.random.Generator) -> tuple[Any, Any]:
    """A container within a JSON value and one of its keys, every value being as likely as another."""
    places = [(whole, 0)]
    for parent, key in places:
        value = parent[key]
        keys = [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        places += [(value, one) for one in keys]
    return places[int(rng.integers(len(places)))]


def _value(content: bytes, rng: np.random.Generator) -> bytes:
    """Another value in place of one."""
    places = [*VALUE.finditer(content)]
    if not places:
        return content
    one = places[int(rng.integers(len(places)))]
    return content[: one.start()] + STRANGE[int(rng.integers(len(STRANGE)))].encode() + content[one.end() :]


def _lines(content: bytes, rng: np.random.Generator) -> bytes:
    """Lines lost, doubled, in another order, or the file twice."""
    lines = content.splitlines(keepends=True)
    kind, place = int(rng.integers(5)), int(rng.integers(len(lines)))
    if kind == 0:
        return b"".join(lines[:place] + lines[place + 1 :])
    if kind == 1:
        return b"".join(lines[:place] + [lines[place]] * 2 + lines[place + 1 :])
    if kind == 2:
        return b"".join(lines[int(at)] for at in rng.permutation(len(lines)))
    return content * 2 if kind == 3 else b""


def _encoded(content: bytes, rng: np.random.Generator) -> bytes:
    """The same text as another editor saves it."""
    text = content.decode()
    kind = int(rng.integers(6))
    if kind == 0:
        return text.replace("\n", "\r\n").encode()
    if kind == 1:
        return text.replace("\n", "\r").encode()
    return text.encode(("utf-8-sig", "utf-16", "utf-32", "cp500")[kind - 2])


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
