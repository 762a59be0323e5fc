"""Every generator of random numbers that a recording may advance: seeded for its duration, then put back as it was."""

from __future__ import annotations

import contextlib
import random
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

MANY_OBJECTS = 20_000  # looked at in search of generators; a data set may hold millions
MANY_ITEMS = 100  # of one container: transforms are few, samples are not what is looked for
OPAQUE = (torch.Tensor, np.ndarray, str, bytes, bytearray, int, float, complex, type(None), types.ModuleType)

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)  # noqa: S311
LIBRARIES = {
    "torch",
    "torchvision",
    "numpy",
    "builtins",
    "collections",
    "transformers",
    "pandas",
    "scipy",
    "dnn_topology",
}

Restore = Callable[[], object]


@contextlib.contextmanager
def seeded(seed: int, batches: Iterable[Any] | tuple[Any, ...], device: torch.device) -> Iterator[None]:
    """Seed every random state that batches and a model use, and put all back as they were.

    These are torch's own on the CPU and on the GPUs in use, NumPy's, Python's, and every generator object that can be
    reached from `batches`: a loader's, its samplers', those in a data set's attributes, transforms and functions.
    Workers that a loader keeps alive are left alone: inside the block it starts others, which begin from the seed.

    Args:
        seed: Of them all.
        batches: What may hold generators: a loader, or several objects in a tuple.
        device: Where the model runs.

    Yields:
        Nothing.
    """
    generators, loaders = _reachable(batches)
    with contextlib.ExitStack() as restoring:
        for loader in loaders:
            restoring.callback(loader.__dict__.update, _without_workers(loader))
        for restore in [*_kept_states(device), *filter(None, map(_kept, generators))]:
            restoring.callback(restore)
        _seed_globally(seed, device)
        for generator in generators:
            _seed(generator, seed)
        yield
        _warn_of_new(batches, generators)


def _warn_of_new(batches: Iterable[Any] | tuple[Any, ...], known: list[Any]) -> None:
    """Warn of generators that what makes the batches has made for itself meanwhile, and which it will go on with."""
    roots = [each for each in (batches if isinstance(batches, tuple) else (batches,)) if not isinstance(each, Iterator)]
    new = [each for each in _reachable(tuple(roots))[0] if not any(each is one for one in known)]
    if new:
        _warn(f"a {type(new[0]).__name__} was made while they were taken, so it could not be seeded before")


@contextlib.contextmanager
def preserved(roots: tuple[Any, ...], device: torch.device) -> Iterator[None]:
    """Put every random state that a block may advance back as it was, without seeding it.

    Args:
        roots: What may hold generators of its own, such as a model.
        device: Where the model runs.

    Yields:
        Nothing.
    """
    with contextlib.ExitStack() as restoring:
        for restore in [*_kept_states(device), *filter(None, map(_kept, _reachable(roots)[0]))]:
            restoring.callback(restore)
        yield


def _kept_states(device: torch.device) -> list[Restore]:
    """Return what puts the process-wide random states back as they are now."""
    cpu, python, numpy = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    restores: list[Restore] = [
        lambda: torch.set_rng_state(cpu),
        lambda: random.setstate(python),
        lambda: np.random.set_state(numpy),  # noqa: NPY002
    ]
    if device.type == "cuda" or torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states = torch.cuda.get_rng_state_all()
        restores.append(lambda: torch.cuda.set_rng_state_all(states))
    return restores


def _seed_globally(seed: int, device: torch.device) -> None:
    """Seed the process-wide random states."""
    # Not torch.manual_seed, which would seed every other device too, for good.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    random.seed(seed)
    np.random.set_state(np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed))).get_state())  # noqa: NPY002


def _kept(generator: Any) -> Restore | None:
    """Return what puts a generator back as it is now; None, and a warning, where nothing can."""
    if isinstance(generator, torch.Generator):
        state = generator.get_state()
        return lambda: generator.set_state(state)
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        inner = bits.state
        return lambda: setattr(bits, "state", inner)
    if isinstance(generator, np.random.RandomState):
        legacy = generator.get_state()
        return lambda: generator.set_state(legacy)
    try:
        python = generator.getstate()
    except NotImplementedError:  # random.SystemRandom has no state
        _warn(f"a {type(generator).__name__} has no state that could be seeded")
        return None
    return lambda: generator.setstate(python)


def _seed(generator: Any, seed: int) -> None:
    """Seed one generator."""
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        bits.state = type(bits)(seed).state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed))).get_state())
    else:
        generator.seed(seed)


