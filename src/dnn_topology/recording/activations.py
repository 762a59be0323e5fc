"""Recording what every neuron of a model answers to some inputs, through hooks, on any `nn.Module`."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from dnn_topology import store
from dnn_topology._calls import check_argument
from dnn_topology._checks import DnnTopologyError, check_choice, check_seed, check_whole, counted, shown
from dnn_topology.progress import showing
from dnn_topology.recording.batches import as_batches
from dnn_topology.recording.failures import described, failures_explained
from dnn_topology.recording.folding import repeated, strayed, untold
from dnn_topology.recording.hooks import Tape, hooked
from dnn_topology.recording.inputs import batch_size, forward_arguments, rows_of
from dnn_topology.recording.layers import (
    Layer,
    check_names,
    check_samples_first,
    declared_layers,
    output_name,
    unwrapped,
)
from dnn_topology.recording.listing import default_names, meant_layers
from dnn_topology.recording.probing import FUNCTION, OTHER, Probe, probe
from dnn_topology.recording.random_states import preserved, seeded
from dnn_topology.recording.restoring import borrowed, unchanged
from dnn_topology.recording.signals import NODES, Nodes, token_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.utils.data import Dataset

MOST_NAMED = 6  # layers that are named where one looks at activations


@dataclass(frozen=True, eq=False, repr=False)
class Activations:
    """The signal of every neuron.

    Attributes:
        values: (n_samples, n_neurons), float32.
        neurons: One row per neuron: `layer` (categorical, in the order of the forward pass) and `index`, the
            place within the layer's flattened output (for nodes="channel": the channel, for "feature": the feature).
        layers: One row per recorded layer, in that order: `layer`, `kind` (the class of the module, or "function"),
            `stage` ("after activation" or "before activation", that is the output of a layer of weights; else
            "other"), `neurons`, their number, and `shape`, a tuple: (channels, rows, columns) where the neurons are the
            units of a feature map, whose `index` counts in this order, else (number,). None where it is not known.

    Example:
        >>> neurons = pd.DataFrame({"layer": ["fc", "fc"], "index": [0, 1]})
        >>> Activations(np.array([[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]], np.float32), neurons).values.shape
        (3, 2)
    """

    values: NDArray[np.float32]
    neurons: pd.DataFrame
    layers: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        values: Any = self.values  # of whatever type a caller has given
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise DnnTopologyError(
                f"values must be an array of numbers (n_samples, n_neurons), found a {type(values).__name__}"
            )
        if not isinstance(self.neurons, pd.DataFrame):
            raise DnnTopologyError(
                f"neurons must be a table with a row per neuron, found a {type(self.neurons).__name__}"
            )
        if self.layers is not None and not isinstance(self.layers, pd.DataFrame):
            raise DnnTopologyError(f"layers must be a table with a row per layer, found a {type(self.layers).__name__}")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.neurons):
            raise DnnTopologyError(
                f"values of shape {self.values.shape} do not fit neurons, a table of {len(self.neurons)} neurons"
            )

    def __repr__(self) -> str:
        """Return how many samples, neurons and layers there are."""
        n_samples, n_neurons = self.values.shape
        sizes = f"{counted(n_samples, 'sample')}, {counted(n_neurons, 'neuron')}"
        if "layer" not in self.neurons:
            return f"Activations({sizes})"
        counts = self.neurons["layer"].value_counts(sort=False)
        named = [f"{name!r} {count}" for name, count in counts[counts > 0].items()]
        more = [f"… {len(named)} in all"] if len(named) > MOST_NAMED else []
        return f"Activations({sizes}; {', '.join(named[: MOST_NAMED - len(more)] + more)})"


def record(
    model: nn.Module,
    batches: Iterable[Any] | Dataset[Any],
    *,
    layers: Sequence[str] | None = None,
    nodes: Nodes = "unit",
    max_samples: int | None = 1000,
    seed: int = 0,
    device: torch.device | str | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Activations:
    """Run a model over some inputs and keep the output of each neuron on each of them.

    One forward pass per batch, in eval mode and without gradients, after two on a few samples that show which layers
    there are and which dimension of their outputs is the samples. The model's outputs do not change, and its mode, its
    device and every random state that can be reached (torch's, NumPy's, Python's, those of loaders, samplers and data
    sets) are left as they were found, even after an exception. (Distributed)DataParallel and compiled modules are
    recorded as the module inside. Threads take turns.

    Args:
        model: Any module.
        batches: Any iterable of batches, such as a DataLoader; or samples: a tensor or an array of any library, along
            its first axis, or a map-style Dataset, taken in their order, 256 at a time. An IterableDataset, or another
            object with items by number, may give either and is refused. A batch is a tensor or an array; a mapping,
            passed as keyword arguments; or a sequence of the inputs that the model's forward pass requires: one tensor,
            mapping or packed sequence, several tensors, or these in a sequence. After them come labels, not used.
        layers: Names of modules (as in `named_modules`) whose outputs are the neurons; "output" is the model's own.
            A function that a module calls is named as by torch.fx: "relu", "block.add", "block.relu_1", …. In a
            glob, such as "features.*", `*` stays within one level and `**` does not; it means what `list_layers` lists.
            Default: what the model declares in an attribute `node_layers`, a sequence of names or a mapping from
            "unit" and "channel" to one, as the named networks do; else every activation module and recurrent network
            (else every Linear and convolution) that is called, and the output; where activations that are called as
            functions make more than these, all activations in place of them. A module called n times in a forward
            pass gives n layers, "name", "name@2", …; one that returns several tensors, in a tuple, a mapping or a
            dataclass, gives "name.key" or "name.0", "name.1", …, and can be named so, to take one of them. If one of
            the model's own modules is called "output", that is meant by it, and the model's output is "output_".
        nodes: "unit": every scalar of the output is a neuron; "channel": every entry of dimension 1 is, averaged over
            all dimensions after it, as suits images; "feature": every entry of the last dimension is, averaged over
            all dimensions between the first and the last, as suits sequences of tokens. If the batch is a mapping
            with an `attention_mask` (n_samples, n_tokens), only tokens that it marks are averaged.
        max_samples: The first so many samples are used; None for all.
        seed: Of every random state that can be reached, while batches are taken and the model runs, so that a loader
            that shuffles and augments gives the same ones every time.
        device: Where to run; by default where the model is.
        out: A `.npy` file to write the signals to, batch by batch, for when they are too many for memory
            (4 · samples · neurons bytes). They are then read from it piecewise, and memory is bounded by one batch.
        progress: Whether to show, in a terminal or a notebook, how far it is once it has taken two seconds.

    Returns:
        The signals, float32 whatever the model's precision; memory is bounded by them and one batch. With `out`, they
        are mapped from that file, which has to stay.

    Raises:
        DnnTopologyError: A layer does not exist, was not called, or lies where no hook reaches (in TorchScript or a
            program of torch.export); nothing was given; an output is not a tensor with one entry per sample, or changes
            its shape between batches; the model has no weights yet; an argument is of a wrong type.

    Warns:
        UserWarning: Layers chosen by default were never called; or inputs may differ between two recordings, because
            they come from workers that run already or from a generator without a state.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        >>> acts = record(model, [torch.randn(5, 4), torch.randn(5, 4)])
        >>> acts.values.shape
        (10, 5)
    """
    _check_options(nodes, max_samples, out)
    check_argument("progress", progress, bool)
    seed = check_seed(seed)
    names = None if layers is None else check_names(layers)
    parts: list[NDArray[np.float32]] = []
    file = None if out is None else store.GrowingArray(Path(out))
    with file or contextlib.nullcontext(), showing("recording inputs", total=max_samples, enabled=progress) as step:
        keep = _counting(file.add if file else parts.append, step)
        modules, given = unwrapped(model), as_batches(batches)
        neurons, table, n_samples = _recorded(modules, given, names, nodes, keep, max_samples, seed, device)
    return Activations(_stacked(parts, n_samples) if file is None else file.values, neurons, table)


def _counting(
    keep: Callable[[NDArray[np.float32]], object], step: Callable[..., None]
) -> Callable[[NDArray[np.float32]], None]:
    """Return a function that hands rows over and says how many they were."""

    def kept(rows: NDArray[np.float32]) -> None:
        keep(rows)
        step(advance=len(rows))

    return kept


def _check_options(nodes: object, max_samples: object, out: object) -> None:
    """Check the options of `record`.

    Raises:
        DnnTopologyError: One is of a wrong type or out of range.
    """
    if not isinstance(nodes, str):
        raise DnnTopologyError(f"nodes must be one of {', '.join(NODES)}, found {shown(nodes)}")
    check_choice("nodes", nodes, NODES)
    if max_samples is not None:
        check_whole("max_samples", max_samples, 1)
    if out is not None and not (isinstance(out, (str, Path)) and Path(out).name):
        what = shown(out) if isinstance(out, str) else type(out).__name__
        raise DnnTopologyError(f"out must be a path of a .npy file, found {what}")


def _recorded(
    model: nn.Module,
    batches: Iterable[Any],
    names: Sequence[str] | None,
    nodes: Nodes,
    keep: Callable[[NDArray[np.float32]], object],
    max_samples: int | None,
    seed: int,
    device: torch.device | str | None,
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Run a model over batches and hand over the signals of each.

    Returns:
        The tables of neurons and of layers, and the number of samples.

    Raises:
        DnnTopologyError: As for `record`.
    """
    by_default = names is None and declared_layers(model, nodes) is None
    tape = Tape(nodes, by_default=by_default, output=output_name(model))
    chosen: dict[str, Layer] = {}
    widths: dict[str, int] = {}
    earlier, n_samples = "", 0
    with borrowed(model, device) as (home, dtype), seeded(seed, (batches, model), home):
        for batch in batches:
            args, kwargs = forward_arguments(batch, home, dtype, model)
            size = batch_size(args, kwargs)
            if not size:
                continue
            mask = _mask(model, kwargs) if nodes == "feature" else None
            if not chosen:  # what some names mean, and where the samples are, shows when the model runs
                with failures_explained(args, kwargs):
                    calls = probe(model, args, kwargs, home)
                chosen = _chosen(model, names, nodes, calls)
                tape.tensors = {each.layer: each for each in calls.tensors}
                tape.certain, tape.with_hooks = calls.certain, calls.with_hooks
            with failures_explained(args, kwargs, earlier=earlier), hooked(model, chosen, tape):
                _run(model, args, kwargs, tape, size=size, mask=mask)
            tape.check_called(chosen)
            if tape.folded:
                _check_folded(model, args, kwargs, chosen, tape, mask=mask, home=home)
            earlier = earlier or described(args, kwargs)
            _check_widths({name: part.shape[1] for name, part in tape.parts.items()}, widths, chosen, nodes)
            chunk = torch.cat([tape.parts[name] for name in widths], dim=1)[:size].numpy()
            chunk = chunk if max_samples is None else chunk[: max_samples - n_samples]
            keep(chunk)
            n_samples += len(chunk)
            if n_samples == max_samples:
                break
    if not n_samples:
        raise DnnTopologyError("there is no input to record: `batches` is empty")
    _report_idle([name for name in chosen if name not in tape.called])
    _report_passed_over([*tape.passed_over])
    return _neuron_table(widths), _layer_table(widths, tape), n_samples


