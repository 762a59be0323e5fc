from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.attacks import (
    ATTACKS,
    Attacked,
    _foolbox_attack,
    attack,
    equal_noise,
    noisy_inputs,
)
from dnn_topology.analysis.adversarial.noise import shuffled_change
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import train
from dnn_topology.nets.zoo import build_net

pytest.importorskip("foolbox")


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits", shape=(1, 28, 28))


@pytest.fixture(scope="module")
def net(data: DataSet) -> nn.Module:
    """A LeNet-300-100 that has learned the digits a little."""
    net = build_net("lenet_300_100")
    train(net, data, epochs=2, lr=0.05)
    return net


def attacked(net: nn.Module, data: DataSet, **options: object) -> Attacked:
    images, labels = data.test[list(range(30))]
    return attack(net, images, labels, data=data, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ATTACKS)
def test_an_attack_of_size_0_is_the_identity_and_so_is_its_noise(net: nn.Module, data: DataSet, method: str) -> None:
    found = attacked(net, data, method=method, strength=0.0)
    assert torch.equal(found.adversarial, found.inputs)
    assert torch.equal(found.noise, found.inputs)
    assert not found.fooled.any()
    assert (found.sizes == 0).all().all()


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_a_bounded_attack_changes_no_pixel_by_more_than_its_strength(
    net: nn.Module, data: DataSet, method: str
) -> None:
    found = attacked(net, data, method=method, strength=0.1)
    assert data.normalisation is not None
    mean, std = data.normalisation
    change = (found.adversarial - found.inputs).abs() * torch.tensor(std)[0]
    assert float(change.max()) == pytest.approx(0.1, abs=1e-5)
    assert found.sizes["adversarial_linf"].to_numpy() == pytest.approx(change.flatten(1).amax(dim=1).numpy(), abs=1e-6)
    assert found.sizes["noise_linf"].to_numpy() == pytest.approx(found.sizes["adversarial_linf"].to_numpy(), abs=1e-5)
    pixels = found.adversarial * torch.tensor(std)[0] + torch.tensor(mean)[0]
    assert float(pixels.min()) > -1e-5
    assert float(pixels.max()) < 1 + 1e-5


