"""Arguments of public functions, checked at the door against the annotations: one way for all of them."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, TypeVar, Union, get_args, get_origin

import numpy as np

from dnn_topology._checks import DnnTopologyError, check_at_least, check_length, check_type, shown

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class")
DEVICE = r"(cpu|cuda|mps|xpu|hpu|meta|xla|privateuseone)(:\d{1,4})?"
LEAST = {"seed": 0, "threads": 1}  # of arguments of these names, wherever they are
# Of fields of these names in results: what is counted, numbered, a share, or a scale.
LEAST_FIELDS = {
    **dict.fromkeys(("node", "index", "channel", "point", "dim", "epoch", "chosen_epoch", "stop_epoch"), 0),
    **dict.fromkeys(("n_cavities", "n_constant", "n_untightened", "n_negative", "n_positive", "n_networks"), 0),
    **dict.fromkeys(("birth", "max_epsilon", "strength", "confidence", "auroc", "auroc_low", "auroc_high"), 0),
    **dict.fromkeys(("fpr95", "fpr95_low", "fpr95_high"), 0),
    "size": 1,
}
ENDLESS = {"death", "train_loss", "test_loss", "train_accuracy", "test_accuracy"}  # may be infinite or not known
MANY = 1000  # numbers in one field, which are not looked at one by one
PLAIN = (str, int, float, bool)
# Classes of heavy libraries and of rooms further down, known by name: an argument of such a class has loaded it.
BY_NAME = frozenset(
    {
        "DataFrame",
        "Axes",
        "Module",
        "Tensor",
        "DataSet",
        "Dataset",
        "Activations",
        "FunctionalGraph",
        "Diagrams",
        "Decision",
        "Cavity",
        "Participation",
        "device",
        "Observation",
        "Neuron",
        "Measurement",
        "EpochRecord",
        "Estimate",
        "Plan",
        "Optimizer",
        "ReduceLROnPlateau",
    }
)


def checked(function: Function) -> Function:
    """Check the arguments of every call against the function's annotations, numbers being finite.

    Texts, numbers, choices, paths, functions, mappings and objects of a class are checked; arrays and whatever else an
    annotation allows are left to the function itself, which looks inside.

    Args:
        function: A public function or constructor.

    Returns:
        The same function, which raises `DnnTopologyError` for an argument of another type.

    Example:
        >>> @checked
        ... def half(number: float) -> float:
        ...     return number / 2
        >>> half("much")
        Traceback (most recent call last):
        dnn_topology._checks.DnnTopologyError: number must be a finite number, found 'much'
    """
    return _checked(function, check_argument)


def _checked(function: Function, check: Callable[[str, Any, Any], None]) -> Function:
    """Check the arguments of every call, each by its name and annotation."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def with_checked_arguments(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # which says in Python's words what is missing or too much
        hints = _hints(function)
        for name, value in given.arguments.items():
            if name in hints:
                check(name, value, hints[name])
                if isinstance(value, np.number) and {int, float} & set(_choices(hints[name])):
                    number = value.item()  # generators and blocks take Python's own numbers alone
                    given.arguments[name] = float(value) if isinstance(number, np.longdouble) else number
        return function(*given.args, **given.kwargs)

    return with_checked_arguments  # type: ignore[return-value]


def checked_fields(record: type[Class]) -> type[Class]:
    """Check the fields of every object of a dataclass that is made, by whomever, as `checked` does arguments.

    What sequences and mappings hold is looked at too.

    Args:
        record: The dataclass.

    Returns:
        The same class.

    Example:
        >>> from dataclasses import dataclass
        >>> @checked_fields
        ... @dataclass
        ... class Interval:
        ...     low: float
        >>> Interval("much")
        Traceback (most recent call last):
        dnn_topology._checks.DnnTopologyError: low must be a finite number, found 'much'
    """
    setattr(record, "__init__", _checked(getattr(record, "__init__"), _check_field))  # noqa: B009, B010  # as mypy wants it
    return record


def unchecked(record: type[Class], **fields: Any) -> Class:
    """Return an object of a class of `checked_fields` whose fields are right by construction.

    Of many small objects, looking at the fields takes longer than making them.

    Args:
        record: The dataclass.
        **fields: Its fields.

    Example:
        >>> from dataclasses import dataclass
        >>> @checked_fields
        ... @dataclass
        ... class Interval:
        ...     low: float
        >>> unchecked(Interval, low=0.5)
        Interval(low=0.5)
    """
    made = object.__new__(record)
    getattr(record, "__init__").__wrapped__(made, **fields)  # noqa: B009  # as mypy wants it
    return made