def _chosen(model: nn.Module, names: Sequence[str] | None, nodes: Nodes, calls: Probe) -> dict[str, Layer]:
    """Return the layers to record, by default or by name."""
    if names is None:
        names = default_names(model, nodes, calls)
        _report_without_samples(names, calls)
    chosen = meant_layers(model, names, calls)
    if not calls.certain:
        check_samples_first(model, [*chosen])
    return chosen


def _run(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    tape: Tape,
    *,
    size: int,
    mask: torch.Tensor | None,
) -> None:
    """Run a hooked model on a batch; a lone sample runs beside itself, because torch rounds one row otherwise.

    Raises:
        DnnTopologyError: As for `Tape.keep`.
    """
    if size == 1:
        twice = [0, 0]
        try:
            tape.start(2, None if mask is None else mask[twice])
            model(*rows_of(tuple(args), twice, size), **rows_of(dict(kwargs), twice, size))
        except DnnTopologyError:
            raise
        except Exception:  # noqa: S110  # whatever a model says that takes single samples alone
            pass
        else:
            return
        finally:
            tape.stop()
    tape.start(size, mask)
    try:
        model(*args, **kwargs)
    finally:
        tape.stop()


def _check_folded(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    layers: Mapping[str, Layer],
    tape: Tape,
    *,
    mask: torch.Tensor | None,
    home: torch.device,
) -> None:
    """Run a model on the batch with its samples repeated, to see that folded rows are those of their samples.

    Raises:
        DnnTopologyError: They are not.
    """
    size = batch_size(args, kwargs)
    parts, folded, rows = dict(tape.parts), [*tape.folded], repeated(size)
    with preserved((model,), home), unchanged(model, with_hooks=tape.with_hooks), hooked(model, layers, tape):
        tape.start(len(rows), None if mask is None else mask[rows])
        try:
            model(*rows_of(tuple(args), rows, size), **rows_of(dict(kwargs), rows, size))
        except Exception as error:  # whatever a model says of that many samples, and rows that do not fit them
            raise DnnTopologyError(untold(folded[0], tape.leave_out(folded[0]))) from error
        finally:
            tape.stop()
    again = dict(tape.parts)
    tape.parts.clear()
    tape.parts.update(parts)
    name = strayed(parts, again, rows, folded)
    if name is not None:
        raise DnnTopologyError(untold(name, tape.leave_out(name)))


