"""What can be recorded in a model, how many neurons each layer gives, and which layers names and globs mean."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from torch import nn
from torch.utils.data import DataLoader, Dataset

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.recording.failures import failures_explained
from dnn_topology.recording.inputs import forward_arguments
from dnn_topology.recording.layers import (
    Layer,
    check_hearable,
    check_names,
    choose_layers,
    declared_layers,
    default_layers,
    module_of,
    named,
    unwrapped,
)
from dnn_topology.recording.probing import FUNCTION, CalledTensor, Probe, probe
from dnn_topology.recording.restoring import borrowed

EVERYTHING = "**"
COLUMNS = ["layer", "kind", "shape", "unit", "channel", "feature"]


def list_layers(model: nn.Module, inputs: Any, *, layers: Sequence[str] = (EVERYTHING,)) -> pd.DataFrame:
    """Run a model on a few samples and list the outputs that `record` could keep, in the order of the forward pass.

    Args:
        model: Any module; it is left as it was found.
        inputs: One batch: a tensor, an array, a mapping or a tuple, as in `record`'s `batches`.
        layers: Names of modules and functions, and globs in which `*` stays within one level and `**` does not.

    Returns:
        One row per tensor: `layer` (its name; "name@2" is the second call of the module "name", with which it is
        recorded), `kind` (the class of the module, or "function"), `shape` (of one sample, a tuple), and how many
        neurons each choice of `nodes` gives: `unit`, `channel` (0 where it is refused, because the dimension after the
        samples holds tokens) and `feature`.

    Raises:
        DnnTopologyError: A name means nothing in the model, it fails on the inputs, or they are no batch.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 5), torch.nn.ReLU())
        >>> list_layers(model, torch.zeros(2, 1, 28, 28))[["layer", "kind", "unit", "channel"]].values.tolist()
        [['0', 'Conv2d', 1728, 3], ['1', 'ReLU', 1728, 3], ['output', 'Sequential', 1728, 3]]
    """
    if isinstance(inputs, DataLoader | Dataset):
        raise DnnTopologyError(
            f"inputs must be one batch, found a {type(inputs).__name__}: pass one of it, such as "
            + ("next(iter(loader))" if isinstance(inputs, DataLoader) else "dataset[0][0][None]")
        )
    model = unwrapped(model)
    with borrowed(model, None) as (home, dtype):
        args, kwargs = forward_arguments(inputs, home, dtype, model)
        with failures_explained(args, kwargs):
            calls = probe(model, args, kwargs, home)
        chosen = meant_layers(model, check_names(layers), calls)
    rows = [
        {**vars(tensor), "shape": tensor.shape, **_counts(tensor)}
        for tensor in calls.of_samples
        if any(tensor.name == layer.module_name and layer.takes(tensor.path) for layer in chosen.values())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def described_layers(model: nn.Module, inputs: Any, *, layers: Sequence[str] = (EVERYTHING,)) -> pd.DataFrame:
    """Return `list_layers` as a table to be read: shapes as text, and for which nodes a layer is taken by default.

    Args:
        model: Any module.
        inputs: One batch.
        layers: Names and globs.

    Raises:
        DnnTopologyError: A name means nothing in the model.
    """
    table = list_layers(model, inputs, layers=layers)
    names = table["layer"].str.split("@").str[0]
    taken = {nodes: names.isin(default_layers(model, nodes)) for nodes in ("unit", "channel")}
    by_default = [", ".join(nodes for nodes in taken if taken[nodes][row]) for row in table.index]
    shapes = ["×".join(map(str, shape)) or "1" for shape in table["shape"]]
    columns = {"kind": "what it is", "shape": "output", "unit": "units", "channel": "channels", "feature": "features"}
    return table.assign(shape=shapes).rename(columns=columns).assign(**{"taken by default as": by_default})


def default_names(model: nn.Module, nodes: str, calls: Probe) -> list[str]:
    """Return the layers that `record` takes by default in a model of which it is known what it calls.

    They are what the model declares; else its activation modules (else its layers of weights) and its output. Where the
    model calls more activations than that, as functions, they are all of the activations called.

    Raises:
        DnnTopologyError: No layer can be heard inside a part of the model.
    """
    names = default_layers(model, nodes)
    if declared_layers(model, nodes) is not None:
        return names
    check_hearable(model)
    if nodes != "feature":
        names = [_last_states(name, calls) for name in names]
    heard = [tensor for tensor in calls.of_samples if tensor.activation]
    if any(tensor.kind == FUNCTION for tensor in heard):
        known = named(model)
        by_module = {name if name in known else module_of(known, name): name for name in names[:-1]}
        own = {tensor.layer for tensor in calls.tensors if tensor.name in by_module}
        if len(own) < len({tensor.layer for tensor in heard}):
            return list(dict.fromkeys([*(by_module.get(tensor.name, tensor.name) for tensor in heard), names[-1]]))
    return names


def _last_states(name: str, calls: Probe) -> str:
    """Return the last states of a recurrent network in place of a packed sequence, of which samples have no one width.

    An LSTM returns (states, (last states, last cells)), the others (states, last states).
    """
    returned = {tensor.layer: tensor for tensor in calls.tensors}
    owner = name.removesuffix(".0")
    if name not in returned or not returned[name].packed:
        return name
    return next((each for each in (f"{owner}.1.0", f"{owner}.1") if each in returned), name)


def meant_layers(model: nn.Module, names: Sequence[str], calls: Probe) -> dict[str, Layer]:
    """Return the layers that names and globs mean.

    Args:
        model: A borrowed model.
        names: Names of modules, "output", names of function calls, and globs of them all.
        calls: What the model calls.

    Returns:
        Name → layer.

    Raises:
        DnnTopologyError: One means nothing.
    """
    rows = calls.of_samples
    known = named(model)
    called = {row.name for row in calls.tensors if row.kind != FUNCTION}
    # A module that is never called, as where its owner reads its rate alone, does not hide a function of its name.
    functions = {row.name: Layer(row.name, None, "") for row in rows if row.kind == FUNCTION and row.name not in called}
    known = {name: module for name, module in known.items() if name not in functions}
    plain: dict[str, bool] = {}  # name → whether a glob alone gave it
    chosen: dict[str, Layer] = {}
    for given in names:
        name = _plain(given) if given not in known and _plain(given) in {**known, **functions} else given
        if "*" in name:
            matching = dict.fromkeys(row.name for row in rows if re.fullmatch(_regex(name), row.name))
            if not matching:
                raise DnnTopologyError(
                    f"no layer matches {name!r}: `list_layers`, or `dnn-topology layers`, lists what there is"
                )
            plain = {**{each: True for each in matching if each in known}, **plain}
            chosen |= {each: functions[each] for each in matching if each not in known}
        elif name in functions and name not in known:
            chosen[name] = functions[name]
        elif module_of(known, name):
            plain[name] = False
        else:
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, {**known, **functions})}")
    modules = choose_layers(model, list(plain)) if plain else {}
    return chosen | {name: replace(layer, by_glob=plain.get(name, False)) for name, layer in modules.items()}


def _plain(name: str) -> str:
    """Return a name without the parts that data parallel modules put into it, which are recorded as what is inside."""
    return ".".join(part for part in name.split(".") if part != "module")


def _counts(tensor: CalledTensor) -> Mapping[str, int]:
    """Return how many neurons a tensor gives, by choice of nodes."""
    shape = tensor.shape
    return {
        "unit": math.prod(shape),
        "channel": 0 if tensor.tokens else math.prod(shape[1:2] if tensor.fold else shape[:1]),
        "feature": math.prod(shape[-1:]),
    }


def _regex(glob: str) -> str:
    """Return a glob as a regular expression: `*` stays within one level, `**` does not."""
    parts = re.split(r"(\*+)", glob)
    return "".join({"*": r"[^.]*"}.get(part, ".*") if part.startswith("*") else re.escape(part) for part in parts)
