"""How results show themselves in a notebook: a small picture and a table, without any library for pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    import pandas as pd

    from dnn_topology.homology.diagrams import Diagrams

WIDTH, HEIGHT = 220, 70  # of a picture, in pixels
FINEST = 200  # scales at which a curve is drawn


def diagrams_html(diagrams: Diagrams) -> str:
    """Return the Betti curves of diagrams as small pictures, one beside the other, and what they are in words."""
    pictures = "".join(_picture(diagrams, dim) for dim in range(len(diagrams)))
    return f"<div>{pictures}<div><code>{escape(repr(diagrams))}</code></div></div>"


def table_html(table: pd.DataFrame) -> str:
    """Return a table with four digits of every number."""
    return str(table.to_html(index=False, border=0, float_format="{:.4g}".format, na_rep="–"))


def _picture(diagrams: Diagrams, dim: int) -> str:
    """Return a Betti curve as an SVG element, in the colour of the text around it."""
    curve = diagrams.betti_curve(dim)
    where, highest = curve.peak()
    words = f"β{dim}: at most {highest}" + (f", at ε {where:.3g}" if highest else "")
    epsilon, beta = curve.coarse(FINEST)
    across = epsilon / diagrams.max_epsilon * WIDTH
    up = HEIGHT - beta / max(highest, 1) * (HEIGHT - 2) - 1
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(across, up, strict=True))
    size = {"width": str(WIDTH), "height": str(HEIGHT), "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    picture = ET.Element("svg", {**size, "role": "img", "aria-label": words})
    line = {"fill": "none", "stroke": "currentColor"}
    ET.SubElement(picture, "path", {"d": f"M0 {up[0]:.1f}{steps}H{WIDTH}", **line})
    ET.SubElement(picture, "path", {"d": f"M0 {HEIGHT - 0.5}H{WIDTH}", **line, "stroke-opacity": "0.4"})
    drawn = ET.tostring(picture, encoding="unicode")
    return (
        f'<figure style="display:inline-block;margin:0 1.5em .5em 0">{drawn}<figcaption>{escape(words)}</figcaption>'
        "</figure>"
    )