def _report_idle(idle: Sequence[str]) -> None:
    """Warn of layers that were chosen by default and never called, if hooks could have heard them."""
    # torch's attention uses the weights of this one without calling it.
    idle = [name for name in idle if name.rpartition(".")[2] != "out_proj"]
    _warn_of(
        idle,
        "would be recorded by default and were never called, so they are left out: name layers= to choose others",
    )


def _report_without_samples(names: Sequence[str], calls: Probe) -> None:
    """Warn of functions that would be among layers chosen by default if what they return had samples."""
    taken = {tensor.name for tensor in calls.of_samples}
    functions = [tensor for tensor in calls.tensors if tensor.kind == FUNCTION and tensor.activation]
    if any(tensor.name in names for tensor in functions):
        without = dict.fromkeys(tensor.name for tensor in functions if tensor.name not in taken)
        _warn_of(
            [*without],
            "would be recorded by default and returned no row for each sample, as where it is called on pairs of them, "
            "so they are left out",
        )


def _report_passed_over(names: Sequence[str]) -> None:
    """Warn of tensors without samples that the model returns beside others."""
    _warn_of(
        names,
        "of what the model returns has the same shape whatever the number of samples, or compares samples with one "
        "another, and so is passed over: it says nothing of single samples",
    )


def _warn_of(names: Sequence[str], said: str) -> None:
    """Warn of some layers, the first three of which are named; of none there is nothing to say."""
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        warnings.warn(f"{', '.join(map(repr, names[:3]))}{more} {said}", stacklevel=4)


