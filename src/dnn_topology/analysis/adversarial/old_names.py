"""Names that this analysis had before."""

from __future__ import annotations

from dnn_topology._renamed import renamed
from dnn_topology.analysis.adversarial.comparing import compare_scores
from dnn_topology.analysis.adversarial.detection import compare_detectors, fit_detectors

watch = renamed(fit_detectors, "watch")
separation = renamed(compare_scores, "separation")
separations = renamed(compare_detectors, "separations")
