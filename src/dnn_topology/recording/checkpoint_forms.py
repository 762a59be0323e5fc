"""The forms in which people keep weights: under which key of a checkpoint, and with which prefixes before the names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.layers import unwrapped

# What people call it; where several hold weights that fit, the first is taken. Any other key is looked at after them.
KEYS = ("model_state_dict", "state_dict", "model", "net", "model_state", "params", "module", "network", "weights")
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put into a name
COUNTER = "num_batches_tracked"  # of batch normalisation, which old checkpoints lack

Rename = Callable[[Mapping[str, Any]], dict[str, Any]]


def put_weights(
    content: Mapping[str, Any], model: nn.Module, *, source: str = "the state", rename: Rename | None = None
) -> None:
    """Put weights into a model, whatever form they are kept in; where they do not fit, nothing is changed.

    The state dict is `content` itself or lies under a key of it, beside an optimizer, hyperparameters or numbers. Its
    names may have one prefix in common, such as "model.", and "module." or "_orig_mod." anywhere.

    Args:
        content: A state dict, or a checkpoint that holds one.
        model: Any module; a wrapped one (compiled, data parallel) is filled inside.
        source: What `content` is, for messages.
        rename: Gives a state dict of another network's names the model's own.

    Raises:
        DnnTopologyError: No state dict in it has the model's names and shapes; the message names where the nearest one
            differs.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> put_weights({"epoch": 3, "state_dict": {"model.weight": torch.ones(1, 2)}}, model)
        >>> model.weight.tolist()
        [[1.0, 1.0]]
    """
    model = unwrapped(model)
    own = model.state_dict()
    nearest: tuple[int, dict[str, Any]] | None = None
    for state in _states(content):
        for given in _renamed(state, own):
            named = given if rename is None else rename(given)
            n_missing = len(_missing(own, named)) + len(named.keys() - own.keys())
            if not n_missing:
                _check_shapes(named, own, source)
                # Parameters that are one and the same are often kept once.
                model.load_state_dict({**{name: own[name] for name in own.keys() - named.keys()}, **named})
                return
            if nearest is None or n_missing < nearest[0]:
                nearest = n_missing, named
    if nearest is None:
        raise DnnTopologyError(f"{source} does not fit this network: it holds no state dict, that is names of tensors")
    differences = [
        f"{what} {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for what, names in (
            ("it lacks", _missing(own, nearest[1])),
            ("it has besides", sorted(nearest[1].keys() - own.keys())),
        )
        if names
    ]
    raise DnnTopologyError(f"{source} does not fit this network: {'; '.join(differences)}")


def _states(content: Mapping[str, Any], depth: int = 2) -> Iterator[dict[str, Any]]:
    """Yield what may be a state dict: the content, and the mappings in it, those with a usual key first."""
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors:
        # What a module keeps beside its tensors (`get_extra_state`) has a name of its own.
        extra = {str(name): value for name, value in content.items() if str(name).endswith("_extra_state")}
        yield {**tensors, **extra}
    if depth:
        for key in sorted(content, key=lambda key: KEYS.index(key) if key in KEYS else len(KEYS)):
            if isinstance(content[key], Mapping):
                yield from _states(content[key], depth - 1)


def _renamed(state: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a state dict under the names that it may have meant: as they are, then without prefixes."""
    yield dict(state)
    plain_own = {_without_wrappers(name): name for name in own}
    if len(plain_own) < len(own):
        plain_own = {name: name for name in own}
    plain = {_without_wrappers(name): value for name, value in state.items()}
    if len(plain) < len(state):
        plain = dict(state)
    for prefix in _prefixes(plain, plain_own):
        part = {name.removeprefix(prefix): value for name, value in plain.items() if name.startswith(prefix)}
        yield {plain_own.get(name, name): value for name, value in part.items()}
    for prefix in _prefixes(state, own):  # of a network whose own module is called as a wrapper's is
        yield {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _prefixes(state: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return what stands before the network's names in a state dict: nothing, or whole parts of a name."""
    some = next(iter(own), "")
    longer = sorted({name.removesuffix(some) for name in state if name.endswith(f".{some}")}, key=len)
    return ["", *longer]


def _without_wrappers(name: str) -> str:
    """Return a name without the parts that wrappers put into it."""
    parts = name.split(".")
    return ".".join([part for part in parts[:-1] if f"{part}." not in WRAPPERS] + parts[-1:])


def _missing(own: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    """Return the names that a state dict lacks, but for those that it need not have."""
    kept = {own[name].data_ptr() for name in state if name in own and isinstance(own[name], torch.Tensor)} - {0}
    return [
        name
        for name, value in own.items()
        if name not in state
        and not name.endswith(COUNTER)
        and not (isinstance(value, torch.Tensor) and value.data_ptr() in kept)
    ]


def _check_shapes(state: Mapping[str, Any], own: Mapping[str, Any], source: str) -> None:
    """Check that every tensor has its shape, before any is put into the network.

    Raises:
        DnnTopologyError: One has another.
    """
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and value.shape != own[name].shape:
            raise DnnTopologyError(
                f"{source} does not fit this network: {name} has the shape {tuple(value.shape)} there and "
                f"{tuple(own[name].shape)} here"
            )
