"""The layers of a model by name: those that are recorded by default, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest

WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)
PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
# Where torch, transformers and timm keep their non-linearities; transformers' are no subclasses of torch's.
ACTIVATION_MODULES = {"activation", "activations"}
OUTPUT = "output"  # the layer name of the model's own output


def default_layers(model: nn.Module, nodes: str = "unit") -> list[str]:
    """Return the names of the layers that `record` takes where none are named."""
    declared = getattr(model, "node_layers", None)
    if isinstance(declared, Mapping):
        # Features are what channels are where there are tokens rather than places.
        declared = declared.get(nodes, declared["channel"])
    if declared is not None:
        return list(declared)
    leaves_of_tree = {name: module for name, module in model.named_modules() if name and not [*module.children()]}
    # Of a recurrent network the first of its outputs: the others, its last states, do not begin with the samples.
    active = [
        f"{name}.0" if isinstance(module, nn.RNNBase) else name
        for name, module in leaves_of_tree.items()
        if isinstance(module, nn.RNNBase) or _is_activation(module)
    ]
    weighted = [name for name, module in leaves_of_tree.items() if isinstance(module, WEIGHTED)]
    return [*(active or weighted), OUTPUT]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the module inside wrappers that split a batch or that compile, neither of which calls our hooks."""
    while True:
        if isinstance(model, PARALLEL):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


@dataclass(frozen=True)
class Layer:
    """A layer as it was named: the module's own name, the module, and which of its tensors ("" for all).

    A layer without a module is a function that the model calls.
    """

    module_name: str
    module: nn.Module | None
    path: str

    def takes(self, path: str) -> bool:
        """Tell whether a tensor of the module's output belongs to the layer."""
        return path == self.path or path.startswith(f"{self.path}.")


def check_names(names: Sequence[str]) -> list[str]:
    """Return names of layers as a list.

    Raises:
        DnnTopologyError: There are none, or one is there twice.
    """
    if not names:
        raise DnnTopologyError("no layer to record: name at least one")
    if len(set(names)) < len(names):
        raise DnnTopologyError(f"a layer is named twice: {list(names)}")
    return list(names)


def named(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a model by name, "output" being the model itself."""
    known = {**dict(model.named_modules(remove_duplicate=False)), OUTPUT: model}
    known.pop("", None)
    return known


def module_of(known: Mapping[str, nn.Module], name: str) -> str:
    """Return the module that a layer's name starts with, "" if there is none."""
    while name not in known and "." in name:
        name = name.rpartition(".")[0]
    return name if name in known else ""


def choose_layers(model: nn.Module, names: Sequence[str]) -> dict[str, Layer]:
    """Return the layers named, "output" being the model itself.

    Raises:
        DnnTopologyError: One does not exist, is named twice, or none is named.
    """
    known = named(model)
    chosen = {}
    for name in check_names(names):
        head = module_of(known, name)
        if not head:
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, known)}")
        _check_samples_first(known, name, head)
        chosen[name] = Layer(head, known[head], name[len(head) :])
    return chosen


def _is_activation(module: nn.Module) -> bool:
    """Tell whether a module's class, or one that it derives from, lives among a library's non-linearities."""
    return any(kind.__module__.rpartition(".")[2] in ACTIVATION_MODULES for kind in type(module).__mro__)


def _check_samples_first(known: Mapping[str, nn.Module], name: str, head: str) -> None:
    """Refuse a layer in a module that puts time before samples: with as many steps as samples nobody would see it.

    Raises:
        DnnTopologyError: It is such a layer.
    """
    parts = head.split(".")
    for depth in range(1, len(parts) + 1):
        around = ".".join(parts[:depth])
        if around != OUTPUT and getattr(known[around], "batch_first", True) is False:
            raise DnnTopologyError(
                f"layer {name!r} has time, not samples, in its first dimension, because {around!r} was built with "
                "batch_first=False: leave it out, or build it with batch_first=True"
            )
