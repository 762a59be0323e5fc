"""The layers of a model by name: those that are recorded by default, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest, shown

PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
# Where torch, transformers and timm keep their non-linearities; transformers' are no subclasses of torch's.
ACTIVATION_MODULES = {"activation", "activations"}
# Calls of functions that are non-linearities. Not softmax, which attention calls to mix tokens.
ACTIVATION_FUNCTIONS = {
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "threshold", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *(
        "sigmoid",
        "logsigmoid",
        "log_sigmoid",
        "tanh",
        "softplus",
        "softsign",
        "hardtanh",
        "hardswish",
        "hardsigmoid",
        "glu",
    ),
    *("softshrink", "hardshrink", "tanhshrink"),
}
OUTPUT = "output"  # the layer name of the model's own output


def default_layers(model: nn.Module, nodes: str = "unit") -> list[str]:
    """Return the names of the modules that `record` takes where no layers are named and no function is an activation.

    Raises:
        DnnTopologyError: The model declares `node_layers` of another form.
    """
    declared = declared_layers(model, nodes)
    if declared is not None:
        return declared
    leaves_of_tree = {name: module for name, module in heard_modules(model) if name and is_leaf(module)}
    # Of a recurrent network the first of its outputs: the others, its last states, repeat it.
    active = [
        f"{name}.0" if isinstance(module, nn.RNNBase) else name
        for name, module in leaves_of_tree.items()
        if isinstance(module, nn.RNNBase) or is_activation(module)
    ]
    weighted = [name for name, module in leaves_of_tree.items() if is_weighted(module)]
    output = output_name(model)
    return [*(active or weighted), f"{output}.0" if isinstance(model, nn.RNNBase) else output]


def declared_layers(model: nn.Module, nodes: str) -> list[str] | None:
    """Return the layers that a model declares as its nodes in an attribute `node_layers`; None if it does not.

    Raises:
        DnnTopologyError: The attribute is neither a sequence of names nor a mapping to them.
    """
    declared = getattr(model, "node_layers", None)
    if declared is None or isinstance(declared, nn.Module):  # a module may be called so
        return None
    if isinstance(declared, Mapping):
        # Features are what channels are where there are tokens rather than places.
        declared = declared.get(nodes, declared.get("channel"))
    if isinstance(declared, str) or not isinstance(declared, Collection):
        raise DnnTopologyError(
            f"the model's node_layers must be names of layers, or a mapping from {nodes!r} or 'channel' to them, found "
            f"{model.node_layers!r}"
        )
    return check_names(declared)


def inner_module(module: nn.Module) -> nn.Module | None:
    """Return the module inside a wrapper that splits a batch or that compiles; None if it is no wrapper."""
    if isinstance(module, PARALLEL):
        return module.module  # type: ignore[no-any-return]
    inner = module._modules.get("_orig_mod") if not isinstance(module, torch.jit.ScriptModule) else None
    return inner if isinstance(inner, nn.Module) else None


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the module inside wrappers that split a batch or that compile, neither of which calls our hooks.

    Raises:
        DnnTopologyError: It is no module.
    """
    if isinstance(model, torch.export.ExportedProgram):
        raise DnnTopologyError(
            "`model` is a program of torch.export, which calls no module: pass the module that it was exported from"
        )
    if not isinstance(model, nn.Module):
        raise DnnTopologyError(f"`model` must be a torch.nn.Module, found {type(model).__name__}")
    while (inner := inner_module(model)) is not None:
        model = inner
    return model


@dataclass(frozen=True)
class Layer:
    """A layer as it was named: the module's own name, the module, and which of its tensors ("" for all).

    A layer without a module is a function that the model calls. One that a glob gave is of those tensors alone that
    `list_layers` lists, which have samples.
    """

    module_name: str
    module: nn.Module | None
    path: str
    by_glob: bool = False

    def takes(self, path: str) -> bool:
        """Tell whether a tensor of the module's output belongs to the layer."""
        return path == self.path or path.startswith(f"{self.path}.")

    def gives(self, label: str) -> bool:
        """Tell whether what is recorded under a label is of a call of the layer's module."""
        return label.startswith(self.module_name) and label[len(self.module_name) :][:1] in {"", ".", "@"}


def check_names(names: Collection[str]) -> list[str]:
    """Return names of layers as a list, without the parts that a compiling wrapper adds to them.

    Raises:
        DnnTopologyError: There are none, one is there twice, or one is no name.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in _items(names)):
        raise DnnTopologyError(f"layers must be a sequence of names, such as ['relu'], found {shown(names)}")
    if not len(names):
        raise DnnTopologyError("no layer to record: name at least one")
    plain = [name.replace("_orig_mod.", "") for name in names]
    if len(set(plain)) < len(plain):
        raise DnnTopologyError(f"a layer is named twice: {list(names)}")
    return plain


def _items(names: object) -> Collection[object]:
    """Return a collection's items; what is no collection is its own only item."""
    return names if isinstance(names, Collection) and getattr(names, "ndim", True) else (names,)


