"""What was measured of a run, with which settings, and where it lies.

Under the folder of a run, `eps<MAX_EPSILON>/` has what was measured first up to that scale; what was measured with
other settings lies beside it, in a folder whose name adds what differs, such as `eps0.3_n_inputs-80/`:

    settings.json               what was measured
    manifest.json               which epochs are finished
    epoch<E>.npz                diagrams with everything about them
    epoch<E>.failed.json        instead: why there are none
    topology.csv                epoch × dimension × numbers
    bootstrap.csv               epoch × dimension × number: its interval over the draws of neurons
    betti_numbers.csv           epoch × threshold × Betti numbers, where thresholds were asked for
    *.png                       pictures
    adj_epc<E>_trl<T>_<MAX_EPSILON>.bin.out   diagrams as DIPHA files; those of `eps<MAX_EPSILON>/` lie where the
                                              original leaves them, beside the folder of the run

Where an epoch gives several graphs, each has a name, `part<P>`, `sample<S>`, `layer<L>`, `class<C>` or `draw<B>`, and
its files are called epoch<E>_<NAME>.npz and adj_epc<E>_trl<T>_<NAME>_<MAX_EPSILON>.bin.out; the one graph of an epoch,
that of all neurons beside those of layers or classes, and the first draw of a sample of neurons, have the name "".
Neurons or inputs that are parted or chosen once for all epochs leave epoch<E>_groups.npz, E being the epoch at which
that was done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.homology.dipha import file_name, read_dipha, written_epochs
from dnn_topology.runs.run import Run, epochs_in, listed, named
from dnn_topology.settings import RunMeasureSettings
from dnn_topology.work import stamps
from dnn_topology.work.near_runs import near_runs

GRAPH = r"(?:part|sample|layer|class)\d+"  # the name of one of several graphs of an epoch
RESULTS = "epoch*.npz"
OLD_SAMPLES: dict[str, Any] = {"sample_scale": "none"}  # graphs of single inputs, before layers could be scaled


@dataclass(frozen=True)
class RunMeasurement:
    """What is measured of a run with the same settings.

    Attributes:
        run: The training.
        folder: Where the results lie.
        settings: What is measured.
    """

    run: Run
    folder: Path
    settings: RunMeasureSettings

    @classmethod
    def of(cls, run: Run, settings: RunMeasureSettings) -> RunMeasurement:
        """Return the measurement of a run with some settings, begun or not."""
        return cls(run, stamp_of(settings).home(run.folder, f"eps{settings.max_epsilon:g}"), settings)

    def diagrams_file(self, epoch: int, graph: str = "") -> Path:
        """Return the file of an epoch's diagrams with everything about them."""
        return self.folder / f"epoch{epoch}{'_' if graph else ''}{graph}.npz"

    def dipha_file(self, epoch: int, graph: str = "") -> Path:
        """Return the file of an epoch's diagrams, named as by the original."""
        epsilon = self.settings.max_epsilon
        first = self.folder.name == f"eps{epsilon:g}"
        folder = self.run.original_folder if first else self.folder
        return folder / file_name(epoch, trial=self.run.trial, max_epsilon=epsilon, part=graph)

    def epochs(self, graph: str = "") -> list[int]:
        """Return the epochs that have diagrams, in order."""
        named = f"_{graph}" if graph else ""
        return sorted(
            epochs_in(self.folder, rf"epoch(\d+){named}\.npz")
            | {epoch for epoch, name in self._originals if name == graph}
        )

    def graphs(self) -> list[str]:
        """Return the names of the graphs that have diagrams: "" for one graph per epoch, else "part0", …."""
        matches = [re.fullmatch(rf"epoch\d+(?:_({GRAPH}))?\.npz", path.name) for path in self.folder.glob("epoch*")]
        names = {match[1] or "" for match in matches if match} or {name for _, name in self._originals} or {""}
        return sorted(names, key=lambda name: (len(name), name))

    def load(self, epochs: Sequence[int] | None = None, *, graph: str = "") -> dict[int, Diagrams]:
        """Return the diagrams of some epochs, unfiltered.

        Args:
            epochs: Which epochs; None for all that there are.
            graph: Which of an epoch's graphs.

        Returns:
            Epoch → diagrams, in the order asked for.

        Raises:
            DnnTopologyError: An epoch has not been measured, or a file is damaged.
        """
        there = self.epochs(graph)
        missing = sorted(set(epochs or []) - set(there))
        if missing or not there:
            raise DnnTopologyError(
                f"there are no diagrams of {named(missing)} of {self.run.title} up to ε "
                f"{self.settings.max_epsilon:g} (there are: {listed(there)}): measure them with "
                "`dnn-topology topology`, or `run`"
                if there
                else _nothing_measured(self.run, self.settings.max_epsilon)
            )
        return {epoch: self._load(epoch, graph) for epoch in (there if epochs is None else epochs)}

    @property
    def is_original(self) -> bool:
        """Whether there are no results of ours, so that the original's own count."""
        return not (self.run.folder / stamps.SETTINGS).exists()

    def _load(self, epoch: int, graph: str) -> Diagrams:
        """Return the diagrams of one epoch."""
        ours = self.diagrams_file(epoch, graph)
        return Diagrams.load(ours) if ours.exists() else read_dipha(self.dipha_file(epoch, graph))

    @property
    def _originals(self) -> set[tuple[int, str]]:
        """The epochs and graphs of the original's own results; beside a run of ours lie files of whatever run."""
        if not self.is_original:
            return set()
        return written_epochs(self.run.original_folder, trial=self.run.trial, max_epsilon=self.settings.max_epsilon)


