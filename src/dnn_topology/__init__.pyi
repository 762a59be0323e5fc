# The public names by stage; `lazy_loader` reads this file when the package is imported, and type checkers read it too.

__all__: list[str]

def __dir__() -> list[str]: ...

# the version, and the one kind of error
# the flow inside a training loop, and the callbacks of other libraries
from . import monitors as monitors
from ._checks import DnnTopologyError as DnnTopologyError
from ._version import __version__ as __version__

# numbers -> what they are good for
from .analysis.adversarial import BatchDetector as BatchDetector
from .analysis.adversarial import Detector as Detector
from .analysis.adversarial import Separation as Separation
from .analysis.adversarial import compare_scores as compare_scores
from .analysis.adversarial import detector as detector
from .analysis.adversarial.attacks import Attacked as Attacked
from .analysis.adversarial.attacks import attack as attack
from .analysis.adversarial.detection import FittedDetectors as FittedDetectors
from .analysis.adversarial.detection import Scores as Scores
from .analysis.adversarial.detection import compare_detectors as compare_detectors
from .analysis.adversarial.detection import fit_detectors as fit_detectors
from .analysis.adversarial.observation import Observation as Observation
from .analysis.adversarial.observation import observe as observe
from .analysis.adversarial.old_names import separation as separation
from .analysis.adversarial.old_names import separations as separations
from .analysis.adversarial.old_names import watch as watch
from .analysis.comparison import Comparison as Comparison
from .analysis.comparison import compare as compare
from .analysis.early_stopping import Decision as Decision
from .analysis.early_stopping import StoppingRule as StoppingRule
from .analysis.early_stopping import stopping_quantities as stopping_quantities
from .analysis.features import gap_features as gap_features
from .analysis.gap import GapModel as GapModel
from .analysis.neighbour_labels import NeighbourLabels as NeighbourLabels

# what measuring would take
from .estimating import MeasureEstimate as MeasureEstimate
from .estimating import estimate as estimate

# signals -> functional graphs
from .graphs.graph import FunctionalGraph as FunctionalGraph
from .graphs.graph import functional_graph as functional_graph
from .graphs.node_sampling import sample_nodes as sample_nodes
from .graphs.nodes import Neuron as Neuron

# graph -> diagrams -> numbers
from .homology.betti_curve import BettiCurve as BettiCurve
from .homology.bootstrap import bootstrap as bootstrap
from .homology.bootstrap import intervals as intervals
from .homology.cavities import cavities as cavities
from .homology.cavity import Cavities as Cavities
from .homology.cavity import Cavity as Cavity
from .homology.diagrams import Diagrams as Diagrams
from .homology.dipha import read_dipha as read_dipha
from .homology.dipha import write_dipha as write_dipha
from .homology.distances import distance as distance
from .homology.distances import distances as distances
from .homology.engines.forewarning import LongComputationWarning as LongComputationWarning
from .homology.pairs import PersistencePairs as PersistencePairs
from .homology.participation import Participation as Participation
from .homology.participation import participation as participation
from .homology.persistence import persistence as persistence
from .homology.summaries import summarize as summarize
from .measurement import Breakdown as Breakdown
from .measurement import Measurement as Measurement
from .monitors.plain import TopologyMonitor as TopologyMonitor
from .monitors.stopping import TopologicalEarlyStopping as TopologicalEarlyStopping

# beside the flow: networks, data, training
from .nets.catalogue import list_data_sets as list_data_sets
from .nets.catalogue import list_nets as list_nets
from .nets.data import DataSet as DataSet
from .nets.data import load_data as load_data
from .nets.train import train as train
from .nets.training_state import TrainingState as TrainingState
from .nets.zoo import build_net as build_net

# the flow at once
from .pipeline import measure as measure
from .pipeline import track as track

# any module + inputs -> signals, and back: neurons silenced
from .recording.ablation import ablate as ablate
from .recording.activations import Activations as Activations
from .recording.activations import record as record
from .recording.listing import list_layers as list_layers

# what is measured, in one object
from .settings import MeasureSettings as MeasureSettings

# pictures
from .show.cavities import plot_cavity as plot_cavity
from .show.cavities import plot_participation as plot_participation
from .show.early_stopping import plot_early_stopping as plot_early_stopping
from .show.history import plot_history as plot_history
from .show.layers import plot_layers as plot_layers
from .show.plots import plot_barcode as plot_barcode
from .show.plots import plot_betti_curves as plot_betti_curves
from .show.plots import plot_diagram as plot_diagram
from .show.trajectory import plot_trajectory as plot_trajectory
