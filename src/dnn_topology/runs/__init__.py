"""One named training on disk: train it, measure its epochs, table and draw them; each step resumes where it stopped.

Layout, under `<save_path>/<net>_<dataset>/`:

    adj_epc<E>_trl<T>_<MAX_EPSILON>.bin.out   diagrams as DIPHA files, where the original leaves them
    trial<T>/settings.json                    what was trained
    trial<T>/history.csv, training.pt         the history, and the state to resume from
    trial<T>/checkpoints/epoch<E>.pt          weights
    trial<T>/eps<MAX_EPSILON>/settings.json   what was measured
    trial<T>/eps<MAX_EPSILON>/epoch<E>.npz    diagrams with everything about them
    trial<T>/eps<MAX_EPSILON>/epoch<E>.failed.json   instead: why there are none
    trial<T>/eps<MAX_EPSILON>/topology.csv    epoch × dimension × numbers
    trial<T>/eps<MAX_EPSILON>/bootstrap.csv   epoch × dimension × number: its interval over the draws
    trial<T>/eps<MAX_EPSILON>/*.png           pictures
    trial<T>/early_stopping/                  what early stopping reads and decides; see `stopping`

Where an epoch gives several graphs, each has a name, `part<P>`, `sample<S>` or `draw<B>`, and its files are called
adj_epc<E>_trl<T>_<NAME>_<MAX_EPSILON>.bin.out and epoch<E>_<NAME>.npz; the one graph of an epoch, and the first draw
of a sample of neurons, have the name "". The pictures of a part or an input lie in a folder <NAME>, and topology.csv
has a column `part` or `sample`. Neurons that are parted or chosen once for all epochs leave epoch<E>_groups.npz, E
being the epoch at which that was done.
"""

from __future__ import annotations

from dnn_topology.runs.graphs import Topology, draw_name, epoch_graphs
from dnn_topology.runs.layout import Experiment, Training, check_trained, file_digest
from dnn_topology.runs.measuring import (
    EpochsFailedError,
    Resources,
    measure_epochs,
    use_threads,
)
from dnn_topology.runs.results import (
    bootstrap_table,
    load_diagrams,
    measured_epochs,
    measured_parts,
    topology_table,
    with_names,
)
from dnn_topology.runs.stopping import stopping_folder, watch_epochs, watched_topology
from dnn_topology.runs.training import run_training

__all__ = [
    "EpochsFailedError",
    "Experiment",
    "Resources",
    "Topology",
    "Training",
    "bootstrap_table",
    "check_trained",
    "draw_name",
    "epoch_graphs",
    "file_digest",
    "load_diagrams",
    "measure_epochs",
    "measured_epochs",
    "measured_parts",
    "run_training",
    "stopping_folder",
    "topology_table",
    "use_threads",
    "watch_epochs",
    "watched_topology",
    "with_names",
]