def harm(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far the right class lies below the best other one."""
    with torch.no_grad():
        outputs: torch.Tensor = net.eval()(images)
    right = outputs.gather(1, labels[:, None])[:, 0]
    return outputs.scatter(1, labels[:, None], -torch.inf).amax(dim=1) - right


@pytest.mark.parametrize("steps", [1, 3, 10, 40])
@pytest.mark.parametrize("strength", [0.03, 0.1, 0.3])
def test_pgd_is_on_no_input_weaker_than_a_single_step(
    net: nn.Module, data: DataSet, steps: int, strength: float
) -> None:
    one, many = (attacked(net, data, method=method, strength=strength, steps=steps) for method in ("fgsm", "pgd"))
    labels = torch.from_numpy(one.labels)
    assert (harm(net, many.adversarial, labels) >= harm(net, one.adversarial, labels) - 1e-4).all()
    assert (many.fooled >= one.fooled).all()


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_on_a_linear_model_pgd_comes_as_far_as_the_best_attack_whatever_its_steps(steps: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    images = torch.rand(40, 1, 6, 6) * 0.4 + 0.3
    labels = model(images).argmax(dim=1)
    found = attack(model, images, labels, method="pgd", strength=0.1, steps=steps)
    # The best of all changes of at most 0.1 shifts every pixel by 0.1 against the difference of the two weights.
    weights = next(model[1].parameters()).detach()
    best = harm(model, images, labels) + 0.1 * (weights[0] - weights[1]).abs().sum()
    assert harm(model, found.adversarial, labels).numpy() == pytest.approx(best.numpy(), abs=1e-4)


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_the_steps_of_pgd_reach_across_the_ball_from_any_start_whatever_their_number(steps: int) -> None:
    carried_out = _foolbox_attack("pgd", steps)
    assert carried_out.steps == steps
    assert 2 <= steps * carried_out.rel_stepsize <= 2.5


def test_deepfool_fools_and_its_noise_has_the_same_length(net: nn.Module, data: DataSet) -> None:
    found = attacked(net, data, method="deepfool", strength=None)
    assert found.fooled[found.right].all()
    assert found.sizes["noise_l2"].to_numpy() == pytest.approx(found.sizes["adversarial_l2"].to_numpy(), rel=1e-3)
    assert (found.predicted_noise == found.labels).mean() > 0.8  # noise so small is harmless


def test_pgd_fools_more_often_than_noise_of_its_size(net: nn.Module, data: DataSet) -> None:
    found = attacked(net, data, method="pgd", strength=0.15)
    assert found.fooled.mean() > 2 * (found.predicted_noise != found.labels).mean()


def test_the_model_and_the_random_state_are_left_as_they_were(net: nn.Module, data: DataSet) -> None:
    net.train()
    first, *rest = net.parameters()
    first.requires_grad_(False)
    before = torch.random.get_rng_state()
    net.zero_grad()  # what training left
    attacked(net, data, method="pgd", strength=0.1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert net.training
    assert not first.requires_grad
    assert all(parameter.requires_grad for parameter in rest)
    assert all(parameter.grad is None for parameter in net.parameters())
    first.requires_grad_(True)


def test_the_seed_decides_the_attack(net: nn.Module, data: DataSet) -> None:
    one, same, other = (attacked(net, data, method="pgd", strength=0.1, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.adversarial, same.adversarial)
    assert torch.equal(one.noise, same.noise)
    assert not torch.equal(one.noise, other.noise)


def test_a_model_that_gives_logits_is_attacked_as_one_that_gives_log_probabilities(
    net: nn.Module, data: DataSet
) -> None:
    class Shifted(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = net(images) + 3.0
            return found

    shifted = attacked(Shifted(), data, method="fgsm", strength=0.1)
    own = attacked(net, data, method="fgsm", strength=0.1)
    assert torch.allclose(shifted.adversarial, own.adversarial, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_is_as_large_as_the_change_after_clipping(norm: str) -> None:
    pixels = torch.cat([torch.zeros(5, 40), torch.rand(5, 40, generator=torch.Generator().manual_seed(0))])
    change = 0.2 * torch.rand(10, 40, generator=torch.Generator().manual_seed(1)) * (pixels < 0.5)
    torch.manual_seed(0)
    noise = equal_noise(pixels, change, norm=norm)
    assert float((pixels + noise).min()) >= 0
    assert float((pixels + noise).max()) <= 1
    order = torch.inf if norm == "linf" else 2
    wanted = torch.linalg.vector_norm(change, ord=order, dim=1)
    assert torch.linalg.vector_norm(noise, ord=order, dim=1).numpy() == pytest.approx(wanted.numpy(), rel=1e-3)


def test_harmless_noise_stays_in_the_box_and_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    inputs = (torch.rand(40, 1, 5, 5, generator=torch.Generator().manual_seed(0)) - 0.5) / 0.2
    noisy = noisy_inputs(inputs, strength=0.3, mean=0.5, std=0.2, seed=1) * 0.2 + 0.5
    assert torch.equal(torch.random.get_rng_state(), before)
    assert float(noisy.min()) >= -1e-6
    assert float(noisy.max()) <= 1 + 1e-6
    assert not torch.equal(noisy, inputs * 0.2 + 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "pdg"}, "did you mean pgd"),
        ({"method": "fgsm", "strength": None}, "needs a strength"),
        ({"strength": -0.1}, "at least 0"),
        ({"strength": float("nan")}, "strength must be a finite number"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_a_wrong_option_is_one_line(net: nn.Module, data: DataSet, options: dict[str, object], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        attacked(net, data, **options)


def test_forgotten_normalisation_is_noticed(net: nn.Module, data: DataSet) -> None:
    images, labels = data.test[[0, 1]]
    with pytest.raises(DnnTopologyError, match=r"mean and std are what normalised them; a DataSet knows them"):
        attack(net, images, labels)
    with pytest.raises(DnnTopologyError, match=r"and so do mean= and std=: give one"):
        attack(net, images, labels, data=data, mean=0.5)
    with pytest.raises(DnnTopologyError, match=r"do not know how they were normalised: give mean= and std="):
        attack(net, images, labels, data=replace(data, normalisation=None))
    with pytest.raises(DnnTopologyError, match="one per channel"):
        attack(net, images, labels, mean=[0.1, 0.2])
    with pytest.raises(DnnTopologyError, match=r"labels \(n,\)"):
        attack(net, images, labels[:1])


def test_without_foolbox_the_remedy_is_named(net: nn.Module, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "foolbox", None)
    with pytest.raises(DnnTopologyError, match=r"foolbox>="):
        attacked(net, data, method="fgsm", strength=0.1)


def test_a_data_set_says_what_mean_and_std_say(net: nn.Module, data: DataSet) -> None:
    assert data.normalisation is not None
    mean, std = data.normalisation
    images, labels = data.test[[0, 1, 2]]
    said = attack(net, images, labels, method="fgsm", data=data)
    given = attack(net, images, labels, method="fgsm", mean=mean, std=std)
    assert torch.equal(said.adversarial, given.adversarial)
    noisy = [noisy_inputs(images, data=data), noisy_inputs(images, mean=mean, std=std)]
    assert torch.equal(*noisy)


def test_a_shuffled_change_has_the_same_values_on_every_level_of_brightness() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 4, (3, 2, 6, 6), generator=generator) / 4 + 0.1
    change = 0.05 * (torch.rand(pixels.shape, generator=generator) - 0.5)
    torch.manual_seed(0)
    shuffled = shuffled_change(pixels, change)
    assert not torch.equal(shuffled, change)
    for image, channel in ((image, channel) for image in range(3) for channel in range(2)):
        for level in (0.1, 0.35, 0.6, 0.85):
            there = (pixels[image, channel] - level).abs() < 0.01
            dealt, own = (each[image, channel][there].sort().values for each in (shuffled, change))
            assert torch.allclose(dealt, own, atol=1e-6)


def test_a_shuffled_change_stays_in_the_box_and_no_change_stays_none() -> None:
    pixels = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    change = 0.3 * torch.sign(torch.randn(pixels.shape, generator=torch.Generator().manual_seed(1)))
    shuffled = pixels + shuffled_change(pixels, change)
    assert 0 <= float(shuffled.min()) < float(shuffled.max()) <= 1
    assert torch.equal(shuffled_change(pixels, torch.zeros_like(pixels)), torch.zeros_like(pixels))


def test_beside_an_attack_stand_noise_of_its_length_and_its_own_change_shuffled(net: nn.Module, data: DataSet) -> None:
    found = attacked(net, data, method="pgd", strength=0.1)
    sizes = found.sizes
    assert sizes["l2noise_l2"].to_numpy() == pytest.approx(sizes["adversarial_l2"].to_numpy(), rel=1e-3)
    assert sizes["shuffled_l2"].to_numpy() == pytest.approx(sizes["adversarial_l2"].to_numpy(), rel=0.05)
    assert (found.predicted_shuffled == found.predicted).mean() > (
        found.predicted_adversarial == found.predicted
    ).mean()
