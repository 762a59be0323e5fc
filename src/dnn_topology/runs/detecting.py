"""Detecting attacks on a network: attack by attack, each kept as soon as it is made.

The folder of a detection, `detection/epoch<E>/` in that of a run, keeps clean.npz, scores of the clean inputs, and
<ATTACK>_<STRENGTH>.npz, scores of what became of them; the tables and pictures are made anew from these.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.detection import DEFAULT, FittedDetectors, fit_detectors
from dnn_topology.analysis.adversarial.judging import check_names, expected_seconds, rightly_judged
from dnn_topology.analysis.adversarial.results import Attack, DetectResults
from dnn_topology.analysis.adversarial.score_files import check_score_arrays
from dnn_topology.settings import DetectSettings
from dnn_topology.work import stamps
from dnn_topology.work.ledger import Ledger, Work

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from dnn_topology.nets.data import DataSet

Arrays = Mapping[str, "NDArray[Any]"]
CLEAN: Attack = ("clean", None)
TRIED = 8  # inputs that are timed for the estimate


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
        check_names(settings.attacks, settings.detectors or ())
        self.net, self.data, self.settings, self.device = net.to(device), data, settings, device
        self.names = DEFAULT if settings.detectors is None else tuple(dict.fromkeys(settings.detectors))
        of_all = {
            name: getattr(settings, name) for name in ("batch_sizes", "n_inputs", "n_fit", "noise", "seed", "layers")
        }
        self._stamp = {**about, "detectors": self.names, **of_all}  # every attack has a file, so that more may come
        self.folder = stamps.home(folder.parent, folder.name, self._stamp, results="*.npz", defaults=self._stamp)

    @cached_property
    def detectors(self) -> FittedDetectors:
        """The fitted detectors."""
        from dnn_topology.nets.data import sample

        settings = self.settings
        return fit_detectors(
            self.net,
            sample(self.data.train, settings.n_fit, seed=settings.seed).tensors[0],
            detectors=self.names,
            batch_sizes=[size for size in settings.batch_sizes if size],
            noise=settings.noise,
            data=self.data,
            layers=settings.layers,
            seed=settings.seed,
            device=self.device,
        )

    @cached_property
    def judged(self) -> tuple[NDArray[np.intp], torch.Tensor, torch.Tensor]:
        """Places, images and labels of the test inputs that are judged: the net is right about each.

        Raises:
            DnnTopologyError: There are too few of them.
        """
        settings = self.settings
        at_least = max(2, *settings.batch_sizes, 2)
        return rightly_judged(self.net, self.data.test, settings.n_inputs, seed=settings.seed, at_least=at_least)

    @property
    def missing(self) -> list[Attack]:
        """The attacks that nobody has made yet."""
        ledger: Ledger[Attack, Arrays] = Ledger(self.folder, self)
        return [*ledger.outcomes(self.settings.all_attacks).left]

    def estimate(self) -> float:
        """Return roughly how many seconds the missing attacks will take, from a few inputs."""
        settings, attacks = self.settings, self.missing
        if not attacks:
            return 0.0
        n_judged = len(self.judged[0]) * (1 + 2 * len(attacks))
        few = self.judged[1][:TRIED]
        options = {"layers": settings.layers, "device": self.device}
        return expected_seconds(self.net, few, self.names, n_fit=settings.n_fit, n_judged=n_judged, **options)

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
        stamps.claim(self.folder, self._stamp, results="*.npz", defaults=self._stamp)
        ledger: Ledger[Attack, Arrays] = Ledger(self.folder, self)
        ledger.finish(attacks, on_result=take, say=say)
        return DetectResults(everything[CLEAN], {attack: everything[attack] for attack in attacks[1:]})

    def check_possible(self) -> None:
        """Find out, before the folder is claimed, that the attacks can be made here at all.

        Raises:
            DnnTopologyError: The package that makes them is missing.
        """
        if self.missing and importlib.util.find_spec("foolbox") is None:
            raise DnnTopologyError("attacks need the package foolbox: pip install 'dnn-topology[attacks]'")

    def name(self, attack: Attack) -> str:
        """Return an attack's name in the manifest."""
        return DetectResults.name(attack)

    def files(self, attack: Attack) -> Sequence[Path]:
        """Return the file of an attack's scores."""
        return [self.folder / f"{DetectResults.name(attack)}.npz"]

    def do(self, attack: Attack) -> Arrays:
        """Make one attack and judge what it gives, or judge the clean inputs."""
        return self._judged_clean() if attack == CLEAN else self._attacked(attack)

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
        sizes = [size for size in self.settings.batch_sizes if size]
        try:
            check_score_arrays(arrays, clean=attack == CLEAN, detectors=self.names, batch_sizes=sizes)
        except DnnTopologyError as error:
            raise DnnTopologyError(f"{path} is damaged: {error}; {store.AGAIN}") from error
        return arrays

    def score_own(self, images: torch.Tensor, path: Path) -> None:
        """Write how suspicious some images are, as a table.

        Args:
            images: (n, channels, height, width), as the network takes them.
            path: Of the table.
        """
        seen = self.detectors.observe(images)
        scores = {name: one.score(seen) for name, one in self.detectors.detectors.items()}
        store.write_table(path, pd.DataFrame({"place": range(len(seen)), "predicted": seen.predicted, **scores}))

    def _judged_clean(self) -> Arrays:
        """Return the scores of the clean inputs."""
        places, images, labels = self.judged
        about = {"place": places, "label": labels.numpy()}
        curves = {f"scales/{size}": one.scales for size, one in self.detectors.batch_detectors.items()}
        usual = {f"usual/{size}": one.mean_curve for size, one in self.detectors.batch_detectors.items()}
        return {**self.detectors.score(images).arrays(), **about, **curves, **usual}

    def _attacked(self, attack: Attack) -> Arrays:
        """Attack the judged inputs and return the scores and sizes of the attack and its noise."""
        from dnn_topology.analysis.adversarial.attacks import attack as make

        _, images, labels = self.judged
        method, strength = attack
        made = make(
            self.net,
            images,
            labels,
            method=method,
            strength=strength,
            data=self.data,
            seed=self.settings.seed,
            device=self.device,
        )
        scores = {"noise": self.detectors.score(made.noise), "adversarial": self.detectors.score(made.adversarial)}
        return {
            **{
                f"{kind}/{name}": values
                for kind, of_kind in scores.items()
                for name, values in of_kind.arrays().items()
            },
            "fooled": made.fooled,
            "predicted_adversarial": made.predicted_adversarial,
            "predicted_noise": made.predicted_noise,
            **{f"size/{name}": made.sizes[name].to_numpy() for name in made.sizes},
        }


def write_detection(results: DetectResults, folder: Path) -> list[Path]:
    """Write the tables and the pictures of a detection, and return their paths."""
    from dnn_topology.show.detection import draw_detection

    tables = {"detection": results.table(), "attacks": results.attacks(), "scores": results.by_input()}
    for name, table in tables.items():
        store.write_table(folder / f"{name}.csv", table)
    # through pandas, whose missing strength is null
    rows = {name: json.loads(tables[name].to_json(orient="records")) for name in ("attacks", "detection")}
    store.write_json(folder / "detection.json", {"settings": stamps.read_stamp(folder), **rows})
    return [*(folder / f"{name}.csv" for name in tables), folder / "detection.json", *draw_detection(results, folder)]
