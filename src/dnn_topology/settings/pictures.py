"""How pictures are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnn_topology._checks import DnnTopologyError, check_at_least, check_types


@dataclass(frozen=True)
class PictureSettings:
    """How pictures are drawn.

    Attributes:
        filtration: Axis of Betti curves: 'nominal' (ε) or 'density', the share of pairs joined.
        smooth: Smooth Betti curves as the original does.
        as_original: Draw exactly the original's picture of every bar, which are no Betti curves; see README.
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


@dataclass(frozen=True)
class PageSettings:
    """What the page about a run traces to neurons.

    Attributes:
        dim: Dimension of the cavities that are traced to their neurons: 1 or 2.
        top: How many of them at each epoch, the longest-lived.
        inputs: How many inputs are shown beside each neuron: those that excite it most.
    """

    dim: int = 1
    top: int = 20
    inputs: int = 3

    def __post_init__(self) -> None:
        check_types(self)
        if self.dim not in {1, 2}:
            raise DnnTopologyError(f"dim must be 1 (loops) or 2 (voids), found {self.dim}: others are not traced")
        check_at_least("top", self.top, 1)
        check_at_least("inputs", self.inputs, 0)
