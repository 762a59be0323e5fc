"""The attack that evades a detector as well, and the scores that it differentiates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.adaptive import adaptive_attack
from dnn_topology.analysis.adversarial.detection import FittedDetectors, fit_detectors
from dnn_topology.analysis.adversarial.differentiable import EVADABLE, differentiable_score
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import train
from dnn_topology.nets.zoo import build_net


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits", shape=(1, 28, 28))


@pytest.fixture(scope="module")
def detectors(data: DataSet) -> FittedDetectors:
    """All that can be evaded, of a LeNet-300-100 that has learned the digits a little."""
    net = build_net("lenet_300_100")
    train(net, data, epochs=2, lr=0.05)
    return fit_detectors(net, data.train[list(range(150))][0], detectors=EVADABLE, data=data)


def scaled(data: DataSet) -> tuple[torch.Tensor, torch.Tensor]:
    assert data.normalisation is not None
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in data.normalisation)
    return mean, std


@pytest.mark.parametrize("name", EVADABLE)
def test_the_score_that_is_differentiated_is_the_detectors(
    detectors: FittedDetectors, data: DataSet, name: str
) -> None:
    images, (offset, scale) = data.test[list(range(12))][0], scaled(data)
    detectors.model.eval()
    with torch.no_grad():
        answers, scores = differentiable_score(name, detectors, (offset, scale))(images * scale + offset)
        assert torch.allclose(answers[0], detectors.model(images), atol=1e-4)
    assert scores.numpy() == pytest.approx(detectors.score(images).single[name], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["softmax", "penultimate", "inputs", "profile", "uncertainty"])
def test_its_gradient_is_that_of_small_steps(detectors: FittedDetectors, data: DataSet, name: str) -> None:
    model = detectors.model.eval().double()
    try:
        offset, scale = (each.double() for each in scaled(data))
        score = differentiable_score(name, detectors, (offset, scale))
        pixels = (data.test[[3]][0].double() * scale + offset).requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(pixels)[1].sum(), pixels)
        uphill = 1e-6 * gradient / gradient.norm()
        ahead, behind = (score(pixels.detach() + sign * uphill)[1].item() for sign in (1, -1))
        assert (ahead - behind) / 2e-6 == pytest.approx(gradient.norm().item(), rel=1e-3)
    finally:
        model.float()


@pytest.mark.parametrize(
    ("name", "n_inputs", "steps"),
    [("penultimate", 60, 80), ("squeeze-bit", 60, 80), ("softmax", 60, 80), ("profile+noise", 20, 20)],
)
def test_an_evading_attack_fools_and_is_less_suspicious_than_plain_pgd(
    detectors: FittedDetectors, data: DataSet, name: str, n_inputs: int, steps: int
) -> None:
    pytest.importorskip("foolbox")
    from dnn_topology.analysis.adversarial.attacks import attack

    images, labels = data.test[list(range(n_inputs))]
    evading = adaptive_attack(detectors, images, labels, evade=name, strength=0.2, data=data, steps=steps)
    plain = attack(detectors.model, images, labels, method="pgd", strength=0.2, data=data)
    both = evading.fooled & plain.fooled
    assert evading.fooled.mean() > plain.fooled.mean() - 0.05
    scores = [detectors.score(each.adversarial).single[name][both] for each in (evading, plain)]
    assert np.median(scores[0]) < np.median(scores[1])
    assert (scores[0] < scores[1]).mean() > 0.6


def test_it_stays_in_the_ball_and_in_the_box_and_of_size_0_it_is_the_identity(
    detectors: FittedDetectors, data: DataSet
) -> None:
    images, labels = data.test[list(range(10))]
    made = adaptive_attack(detectors, images, labels, evade="penultimate", strength=0.1, data=data, steps=5)
    offset, scale = scaled(data)
    pixels = made.adversarial * scale + offset
    assert float((made.adversarial - made.inputs).abs().max() * scale.max()) <= 0.1 + 1e-5
    assert -1e-5 < float(pixels.min()) < float(pixels.max()) < 1 + 1e-5
    nothing = adaptive_attack(detectors, images, labels, evade="squeezing", strength=0.0, data=data, steps=5)
    assert torch.equal(nothing.adversarial, nothing.inputs)


def test_no_hook_is_left_behind_even_after_an_exception(detectors: FittedDetectors, data: DataSet) -> None:
    score = differentiable_score("activations", detectors, scaled(data))
    with pytest.raises(RuntimeError):
        score(torch.rand(2, 1, 5, 5))
    assert not any(module._forward_hooks for module in detectors.model.modules())


def test_what_cannot_be_evaded_is_one_line(detectors: FittedDetectors, data: DataSet) -> None:
    images, labels = data.test[[0, 1]]
    with pytest.raises(DnnTopologyError, match=r"evade"):
        adaptive_attack(detectors, images, labels, evade="heaviest", data=data)
    few = fit_detectors(detectors.model, data.train[list(range(30))][0], detectors=["softmax"])
    with pytest.raises(DnnTopologyError, match=r"none of the fitted detectors \(softmax\): fit it too"):
        adaptive_attack(few, images, labels, evade="penultimate", data=data)


class Functional(nn.Module):
    """A network whose activations are functions: no module gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(9, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.second(torch.relu(self.first(images.flatten(1)))).relu()
        outputs: torch.Tensor = self.third(hidden)
        return outputs


def test_a_layer_that_is_a_function_cannot_be_evaded_and_that_is_said() -> None:
    ready = fit_detectors(Functional(), torch.rand(30, 1, 3, 3), detectors=["activations"], layers=["relu", "output"])
    with pytest.raises(DnnTopologyError, match="is no module of the model"):
        adaptive_attack(ready, torch.rand(2, 1, 3, 3), torch.tensor([0, 1]), evade="activations")
