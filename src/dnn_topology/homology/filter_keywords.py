"""The keywords min_persistence= and essential=, which went with every function before diagrams knew their filter.

They are understood for one more version, here and nowhere else.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

KEYWORDS = ("min_persistence", "essential")


def filter_keywords(function: Callable[..., T]) -> Callable[..., T]:
    """Let a function of diagrams take the old keywords: it warns, and is given the filtered diagrams.

    Args:
        function: Its first argument is diagrams, a measurement, or a mapping or an iterable of them.

    Returns:
        The function that also takes `min_persistence` and `essential`.
    """

    @functools.wraps(function)
    def with_keywords(source: Any, *args: Any, **options: Any) -> T:
        given = {name: options.pop(name) for name in KEYWORDS if name in options}
        if not given:
            return function(source, *args, **options)
        spelled = ", ".join(f"{name}={value!r}" for name, value in given.items())
        warnings.warn(
            f"{function.__name__}({spelled}) goes with the next version: filter the diagrams first, "
            f"diagrams.filtered({spelled}), and hand those on",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(_filtered(source, given), *args, **options)

    return with_keywords


def _filtered(source: Any, given: Mapping[str, Any]) -> Any:
    """Return everything in `source` that can be filtered, filtered, in a container of the same kind."""
    diagrams = getattr(source, "diagrams", source)
    if hasattr(diagrams, "filtered"):
        return diagrams.filtered(**{"min_persistence": diagrams.min_persistence, **given})
    if isinstance(source, Mapping):
        return {label: _filtered(one, given) for label, one in source.items()}
    if isinstance(source, Iterable):
        return [_filtered(one, given) for one in source]
    return source  # what it is not, the function itself says
