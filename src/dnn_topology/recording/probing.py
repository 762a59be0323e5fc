"""What a model calls, found by running it on a few samples: names, shapes, which dimension is the samples."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.folding import Fold, digest, fold_of
from dnn_topology.recording.function_calls import function_calls, hear
from dnn_topology.recording.inputs import batch_size, rows_of
from dnn_topology.recording.layers import (
    ACTIVATION_FUNCTIONS,
    heard_modules,
    is_activation,
    is_leaf,
    is_weighted,
    output_name,
)
from dnn_topology.recording.random_states import preserved
from dnn_topology.recording.reordering import MOST, REORDERING, exchanged, reordered
from dnn_topology.recording.restoring import nothing_made, unchanged
from dnn_topology.recording.signals import identity, leaves

AFTER, BEFORE, OTHER = "after activation", "before activation", "other"
FUNCTION = "function"
# torch's modules that take time for the first dimension, unless they are built with batch_first=True.
SEQUENCE_MODULES = (
    *(nn.RNNBase, nn.MultiheadAttention, nn.Transformer, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer),
)
# torch's modules that take a single sample by itself, and how many dimensions that has.
WITHOUT_SAMPLES = (
    *((nn.Linear, 1), (nn.Bilinear, 1), (nn.RNNCellBase, 1), (nn.RNNBase, 2), (nn.MultiheadAttention, 2)),
    *(
        (nn.TransformerEncoderLayer, 2),
        (nn.Conv1d, 2),
        (nn.ConvTranspose1d, 2),
        (nn.Conv2d, 3),
        (nn.ConvTranspose2d, 3),
    ),
    *((nn.Conv3d, 4), (nn.ConvTranspose3d, 4)),
)


@dataclass(frozen=True)
class CalledTensor:
    """A tensor that a module or function returned.

    Attributes:
        layer: Its name: of the module or function, from the second call on with "@2", …, and its path in the output.
        name: Of the module or function.
        path: Within the output; "" for a bare tensor.
        kind: The class of the module, or "function".
        size: Its shape, with as many samples as the model was run on.
        axis: The dimension of the samples; None if there is none.
        stage: "after activation" or "before activation" if an activation or a layer of weights made it, else "other".
        tokens: Whether its last dimension, not the first after the samples, is what a layer of weights mixes.
        activation: Whether the call is of an activation, which is no part of another one.
        packed: Whether it is a packed sequence, padded.
        fold: How the first dimension is made of the samples and another one; "" if it is not.
        fixed: Whether it has the same shape for any number of samples, and so none of them in it.
        reordered: Whether its samples are there in another order than in the batch.
        crossed: Whether several of its dimensions are the samples, as where each is compared with each.
    """

    layer: str
    name: str
    path: str
    kind: str
    size: tuple[int, ...]
    axis: int | None
    stage: str
    tokens: bool
    activation: bool
    packed: bool = False
    fold: Fold = ""
    fixed: bool = False
    reordered: bool = False
    crossed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        if self.fold:
            return (self.size[0] // 2, *self.size[1:])
        axis = self.axis or 0
        return self.size[:axis] + self.size[axis + 1 :]


@dataclass(frozen=True)
class Probe:
    """What a model calls.

    Attributes:
        tensors: In the order of the calls.
        certain: Whether two numbers of samples were tried, which tell where the samples lie.
        with_hooks: Whether it runs with the user's own hooks alone, as with one that changes a shape.
    """

    tensors: tuple[CalledTensor, ...]
    certain: bool
    with_hooks: bool = False

    @property
    def of_samples(self) -> list[CalledTensor]:
        """The tensors that have a dimension of samples."""
        return [tensor for tensor in self.tensors if tensor.axis is not None or tensor.fold]


def probe(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], device: torch.device) -> Probe:
    """Run a borrowed model on two and on three samples of a batch: the dimension that follows is the samples.

    Where it calls functions that may put samples into another order, it is run on a few more, in two orders. Random
    states, buffers and the modules' attributes are left as they were, and hooks of the user's are called only where the
    model does not run without them. A model that takes no other number of samples than it was given is run on the
    whole batch.

    Args:
        model: A borrowed model.
        args: Positional arguments of its forward pass.
        kwargs: Keyword arguments of its forward pass.
        device: Where it runs.

    Returns:
        What it calls.
    """
    size = batch_size(args, kwargs)
    # The last of few samples is repeated, so that all are as long as before and sorted sequences stay sorted.
    few = [[min(place, size - 1, 1) for place in range(n_rows)] for n_rows in (2, 3)]
    try:
        (two, three), with_hooks = _looks(model, args, kwargs, device, few)
    except Exception:  # whatever a model says of a number of samples that it does not take
        try:
            (whole,), with_hooks = _looks(model, args, kwargs, device, [None])
        except Exception:
            _check_not_single(model, args, kwargs, device)
            raise
        _check_samples_there(whole.without_samples, args, kwargs)
        placed = [replace(each, axis=0 if each.size[0] == size else None) for each in whole.tensors]
        return Probe(tuple(placed), certain=False, with_hooks=with_hooks)
    _check_no_time_in_samples(two.time_first, three.time_first, output_name(model))
    larger = {tensor.layer: tensor.size for tensor in three.tensors}
    placed = [_placed(each, larger.get(each.layer, ()), two, three) for each in two.tensors]
    moved = _moved(model, args, kwargs, device, with_hooks=with_hooks) if two.reordering else set()
    in_order = tuple(replace(each, reordered=(each.layer, each.axis) in moved) for each in placed)
    return Probe(in_order, certain=True, with_hooks=with_hooks)


def _looks(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    device: torch.device,
    choices: Sequence[Sequence[int] | None],
) -> tuple[list[_Log], bool]:
    """Run a model on some choices of a batch's rows, None for all of them.

    Returns:
        What it computed for each, and whether it runs with the user's hooks alone.
    """
    try:
        return [_calls(model, args, kwargs, device, rows) for rows in choices], False
    except Exception:  # whatever a model says from which a hook is missing that changes what a module returns
        if not any(module._forward_hooks for _, module in heard_modules(model)):
            raise
        return [_calls(model, args, kwargs, device, rows, with_hooks=True) for rows in choices], True


def _moved(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], device: torch.device, *, with_hooks: bool
) -> set[tuple[str, int]]:
    """Return the tensors, with their dimension of samples, in which these are in another order than in the batch."""
    order = exchanged(min(batch_size(args, kwargs), MOST))
    if len(order) < 2:
        return set()
    try:
        plain, other = (
            _calls(model, args, kwargs, device, rows, len(rows), with_hooks=with_hooks).places
            for rows in (list(range(len(order))), order)
        )
    except Exception:  # whatever a model says that wants its samples in one order, which it then leaves them in
        return set()
    return reordered(plain, other, order)


def _placed(tensor: CalledTensor, larger: tuple[int, ...], two: _Log, three: _Log) -> CalledTensor:
    """Return a tensor of which it is known where its samples are."""
    axis = _sample_axis(tensor.size, larger)
    if len(_growing(tensor.size, larger)) > 1:
        return replace(tensor, crossed=True)
    if larger == tensor.size:
        return replace(tensor, fixed=True)
    if axis is not None or not {tensor.layer} <= two.digests.keys() & three.digests.keys():
        return replace(tensor, axis=axis)
    fold = fold_of(two.digests[tensor.layer], three.digests[tensor.layer])
    # The data of a packed sequence have one row after another of ever fewer samples, which may look like a fold.
    return replace(tensor, fold="" if two.packing and fold == "samples inner" else fold)


def _check_samples_there(
    without: Mapping[str, tuple[int, ...]], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse a single sample, for which some modules take an input without a dimension of samples.

    Args:
        without: Shapes of the inputs of modules that such a dimension lacks.
        args: Positional arguments of the model's forward pass.
        kwargs: Keyword arguments of it.

    Raises:
        DnnTopologyError: An argument goes into such a module as it is.
    """
    given = {tuple(item.shape) for item in (*args, *kwargs.values()) if isinstance(item, torch.Tensor)}
    name = next((name for name, size in without.items() if size in given), None)
    if name is not None:
        raise DnnTopologyError(_single_sample(without[name], repr(name)))


