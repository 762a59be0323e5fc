"""Options that travel together, written once.

The keywords of `measure`, the flags of the command line, the grid of a study and the settings that a folder of results
is stamped with are all made from these fields. Nothing heavy is imported here: `--help` reads this room.
"""

from __future__ import annotations

from dnn_topology.settings.comparing import CompareSettings
from dnn_topology.settings.computing import Compute, Resources
from dnn_topology.settings.detecting import DetectSettings
from dnn_topology.settings.keywords import USUAL_SAMPLES, Usual, documented, settings_of, takes_settings
from dnn_topology.settings.measuring import (
    MIN_PERSISTENCE,
    By,
    Essential,
    MeasureSettings,
    Nodes,
    RunMeasureSettings,
    SampleScale,
)
from dnn_topology.settings.original import Original
from dnn_topology.settings.pictures import PictureSettings
from dnn_topology.settings.stopping import NeighbourSettings, Quantity, StoppingSettings
from dnn_topology.settings.tracing import TraceSettings
from dnn_topology.settings.training import TrainSettings, of_trials, usual_epochs

__all__ = [
    "MIN_PERSISTENCE",
    "USUAL_SAMPLES",
    "By",
    "CompareSettings",
    "Compute",
    "DetectSettings",
    "Essential",
    "MeasureSettings",
    "NeighbourSettings",
    "Nodes",
    "Original",
    "PictureSettings",
    "Quantity",
    "Resources",
    "RunMeasureSettings",
    "SampleScale",
    "StoppingSettings",
    "TraceSettings",
    "TrainSettings",
    "Usual",
    "documented",
    "of_trials",
    "settings_of",
    "takes_settings",
    "usual_epochs",
]
