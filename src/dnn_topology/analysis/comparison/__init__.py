"""Do groups of trainings differ: in which Betti curves and summaries, by how much, and is it more than chance."""

from __future__ import annotations

from dnn_topology.analysis.comparison.comparing import Comparison, compare

__all__ = ["Comparison", "compare"]
