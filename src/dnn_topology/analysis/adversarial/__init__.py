"""Is this input adversarial? Detectors of single inputs and of batches, and how well scores tell inputs apart.

detectors      one input at a time: what the outputs, the signals or the activation graphs say
features       the numbers that they look at
tree_free      the activation graphs' part without topology: the trees' controls
squeezing      whether the answer survives a loss of detail; nothing is fitted
uncertainty    topological uncertainty and the profile of activation graphs
mahalanobis    distance to the predicted class, which several detectors use
batches        a batch at a time: Betti curves of its functional graph
attacked       what an attack made of inputs, beside harmless changes of the same size
adaptive       an attack that evades a detector as well
comparing      AUROC and false alarms, with bootstrap intervals
"""

from __future__ import annotations

from dnn_topology.analysis.adversarial.batches import BatchDetector, disjoint_batches, draw_batches
from dnn_topology.analysis.adversarial.comparing import Separation, compare_scores
from dnn_topology.analysis.adversarial.detectors import (
    DETECTORS,
    NAMES,
    NOISE,
    Detector,
    detector,
    fitted,
    needs_edges,
    needs_squeezed,
    needs_trees,
)

__all__ = [
    "DETECTORS",
    "NAMES",
    "NOISE",
    "BatchDetector",
    "Detector",
    "Separation",
    "compare_scores",
    "detector",
    "disjoint_batches",
    "draw_batches",
    "fitted",
    "needs_edges",
    "needs_squeezed",
    "needs_trees",
]
