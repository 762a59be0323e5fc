"""What a deep network has learned, read off the shape of its neurons' correlations.

The flow, one public name per step:

    record            model, batches          → Activations      (n_samples, n_neurons) signals
    functional_graph  activations             → FunctionalGraph  d = 1 - |correlation|
    persistence       graph                   → Diagrams         birth and death of every cavity, in ε = d / 2
    summarize         diagrams                → a table          life, midlife, peak, … per dimension
    plot_…            diagrams                → matplotlib axes

`measure` does the first four at once, `track` does them for several epochs, `TopologyMonitor` in a training loop of
one's own, `read_dipha` and `write_dipha` exchange diagrams with the original pipeline. Names are imported when they
are first used, so that importing this costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnn_topology._version import __version__

if TYPE_CHECKING:
    from dnn_topology._checks import DnnTopologyError
    from dnn_topology.analysis.adversarial import BatchDetector, detector, separation
    from dnn_topology.analysis.early_stopping import StoppingRule
    from dnn_topology.analysis.gap import GapModel
    from dnn_topology.detection import separations, watch
    from dnn_topology.monitors.plain import TopologyMonitor
    from dnn_topology.monitors.stopping import TopologicalEarlyStopping
    from dnn_topology.nets.activations import Activations, record
    from dnn_topology.nets.attacks import Attacked, attack
    from dnn_topology.nets.data import DataSet, load_data
    from dnn_topology.nets.listing import list_layers
    from dnn_topology.nets.train import train
    from dnn_topology.nets.zoo import build_net
    from dnn_topology.observing import Observation, observe
    from dnn_topology.pipeline import Measurement, measure, track
    from dnn_topology.show.early_stopping import plot_early_stopping
    from dnn_topology.show.plots import plot_barcode, plot_betti_curves, plot_diagram, plot_history
    from dnn_topology.topology.bootstrap import bootstrap, intervals
    from dnn_topology.topology.diagrams import BettiCurve, Diagrams
    from dnn_topology.topology.dipha import read_dipha, write_dipha
    from dnn_topology.topology.graph import FunctionalGraph, functional_graph
    from dnn_topology.topology.nodes import sample_nodes
    from dnn_topology.topology.persistence import persistence
    from dnn_topology.topology.summaries import summarize

_HOMES = {
    "_checks": ("DnnTopologyError",),
    "nets.data": ("DataSet", "load_data"),
    "nets.listing": ("list_layers",),
    "nets.zoo": ("build_net",),
    "nets.train": ("train",),
    "nets.activations": ("Activations", "record"),
    "topology.graph": ("FunctionalGraph", "functional_graph"),
    "topology.nodes": ("sample_nodes",),
    "topology.bootstrap": ("bootstrap", "intervals"),
    "topology.persistence": ("persistence",),
    "topology.diagrams": ("BettiCurve", "Diagrams"),
    "topology.dipha": ("read_dipha", "write_dipha"),
    "topology.summaries": ("summarize",),
    "pipeline": ("Measurement", "measure", "track"),
    "nets.attacks": ("Attacked", "attack"),
    "observing": ("Observation", "observe"),
    "analysis.adversarial": ("BatchDetector", "detector", "separation"),
    "detection": ("separations", "watch"),
    "analysis.early_stopping": ("StoppingRule",),
    "analysis.gap": ("GapModel",),
    "monitors.plain": ("TopologyMonitor",),
    "monitors.stopping": ("TopologicalEarlyStopping",),
    "show.early_stopping": ("plot_early_stopping",),
    "show.plots": ("plot_barcode", "plot_betti_curves", "plot_diagram", "plot_history"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Activations",
    "Attacked",
    "BatchDetector",
    "BettiCurve",
    "DataSet",
    "Diagrams",
    "DnnTopologyError",
    "FunctionalGraph",
    "GapModel",
    "Measurement",
    "Observation",
    "StoppingRule",
    "TopologicalEarlyStopping",
    "TopologyMonitor",
    "__version__",
    "attack",
    "bootstrap",
    "build_net",
    "detector",
    "functional_graph",
    "intervals",
    "list_layers",
    "load_data",
    "measure",
    "observe",
    "persistence",
    "plot_barcode",
    "plot_betti_curves",
    "plot_diagram",
    "plot_early_stopping",
    "plot_history",
    "read_dipha",
    "record",
    "sample_nodes",
    "separation",
    "separations",
    "summarize",
    "track",
    "train",
    "watch",
    "write_dipha",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