def _mask(model: nn.Module, inputs: Mapping[str, Any]) -> torch.Tensor | None:
    """Return which tokens of a batch count; None if the batch does not say.

    Raises:
        DnnTopologyError: The mask is unusable, or the model has two sequences of tokens and there is one mask.
    """
    mask = token_mask(inputs)
    # The encoder inside has the same configuration, but no decoder.
    two = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
    if mask is not None and two and any(name.rpartition(".")[2] == "decoder" for name, _ in model.named_modules()):
        raise DnnTopologyError(
            "an encoder-decoder has two sequences of tokens, and attention_mask speaks of one: record its encoder alone"
        )
    return mask


def _check_widths(
    returned: Mapping[str, int], widths: dict[str, int], chosen: Mapping[str, Layer], nodes: Nodes
) -> None:
    """Remember the layers' widths in `widths` on the first batch, and hold every later batch against them.

    Raises:
        DnnTopologyError: The width of a layer, or the number of its calls, changed.
    """
    if not widths:
        widths.update(returned)
    changed = [name for name in {**widths, **returned} if widths.get(name) != returned.get(name)]
    if not changed:
        return
    first = changed[0]
    lasting = [name for name, layer in chosen.items() if not any(map(layer.gives, changed)) and name in returned]
    remedy = f"record layers that do not change, such as layers={lasting[:MOST_NAMED]}" if lasting else "leave it out"
    if first not in returned or first not in widths:
        when = "this batch and not before" if first in returned else "the batches before and not this one"
        raise DnnTopologyError(f"layer {first!r} is called for {when}, as the inputs have it: {remedy}")
    if nodes == "unit":
        remedy = (
            "give inputs of one size, or average: nodes='channel' for images, nodes='feature' for tokens; or " + remedy
        )
    raise DnnTopologyError(
        f"layer {first!r} has {returned[first]} neurons in this batch and had {widths[first]} before: {remedy}"
    )


def _stacked(chunks: list[NDArray[np.float32]], n_samples: int) -> NDArray[np.float32]:
    """Return the chunks below one another, giving each one's memory back as soon as it is copied."""
    values = np.empty((n_samples, chunks[0].shape[1]), dtype=np.float32)
    end = n_samples
    while chunks:
        chunk = chunks.pop()
        values[end - len(chunk) : end] = chunk
        end -= len(chunk)
    return values


def _neuron_table(layers: Mapping[str, int]) -> pd.DataFrame:
    """Return the table (layer, index) of all neurons."""
    widths = list(layers.values())
    return pd.DataFrame(
        {
            "layer": pd.Categorical.from_codes(np.repeat(np.arange(len(widths)), widths), pd.Index(list(layers))),
            "index": np.concatenate([np.arange(width) for width in widths]),
        }
    )


def _layer_table(widths: Mapping[str, int], tape: Tape) -> pd.DataFrame:
    """Return the table (layer, kind, stage, neurons, shape) of all recorded layers."""
    known = [tape.tensors.get(name) for name in widths]
    return pd.DataFrame(
        {
            "layer": list(widths),
            "kind": [each.kind if each else OTHER for each in known],
            "stage": [each.stage if each else OTHER for each in known],
            "neurons": list(widths.values()),
            "shape": [tape.shapes[name] for name in widths],
        }
    )
