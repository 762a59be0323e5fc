"""A model that fails on its inputs: what it says of them, in one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from dnn_topology._checks import DnnTopologyError

WRONG_TYPE = re.compile(r"\b(d?type|Byte|Char|Short|Int|Long)\b")  # in what torch says of numbers of another type
# What Python and torch raise where inputs do not fit; a model's own exceptions derive from these.
NO_ROOM = torch.cuda.OutOfMemoryError
FAILURES = {RuntimeError, IndexError, TypeError, ValueError, NotImplementedError, AttributeError, NO_ROOM}
SAID = 200  # characters of what a model says where it fails


@contextlib.contextmanager
def failures_explained(args: Sequence[Any], kwargs: Mapping[str, Any], *, earlier: str = "") -> Iterator[None]:
    """Say in one line that a model does not take such inputs, where it fails on them.

    Args:
        args: Positional arguments of its forward pass.
        kwargs: Keyword arguments of it.
        earlier: The inputs that it took before, as `described` says them.

    Raises:
        DnnTopologyError: It does, with an error of Python's or torch's.
        RuntimeError: It raises one of a kind of its own, as below.
        IndexError: The same.
        TypeError: The same.
        ValueError: The same.
        AttributeError: The same.
    """
    try:
        yield
    except DnnTopologyError:
        raise
    except (RuntimeError, IndexError, TypeError, ValueError, AttributeError) as error:
        if type(error) not in FAILURES:
            raise
        if isinstance(error, NO_ROOM):
            raise DnnTopologyError(
                f"the GPU has no room for the model on its inputs ({described(args, kwargs)}): give smaller batches, "
                "or device='cpu'"
            ) from error
        tensors = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.Tensor)]
        if any(item.is_complex() for item in tensors):
            raise DnnTopologyError(
                "the inputs are complex numbers, which the model does not take: give their real part or absolute value"
            ) from error
        whole = [item.dtype for item in tensors if not item.is_floating_point()]
        if not whole or not WRONG_TYPE.search(str(error)):
            given = described(args, kwargs)
            said = " ".join(str(error).split())[:SAID]
            remedy = "give them as it was trained on"
            if earlier not in {"", given}:
                remedy = f"it took {earlier} before: give such alone, as with drop_last=True of a DataLoader"
            raise DnnTopologyError(
                f"the model fails on its inputs ({given or 'no tensor'}): {said}: {remedy}"
            ) from error
        raise DnnTopologyError(
            f"the inputs are whole numbers ({str(whole[0]).removeprefix('torch.')}), and the model takes "
            "floating-point ones: give them as it was trained on, such as images.float() / 255"
        ) from error


def described(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the types and shapes of a batch's tensors.

    Example:
        >>> described([torch.zeros(5, 3)], {})
        'float32 (5, 3)'
    """
    tensors = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.Tensor)]
    return ", ".join(f"{str(each.dtype).removeprefix('torch.')} {tuple(each.shape)}" for each in tensors)