def _check_not_single(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], device: torch.device) -> None:
    """Refuse a batch that a model fails on, and takes with one more dimension before it.

    Raises:
        DnnTopologyError: It does.
    """
    alone = [item[None] if isinstance(item, torch.Tensor) else item for item in args]
    by_name = {key: item[None] if isinstance(item, torch.Tensor) else item for key, item in kwargs.items()}
    try:
        _looks(model, alone, by_name, device, [None])
    except Exception:  # which says nothing of what was given
        return
    shape = next(tuple(item.shape) for item in (*args, *kwargs.values()) if isinstance(item, torch.Tensor))
    raise DnnTopologyError(_single_sample(shape, "the model"))


def _single_sample(shape: tuple[int, ...], taker: str) -> str:
    """Return what to say of a batch that is a single sample."""
    return (
        f"a batch of shape {shape} is a single sample to {taker}, without a dimension of samples: give batches, as of "
        "DataLoader(samples, batch_size=256), or x[None]"
    )


def _check_no_time_in_samples(
    two: Mapping[str, tuple[int, ...]], three: Mapping[str, tuple[int, ...]], output: str
) -> None:
    """Refuse a model of which a part takes the dimension of the samples for time.

    Args:
        two: Shapes of the inputs of modules that take the first dimension for time, for two samples.
        three: The same for three.
        output: The name of the model itself.

    Raises:
        DnnTopologyError: There is such a part.
    """
    mistaken = [name for name, size in two.items() if _sample_axis(size, three.get(name, ())) == 0]
    if mistaken:
        name = min(mistaken, key=lambda each: (each.count("."), len(each)))
        entered = "the model" if name == output else repr(name)
        if len(two[name]) < 3:
            raise DnnTopologyError(
                f"what enters {entered} has two dimensions, of which it takes the first for time, and that is the "
                "samples here: give it (n_samples, n_steps, n_features), with batch_first=True"
            )
        raise DnnTopologyError(
            f"the samples lie in the first dimension of what enters {entered}, which takes that for time, because it "
            "was built with batch_first=False: build it with batch_first=True, or let the model exchange the two "
            "dimensions around it, and give batches with the samples first"
        )


