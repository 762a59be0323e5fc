"""Files of weights, ours and other people's: read without running code in them, and put into a model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError

StateDict = dict[str, Any]


def load_weights(path: Path, model: nn.Module) -> None:
    """Put weights from a file into a model: those that `save_weights` wrote, or somebody else's state dict.

    Args:
        path: A file of torch.save, which may hold the state dict under "model", "state_dict" or "net", or of
            safetensors (*.safetensors). Nothing but tensors and plain values is read. The prefix "module." that
            DataParallel leaves is passed over.
        model: The network.

    Raises:
        DnnTopologyError: The file is missing or damaged, or fits another network.
    """
    content = read_state(path)
    state = next(
        (content[key] for key in ("model", "state_dict", "net") if isinstance(content.get(key), dict)), content
    )
    try:
        model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise DnnTopologyError(f"{path} does not fit this network: {reason[:200]}") from error


def write_state(path: Path, content: dict[str, Any]) -> None:
    """Write what torch can read again with `weights_only=True`, in one step."""
    buffer = io.BytesIO()  # torch's own file writer reports a full disk as an internal error
    torch.save({"format": store.FORMAT, **content}, buffer)
    store.write_bytes(path, buffer.getbuffer())


def read_state(path: Path) -> dict[str, Any]:
    """Read a file of tensors and plain values, never pickled code.

    Raises:
        DnnTopologyError: The file is missing or damaged.
    """
    with store.readable_errors("read", path), path.open("rb"):
        pass
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _tensors(path)
    except DnnTopologyError:
        raise
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError on a damaged file
        raise DnnTopologyError(
            f"{path} is damaged, or holds more than tensors and plain values ({type(error).__name__}); delete it and "
            "run again, or save the state dict alone"
        ) from error
    if not isinstance(content, dict):
        raise DnnTopologyError(f"{path} holds no state dict: found {type(content).__name__}")
    return content


def _tensors(path: Path) -> Any:
    """Read a file of torch.save."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _safetensors(path: Path) -> Any:
    """Read a file of safetensors.

    Raises:
        DnnTopologyError: The package `safetensors` is not installed.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise DnnTopologyError(
            f"{path} needs the package safetensors: pip install 'dnn-topology[safetensors]'"
        ) from error
    return load_file(path)
