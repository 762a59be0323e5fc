"""What can be recorded in a model, how many neurons each layer gives, and which layers a glob means."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.recording.function_calls import function_calls
from dnn_topology.recording.inputs import batch_size, forward_arguments
from dnn_topology.recording.layers import OUTPUT, Layer, check_names, choose_layers, module_of, named, unwrapped
from dnn_topology.recording.restoring import borrowed
from dnn_topology.recording.signals import leaves

EVERYTHING = "**"


def list_layers(model: nn.Module, inputs: Any, *, layers: Sequence[str] = (EVERYTHING,)) -> pd.DataFrame:
    """Run a model once and list the outputs that `record` could keep, in the order of the forward pass.

    Args:
        model: Any module; it is left as it was found.
        inputs: One batch; see `record`.
        layers: Names and globs; see `record`.

    Returns:
        One row per tensor: `layer` (its name; "name@2" is the second call of the module "name", with which it is
        recorded), `kind` (the class of the module, or "function"), `shape` (of one sample, a tuple), `unit` and
        `channel` (how many neurons it gives).

    Raises:
        DnnTopologyError: A name means nothing in the model.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 5), torch.nn.ReLU())
        >>> list_layers(model, torch.zeros(2, 1, 28, 28))[["layer", "kind", "unit", "channel"]].values.tolist()
        [['0', 'Conv2d', 1728, 3], ['1', 'ReLU', 1728, 3], ['output', 'Sequential', 1728, 3]]
    """
    model = unwrapped(model)
    with borrowed(model, None) as (home, dtype):
        args, kwargs = forward_arguments(inputs, home, dtype)
        rows = _rows(model, args, kwargs)
    chosen = _meant(model, check_names(layers), rows)
    kept = [row for row in rows if any(_belongs(row, layer) for layer in chosen.values())]
    return pd.DataFrame(kept, columns=["layer", "kind", "shape", "unit", "channel"])


def meant_layers(
    model: nn.Module, names: Sequence[str], args: Sequence[torch.Tensor], kwargs: Mapping[str, Any]
) -> dict[str, Layer]:
    """Return the layers that names and globs mean, running the model on a batch if modules' names do not tell.

    Args:
        model: A borrowed model.
        names: Names of modules, "output", names of function calls, and globs of them all.
        args: Positional arguments of its forward pass.
        kwargs: Keyword arguments of its forward pass.

    Returns:
        Name → layer.

    Raises:
        DnnTopologyError: One means nothing.
    """
    known = named(model)
    # What ends in a number, as in "rnn.0", is one of a module's tensors: no function is called so.
    if all(name in known or (module_of(known, name) and name.rpartition(".")[2].isdecimal()) for name in names):
        return choose_layers(model, names)
    return _meant(model, names, _rows(model, args, kwargs))


def _rows(model: nn.Module, args: Sequence[torch.Tensor], kwargs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for every tensor of samples that a borrowed model computes."""
    size = batch_size(args, kwargs)
    times: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []

    def take(name: str, output: Any, kind: str = "function") -> None:
        times[name] += 1
        label = name if times[name] == 1 else f"{name}@{times[name]}"
        for path, part in leaves(output):
            if len(part) == size:
                shape = tuple(part.shape[1:])
                row = {"layer": label + path, "name": name, "path": path, "kind": kind, "shape": shape}
                rows.append({**row, "unit": math.prod(shape), "channel": math.prod(shape[:1])})

    def hook(name: str) -> Any:
        def heard(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001  # the signature is torch's
            with paused():
                take(name, output, type(module).__name__)

        return heard

    handles = []
    with function_calls(model, take) as paused:
        try:
            for name, module in [*list(model.named_modules())[1:], (OUTPUT, model)]:
                handles.append(module.register_forward_hook(hook(name)))
            model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
    return rows


def _meant(model: nn.Module, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, Layer]:
    """Return the layers that names and globs mean among those that were called.

    Raises:
        DnnTopologyError: One means nothing.
    """
    functions = {str(row["name"]): Layer(str(row["name"]), None, "") for row in rows if row["kind"] == "function"}
    known = named(model)
    plain: list[str] = []
    chosen: dict[str, Layer] = {}
    for name in names:
        if "*" in name:
            found = dict.fromkeys(str(row["name"]) for row in rows if re.fullmatch(_regex(name), str(row["name"])))
            if not found:
                raise DnnTopologyError(f"no layer matches {name!r}: `dnn-topology layers` lists what there is")
            plain += [each for each in found if each in known]
            chosen |= {each: functions[each] for each in found if each not in known}
        elif name in functions and name not in known:
            chosen[name] = functions[name]
        elif module_of(known, name):
            plain.append(name)
        else:
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, {**known, **functions})}")
    return chosen | choose_layers(model, list(dict.fromkeys(plain))) if plain else chosen


def _belongs(row: Mapping[str, Any], layer: Layer) -> bool:
    """Tell whether a row of the list is of a layer."""
    return row["name"] == layer.module_name and layer.takes(str(row["path"]))


def _regex(glob: str) -> str:
    """Return a glob as a regular expression: `*` stays within one level, `**` does not."""
    parts = re.split(r"(\*+)", glob)
    return "".join({"*": r"[^.]*"}.get(part, ".*") if part.startswith("*") else re.escape(part) for part in parts)
