"""Scores of detectors as torch can differentiate them with respect to the pixels, for attacks that evade them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.detectors import NOISE, Distance
from dnn_topology.analysis.adversarial.differentiable_trees import (
    DifferentiableTrees,
    differentiable_profile,
    differentiable_uncertainty,
)
from dnn_topology.analysis.adversarial.mahalanobis import ClassDistance
from dnn_topology.analysis.adversarial.squeezing import SQUEEZERS, Squeezing
from dnn_topology.recording.layers import unwrapped

if TYPE_CHECKING:
    from dnn_topology.analysis.adversarial.detection import FittedDetectors

OF_OUTPUTS = ("softmax", "entropy")
OF_SIGNALS = ("inputs", "penultimate", "activations")
OF_SQUEEZED = ("squeezing", "squeeze-bit", "squeeze-median")
OF_TREES = ("profile", "uncertainty")
EVADABLE = (
    *(*OF_OUTPUTS, *OF_SQUEEZED, *OF_SIGNALS, *OF_TREES),
    *(f"{name}{NOISE}" for name in (*OF_SIGNALS, *OF_TREES)),
)
Scaled = tuple[torch.Tensor, torch.Tensor]
Score = Callable[[torch.Tensor], tuple[list[torch.Tensor], torch.Tensor]]


def differentiable_score(name: str, detectors: FittedDetectors, scaled: Scaled) -> Score:
    """Return a fitted detector as a function of pixels.

    Args:
        name: One of `EVADABLE`, fitted.
        detectors: The network and its detectors.
        scaled: What was subtracted from the pixels, and by what they were divided, on the network's device.

    Returns:
        Pixels (n, channels, height, width) → the outputs (n, n_classes) of the network, for them and for what the
        detector makes of them, and the scores (n,), float64.

    Raises:
        DnnTopologyError: A layer that the detector looks at is no module, so that no gradient can be had.
    """
    fitted, model = detectors.detectors[name], unwrapped(detectors.model)

    def outputs_of(pixels: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = model((pixels - scaled[0]) / scaled[1])
        return outputs

    if isinstance(fitted, Squeezing):
        return lambda pixels: _squeezing(outputs_of, pixels, fitted.squeezers)
    if name.removesuffix(NOISE) in OF_TREES:
        return _of_trees(fitted, model, scaled)
    if isinstance(fitted, Distance):
        return _distance(name.removesuffix(NOISE), fitted, detectors, scaled)
    return lambda pixels: _doubt(outputs_of(pixels), name)


def _doubt(outputs: torch.Tensor, name: str) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return outputs, and what the largest probability leaves, or the entropy."""
    logs = outputs.double().log_softmax(dim=1)
    return [outputs], 1 - logs.amax(dim=1).exp() if name == "softmax" else -(logs.exp() * logs).sum(dim=1)


def _squeezing(
    outputs_of: Callable[[torch.Tensor], torch.Tensor], pixels: torch.Tensor, squeezers: Sequence[str]
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return outputs, also of squeezed pixels, and their distances; gradients pass squeezers unchanged."""
    seen = [pixels, *(pixels + (SQUEEZERS[name](pixels.detach()) - pixels).detach() for name in squeezers)]
    answers = [outputs_of(each) for each in seen]
    plain, *squeezed = (each.double().softmax(dim=1) for each in answers)
    return answers, torch.stack([(plain - each).abs().sum(dim=1) for each in squeezed]).amax(dim=0)


def _distance(name: str, fitted: Distance, detectors: FittedDetectors, scaled: Scaled) -> Score:
    """Return the squared Mahalanobis distance of some signals as a function of pixels."""
    model, squared = unwrapped(detectors.model), _squared(fitted.learned, scaled[0].device)
    layers = (
        ()
        if name == "inputs"
        else detectors.signal_layers[-2:-1]
        if name == "penultimate"
        else detectors.signal_layers[:-1]
    )

    def score(pixels: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        inputs = (pixels - scaled[0]) / scaled[1]
        with _heard(model, layers) as heard:
            outputs = model(inputs)
        signals = [heard[layer] for layer in layers] or [inputs]
        features = torch.cat([each.flatten(1) for each in signals], dim=1).double()
        return [outputs], squared(features, outputs.argmax(dim=1))

    return score


def _of_trees(fitted: Any, model: nn.Module, scaled: Scaled) -> Score:
    """Return the profile's distance or the topological uncertainty as a function of pixels."""
    seen = DifferentiableTrees(model)
    squared = _squared(fitted.learned, scaled[0].device) if isinstance(fitted, Distance) else None

    def score(pixels: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        outputs, trees = seen((pixels - scaled[0]) / scaled[1])
        classes = outputs.argmax(dim=1)
        if squared is None:
            return [outputs], differentiable_uncertainty(trees, classes, fitted.learned)
        return [outputs], squared(differentiable_profile(trees), classes)

    return score


def _squared(learned: ClassDistance, device: torch.device) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return `ClassDistance.squared` as torch differentiates it."""
    centre, spread, means, precision = (
        torch.from_numpy(each).to(device) for each in (learned.centre, learned.spread, learned.means, learned.precision)
    )

    def squared(features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        apart = (features - centre) / spread - means[classes]
        return ((apart @ precision) * apart).sum(dim=1)

    return squared


@contextmanager
def _heard(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Keep the outputs of some modules while a model runs, with their gradients.

    Yields:
        Layer → its output, once the model has run.

    Raises:
        DnnTopologyError: One is no module.
    """
    modules, heard = dict(model.named_modules()), {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: torch.Tensor) -> None:  # noqa: ARG001  # the signature is torch's
            heard[name] = output

        return hook

    missing = [layer for layer in layers if layer not in modules]
    if missing:
        raise DnnTopologyError(
            f"layer {missing[0]!r} is no module of the model: an attack can evade modules' signals only"
        )
    handles: list[Any] = []
    try:
        handles.extend(modules[layer].register_forward_hook(keep(layer)) for layer in layers)
        yield heard
    finally:
        for handle in handles:
            handle.remove()
