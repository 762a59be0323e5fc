"""Figures as SVG that stands inside a page and takes its colours from it, light or dark.

Artists are drawn in colours that nothing else has; in the SVG each becomes a CSS variable, `var(--ink)` or
`var(--epoch3)`. The same figure gives the same text, whenever it is made.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
from matplotlib import colormaps, rc_context, style
from matplotlib.colors import to_hex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, FIRST, SECOND = "#01f101", "#01f102", "#01f103", "#01f104"
VARIABLES = {INK: "ink", MUTED: "muted", FIRST: "first", SECOND: "second"}
EPOCH = "#01f2"  # start of the colour of an epoch; its place follows in two digits
MOST_EPOCHS = 256
# Parts of cividis that stand out, 3:1 and more, from a white page and from one that is nearly black.
ON_LIGHT, ON_DARK = (0.58, 0.0), (0.45, 1.0)
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
FONT = re.compile(r" font-family: [^;]*;")  # that of the page
LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.labelcolor": INK,
    "legend.frameon": False,
}


@contextlib.contextmanager
def page_style() -> Iterator[None]:
    """Draw in the variables of a page and nobody's own style; matplotlib's settings are put back afterwards.

    Yields:
        Nothing.
    """
    with style.context(["default", dict(STYLE)]):
        yield


def epoch_colour(place: int) -> str:
    """Return the colour to draw the epoch at some place of the epochs in."""
    return f"{EPOCH}{place:02x}"


def epoch_colours(n_epochs: int, *, dark: bool) -> list[str]:
    """Return the true colours of epochs, from the first to the last, on a light page or on a dark one.

    Example:
        >>> epoch_colours(2, dark=False)
        ['#908b78', '#00224e']
    """
    ends = ON_DARK if dark else ON_LIGHT
    places = np.linspace(*ends, n_epochs) if n_epochs > 1 else [ends[1]]
    return [to_hex(colormaps["cividis"](place)) for place in places]


def svg_text(
    figure: Figure, *, prefix: str, label: str, attributes: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """Return a figure as an SVG element for a page.

    Args:
        figure: What was drawn within `page_style`.
        prefix: What every id begins with, so that several pictures of a page do not share one.
        label: What the picture shows, for those who do not see it.
        attributes: Group id of an artist → attributes of its element.

    Returns:
        The element; its colours are variables of the page.
    """
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314  # matplotlib wrote it just now
    for element in list(root):
        # The style of every element would be that of the whole page.
        if element.tag == f"{{{SVG}}}metadata" or element.find(f"{{{SVG}}}style") is not None:
            root.remove(element)
    for path in root.findall(f".//{{{SVG}}}defs/{{{SVG}}}path"):
        path.attrib.pop("style", None)  # every use of a marker says it too, and the page can change it there
    for element in root.iter():
        _adapt(element, prefix, attributes or {})
    root.attrib.pop("width")
    root.attrib.pop("height")
    root.attrib |= {"role": "img", "aria-label": label, "class": "chart"}
    return ET.tostring(root, encoding="unicode")


def _adapt(element: ET.Element, prefix: str, attributes: Mapping[str, Mapping[str, str]]) -> None:
    """Put the variables of a page and ids of one's own into an element."""
    own = element.get("id")
    element.attrib.pop("target", None)  # a link of a picture leads to a place on the same page
    for name, value in element.items():
        changed = re.sub(r"#(01f1\d\d|01f2[0-9a-f]{2})", _variable, value)
        if name == "id":
            changed = f"{prefix}-{value}"
        elif name == f"{{{XLINK}}}href" and element.tag == f"{{{SVG}}}use":
            changed = f"#{prefix}-{value.removeprefix('#')}"
        elif name == "clip-path":
            changed = value.replace("url(#", f"url(#{prefix}-")
        if name == "style":
            changed = FONT.sub("", changed)
        if name in {"d", "style", "transform", "x", "y", "width", "height"}:
            changed = LONG_NUMBER.sub(r"\1", changed)
        element.set(name, " ".join(changed.split()) if name == "d" else changed)
    if own is not None and own in attributes:
        element.attrib |= attributes[own]


def _variable(colour: re.Match[str]) -> str:
    """Return the variable that a colour stands for."""
    text = colour[0]
    return f"var(--epoch{int(text[len(EPOCH) :], 16)})" if text.startswith(EPOCH) else f"var(--{VARIABLES[text]})"
