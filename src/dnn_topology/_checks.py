"""Every validator of an argument, and its message: the argument, what was found, what was expected, the remedy."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
import types
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WHOLE_BITS = 63  # of a whole number that arrays, files and generators take
MOST_DIM = 1000  # an answer lists one diagram per dimension, and none has points where there are fewer neurons
MOST_NUMBERS = 2**28  # of one table or list: 2 GiB of float64
MOST_SAMPLES = 10**6  # of neurons, each of which is measured and kept
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONG_WORD, LEFT = re.compile(r"\S{1000,}"), 100  # what is said of a name of so many characters
PLAIN = {str, bool, int, float, None, type(None)}  # types that are looked at first, since most values have them
SHORT = reprlib.Repr()  # of values in messages
SHORT.maxstring = SHORT.maxother = 120


class DnnTopologyError(ValueError):
    """A mistake that its user can mend: one line that says what, where and the remedy.

    Everything else that is raised is a fault of ours. The command line prints this one alone and exits with 2.

    Args:
        message: The line. Names of files, layers and keys in it may be anybody's: what would break the line or cannot
            be printed is written as an escape, and of a word that nobody reads to its end the two ends are left.

    Example:
        >>> raise DnnTopologyError("max_dim must be at least 0, found -1")
        Traceback (most recent call last):
        dnn_topology._checks.DnnTopologyError: max_dim must be at least 0, found -1
    """

    def __init__(self, message: object = "") -> None:
        short = LONG_WORD.sub(lambda match: f"{match[0][:LEFT]}…{match[0][-LEFT:]}", str(message))
        super().__init__(UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], short))


def nearest(value: str, known: Iterable[str]) -> str:
    """Return the end of a message that helps with a mistyped name: the nearest names, else all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(value, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"


def counted(number: int, what: str) -> str:
    """Return a number of things in words.

    Example:
        >>> counted(1, "epoch"), counted(20, "epoch")
        ('1 epoch', '20 epochs')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def check_choice(name: str, value: object, known: Iterable[str]) -> str:
    """Return a name that is one of `known`.

    Raises:
        DnnTopologyError: It is not; the message names the nearest ones.
    """
    known = list(known)
    if not isinstance(value, str) or value not in known:
        ending = nearest(value[:100] if isinstance(value, str) else "", known)
        raise DnnTopologyError(f"unknown {name} {shown_name(value)}: {ending}")
    return value


def check_max_epsilon(max_epsilon: Any, *, bounded: bool = True) -> float:
    """Return `max_epsilon` as a float in (0, 0.5], or above 0 for distances without a bound.

    Args:
        max_epsilon: The end of a filtration, a radius.
        bounded: Whether distances are at most 1, as those made of a correlation.

    Raises:
        DnnTopologyError: It is outside: a correlation distance is at most 1, so ε = d / 2 at most 0.5.
    """
    number = float(max_epsilon) if _is(max_epsilon, float) else float("nan")
    if bounded and not 0 < number <= 0.5:
        raise DnnTopologyError(
            f"max_epsilon must lie in (0, 0.5], found {shown(max_epsilon)}: ε is a radius, half the distance "
            "1 - |correlation|; the original's value is 0.3"
        )
    if not 0 < number < float("inf"):
        raise DnnTopologyError(
            f"max_epsilon must be a positive finite number, found {shown(max_epsilon)}: ε is a radius, half the "
            "distance up to which nodes are joined"
        )
    return number


def check_max_dim(max_dim: Any) -> int:
    """Return `max_dim`, the highest Betti number, as an int of at least 0.

    Raises:
        DnnTopologyError: It is negative or no whole number.
    """
    if not _is(max_dim, int) or max_dim < 0:
        raise DnnTopologyError(
            f"max_dim must be a whole number of at least 0, found {shown(max_dim)}: 2 computes H0, H1 and H2"
        )
    if max_dim > MOST_DIM:
        raise DnnTopologyError(f"max_dim must be at most {MOST_DIM}, found {shown(max_dim)}: 2 computes H0, H1 and H2")
    return int(max_dim)


def check_at_least(name: str, value: Any, least: float) -> None:
    """Check that a number reaches its smallest sensible value.

    Raises:
        DnnTopologyError: It does not.
    """
    if not _is_number(value) or not value >= least:
        raise DnnTopologyError(f"{name} must be at least {least}, found {shown(value)}")


def check_fraction(name: str, value: Any) -> None:
    """Check that a number is a share.

    Raises:
        DnnTopologyError: It lies outside [0, 1].
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise DnnTopologyError(f"{name} must lie in [0, 1], found {shown(value)}")


def check_length(name: str, values: Any) -> None:
    """Check that a sequence that is no array has no more items than memory holds, as range(10**10) has.

    Raises:
        DnnTopologyError: It has.
    """
    if hasattr(values, "__len__") and not hasattr(values, "__array__"):
        try:
            length: float = len(values)
        except OverflowError:
            length = math.inf
        if length > MOST_NUMBERS:
            raise DnnTopologyError(f"`{name}` must have at most {MOST_NUMBERS} items, found {shown(values)}")


def check_draws(name: str, draws: int, size: int) -> None:
    """Check that so many draws of so many places each are no more than memory is for.

    Raises:
        DnnTopologyError: They are more, or none.
    """
    check_at_least(name, draws, 1)
    if draws * size > MOST_NUMBERS:
        raise DnnTopologyError(f"{name} must be at most {MOST_NUMBERS // size} draws of {size}, found {draws}")


def check_extent(shape: tuple[int, ...]) -> None:
    """Check that an image of so many channels, rows and columns is one that memory is for.

    Raises:
        DnnTopologyError: It is larger.
    """
    if math.prod(shape) > MOST_NUMBERS:
        found = "×".join(map(shown, shape))
        raise DnnTopologyError(f"shape must be of at most {MOST_NUMBERS} numbers per image, found {found}")


def check_sampling(sample_nodes: int | None, bootstrap: int, constant: str) -> None:
    """Check that the options of a sample of neurons fit together.

    Raises:
        DnnTopologyError: A number is too small, or an option means nothing with or without a sample.
    """
    check_at_least("bootstrap", bootstrap, 1)
    if bootstrap > MOST_SAMPLES:
        raise DnnTopologyError(f"bootstrap must be at most {MOST_SAMPLES} samples of neurons, found {shown(bootstrap)}")
    if sample_nodes is None:
        if bootstrap > 1:
            raise DnnTopologyError(
                f"bootstrap={bootstrap} draws a sample of neurons again and again: say of how many with sample_nodes"
            )
        return
    check_at_least("sample_nodes", sample_nodes, 1)
    if constant == "isolate":
        raise DnnTopologyError(
            "constant='isolate' does not apply to a sample, which has no constant neurons: leave out one of the two"
        )


def check_types(settings: Any) -> None:
    """Check that every field of a dataclass holds what its annotation says, numbers being finite.

    Raises:
        DnnTopologyError: One does not; the message names it, what was found and what was expected.
    """
    for name, hint in _hints(type(settings)).items():  # type: ignore[arg-type]
        check_type(name, getattr(settings, name), hint)


def check_type(name: str, value: Any, hint: Any) -> None:
    """Check that a value is what an annotation says, numbers being finite.

    Args:
        name: Of the argument, for the message.
        value: The value.
        hint: str, int, float, bool, Path, a Literal, a tuple of one of them, a Callable, or a union of such.

    Raises:
        DnnTopologyError: It is not.

    Example:
        >>> check_type("n_inputs", "many", int | None)
        Traceback (most recent call last):
        dnn_topology._checks.DnnTopologyError: n_inputs must be a whole number or None, found 'many'
    """
    if is_plainly(value, hint):
        return
    wanted = _choices(hint)
    if any(_is(value, one) for one in wanted):
        return
    if len(wanted) == 1 and get_origin(hint) is Literal and isinstance(value, str):
        check_choice(name, value, get_args(hint))
    expected = " or ".join(dict.fromkeys(_words(one) for one in wanted))
    if _is_long(value) and int in wanted:
        expected += f" below 2^{WHOLE_BITS}"
    raise DnnTopologyError(f"{name} must be {expected}, found {shown(value)}")


def is_plainly(value: Any, hint: Any) -> bool:
    """Return whether a value is what an annotation says at the first look, as most of a large table's are.

    Example:
        >>> is_plainly(0.5, float | None), is_plainly(1, float), is_plainly(float("inf"), float)
        (True, False, False)
    """
    kind = type(value)
    if kind not in _plain_types(hint):
        return False
    return math.isfinite(value) if kind is float else kind is not int or value.bit_length() <= WHOLE_BITS


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, and of what is long its beginning.

    Example:
        >>> shown([0] * 1000)
        '[0, 0, 0, 0, 0, 0, ...]'
    """
    try:
        text = f"a number of {value.bit_length()} bits" if _is_long(value) else SHORT.repr(value)
    except Exception:  # whatever the repr of a stranger's class raises
        text = f"a {type(value).__name__}"
    return " ".join(text.split())


def shown_name(value: Any) -> str:
    """Return what should be a name as a message shows it beside a list of those that are known.

    Example:
        >>> shown_name("conv"), shown_name("z" * 1000)
        ("'conv'", "'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz…'")
    """
    return shown(f"{value[:30]}…" if isinstance(value, str) and len(value) > 60 else value)


def _is_long(value: Any) -> bool:
    """Return whether a value is a whole number that nobody reads, and that Python may refuse to write out."""
    return isinstance(value, int) and value.bit_length() > WHOLE_BITS


@cache
def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the types that an annotation allows."""
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


@cache
def _plain_types(hint: Any) -> frozenset[type]:
    """Return the plain types that an annotation allows."""
    return frozenset(type(None) if one is None else one for one in _choices(hint) if one in PLAIN)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Return the annotations of a class, resolved."""
    return get_type_hints(kind)


def _is(value: Any, hint: Any) -> bool:
    """Return whether a value is of one type, as annotations mean it."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint in {None, type(None)}:
        return value is None
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in args)
    if origin is tuple:
        return isinstance(value, tuple) and _items_are(value, args)
    if origin is list:
        return isinstance(value, list) and all(_is_one(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is_one(k, args[0]) and _is_one(v, args[1]) for k, v in value.items())
    if origin is Callable or hint is Callable:
        return callable(value)
    return is_whole(value) if hint is int else is_finite(value) if hint is float else isinstance(value, origin or hint)


def _is_one(value: Any, hint: Any) -> bool:
    """Return whether a value is what an annotation says, a union included."""
    return any(_is(value, one) for one in _choices(hint))


def _items_are(value: tuple[Any, ...], args: tuple[Any, ...]) -> bool:
    """Return whether the items of a tuple are what its annotation says."""
    if args[-1] is Ellipsis:
        return all(_is_one(item, args[0]) for item in value)
    return len(value) == len(args) and all(_is_one(item, arg) for item, arg in zip(value, args, strict=True))


def _is_number(value: Any) -> bool:
    """Return whether a value is a real number, NumPy's included and bool excluded."""
    return isinstance(value, Real) and not isinstance(value, bool | Fraction)  # which NumPy and torch do not take


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, NumPy's included, that 64 bits hold.

    Example:
        >>> is_whole(2), is_whole(True), is_whole(2.0)
        (True, False, False)
    """
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value).bit_length() <= WHOLE_BITS


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that is a finite float; a whole number may be too large to be one.

    Example:
        >>> is_finite(2), is_finite(10**400), is_finite(float("nan"))
        (True, False, False)
    """
    try:
        return _is_number(value) and not _is_long(value) and math.isfinite(value)  # NumPy takes no longer ones
    except OverflowError:
        return False


def _words(hint: Any) -> str:
    """Return a type in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin is tuple and args[-1] is not Ellipsis:
        return f"{len(args)} values"
    if origin in {tuple, list}:
        return f"a {origin.__name__} of {_plural(args[0])}"
    if origin is dict:
        return f"a table of {_plural(args[1])} by name"
    if origin is Callable or hint is Callable:
        return "a function"
    names = {
        str: "a text",
        int: "a whole number",
        float: "a finite number",
        bool: "True or False",
        Path: "a path",
        None: "None",
        type(None): "None",
    }
    return names.get(hint, f"a {getattr(origin or hint, '__name__', hint)}")


def _plural(hint: Any) -> str:
    """Return several values of a type in words."""
    several = {str: "texts", int: "whole numbers", float: "finite numbers", bool: "truth values", Path: "paths"}
    return " or ".join(several.get(one, _words(one)) for one in _choices(hint))


def check_whole(name: str, value: Any, least: int) -> int:
    """Return a whole number that reaches its smallest sensible value.

    Raises:
        DnnTopologyError: It is none, or too small.
    """
    if not is_whole(value):
        below = f" below 2^{WHOLE_BITS}" if _is_long(value) else ""
        raise DnnTopologyError(f"{name} must be a whole number{below}, found {shown(value)}")
    check_at_least(name, int(value), least)
    return int(value)


def check_seed(seed: object) -> int:
    """Return a seed that every generator takes.

    Raises:
        DnnTopologyError: It is no whole number, or lies outside [0, 2⁶³).
    """
    return check_whole("seed", seed, 0)
