"""Sphinx extension for docstrings: a public name in single backticks is a link, and |r| and name_ are plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.domains.python import PyXRefRole

import dnn_topology

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PUBLIC = frozenset(dnn_topology.__all__) - {"__version__"}


def public_or_code(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Any,
    options: Any = None,
    content: Any = (),
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Make of a word in backticks what it is."""
    if text in PUBLIC:
        link: Any = PyXRefRole()
        shown = f":py:obj:`~dnn_topology.{text}`"
        return link(
            "py:obj",
            shown,
            f"~dnn_topology.{text}",
            lineno,
            inliner,
            options or {},
            list(content),
        )  # type: ignore[no-any-return]
    return [nodes.literal(rawtext, text)], []


def plain_text(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Escape what docstrings mean literally and reStructuredText does not: bars, and words that end in a line."""
    example = False
    for place, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            parts = re.split(r"(`+[^`]*`+)", line)
            parts[::2] = [
                re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]
            ]
            lines[place] = "".join(parts)


def links_out_of_docs(app: Sphinx, docname: str, source: list[str]) -> None:
    """Point links of pages that are also read in a clone to what the site has of their target."""
    source[0] = re.sub(
        r"\]\(\.\./benchmarks/results/(\w+)\.md\)", r"](reference/results/\1.md)", source[0]
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the role that `default_role` of conf.py asks for."""
    app.add_role("public", public_or_code)  # type: ignore[arg-type]
    app.connect("autodoc-process-docstring", plain_text)
    app.connect("source-read", links_out_of_docs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
