"""How pictures are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnn_topology._checks import check_types


@dataclass(frozen=True)
class PictureSettings:
    """How pictures are drawn.

    Attributes:
        filtration: Axis of Betti curves: 'nominal' (ε) or 'density', the share of pairs joined.
        smooth: Smooth Betti curves as the original does.
        as_original: Draw exactly the original's picture of every bar, which are no Betti curves; see the docs.
        yscale: Axis of the numbers of cavities: 'linear', 'log', or 'auto', which is 'log' where the highest of several
            curves is 30 times the lowest.
    """

    filtration: Literal["nominal", "density"] = "nominal"
    smooth: bool = False
    as_original: bool = False
    yscale: Literal["auto", "linear", "log"] = "auto"

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def suffix(self) -> str:
        """What tells the file of such a picture from that of the usual one."""
        unusual = {"density": self.filtration == "density", "smooth": self.smooth, "as_original": self.as_original}
        return "".join(f"_{name}" for name, is_so in unusual.items() if is_so)
