"""Old names of public functions, which work for one version more and say what to write instead."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def renamed(function: Callable[P, T], old: str) -> Callable[P, T]:
    """Return a function under its old name: it warns of that, and does the same.

    Args:
        function: Under its new name.
        old: The old one.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     size = renamed(len, "length")("abc")
        >>> size, str(caught[0].message)
        (3, 'length is now called len; the old name goes with the next version')
    """

    @functools.wraps(function)
    def with_warning(*args: P.args, **kwargs: P.kwargs) -> T:
        warnings.warn(
            f"{old} is now called {function.__name__}; the old name goes with the next version",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    with_warning.__name__ = old
    return with_warning