def measurements_of(run: Run) -> list[RunMeasurement]:
    """Return everything that was measured of a run, by the name of its folder."""
    folders = [path.parent for path in sorted(run.folder.glob(f"eps*/{stamps.SETTINGS}"))]
    return [RunMeasurement(run, folder, _read(folder)) for folder in folders if any(folder.glob(RESULTS))]


def _read(folder: Path) -> RunMeasureSettings:
    """Return the settings of a folder of results."""
    settings = stamps.read_settings(folder, RunMeasureSettings)
    unsaid = {name: value for name, value in OLD_SAMPLES.items() if name not in stamps.read_stamp(folder)}
    return replace(settings, **unsaid) if settings.graph_type == "per-sample" else settings


def stamp_of(settings: RunMeasureSettings) -> stamps.Stamp:
    """Return what tells results of these settings from others."""
    unsaid = {**RunMeasureSettings().results, **(OLD_SAMPLES if settings.graph_type == "per-sample" else {})}
    return stamps.Stamp(settings.results, RESULTS, unsaid)


def find_measurement(run: Run, *, max_epsilon: float | None = None, name: str | None = None) -> RunMeasurement:
    """Return what was measured of a run, ours or, where there is nothing of ours, the original's own results.

    Args:
        run: The run.
        max_epsilon: Up to which scale; None for 0.3, or the only one that there is.
        name: The name of its folder, where there are several up to one scale.

    Raises:
        DnnTopologyError: There is none, or there are several; the message names them.
    """
    there = measurements_of(run)
    if name is not None:
        chosen = [one for one in there if one.folder.name == name]
        if not chosen:
            raise DnnTopologyError(
                f"{run.folder} has no measurement {name!r}: {nearest(name, [one.folder.name for one in there])}"
            )
        return chosen[0]
    scales = {one.settings.max_epsilon for one in there}
    wanted = max_epsilon if max_epsilon is not None else (scales.pop() if len(scales) == 1 else 0.3)
    matching = [one for one in there if one.settings.max_epsilon == wanted]
    usual = [one for one in matching if one.folder.name == f"eps{wanted:g}"]
    if len(matching) > 1 and not usual:
        names = ", ".join(one.folder.name for one in matching)
        raise DnnTopologyError(
            f"{run.folder} was measured several times up to ε {wanted:g}: choose with measurement= one of {names}"
        )
    if matching:
        return (usual or matching)[0]
    first = RunMeasurement(run, run.folder / f"eps{wanted:g}", RunMeasureSettings(max_epsilon=wanted))
    if first.is_original and first.epochs(first.graphs()[0]):
        return first
    raise DnnTopologyError(_nothing_measured(run, wanted))


def _nothing_measured(run: Run, max_epsilon: float) -> str:
    """Return the message that says that there is nothing to read."""
    lost = "" if run.folder.parent.is_dir() else near_runs(run.folder)
    there = ", ".join(one.folder.name for one in measurements_of(run))
    measured = f" (there are: {there})" if there else ""
    return (
        f"there are no diagrams of {run.title} up to ε {max_epsilon:g}{measured}{lost}: make them with "
        "`dnn-topology run`"
    )
