"""Draw the link of one edge, with its apex and lower links, as docs/engines.md explains it: docs/link.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

OUT = Path(__file__).parents[1] / "docs" / "link.png"
PLACES = {
    "w": (0.0, 0.0),
    "1": (-1.0, 0.9),
    "2": (0.3, 1.2),
    "3": (1.1, 0.4),
    "4": (0.6, -0.9),
    "5": (-0.9, -0.8),
    "u": (-0.6, 2.1),
    "v": (2.1, -0.6),
    "x": (3.0, 1.3),
}
CONE = ["w1", "w2", "w3", "w4", "w5", "12", "23", "45"]  # what the apex reaches
LOWER = {"u": "12", "v": "34", "x": ""}  # the vertices that it does not, in the order in which they join
SAID = {
    "u": "u: its lower link {1, 2} is connected.\n{u} is matched with {u, 1}: nothing is critical",
    "v": "v: its lower link {3, 4} is in two pieces.\n{v} is matched with {v, 3}, and {v, 4} is left:\n"
    "the tetrahedron abv4 is critical",
    "x": "x: its lower link is empty. {x} is left:\nthe triangle abx is critical",
    "w": "apex w",
}


def main() -> None:
    """Draw and write the picture."""
    figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for one, other in CONE:
        _line(ax, one, other, color="0.35", linewidth=2.2 if one == "w" else 1.2)
    for vertex, lower in LOWER.items():
        for other in lower:
            _line(ax, vertex, other, color="tab:blue", linestyle="--", linewidth=1.5)
    for name, (x, y) in PLACES.items():
        face = "gold" if name == "w" else "white" if name in LOWER else "0.85"
        ax.scatter(x, y, s=340, color=face, edgecolor="black", zorder=3)
        ax.text(x, y, name, ha="center", va="center", zorder=4)
    for name, (x, y), align in (
        ("u", (-0.25, 2.1), "left"),
        ("v", (2.4, -0.75), "left"),
        ("x", (3.3, 1.3), "left"),
        ("w", (-0.25, 0.08), "right"),
    ):
        ax.text(x, y, SAID[name], ha=align, va="center", fontsize=9)
    ax.set(xlim=(-1.6, 6.6), ylim=(-1.4, 2.6), title="The link of an edge ab: the common neighbours of a and b")
    ax.set_aspect("equal")
    ax.axis("off")
    figure.savefig(OUT, dpi=110)


def _line(ax: plt.Axes, one: str, other: str, **style: object) -> None:
    """Draw an edge of the link."""
    (x, y), (z, t) = PLACES[one], PLACES[other]
    ax.plot([x, z], [y, t], zorder=1, **style)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