def output_name(model: nn.Module) -> str:
    """Return the layer name of a model's own output: "output", unless one of its modules is called so."""
    name = OUTPUT
    while name in model._modules:
        name += "_"
    return name


def heard_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules whose calls hooks see, by name, the model itself first: none inside a TorchScript module."""
    closed: list[str] = []
    for name, module in model.named_modules():
        if not any(name.startswith(f"{outer}.") or not outer for outer in closed):
            yield name, module
            if isinstance(module, torch.jit.ScriptModule):
                closed.append(name)


def named(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a model by name, with the model itself under the name of its output."""
    known = {**dict(model.named_modules(remove_duplicate=False)), output_name(model): model}
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
        DnnTopologyError: One does not exist, is named twice, lies inside a TorchScript module, or none is named.
    """
    known = named(model)
    chosen = {}
    for name in check_names(names):
        head = module_of(known, name)
        if not head:
            raise DnnTopologyError(f"the model has no layer {name!r}: {nearest(name, known)}")
        _check_not_scripted(known, head, output_name(model))
        chosen[name] = Layer(head, known[head], name[len(head) :])
    return chosen


def check_hearable(model: nn.Module) -> None:
    """Refuse to choose layers in a model of which a part calls no modules, so that most would go unheard.

    Raises:
        DnnTopologyError: A part is a TorchScript module with modules inside, or comes from torch.export.
    """
    for name, module in heard_modules(model):
        part = repr(name) if name else "the model"
        remedy = f"record the module that it was made from, or name layers outside it, such as {name or OUTPUT!r}"
        if isinstance(module, torch.jit.ScriptModule) and not is_leaf(module):
            raise DnnTopologyError(f"{part} is a TorchScript module, inside which no layer can be heard: {remedy}")
        exported = type(module).__module__.startswith("torch.export") or (
            isinstance(module, torch.fx.GraphModule)
            and any(isinstance(node.target, torch._ops.OpOverload) for node in module.graph.nodes)
        )
        if exported:
            raise DnnTopologyError(f"{part} comes from torch.export and calls no layer that can be heard: {remedy}")


def is_leaf(module: nn.Module) -> bool:
    """Tell whether no module that is called lies inside: quantised layers hold their packed weights in one."""
    return not [*module.children()] or type(module).__module__.startswith("torch.ao.nn")


def is_activation(module: nn.Module) -> bool:
    """Tell whether a module is a non-linearity, or a quantised layer fused with one.

    Its class, or one that it derives from, lives where a library keeps them.
    """
    if isinstance(module, torch.jit.ScriptModule):  # which keeps the name of the class alone
        kind = getattr(nn.modules.activation, str(getattr(module, "original_name", "")), None)
        return kind is not None and is_leaf(module)
    if type(module).__module__.startswith("torch.ao.nn.intrinsic.quantized"):
        return type(module).__name__.endswith("ReLU")
    return any(kind.__module__.rpartition(".")[2] in ACTIVATION_MODULES for kind in type(module).__mro__)


def is_weighted(module: nn.Module) -> bool:
    """Tell whether a module is a Linear or a convolution, quantised ones included."""
    if isinstance(module, torch.jit.ScriptModule):
        named_so = getattr(nn, str(getattr(module, "original_name", "")), None)
        return isinstance(named_so, type) and issubclass(named_so, (nn.Linear, nn.modules.conv._ConvNd))
    quantised = type(module).__module__.startswith("torch.ao.nn") and type(module).__name__.startswith(
        ("Linear", "Conv", "QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear")
    )
    return quantised or isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))


def check_samples_first(model: nn.Module, names: Sequence[str]) -> None:
    """Refuse layers in modules that put time before samples, where running the model cannot tell the two apart.

    Raises:
        DnnTopologyError: There is such a layer.
    """
    known = named(model)
    for name in names:
        parts = module_of(known, name).split(".")
        for depth in range(1, len(parts) + 1):
            around = ".".join(parts[:depth])
            if known.get(around) not in {None, model} and getattr(known[around], "batch_first", True) is False:
                raise DnnTopologyError(
                    f"layer {name!r} may have time, not samples, in its first dimension, because {around!r} was built "
                    "with batch_first=False: leave it out, or build it with batch_first=True"
                )


def _check_not_scripted(known: Mapping[str, nn.Module], name: str, output: str) -> None:
    """Refuse a layer inside a TorchScript module, whose modules are not called as such.

    Raises:
        DnnTopologyError: It is one.
    """
    parts = name.split(".")
    for depth in range(0 if name != output else len(parts), len(parts)):
        around = ".".join(parts[:depth]) or output
        if isinstance(known.get(around), torch.jit.ScriptModule):
            raise DnnTopologyError(
                f"layer {name!r} lies inside the TorchScript module {around!r}, where no layer can be heard: record "
                f"the module that it was made from, or the layer {around!r}"
            )