def check_argument(name: str, value: Any, hint: Any) -> None:
    """Check that an argument is what an annotation says, as far as its type tells.

    Raises:
        DnnTopologyError: It is not; the message names it, what was found and what was expected.
    """
    choices = _choices(hint)
    if any(_fits(value, one) for one in choices):
        if value is not None:
            _check_usual(name, value)
            if isinstance(value, range):  # of as many numbers as it likes, without memory
                check_length(name, value)
            _check_tensor(name, value, dense="Tensor" in map(_name, choices))
        return
    if not any(isinstance(one, _Named) or _is_container(one) or hasattr(one, "_is_protocol") for one in choices):
        check_type(name, value, hint)
    words = " or ".join(dict.fromkeys(_words(one) for one in choices))
    raise DnnTopologyError(f"{name} must be {words}, found {_found(value)}")


def _check_field(name: str, value: Any, hint: Any) -> None:
    """Check that a field of a result is what its annotation says, with what it holds.

    Raises:
        DnnTopologyError: It is not, or is below the least that a field of that name may be.
    """
    if name not in ENDLESS or not isinstance(value, Real):
        check_argument(name, value, hint)
    if name in LEAST_FIELDS and value is not None:
        check_at_least(name, value, LEAST_FIELDS[name])
    for one in _choices(hint):
        origin, args = get_origin(one), get_args(one)
        if origin in {Mapping, dict} and isinstance(value, Mapping):
            for key in _one_of_each_type(value):
                check_argument(f"a key of {name}", key, args[0])
            for item in _one_of_each_type(value.values()):
                check_argument(f"an item of {name}", item, args[1])
        if origin not in {Sequence, tuple, list} or value is None or args[0] is Any:
            continue
        _check_items(name, value, args, fixed=origin is tuple and args[-1] is not Ellipsis)


def _check_items(name: str, value: Any, hints: Sequence[Any], *, fixed: bool) -> None:
    """Check the items of a sequence.

    Raises:
        DnnTopologyError: It is an iterator, has another length than is fixed, or an item is of another type.
    """
    if not hasattr(value, "__len__"):  # looking at what an iterator gives would use it up
        raise DnnTopologyError(f"{name} must be a sequence, found a {type(value).__name__}: give tuple({name})")
    if fixed and len(value) != len(hints):
        raise DnnTopologyError(f"{name} must be {len(hints)} values, found {shown(value)}")
    for place, item in enumerate(value if fixed else _one_of_each_type(value)):
        check_argument(f"an item of {name}", item, hints[place] if fixed else hints[0])


def _one_of_each_type(values: Iterable[Any]) -> list[Any]:
    """Return the first value of each type, and all that are numbers, of which each may be out of range."""
    values = list(values)
    numbers = [one for one in values if isinstance(one, Real)] if len(values) < MANY else []
    return [*{type(one): one for one in reversed(values)}.values(), *numbers]


def _check_usual(name: str, value: Any) -> None:
    """Check what an argument of this name must be everywhere.

    Raises:
        DnnTopologyError: A seed is negative, no thread is left, or a device is none that PyTorch knows.
    """
    if name in LEAST:
        check_at_least(name, value, LEAST[name])
    if name == "device" and isinstance(value, str) and not re.fullmatch(DEVICE, value):
        raise DnnTopologyError(f"unknown device {shown(value)}: expected cpu, cuda, cuda:1, mps, …")


def _check_tensor(name: str, value: Any, *, dense: bool) -> None:
    """Check that a tensor has values and a shape, and where rows are taken of it, that it is dense.

    Raises:
        DnnTopologyError: It is nested, on the device meta, or sparse.
    """
    if not _is_called(value, "Tensor"):
        return
    sparse = dense and any(word in str(value.layout) for word in ("sparse", "mkldnn"))
    if value.is_nested or (dense and value.is_meta) or sparse:
        what = "a nested one: pad it" if value.is_nested else "a sparse one: give its .to_dense()"
        what = "one on the device 'meta': give its values" if value.is_meta else what
        raise DnnTopologyError(f"{name} must be a dense tensor, found {what}")


