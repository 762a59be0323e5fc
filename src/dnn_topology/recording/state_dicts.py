"""Files of weights, ours and other people's: read without running code in them, and put into a model."""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import pathlib
import re
import types
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology._packages import pip_install
from dnn_topology.recording.checkpoint_forms import Rename, put_weights

StateDict = dict[str, Any]
INDEX = ".index.json"  # ends the name of the file that says which weights are in which of several others
ZIP = b"PK\x03\x04"  # starts an archive
SCALAR = np.float64(0).__reduce__()[0]  # makes a NumPy number again
# Plain values that lie beside weights in people's checkpoints; making one runs no code of the file's.
PLAIN_VALUES: list[Any] = [
    np.dtype,
    *(type(np.dtype(name)) for name in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
    *((SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # as NumPy 1 and 2 call it
    argparse.Namespace,
    types.SimpleNamespace,
    defaultdict,
    dict,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePosixPath,
]


def load_weights(path: str | Path, model: nn.Module, *, rename: Rename | None = None) -> None:
    """Put weights from a file into a model: those that `save_weights` wrote, or somebody else's.

    Args:
        path: A file of torch.save or of safetensors (*.safetensors), or the index of several of either
            (*.index.json). It holds a state dict, alone or under a key such as "state_dict", "model_state_dict",
            "model" or "net", beside an optimizer, hyperparameters or numbers. Prefixes such as "module.",
            "_orig_mod." and "model." are passed over. Nothing but tensors and plain values is read.
        model: The network; where the file does not fit, it is left as it was.
        rename: Gives a state dict of another network's names the model's own.

    Raises:
        DnnTopologyError: The file is missing or cannot be read so, or fits another network.
    """
    path = Path(path)
    content = read_state(
        path, remedy="give the whole file, or save the state dict alone: torch.save(model.state_dict(), path)"
    )
    part = re.fullmatch(r"(.+)-\d+-of-\d+(\.\w+)", path.name)
    index = path.with_name(f"{part[1]}{part[2]}{INDEX}") if part else None
    try:
        put_weights(content, model, source=str(path), rename=rename)
    except DnnTopologyError as error:
        if index is None or not index.exists():
            raise
        raise DnnTopologyError(f"{error}; it is one of several parts: give their index {index.name}") from error


def write_state(path: Path, content: dict[str, Any]) -> None:
    """Write what torch can read again with `weights_only=True`, in one step."""
    buffer = io.BytesIO()  # torch's own file writer reports a full disk as an internal error
    torch.save({"format": store.FORMAT, **content}, buffer)
    store.write_bytes(path, buffer.getvalue())  # a view of it, left in a traceback, ends Python 3.12.1


def read_state(path: str | Path, *, remedy: str = "delete it and run again") -> dict[str, Any]:
    """Read a file of tensors and plain values, never pickled code.

    Args:
        path: The file.
        remedy: What is to be done about one that cannot be read, for messages.

    Returns:
        What is in it.

    Raises:
        DnnTopologyError: The file is missing, cannot be read, or holds more than that.
    """
    path = Path(path)
    with store.readable_errors("read", path), path.open("rb"):
        pass
    try:
        content = _shards(path) if path.name.endswith(INDEX) else _read_one(path)
    except DnnTopologyError:
        raise
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError on a damaged file
        foreign = re.search(r"(?:GLOBAL|global:?) ([\w.]+\.[\w.]+)", str(error))
        what = (
            f"holds more than tensors and plain values ({foreign[1]}), and reading that could run code"
            if foreign
            else f"is damaged, or holds more than tensors and plain values ({type(error).__name__})"
        )
        raise DnnTopologyError(f"{path} {what}: {remedy}") from error
    if not isinstance(content, dict):
        raise DnnTopologyError(f"{path} holds no state dict: found {type(content).__name__}")
    return content


def _read_one(path: Path) -> Any:
    """Read one file of torch.save or safetensors."""
    if path.suffix == ".safetensors":
        return _safetensors(path)
    with path.open("rb") as file:
        is_archive = file.read(len(ZIP)) == ZIP
    if is_archive:
        _check_archive(path)
    # torch 2.4 allows nothing more than its own list for the time of a call.
    allowed = getattr(torch.serialization, "safe_globals", lambda _: contextlib.nullcontext())
    with allowed(PLAIN_VALUES):
        # Mapped, because torch then finds a storage within the file, whose length it knows; otherwise it believes the
        # length that the file announces, and reads beyond the end of what is there.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    return copy.deepcopy(content) if is_archive else content  # so that the file may be replaced or cut afterwards


def _check_archive(path: Path) -> None:
    """Check an archive of torch.save before torch reads it: nothing is packed, and what is there is what was written.

    Raises:
        DnnTopologyError: A member is packed, which torch never does, or has another checksum.
    """
    with zipfile.ZipFile(path) as archive:
        if any(one.compress_type != zipfile.ZIP_STORED or one.flag_bits & 1 for one in archive.infolist()):
            raise DnnTopologyError(f"{path} is an archive that torch.save did not write: give the file that it wrote")
        if (wrong := archive.testzip()) is not None:
            raise DnnTopologyError(
                f"{path} is damaged: {wrong!r} in it has not the checksum that was written; take a whole copy of it, "
                "or save it again with torch's checksums on"
            )


def _shards(path: Path) -> dict[str, Any]:
    """Read the files that an index names, which lie beside it.

    Raises:
        DnnTopologyError: The index names none, or one elsewhere, or one is missing.
    """
    names = store.read_json(path).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise DnnTopologyError(f"{path} is no index of weights: expected a weight_map from names to files")
    content: dict[str, Any] = {}
    for name in dict.fromkeys(names.values()):
        if Path(name).name != name or not name.isprintable() or name.endswith(INDEX):
            raise DnnTopologyError(f"{path} names {name!r}, which is no file beside it")
        part = path.with_name(name)
        if not part.is_file():
            raise DnnTopologyError(f"{path} names {name!r}, which is not beside it: take all the parts")
        content |= read_state(part, remedy="give the whole file")
    return content


def _safetensors(path: Path) -> Any:
    """Read a file of safetensors.

    Raises:
        DnnTopologyError: The package `safetensors` is not installed.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise DnnTopologyError(f"{path} needs the package safetensors: {pip_install('safetensors')}") from error
    return load_file(path)