def _sample_axis(two: tuple[int, ...], three: tuple[int, ...]) -> int | None:
    """Return the dimension of the samples, from the shapes of a tensor for two and for three samples."""
    axes = _growing(two, three)
    return axes[0] if axes and (axes[0] == 0 or len(axes) == 1) else None


def _growing(two: tuple[int, ...], three: tuple[int, ...]) -> list[int]:
    """Return the dimensions that are as long as there are samples, of two and of three."""
    if len(two) != len(three):
        return []
    return [axis for axis, pair in enumerate(zip(two, three, strict=True)) if pair == (2, 3)]


def _calls(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    device: torch.device,
    rows: Sequence[int] | None = None,
    n_places: int = 0,
    *,
    with_hooks: bool = False,
) -> _Log:
    """Run a model once on some rows of a batch, and return what it computed.

    Args:
        model: A borrowed model.
        args: Positional arguments of its forward pass.
        kwargs: Keyword arguments of it.
        device: Where it runs.
        rows: Places within the batch; None for all of it.
        n_places: An extent; every place is looked at along the first dimensions that have it.
        with_hooks: Whether hooks of the user's are called.
    """
    log = _Log(model, n_places)
    if rows is not None:
        size = batch_size(args, kwargs)
        args, kwargs = rows_of(tuple(args), rows, size), rows_of(dict(kwargs), rows, size)
    with contextlib.ExitStack() as stack:
        stack.enter_context(preserved((model,), device))
        stack.enter_context(unchanged(model, with_hooks=with_hooks))
        paused = stack.enter_context(function_calls(model, log.function, log.arranged))
        for name, module in [*list(heard_modules(model))[1:], (output_name(model), model)]:
            stack.callback(hear(module, log.module_hook(name, paused)).remove)
        stack.enter_context(nothing_made(model))
        model(*args, **kwargs)
    return log