class _Named:
    """A name in an annotation that is imported for type checkers alone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> _Named:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name)

    def __getitem__(self, _: Any) -> _Named:
        return self

    def __or__(self, other: Any) -> _Either:
        return _Either([self, *_choices(other)])

    def __ror__(self, other: Any) -> _Either:
        return _Either([*_choices(other), self])


class _Either(_Named):
    """A union in which there are such names."""

    def __init__(self, choices: Sequence[Any]) -> None:
        super().__init__("")
        self.choices = tuple(choices)

    def __or__(self, other: Any) -> _Either:
        return _Either([*self.choices, *_choices(other)])


class _Names(Mapping[str, Any]):
    """The names of a module, and of whatever it imports for type checkers alone."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        builtins = self._known.get("__builtins__", {})
        there = builtins if isinstance(builtins, dict) else vars(builtins)
        return there[name] if name in there else _Named(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function's parameters."""
    names = _Names(function.__globals__)
    hints = {}
    for name, one in inspect.signature(function).parameters.items():
        if one.annotation is not one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}:
            written = one.annotation
            hints[name] = eval(written, {}, names) if isinstance(written, str) else written  # noqa: S307  # our own
    return hints


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the types that an annotation allows."""
    if isinstance(hint, _Either):
        return hint.choices
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of one type, or of one that only the function itself can judge."""
    origin = get_origin(hint)
    if isinstance(hint, _Named) and hint.name == "NDArray":
        return hasattr(value, "__array__") or isinstance(value, (list, tuple))
    if isinstance(hint, _Named):
        return hint.name not in BY_NAME or _is_called(value, hint.name)
    if hint is None or hint is type(None):
        return value is None
    if isinstance(hint, TypeVar):
        return True
    if getattr(hint, "_is_protocol", False):
        members = {*getattr(hint, "__annotations__", {}), *vars(hint)}
        return value is not None and all(hasattr(value, name) for name in members if not name.startswith("_"))
    if origin in {Iterable, Sequence, tuple, list}:
        return _are_several(value) and (get_args(hint)[0] is not str or _are_texts(value))
    if origin is Mapping or origin is dict:
        return isinstance(value, Mapping)
    try:
        check_type("", value, hint)
    except DnnTopologyError:
        return False
    return True


def _are_several(value: Any) -> bool:
    """Return whether a value holds others one after another; a single number of NumPy's or torch's holds none."""
    single = isinstance(value, (str, bytes)) or getattr(value, "ndim", 1) == 0
    return not single and (isinstance(value, Iterable) or hasattr(value, "__getitem__"))


def _are_texts(value: Any) -> bool:
    """Return whether all items of what has a length are texts; others, such as generators, give each item once."""
    return not hasattr(value, "__len__") or all(isinstance(item, str) for item in value)


def _is_called(value: Any, name: str) -> bool:
    """Return whether a value is of a class of this name, or of one made from it."""
    return any(base.__name__ == name for base in type(value).__mro__)


def _name(hint: Any) -> str:
    """Return the name of the class that an annotation is, or will be once its library is imported."""
    return hint.name if isinstance(hint, _Named) else getattr(hint, "__name__", "")


def _is_container(hint: Any) -> bool:
    """Return whether a type is of things that hold others, which messages name by their kind alone."""
    return get_origin(hint) in {Iterable, Sequence, Mapping, tuple, list, dict}


def _words(hint: Any) -> str:
    """Return a type in words."""
    if isinstance(hint, _Named) or hasattr(hint, "_is_protocol"):
        name = hint.name if isinstance(hint, _Named) else hint.__name__
        return "an array" if name == "NDArray" else f"a {name}"
    if _is_container(hint):
        return {"Mapping": "a mapping", "dict": "a mapping"}.get(get_origin(hint).__name__, "a sequence")
    try:
        check_type("", _Named(""), hint)
    except DnnTopologyError as error:
        return str(error).removeprefix(" must be ").partition(", found ")[0]
    return str(hint)


def _found(value: Any) -> str:
    """Return a value in a message: plain ones as they are, others by their class."""
    return shown(value) if value is None or isinstance(value, PLAIN) else f"a {type(value).__name__}"
