"""Using a model that belongs to the user, and giving it back as it was found."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.devices import usable_device
from dnn_topology.recording.held_values import HeldValues, embedded
from dnn_topology.recording.layers import heard_modules, inner_module, is_leaf
from dnn_topology.recording.random_states import seeded

__all__ = ["borrowed", "seeded", "unchanged"]

# Hooks, and the mode.
TORCH_KEEPS = {*nn.Module().__dict__} - {"_buffers", "_parameters", "_modules", "_non_persistent_buffers_set"}

# Recordings take turns: threads share a model's mode, and all models random states and torch's fused attention.
_turn = threading.RLock()


def _forget_turn() -> None:
    """Give a forked process, in which no other thread lives on, a lock that nobody holds."""
    global _turn  # noqa: PLW0603
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turn)


@contextlib.contextmanager
def borrowed(
    model: nn.Module, device: torch.device | str | None, *, gradients: bool = False
) -> Iterator[tuple[torch.device, torch.dtype | None]]:
    """Put the model into eval mode on a device, with all its modules in reach, and give everything back as it was.

    One thread at a time is inside. Modules that are wrapped (compiled, data parallel) take their wrapper's place. What
    forward passes write into buffers and attributes, such as counters and caches, they find again until the end.

    Args:
        model: Any module.
        device: Where it is to run; None for where it is.
        gradients: Whether autograd is on.

    Yields:
        The device and the floating-point type (None without parameters) that inputs must have.

    Raises:
        DnnTopologyError: The model has no values, or is to be moved but spread over several devices, or there is no
            such device.
    """
    with contextlib.ExitStack() as restoring:
        restoring.enter_context(_turn)
        restoring.enter_context(_wrappers_removed(model))
        places = [tensor.device for tensor in itertools.chain(model.parameters(), model.buffers())]
        _check_values(model, places)
        origin = places[0] if places else torch.device("cpu")
        home = origin if device is None else usable_device(device)
        if home != origin and len(set(places)) > 1:
            raise DnnTopologyError(
                f"the model is spread over {', '.join(sorted({str(place) for place in places}))}, so that it cannot be "
                f"put back from device {str(home)!r}: leave `device` out"
            )
        restoring.enter_context(torch.enable_grad() if gradients else torch.no_grad())
        restoring.enter_context(uncompiled())
        restoring.enter_context(_evaluating(model))
        if home != origin:
            restoring.callback(model.to, origin)
            model.to(home)
        restoring.enter_context(unchanged(model, with_hooks=True))
        yield home, _input_type(model)


def _input_type(model: nn.Module) -> torch.dtype | None:
    """Return the floating-point type that a model's inputs must have, None if it has no such parameter.

    It is that of the first layer that floating-point inputs enter. Of a model whose parameters have several types, an
    embedding, which whole numbers enter, or a parameter beside its layers does not say it.
    """
    layers = (
        each for each in model.modules() if is_leaf(each) and not isinstance(each, (nn.Embedding, nn.EmbeddingBag))
    )
    parameters = itertools.chain(
        itertools.chain.from_iterable(each.parameters() for each in layers), model.parameters()
    )
    return next((each.dtype for each in parameters if each.is_floating_point()), None)


def _check_values(model: nn.Module, places: list[torch.device]) -> None:
    """Refuse a model whose weights have no values.

    Raises:
        DnnTopologyError: Some are on the device 'meta', or wait for a first pass.
    """
    if any(place.type == "meta" for place in places):
        raise DnnTopologyError("the model is on the device 'meta', where weights have no values: load them first")
    for name, tensor in itertools.chain(model.named_parameters(), model.named_buffers()):
        if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
            raise DnnTopologyError(_weightless(name))


@contextlib.contextmanager
def nothing_made(model: nn.Module) -> Iterator[None]:
    """Refuse a model that makes weights in its forward pass: what would be measured is never trained.

    Raises:
        DnnTopologyError: It has one more than before.
    """
    before = dict(model.named_parameters(remove_duplicate=False))
    known = {id(each) for each in before.values()}  # a pass may give a weight a second name, and a name another weight
    yield
    for name, weight in model.named_parameters():
        if name not in before and id(weight) not in known:
            raise DnnTopologyError(_weightless(name))


def _weightless(name: str) -> str:
    """Return what to say of a model whose first pass makes a weight."""
    return (
        f"the model has no weights yet: {name!r} of a lazy module is made in its first pass, so run the model once on "
        "a batch before recording it"
    )


@contextlib.contextmanager
def _wrappers_removed(model: nn.Module) -> Iterator[None]:
    """Put the modules inside compiled and data parallel ones in their place, so that hooks and names reach them."""
    with contextlib.ExitStack() as restoring:
        for parent in [*model.modules()]:
            for name, child in [*parent._modules.items()]:
                if isinstance(child, nn.Module) and inner_module(child) is not None and inner_module(parent) is None:
                    restoring.callback(parent._modules.__setitem__, name, child)
                    parent._modules[name] = _innermost(child)
        yield


def _innermost(module: nn.Module) -> nn.Module:
    """Return the module inside all wrappers around it."""
    while (inner := inner_module(module)) is not None:
        module = inner
    return module


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Run what torch.compile compiled as it was written: a compiled function or module calls no hook inside."""
    if not hasattr(torch.compiler, "set_stance"):  # before torch 2.6
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and each of its modules back into its own."""
    # A frozen TorchScript module has no mode any more.
    modes = {module: module.training for module in model.modules() if hasattr(module, "training")}
    # torch's fused encoder layers hide their inner modules, and nested tensors, from hooks.
    fused = torch.backends.mha.get_fastpath_enabled()
    # What a `train` of the user's own does on the way into eval mode, it undoes on the way back.
    overridden = any(not type(module).train.__module__.startswith("torch.") for module in modes)
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        if model in modes:
            with contextlib.suppress(NotImplementedError):  # a program of torch.export has one mode for ever
                model.eval()
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        if overridden and modes.get(model):
            model.train()
        for module, mode in modes.items():
            module.training = mode


@contextlib.contextmanager
def unchanged(model: nn.Module, *, with_hooks: bool = False) -> Iterator[None]:
    """Put every attribute and buffer of a model, and what these hold, back; call no hook of the user's meanwhile.

    What lists, mappings, sets and tuples hold is followed; an object of another class that a module keeps is the
    user's own, and what it counts stays. Of parameters their memory is put back, and values in `embedded` ones alone.

    Args:
        model: The model.
        with_hooks: Whether they are called after all.
    """
    modules = [module for _, module in heard_modules(model) if not isinstance(module, torch.jit.ScriptModule)]
    attributes = [(module, dict(module.__dict__)) for module in modules]
    of_attributes = (value for _, kept in attributes for name, value in kept.items() if name not in TORCH_KEEPS)
    held = HeldValues([*model.buffers(), *model.parameters(), *of_attributes], embedded(model))
    for module in modules if not with_hooks else ():
        module.__dict__["_forward_hooks"] = OrderedDict()
    try:
        yield
    finally:
        for module, kept in attributes:
            for added in module.__dict__.keys() - kept.keys():
                del module.__dict__[added]
            module.__dict__.update(kept)
        held.put_back()
