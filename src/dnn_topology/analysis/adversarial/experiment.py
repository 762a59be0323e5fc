"""Attacks on a network and what detectors say of them, in memory: what one detection is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dnn_topology.analysis.adversarial.adaptive import ADAPTIVE, adaptive_attack
from dnn_topology.analysis.adversarial.attacked import CHANGES
from dnn_topology.analysis.adversarial.attacks import attack as attacked
from dnn_topology.analysis.adversarial.detection import DEFAULT, FittedDetectors, fit_detectors
from dnn_topology.analysis.adversarial.judging import check_names, expected_seconds, rightly_judged

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from dnn_topology.analysis.adversarial.results import Attack
    from dnn_topology.settings import DetectSettings

Arrays = Mapping[str, "NDArray[Any]"]
TRIED = 8  # inputs that are timed for the estimate


class Experiment:
    """A network, clean training images that detectors are fitted on, and test images that are attacked.

    Args:
        net: The network; it is left as it was found.
        fitted_on: (n, channels, height, width): clean training images.
        test: The inputs to be judged, never to fit: images and labels, taken by their places.
        settings: What is asked for.
        data: The data set, which knows the range of its images.
        device: Where to run.

    Raises:
        DnnTopologyError: There is no such attack or detector.
    """

    def __init__(
        self,
        net: nn.Module,
        fitted_on: torch.Tensor,
        test: Any,
        settings: DetectSettings,
        *,
        data: Any,
        device: str = "cpu",
    ) -> None:
        check_names(settings.attacks, settings.detectors or ())
        self.net, self.fitted_on, self.test, self.settings = net.to(device), fitted_on, test, settings
        self.data, self.device = data, device
        self.names = DEFAULT if settings.detectors is None else tuple(dict.fromkeys(settings.detectors))
        self.batch_sizes = [size for size in settings.batch_sizes if size]

    @cached_property
    def detectors(self) -> FittedDetectors:
        """The fitted detectors."""
        return self._fitted(self.names, self.batch_sizes)

    def _fitted(self, names: Sequence[str], batch_sizes: Sequence[int] = ()) -> FittedDetectors:
        """Return detectors of some names, fitted on the clean training images."""
        settings = self.settings
        return fit_detectors(
            self.net,
            self.fitted_on,
            detectors=names,
            batch_sizes=batch_sizes,
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
        settings, at_least = self.settings, max(2, *self.settings.batch_sizes, 2)
        return rightly_judged(self.net, self.test, settings.n_inputs, seed=settings.seed, at_least=at_least)

    def estimate(self, attacks: Sequence[Attack]) -> float:
        """Return roughly how many seconds attacks will take, from a few inputs."""
        if not attacks:
            return 0.0
        n_judged, options = len(self.judged[0]) * (1 + 2 * len(attacks)), {"layers": self.settings.layers}
        few = self.judged[1][:TRIED]
        n_fit = len(self.fitted_on)
        return expected_seconds(
            self.net, few, self.names, n_fit=n_fit, n_judged=n_judged, device=self.device, **options
        )

    def clean(self) -> Arrays:
        """Return the scores of the clean inputs."""
        places, images, labels = self.judged
        about = {"place": places, "label": labels.numpy()}
        curves = {f"scales/{size}": one.scales for size, one in self.detectors.batch_detectors.items()}
        usual = {f"usual/{size}": one.mean_curve for size, one in self.detectors.batch_detectors.items()}
        return {**self.detectors.score(images).arrays(), **about, **curves, **usual}

    def attacked(self, attack: Attack) -> Arrays:
        """Attack the judged inputs and return the scores and sizes of the attack and its noise."""
        _, images, labels = self.judged
        method, strength = attack
        options: dict[str, Any] = {"data": self.data, "seed": self.settings.seed, "device": self.device}
        if method in ADAPTIVE:
            made = adaptive_attack(
                self._with(ADAPTIVE[method]), images, labels, evade=ADAPTIVE[method], strength=strength or 0, **options
            )
        else:
            made = attacked(self.net, images, labels, method=method, strength=strength, **options)
        scores = {kind: self.detectors.score(getattr(made, kind)) for kind in CHANGES}
        return {
            **{
                f"{kind}/{name}": values
                for kind, of_kind in scores.items()
                for name, values in of_kind.arrays().items()
            },
            "fooled": made.fooled,
            **{f"predicted_{kind}": getattr(made, f"predicted_{kind}") for kind in CHANGES},
            **{f"size/{name}": made.sizes[name].to_numpy() for name in made.sizes},
        }

    def _with(self, name: str) -> FittedDetectors:
        """Return fitted detectors with that of a name among them."""
        return self.detectors if name in self.names else self._fitted([name])

    def scores(self, images: torch.Tensor) -> pd.DataFrame:
        """Return how suspicious some images are: their place, what the network takes them for, one column a detector.

        Args:
            images: (n, channels, height, width), as the network takes them.
        """
        import pandas as pd

        fitted = self._fitted(self.names)
        seen = fitted.observe(images)
        scores = {name: one.score(seen) for name, one in fitted.detectors.items()}
        return pd.DataFrame({"place": range(len(seen)), "predicted": seen.predicted, **scores})
