"""Flags of the original that have no other meaning here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnn_topology._checks import DnnTopologyError


@dataclass(frozen=True)
class Original:
    """Flags of the original that say what else to do, or nothing.

    Attributes:
        train: 1: train; 0: use the checkpoints there.
        build_graph: 1: measure topology; 0: only train.
        resume: Go on from what is there; always so.
        kl: Of the original, that nothing there reads: 0.
        scale: Likewise: linear.
    """

    train: Literal[0, 1] | None = None
    build_graph: Literal[0, 1] = 1
    resume: bool = True
    kl: int = 0
    scale: str = "linear"

    def __post_init__(self) -> None:
        for name, value, usual in (("kl", self.kl, 0), ("scale", self.scale, "linear")):
            if value != usual:
                raise DnnTopologyError(
                    f"{name}={value}: no program of the original reads it, nor does ours: leave it out"
                )

    def check(self, *, no_train: bool) -> None:
        """Check that what the original's flags ask for goes with measuring a network as it is.

        Raises:
            DnnTopologyError: It does not.
        """
        if no_train and self.train is not None:
            theirs = "trains" if self.train else "measures the checkpoints of a training that is there"
            raise DnnTopologyError(
                f"--train {self.train} {theirs}, and --no-train measures a network as it is: give one of the two"
            )