class _Log:
    """Writes down the calls of one forward pass.

    Attributes:
        tensors: What was returned, in order.
        digests: Layer → one number per row of its tensor, where rows may be more than samples.
        time_first: Module → the shape of what entered it, if it takes the first dimension for time.
        without_samples: Module → the shape of what entered it, if it takes that for a single sample.
        packing: Whether there was a packed sequence.
        reordering: Whether there was a function that may put samples into another order.
        places: (Layer, dimension) → one number per place along it, for the first dimensions of an extent.
    """

    def __init__(self, model: nn.Module, n_places: int = 0) -> None:
        self.tensors: list[CalledTensor] = []
        self.digests: dict[str, torch.Tensor] = {}
        self.time_first: dict[str, tuple[int, ...]] = {}
        self.without_samples: dict[str, tuple[int, ...]] = {}
        self.packing = False
        self.reordering = False
        self.places: dict[tuple[str, int], torch.Tensor] = {}
        self._n_places = n_places
        self._thread = threading.get_ident()
        self._times: Counter[str] = Counter()
        self._activations = {name for name, module in heard_modules(model) if is_leaf(module) and is_activation(module)}
        self._last_dimension_mixed: dict[tuple[int, ...], bool] = {}
        self._stages: dict[tuple[int, int], str] = {}
        self._alive: weakref.WeakValueDictionary[tuple[int, int], torch.Tensor] = weakref.WeakValueDictionary()

    def module_hook(self, name: str, paused: Any) -> Any:
        def heard(module: nn.Module, args: Any, output: Any) -> None:
            if self._thread != threading.get_ident():  # another one may run the model meanwhile
                return
            with paused():
                self._note_sequences(name, module, args)
                stage = None
                if is_leaf(module):
                    self._note_layout(module, output)
                    active = is_activation(module) or isinstance(module, nn.RNNBase)
                    stage = AFTER if active else BEFORE if is_weighted(module) else None
                self._take(name, output, type(module).__name__, stage, activation=stage == AFTER)

        return heard

    def function(self, name: str, output: Any) -> None:
        owner, _, called = name.rpartition(".")
        self.packing |= "pack_padded_sequence" in called
        self.reordering |= called.rstrip("_0123456789") in REORDERING
        active = called.rstrip("_0123456789") in ACTIVATION_FUNCTIONS or called in ACTIVATION_FUNCTIONS
        inside = any(owner == each or owner.startswith(f"{each}.") for each in self._activations)
        self._take(name, output, FUNCTION, AFTER if active else None, activation=active and not inside)

    def arranged(self, before: torch.Tensor, after: torch.Tensor, order: list[int] | None) -> None:
        """Remember where channels and what else a layer mixes lie after dimensions were exchanged or reshaped."""
        mixed = self._last_dimension_mixed.get(tuple(before.shape))
        if mixed is None or before.ndim < 3 or after.ndim < 3:
            return
        if order is None:
            kept = before.shape[-1] == after.shape[-1] if mixed else before.shape[:2] == after.shape[:2]
            if kept:
                self._last_dimension_mixed.setdefault(tuple(after.shape), mixed)
            return
        place = order.index(before.ndim - 1 if mixed else 1)
        self._last_dimension_mixed[tuple(after.shape)] = place > (1 if order[0] == 0 else 0)

    def _take(self, name: str, output: Any, kind: str, stage: str | None, *, activation: bool) -> None:
        self._times[name] += 1
        label = name if self._times[name] == 1 else f"{name}@{self._times[name]}"
        for path, leaf in leaves(output):
            if leaf.layout is not torch.strided or leaf.is_nested:
                continue  # a matrix that the model multiplies by: nobody's signals
            key = identity(leaf)
            if stage is not None:
                self._stages[key] = stage
                self._alive[key] = leaf
            known = self._stages[key] if self._alive.get(key) is leaf else OTHER
            size = tuple(leaf.shape)
            tokens = leaf.ndim > 2 and self._last_dimension_mixed.get(size, False)
            packed = hasattr(leaf, "sequence_lengths")
            self.tensors.append(
                CalledTensor(label + path, name, path, kind, size, None, known, tokens, activation, packed)
            )
            if self._n_places:
                along = [axis for axis in range(min(leaf.ndim, 2)) if size[axis] == self._n_places]
                self.places.update({(label + path, axis): digest(leaf.movedim(axis, 0)) for axis in along})
            elif len(leaf) > 3:
                self.digests[label + path] = digest(leaf)

    def _note_sequences(self, name: str, module: nn.Module, args: Any) -> None:
        """Remember packed sequences, and what enters a module that takes its first dimension for time."""
        self.packing |= any(isinstance(each, PackedSequence) for each in args)
        if not args or not isinstance(args[0], torch.Tensor):
            return
        size = tuple(args[0].shape)
        first = len(size) == 2 or (len(size) == 3 and getattr(module, "batch_first", True) is False)
        if isinstance(module, SEQUENCE_MODULES) and first:
            self.time_first.setdefault(name, size)
        if any(isinstance(module, each) and len(size) == n_dims for each, n_dims in WITHOUT_SAMPLES):
            self.without_samples.setdefault(name, size)

    def _note_layout(self, module: nn.Module, output: Any) -> None:
        """Remember of a shape whether the last layer that returned it mixes the last dimension, as Linear does."""
        scripted = isinstance(module, torch.jit.ScriptModule)
        weight = None if scripted else module._parameters.get("weight")
        for _, leaf in leaves(output):
            size = tuple(leaf.shape)
            if isinstance(module, (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)):
                self._last_dimension_mixed[size] = False
            elif isinstance(module, nn.RNNBase) or (weight is not None and weight.ndim == 2):
                self._last_dimension_mixed[size] = weight is None or size[-1] in weight.shape
            elif hasattr(module, "normalized_shape") or type(module).__name__.endswith(("LayerNorm", "RMSNorm")):
                self._last_dimension_mixed[size] = weight is None or size[-1] == weight.shape[-1]
