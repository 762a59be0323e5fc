"""Settings as the keywords of functions: their signatures and documentation come from the fields."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Usual(int):
    """The default of a number, which is told from the same number that somebody gives.

    Example:
        >>> Usual(5), isinstance(5, Usual)
        (5, False)
    """


USUAL_SAMPLES = Usual(1000)  # inputs that are measured where nobody says how many


def takes_settings(*settings: type) -> Callable[[Function], Function]:
    """Return a decorator that writes the fields of settings into a function's signature and docstring.

    Args:
        *settings: The dataclasses whose fields the function takes as `**options`.

    Returns:
        The decorator. In the docstring, the line that documents `**options` gives way to the fields' own.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        kept = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        all_options = [option for one in settings for option in fields(one)]
        made = [
            inspect.Parameter(
                option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type
            )
            for option in all_options
            if option.name not in signature.parameters
        ]
        function.__signature__ = signature.replace(parameters=[*kept, *made])  # type: ignore[attr-defined]
        about = {name: text for one in settings for name, text in _attributes(one).items()}
        lines = (function.__doc__ or "").splitlines()
        places = [place for place, line in enumerate(lines) if line.strip().startswith("**options:")]
        if places:
            entries = (f"        {name}: " + text.replace("\n", "\n    ") for name, text in about.items())
            lines[places[0] : places[0] + 1] = "\n".join(entries).splitlines()
        function.__doc__ = "\n".join(lines)
        return function

    return decorate


def settings_of(options: Mapping[str, Any], kind: type[Any]) -> Any:
    """Return settings made of those options that are its fields, a list of layers as a tuple."""
    known = {option.name for option in fields(kind)}
    taken = {name: value for name, value in options.items() if name in known}
    if isinstance(taken.get("layers"), list):
        taken["layers"] = tuple(taken["layers"])
    return kind(**taken)


def documented(kind: type) -> str:
    """Return the documentation of a class of settings with that of the fields that it has from its base."""
    own, base = inspect.cleandoc(kind.__doc__ or ""), kind.__mro__[1]
    if base is object:
        return own
    attributes = {**_attributes(base), **_attributes(kind)}
    lines = "\n".join(f"    {name}: {text}" for name, text in attributes.items())
    return f"{own.splitlines()[0]}\n\nAttributes:\n{lines}\n"


def _attributes(kind: type) -> dict[str, str]:
    """Return what a class's docstring says of each attribute, with the line breaks that are there."""
    section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2].split("\n\n", 1)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return dict(entries)