def _without_workers(loader: DataLoader[Any]) -> dict[str, Any]:
    """Let a loader start workers of its own; return what gives it back those that it keeps."""
    kept: dict[str, Any] = {
        name: loader.__dict__[name] for name in ("_iterator", "persistent_workers") if name in loader.__dict__
    }
    loader.__dict__.update({"_iterator": None, "persistent_workers": False})  # setting attributes is forbidden
    return kept


def _warn(reason: str) -> None:
    """Say that two recordings may see different inputs."""
    warnings.warn(
        f"the inputs of two recordings may differ, and what draws them may go on otherwise than before: {reason}",
        stacklevel=2,
    )


def _reachable(root: Any) -> tuple[list[Any], list[DataLoader[Any]]]:
    """Return the generators, and the loaders with lasting workers, that an object holds however deep."""
    generators: list[Any] = []
    loaders: list[DataLoader[Any]] = []
    waiting, seen = deque([root]), dict[int, Any]()
    while waiting and len(seen) < MANY_OBJECTS:
        item = waiting.popleft()  # what lies near first
        if isinstance(item, OPAQUE) or id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, GENERATORS):
            generators.append(item)
            continue
        if isinstance(item, DataLoader) and item.persistent_workers:
            loaders.append(item)
        elif isinstance(item, _MultiProcessingDataLoaderIter):
            _warn("`batches` comes from worker processes that run already; give the loader itself")
        waiting += _held(item)
    of_process = {id(torch.default_generator), id(np.random.mtrand._rand), id(random._inst)}
    return [each for each in generators if id(each) not in of_process], loaders


def _held(item: Any) -> list[Any]:
    """Return the objects that an object holds or, if it is a function, reads."""
    if isinstance(item, Mapping):
        return [item[key] for key, _ in zip(item, range(MANY_ITEMS), strict=False)]
    if isinstance(item, (list, tuple, set, frozenset)):
        return [each for each, _ in zip(item, range(MANY_ITEMS), strict=False)]
    if isinstance(item, DataLoader):  # not the workers that it keeps, which are set aside
        return [value for name, value in vars(item).items() if name != "_iterator"] + [*type(item).__mro__[:-1]]
    if isinstance(item, types.MethodType):
        return [item.__self__, item.__func__]
    if isinstance(item, types.FunctionType):
        cells = [cell.cell_contents for cell in item.__closure__ or () if _is_filled(cell)]
        defaults = [*(item.__defaults__ or ()), *(item.__kwdefaults__ or {}).values()]
        return [*cells, *_read_globals(item.__code__, item.__globals__), *defaults]
    if isinstance(item, (staticmethod, classmethod)):
        return [item.__func__]
    if isinstance(item, types.GeneratorType):
        frame = item.gi_frame
        return [] if frame is None else [*frame.f_locals.values(), *_read_globals(frame.f_code, frame.f_globals)]
    if isinstance(item, type):
        return [each for each in vars(item).values() if not isinstance(each, type)] if _is_ones_own(item) else []
    if type(item).__name__ == "partial":
        return [item.func, item.args, item.keywords]
    return [item.fget] if isinstance(item, property) else _attributes(item)


def _attributes(item: Any) -> list[Any]:
    """Return the attributes of an object, of whichever kind they are, and its classes."""
    classes = type(item).__mro__[:-1]
    slots = [name for each in classes for name in _slots(each) if hasattr(item, name)]
    return [getattr(item, "__dict__", {}), *(getattr(item, name) for name in slots), *classes]


def _slots(kind: type) -> list[str]:
    """Return the names of the attributes for which a class of one's own has places instead of a dictionary."""
    return [name for name, value in vars(kind).items() if isinstance(value, types.MemberDescriptorType)]


def _is_filled(cell: types.CellType) -> bool:
    """Tell whether a variable of an enclosing function has a value yet."""
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _read_globals(code: types.CodeType, known: Mapping[str, Any]) -> list[Any]:
    """Return what a piece of code may reach through global names: of modules the generators that it names in them."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names.update(inner.co_names)
    values = [known[name] for name in sorted(names & set(known))]
    modules = [vars(each) for each in values if isinstance(each, types.ModuleType)]
    inside = [module[name] for module in modules for name in sorted(names & module.keys())]
    return [each for each in values if _is_ones_own(each)] + [each for each in inside if isinstance(each, GENERATORS)]


def _is_ones_own(item: Any) -> bool:
    """Tell whether a value is none of the libraries' classes and functions, which hold no generator of a user's."""
    if isinstance(item, (type, types.FunctionType)):
        return (item.__module__ or "").partition(".")[0] not in LIBRARIES
    return not isinstance(item, (types.ModuleType, types.BuiltinFunctionType))
