"""Detecting attacks on a network: attack by attack, each kept as soon as it is made.

The folder of a detection, `detection/epoch<E>/` in that of a run, keeps clean.npz, scores of the clean inputs, and
<ATTACK>_<STRENGTH>.npz, scores of what became of them; the tables and pictures are made anew from these.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology._packages import pip_install
from dnn_topology.analysis.adversarial.experiment import Arrays, Experiment
from dnn_topology.analysis.adversarial.results import Attack, DetectResults
from dnn_topology.analysis.adversarial.score_files import check_score_arrays
from dnn_topology.settings import DetectSettings
from dnn_topology.work.ledger import Ledger, Work
from dnn_topology.work.reports import Reports
from dnn_topology.work.stamps import Stamp, read_stamp

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dnn_topology.nets.data import DataSet

CLEAN: Attack = ("clean", None)
TELLING = ("batch_sizes", "n_inputs", "n_fit", "noise", "seed", "layers")  # every attack has a file: more may come


class Detection(Work[Attack, Arrays]):
    """Attacks on a network and the scores of detectors, in a folder where every finished piece stays.

    Args:
        net: The network; it is left as it was found.
        data: Its data: the detectors are fitted on clean training images alone. Test images are the inputs to be
            judged, never to fit.
        settings: What is asked for.
        folder: Where the pieces go.
        about: What else tells these results from others, such as the network's name and epoch.
        device: Where to run.
    """

    def __init__(
        self,
        net: nn.Module,
        data: DataSet,
        settings: DetectSettings,
        folder: Path,
        *,
        about: Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        from dnn_topology.nets.data import sample

        fitted_on = sample(data.train, settings.n_fit, seed=settings.seed).tensors[0]
        self.experiment = Experiment(net, fitted_on, data.test, settings, data=data, device=device)
        self.settings = settings
        asked = {name: getattr(settings, name) for name in TELLING}
        told = {**about, "detectors": self.experiment.names, **asked}
        self._stamp = Stamp(told, "*.npz", defaults=told)
        self.folder = self._stamp.home(folder.parent, folder.name)

    @property
    def missing(self) -> list[Attack]:
        """The attacks that nobody has made yet."""
        ledger: Ledger[Attack, Arrays] = Ledger(self.folder, self)
        return [*ledger.outcomes(self.settings.all_attacks).left]

    def estimate(self) -> float:
        """Return roughly how many seconds the missing attacks will take, from a few inputs."""
        return self.experiment.estimate(self.missing)

    def run(self, say: Callable[[str], None] = lambda _: None) -> DetectResults:
        """Make the attacks that are missing and return everything.

        Args:
            say: Called with a line after each attack.

        Raises:
            DnnTopologyError: An attack cannot be made, or a file cannot be written.
        """
        everything: dict[Attack, Arrays] = {}
        fresh = {CLEAN, *self.missing}

        def take(attack: Attack, arrays: Arrays) -> None:
            everything[attack] = arrays
            if attack in fresh - {CLEAN}:
                say(f"{DetectResults.name(attack)}: fooled by {arrays['fooled'].mean():.0%} of the inputs")

        attacks = [CLEAN, *self.settings.all_attacks]
        self.check_possible()
        self._stamp.claim(self.folder)
        ledger: Ledger[Attack, Arrays] = Ledger(self.folder, self)
        ledger.finish(attacks, reports=Reports(take, say=say))
        return DetectResults(everything[CLEAN], {attack: everything[attack] for attack in attacks[1:]})

    def check_possible(self) -> None:
        """Find out, before the folder is claimed, that the attacks can be made here at all.

        Raises:
            DnnTopologyError: The package that makes them is missing, or there are too few inputs for a batch.
        """
        self.settings.check_batches()
        if self.missing and importlib.util.find_spec("foolbox") is None:
            raise DnnTopologyError(f"attacks need the package foolbox: {pip_install('foolbox')}")

    def name(self, attack: Attack) -> str:
        """Return an attack's name in the manifest."""
        return DetectResults.name(attack)

    def files(self, attack: Attack) -> Sequence[Path]:
        """Return the file of an attack's scores."""
        return [self.folder / f"{DetectResults.name(attack)}.npz"]

    def do(self, attack: Attack) -> Arrays:
        """Make one attack and judge what it gives, or judge the clean inputs."""
        return self.experiment.clean() if attack == CLEAN else self.experiment.attacked(attack)

    def keep(self, attack: Attack, result: Arrays) -> None:
        """Write the scores of an attack."""
        store.write_arrays(self.files(attack)[0], result)

    def load(self, attack: Attack) -> Arrays:
        """Read the scores of an attack.

        Raises:
            DnnTopologyError: The file is damaged.
        """
        (path,) = self.files(attack)
        arrays = store.read_arrays(path)
        names, sizes = self.experiment.names, self.experiment.batch_sizes
        try:
            check_score_arrays(arrays, clean=attack == CLEAN, detectors=names, batch_sizes=sizes)
        except DnnTopologyError as error:
            raise DnnTopologyError(f"{path} is damaged: {error}; {store.AGAIN}") from error
        return arrays

    def score_own(self, images: torch.Tensor, path: Path) -> None:
        """Write how suspicious some images are, as a table.

        Args:
            images: (n, channels, height, width), as the network takes them.
            path: Of the table.
        """
        store.write_table(path, self.experiment.scores(images))


def write_detection(results: DetectResults, folder: Path) -> list[Path]:
    """Write the tables and the pictures of a detection, and return their paths."""
    from dnn_topology.show.detection import save_detection_figures

    tables = {"detection": results.table(), "attacks": results.attacks(), "scores": results.by_input()}
    for name, table in tables.items():
        store.write_table(folder / f"{name}.csv", table)
    # through pandas, whose missing strength is null
    rows = {name: json.loads(tables[name].to_json(orient="records")) for name in ("attacks", "detection")}
    store.write_json(folder / "detection.json", {"settings": read_stamp(folder), **rows})
    return [
        *(folder / f"{name}.csv" for name in tables),
        folder / "detection.json",
        *save_detection_figures(results, folder),
    ]
