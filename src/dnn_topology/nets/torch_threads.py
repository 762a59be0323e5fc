"""Work for PyTorch's own threads.

They wait awake for the next operation, for milliseconds: a thread of ours would share its core with one of them, and
get half of it. So they are given the work, by the function of OpenMP with which PyTorch gives them its own. No thread
is begun here, and a forked process has no dead ones but PyTorch's.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import torch

WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def take_work() -> bool:
    """Tell whether PyTorch's threads, as many as it may use now, can be given work: one, or several by OpenMP."""
    return torch.get_num_threads() == 1 or _call_together() is not None


def in_parts(n: int, do: Callable[[slice], object]) -> None:
    """Do n things on PyTorch's threads, this one among them: a part for each, as they wait for Python's lock each time.

    Args:
        n: How many things.
        do: Does those of a part. Two are done at once while neither holds the interpreter's lock.

    Raises:
        BaseException: What a part has raised; no other is begun then.
    """
    threads, together = torch.get_num_threads(), _call_together()
    if threads == 1 or together is None:
        do(slice(0, n))
        return
    ends = [n * part // threads for part in range(threads + 1)]
    waiting = deque(slice(begin, end) for begin, end in pairwise(ends) if begin < end)
    errors = list[BaseException]()

    def work(_: object) -> None:
        try:
            while waiting and not errors:
                do(waiting.popleft())
        except BaseException as error:  # which C would not hand on
            errors.append(error)

    together(WORK(work), None, threads, 0)
    if errors:
        raise errors[0]


@cache
def _call_together() -> Any | None:
    """Return OpenMP's function that calls another one on a team of threads, or None if PyTorch's are none of OpenMP's.

    It is looked up in what PyTorch was linked to: another OpenMP would have threads of its own. Compilers call it for
    every parallel loop; GCC's, Clang's and Intel's OpenMP have it on Linux.
    """
    try:
        together = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (OSError, AttributeError):
        return None
    together.argtypes, together.restype = (WORK, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return together if "OpenMP" in torch.__config__.parallel_info() else None
