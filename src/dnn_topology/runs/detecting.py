"""Detecting attacks on a network: what is asked for, carried out piece by piece, each kept as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_at_least
from dnn_topology.analysis.adversarial.detection import (
    DEFAULT,
    KINDS,
    FittedDetectors,
    Scores,
    compare_detectors,
    fit_detectors,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from dnn_topology.nets.data import DataSet

Cell = tuple[str, float | None]  # an attack and its strength
CLEAN = "clean"
TRIED = 8  # inputs that are timed for the estimate


@dataclass(frozen=True)
class Detection:
    """What is judged, and by what.

    Attributes:
        attacks: Names; see `attack`.
        strengths: Of FGSM and PGD, in pixels; DeepFool changes as much as need be.
        detectors: Names; see `watch`.
        batch_sizes: Of the detectors of batches.
        n_inputs: Test inputs that are judged, of those that the network is right about.
        n_fit: Clean training inputs that the detectors are fitted on.
        noise: See `watch`.
        seed: Of every draw.
        layers: Of the nodes; see `record`.
    """

    attacks: tuple[str, ...] = ("fgsm", "pgd", "deepfool")
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    detectors: tuple[str, ...] = DEFAULT
    batch_sizes: tuple[int, ...] = (50,)
    n_inputs: int = 300
    n_fit: int = 1000
    noise: float = 0.35
    seed: int = 0
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_at_least("n_inputs", self.n_inputs, 2)
        check_at_least("n_fit", self.n_fit, 20)
        if not self.attacks or not self.strengths:
            raise DnnTopologyError("name at least one attack and one strength")
        beyond = [size for size in self.batch_sizes if size > min(self.n_inputs, self.n_fit)]
        if beyond:
            raise DnnTopologyError(
                f"a batch of {beyond[0]} inputs needs as many to judge and to fit on, found {self.n_inputs} and "
                f"{self.n_fit}: take a smaller --batch-size, or more inputs"
            )

    @property
    def cells(self) -> list[Cell]:
        """Every attack at every strength."""
        return [
            (name, strength)
            for name in self.attacks
            for strength in ((None,) if name.startswith("deepfool") else self.strengths)
        ]


class Detecting:
    """Carries a detection out in a folder, where every finished piece stays.

    Args:
        net: The network; it is left as it was found.
        data: Its data: the detectors are fitted on clean training images alone. Test images are the inputs to be
            judged, never to fit.
        detection: What is asked for.
        folder: Where the pieces go.
        about: What else tells these results from others, such as the network's name and epoch.
        device: Where to run.

    Raises:
        DnnTopologyError: The folder holds results of other settings.
    """

    def __init__(
        self,
        net: nn.Module,
        data: DataSet,
        detection: Detection,
        folder: Path,
        *,
        about: Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        self.net, self.data, self.detection, self.folder, self.device = net.to(device), data, detection, folder, device
        form = getattr(data.train, "form", None)
        scale: tuple[list[float], list[float]] = ([0.0], [1.0]) if form is None else form.normalisation()
        self._mean, self._std = scale
        settings = asdict(detection)
        for name in ("attacks", "strengths"):  # every cell has a file of its own, so that these may grow
            settings.pop(name)
        store.claim(folder, {**about, **settings}, results="*.npz")

    @cached_property
    def watch(self) -> FittedDetectors:
        """The fitted detectors."""
        from dnn_topology.nets.data import sample

        asked = self.detection
        clean = sample(self.data.train, asked.n_fit, seed=asked.seed).tensors[0]
        return fit_detectors(
            self.net,
            clean,
            detectors=asked.detectors,
            batch_sizes=asked.batch_sizes,
            noise=asked.noise,
            mean=self._mean,
            std=self._std,
            layers=asked.layers,
            seed=asked.seed,
            device=self.device,
        )

    @cached_property
    def judged(self) -> tuple[NDArray[np.intp], torch.Tensor, torch.Tensor]:
        """Places, images and labels of the test inputs that are judged: the net is right about each.

        Raises:
            DnnTopologyError: There are too few of them.
        """
        import torch

        from dnn_topology.recording.activations import record
        from dnn_topology.recording.layers import OUTPUT

        order = np.random.default_rng(self.detection.seed).permutation(len(self.data.test))
        images, labels = self.data.test[order]
        parts = [images[start : start + 500] for start in range(0, len(images), 500)]
        answers = record(self.net, parts, layers=(OUTPUT,), max_samples=None).values
        right = np.flatnonzero(answers.argmax(axis=1) == labels.numpy())[: self.detection.n_inputs]
        least = max(2, *self.detection.batch_sizes, 2)
        if len(right) < least:
            raise DnnTopologyError(
                f"the network is right about {len(right)} test inputs, and at least {least} are needed: train it "
                "longer, or judge smaller batches"
            )
        taken = torch.from_numpy(right)
        return order[right], images[taken], labels[taken]

    def missing(self) -> list[Cell]:
        """Return the attacks that nobody has carried out yet."""
        return [cell for cell in self.detection.cells if not self._file(cell_name(cell)).exists()]

    def estimate(self) -> float:
        """Return roughly how many seconds the missing pieces will take, from a few inputs."""
        from dnn_topology.analysis.adversarial import needs_trees
        from dnn_topology.analysis.adversarial.detectors import NOISE, SampleGraph
        from dnn_topology.analysis.adversarial.observation import observe

        asked, cells = self.detection, self.missing()
        few = self.judged[1][:TRIED]
        options: dict[str, Any] = {"layers": asked.layers, "trees": needs_trees(asked.detectors), "device": self.device}
        observe(self.net, few, **options)
        started = time.perf_counter()
        seen = observe(self.net, few, **options)
        each = (time.perf_counter() - started) / len(few)
        fits = asked.n_fit * (2 if any(name.endswith(NOISE) for name in asked.detectors) else 1)
        judgements = len(self.judged[0]) * (1 + 2 * len(cells))
        seconds = each * (fits + judgements)
        if "sample-graph" in asked.detectors:
            started = time.perf_counter()
            SampleGraph().areas(seen)
            seconds += (time.perf_counter() - started) / len(few) * (200 + judgements)
        return seconds if cells else 0.0

    def run(self, on_cell: Callable[[str], None] = lambda _: None) -> Results:
        """Carry out what is missing and return everything.

        Args:
            on_cell: Called with a line after each attack.
        """
        for cell in self.missing():
            found = self._attacked(cell)
            store.write_arrays(self._file(cell_name(cell)), found)
            on_cell(f"{cell_name(cell)}: fooled by {found['fooled'].mean():.0%} of the inputs")
        return self.results()

    def results(self) -> Results:
        """Return what was carried out of what is asked for."""
        return Results(
            self._clean_arrays(),
            {
                cell: store.read_arrays(self._file(cell_name(cell)))
                for cell in self.detection.cells
                if cell not in self.missing()
            },
        )

    def _clean_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the scores of the clean inputs, computed if need be."""
        path = self._file(CLEAN)
        if not path.exists():
            places, images, labels = self.judged
            about = {"place": places, "label": labels.numpy()}
            curves = {f"scales/{size}": one.scales for size, one in self.watch.batch_detectors.items()}
            usual = {f"usual/{size}": one.mean_curve for size, one in self.watch.batch_detectors.items()}
            store.write_arrays(path, {**self.watch.score(images).arrays(), **about, **curves, **usual})
        return store.read_arrays(path)

    def _attacked(self, cell: Cell) -> dict[str, NDArray[Any]]:
        """Attack the judged inputs and return the scores and sizes of the attack and its noise."""
        from dnn_topology.analysis.adversarial.attacks import attack

        self._clean_arrays()
        _, images, labels = self.judged
        method, strength = cell
        made = attack(
            self.net,
            images,
            labels,
            method=method,
            strength=strength,
            mean=self._mean,
            std=self._std,
            seed=self.detection.seed,
            device=self.device,
        )
        scores = {"noise": self.watch.score(made.noise), "adversarial": self.watch.score(made.adversarial)}
        return {
            **{f"{kind}/{name}": values for kind, found in scores.items() for name, values in found.arrays().items()},
            "fooled": made.fooled,
            "predicted_adversarial": made.predicted_adversarial,
            "predicted_noise": made.predicted_noise,
            **{f"size/{name}": made.sizes[name].to_numpy() for name in made.sizes},
        }

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


