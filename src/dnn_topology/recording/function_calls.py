"""Hearing the functions that a model calls in its forward pass, such as `F.relu`: no modules, so without hooks.

They carry the names that torch.fx and torchvision's feature extraction give them: the calling module's name, the
function's, and from the second call on a number ("relu", "layer1.0.add", "block.relu_1"). They are caught as they run,
so that a model need not be traceable.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from dnn_topology.recording.layers import heard_modules

Pause = Callable[[], contextlib.AbstractContextManager[None]]


def hear(module: nn.Module, hook: Callable[..., Any], *, always_call: bool = False) -> RemovableHandle:
    """Register a forward hook, on a TorchScript module too, which calls them but offers no way to add one."""
    if isinstance(module, torch.jit.ScriptModule):
        return nn.Module.register_forward_hook(module, hook, always_call=always_call)
    return module.register_forward_hook(hook, always_call=always_call)


Arranged = Callable[[torch.Tensor, torch.Tensor, list[int] | None], None]

REARRANGING = {"transpose", "permute", "movedim", "moveaxis", "swapaxes", "swapdims"}
RESHAPING = {"flatten", "reshape", "view", "unflatten", "contiguous"}


@contextlib.contextmanager
def function_calls(
    model: nn.Module, take: Callable[[str, Any], Any], arranged: Arranged | None = None
) -> Iterator[Pause]:
    """Hand the output of every function that a model calls to `take`, as it arises; no hook stays behind.

    Args:
        model: The model that the block runs.
        take: Called with a function's name and its output, in the order of the calls; what it returns, unless that is
            None, takes the output's place.
        arranged: Called with what entered and left a function that only arranges values otherwise, and with the
            dimensions of the first in the order of the second, or None where it reshapes.

    Yields:
        A context manager inside which functions are not heard, for other hooks' own use.
    """
    calls = _Calls(take, arranged)
    handles = []
    try:
        for name, module in heard_modules(model):
            handles.append(nn.Module.register_forward_pre_hook(module, calls.entering(name)))
            handles.append(hear(module, calls.leaving, always_call=True))
        with calls:
            yield calls.paused
    finally:
        for handle in handles:
            handle.remove()


class _Calls(TorchFunctionMode):
    """Sees every call of a torch function, and knows which module makes it.

    What happens inside torch's own layers is theirs: `nn.ReLU` is a module, not a call of `relu`.
    """

    def __init__(self, take: Callable[[str, Any], Any], arranged: Arranged | None) -> None:
        super().__init__()
        self._take = take
        self._arranged = arranged
        self._owners: list[str | None] = []  # None inside one of torch's own layers
        self._times: Counter[str] = Counter()
        self._idle = False
        self._thread = threading.get_ident()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        before, self._idle = self._idle, True
        try:
            yield
        finally:
            self._idle = before

    def entering(self, name: str) -> Any:
        def enter(module: nn.Module, args: Any) -> None:  # noqa: ARG001  # the signature is torch's
            if threading.get_ident() != self._thread:
                return
            if not self._owners:
                self._times.clear()
            inside = bool(self._owners) and self._owners[-1] is None
            own = type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential)
            if name and own and not inside:
                self._times[name] += 1  # a function of the same name is counted on from here, as in torch.fx
            self._owners.append(None if inside or (own and name) else name)

        return enter

    def leaving(self, module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG002  # the signature is torch's
        if threading.get_ident() == self._thread:
            self._owners.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))  # torch has switched this mode off in here
        called = _function_name(func)
        owner = self._owners[-1] if self._owners else None
        if not self._idle and owner is not None and called and isinstance(output, (torch.Tensor, tuple, list)):
            base = f"{owner}.{called}" if owner else called
            name = f"{base}_{self._times[base]}" if self._times[base] else base
            self._times[base] += 1
            self._note_arrangement(func, called, args, kwargs or {}, output)
            taken = self._take(name, output)
            return output if taken is None else taken
        return output

    def _note_arrangement(self, func: Any, called: str, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        """Say in which order dimensions are after a function that arranges them."""
        both = isinstance(output, torch.Tensor) and len(args) > 0 and isinstance(args[0], torch.Tensor)
        if self._arranged is None or not both or called not in REARRANGING | RESHAPING:
            return
        order = None
        if called in REARRANGING:  # told by extents that are all unlike, of a tensor without values
            unlike = torch.empty(tuple(range(2, 2 + args[0].ndim)), device="meta")
            order = [extent - 2 for extent in func(unlike, *args[1:], **kwargs).shape]
        self._arranged(args[0], output, order)


def _function_name(func: Any) -> str:
    """Return a function's name as torch.fx writes it: "add" for `+` and `+=`, "" for what is no call (`x.shape`)."""
    name = getattr(func, "__name__", "").strip("_")
    return "" if name in {"get", "set"} else {"radd": "add", "rsub": "sub", "rmul": "mul"}.get(name, name)