@dataclass(frozen=True, eq=False)
class Results:
    """What a detection found.

    Attributes:
        clean: Arrays of the clean inputs: scores, `place` in the test data, `label`, and the curves' scales.
        cells: Attack and strength → arrays: scores of the noise and of the adversarial inputs, `fooled`, predictions
            and sizes.
    """

    clean: Mapping[str, NDArray[Any]]
    cells: Mapping[Cell, Mapping[str, NDArray[Any]]]

    def scores(self, cell: Cell) -> dict[str, Scores]:
        """Return the scores of clean, noisy and adversarial inputs."""
        parts = {
            kind: {name.removeprefix(f"{kind}/"): values for name, values in self.cells[cell].items()}
            for kind in KINDS[1:]
        }
        return {kind: Scores.of_arrays(parts.get(kind, self.clean)) for kind in KINDS}

    def table(self, *, resamples: int = 500, detectors: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row per attack, strength, detector, pair of kinds and choice of inputs; see `compare_detectors`.

        Args:
            resamples: Of the bootstrap.
            detectors: Which of them; None for all.
        """
        tables = []
        for cell, arrays in self.cells.items():
            found = compare_detectors(self.scores(cell), fooled=arrays["fooled"], resamples=resamples)
            found.insert(0, "strength", cell[1])
            found.insert(0, "attack", cell[0])
            tables.append(found)
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return table if detectors is None else table[table["detector"].isin([*detectors])]

    def attacks(self) -> pd.DataFrame:
        """Return one row per attack and strength: how often it fools, and mean sizes, in pixels."""
        rows = []
        for (method, strength), arrays in self.cells.items():
            sizes = {
                name.removeprefix("size/"): float(values.mean()) for name, values in arrays.items() if "size/" in name
            }
            wrong = float((arrays["predicted_noise"] != self.clean["label"]).mean())
            rows.append(
                {
                    "attack": method,
                    "strength": strength,
                    "n": len(arrays["fooled"]),
                    "fooled": float(arrays["fooled"].mean()),
                    "fooled_by_noise": wrong,
                    **sizes,
                }
            )
        return pd.DataFrame(rows)

    def by_input(self) -> pd.DataFrame:
        """Return every score of every input: one row per input and kind."""
        tables = []
        for cell, arrays in self.cells.items():
            for kind, scores in self.scores(cell).items():
                about = {"attack": cell[0], "strength": cell[1], "kind": kind}
                known = {"place": self.clean["place"], "label": self.clean["label"]}
                if kind != CLEAN:
                    known["predicted"] = arrays[f"predicted_{kind}"]
                else:
                    known["predicted"] = self.clean["label"]
                tables.append(pd.DataFrame({**known, **scores.single}).assign(**cast(Any, about)))
        table = pd.concat(tables, ignore_index=True)
        first = ["attack", "strength", "kind", "place", "label", "predicted"]
        return table[[*first, *(name for name in table if name not in first)]]


def cell_name(cell: Cell) -> str:
    """Return an attack and its strength as part of a file's name."""
    method, strength = cell
    return method if strength is None else f"{method}_{strength:g}"
