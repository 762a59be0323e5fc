"""The kernels of training and the layers made of them, beside PyTorch's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
import torch
from torch import nn
from torch.nn import functional

from dnn_topology import _compiled
from dnn_topology.nets import hastened_layers, kernels, speed
from dnn_topology.nets.hastened_layers import MaxPool2x2, SparseGradientConv2d
from dnn_topology.nets.kernels import convolution, pooling
from dnn_topology.nets.speed import hastened

SHAPES = [(3, 10, 8, 6), (2, 1, 4, 4), (1, 17, 2, 2), (5, 3, 12, 2)]
pooled: Callable[[torch.Tensor], torch.Tensor] = MaxPool2x2.apply
convolved: Callable[..., torch.Tensor] = SparseGradientConv2d.apply
conv2d: Callable[..., torch.Tensor] = functional.conv2d
gradient_of: Callable[..., Any] = torch.autograd.grad


def drawn(*shape: int, seed: int = 0, whole: bool = False) -> torch.Tensor:
    """Seeded images, channels last; of whole numbers, many of which are equal."""
    generator = torch.Generator().manual_seed(seed)
    values = (
        torch.randint(0, 3, shape, generator=generator).float() if whole else torch.randn(shape, generator=generator)
    )
    return values.to(memory_format=torch.channels_last)


def thinned(gradient: torch.Tensor, share: float) -> torch.Tensor:
    """A gradient of which only a share is not 0."""
    kept = torch.rand(gradient.shape, generator=torch.Generator().manual_seed(7)) < share
    return gradient * kept


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("whole", [True, False], ids=["equal pixels", "others"])
def test_pooling_has_the_bits_of_pytorch_and_so_has_its_gradient(shape: tuple[int, ...], *, whole: bool) -> None:
    images = drawn(*shape, whole=whole).requires_grad_()
    ours, theirs = pooled(images), functional.max_pool2d(images, 2)
    assert torch.equal(ours, theirs)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    for gradient in (
        drawn(*theirs.shape, seed=1),
        drawn(*theirs.shape, seed=1).contiguous(),
        torch.ones(()).expand_as(ours),
    ):
        expected = gradient_of(theirs, images, gradient, retain_graph=True)[0]
        assert torch.equal(gradient_of(ours, images, gradient, retain_graph=True)[0], expected)


def test_pooling_passes_nan_and_infinity_on_as_pytorch_does() -> None:
    images = drawn(64, 5, 4, 4)
    odd = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, 1.0])
    images = odd[torch.randint(0, 5, images.shape, generator=torch.Generator().manual_seed(3))]
    images = images.to(memory_format=torch.channels_last)
    assert torch.equal(pooled(images).nan_to_num(9), functional.max_pool2d(images, 2).nan_to_num(9))
    assert pooled(images).isnan().any()


def test_the_gradient_of_the_gradient_of_pooling_is_pytorchs() -> None:
    images, gradient = drawn(2, 3, 4, 6, whole=True).requires_grad_(), drawn(2, 3, 2, 3, seed=1).requires_grad_()
    found = []
    for pool in (pooled, lambda images: functional.max_pool2d(images, 2)):
        (first,) = gradient_of(pool(images * images), images, gradient, create_graph=True)
        found.append(gradient_of((first**2).sum(), (images, gradient)))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("sizes", [(2, 3, 3, 3, 9, 8), (10, 20, 5, 5, 12, 12), (5, 2, 3, 4, 3, 4), (7, 1, 4, 3, 6, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolutions_gradient_from_what_is_not_0_is_pytorchs_to_rounding(
    sizes: tuple[int, ...], *, bias: bool
) -> None:
    channels, outputs, rows, columns, height, width = sizes
    given = [drawn(4, channels, height, width), drawn(outputs, channels, rows, columns, seed=1)]
    given += [torch.randn(outputs, generator=torch.Generator().manual_seed(2))] * bias
    given = [one.requires_grad_() for one in given]
    ours = convolved(*given) if bias else convolved(*given, None)
    assert torch.equal(ours, conv2d(*given))
    gradient = thinned(drawn(*ours.shape, seed=3), 0.1)
    exact = [one.detach().double().requires_grad_() for one in given]
    expected = gradient_of(conv2d(*exact), exact, gradient.double())
    for one, other in zip(gradient_of(ours, given, gradient), expected, strict=True):
        assert torch.allclose(one.double(), other, atol=1e-5 * float(other.abs().max() + 1e-9))


def test_a_gradient_without_zeros_is_left_to_pytorch() -> None:
    given = [drawn(4, 6, 9, 9).requires_grad_(), drawn(5, 6, 3, 3, seed=1).requires_grad_()]
    gradient = drawn(4, 5, 7, 7, seed=2)
    expected = gradient_of(conv2d(*given), given, gradient)
    for one, other in zip(gradient_of(convolved(*given, None), given, gradient), expected, strict=True):
        assert torch.equal(one, other)


def test_the_gradient_of_the_gradient_of_a_convolution_is_pytorchs() -> None:
    found = []
    for layer in (convolved, conv2d):
        given = [drawn(2, 3, 5, 5).requires_grad_(), drawn(4, 3, 3, 3, seed=1).requires_grad_(), torch.ones(4)]
        gradient = thinned(drawn(2, 4, 3, 3, seed=2), 0.1)
        first = gradient_of(layer(*given), given[:2], gradient, create_graph=True)
        found.append(gradient_of(sum((one**2).sum() for one in first), given[:2]))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_images_alone_may_want_no_gradient() -> None:
    images, weights = drawn(2, 3, 5, 5), drawn(4, 3, 3, 3, seed=1).requires_grad_()
    gradient = thinned(drawn(2, 4, 3, 3, seed=2), 0.1)
    (expected,) = gradient_of(conv2d(images, weights), weights, gradient)
    assert torch.equal(gradient_of(convolved(images, weights, None), weights, gradient)[0], expected)


def gradients_of_layers() -> list[torch.Tensor]:
    """What the layers made of kernels answer, and their gradients, of seeded images."""
    images = drawn(3, 3, 6, 8, whole=True).requires_grad_()
    given = [drawn(4, 5, 7, 8), drawn(9, 5, 3, 3, seed=1), torch.randn(9, generator=torch.Generator().manual_seed(2))]
    given = [one.requires_grad_() for one in given]
    found = [pooled(images), convolved(*given)]
    found += gradient_of(found[0], images, drawn(*found[0].shape, seed=3))
    found += gradient_of(found[1], given, thinned(drawn(*found[1].shape, seed=4), 0.1))
    return [one.detach() for one in found]


def test_plain_python_writes_what_compiled_code_writes(tmp_path: Path) -> None:
    program = (
        "import sys, warnings, torch; warnings.simplefilter('error')\n"
        "from dnn_topology.nets import kernels\n"
        "from tests.nets.test_kernels import gradients_of_layers\n"
        "assert not kernels.is_ready()\n"
        "torch.save(gradients_of_layers(), sys.argv[1])\n"
    )
    here = Path(__file__).parents[2]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "plain.pt")], check=True, cwd=here, env=environment)
    plain = torch.load(tmp_path / "plain.pt", weights_only=True)
    for one, other in zip(gradients_of_layers(), plain, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (3, 3)], ids=str)
def test_pooling_within_a_training_has_pytorchs_bits_for_every_size(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    net, images = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2)), drawn(3, 10, *size, whole=True).requires_grad_()
    expected = functional.max_pool2d(images, 2)
    with hastened(net, channels_last=True):
        found = net[1](images)
    assert torch.equal(found, expected)
    weights = drawn(*expected.shape, seed=1)
    assert torch.equal(gradient_of(found, images, weights)[0], gradient_of(expected, images, weights)[0])


@pytest.mark.parametrize("dims", [(1, -1), (0, 1), (2, 3)], ids=str)
def test_flattening_within_a_training_has_pytorchs_bits(dims: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    net, images = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(*dims)), drawn(3, 4, 5, 6).requires_grad_()
    expected = (2 * images).flatten(*dims)
    with hastened(net, channels_last=True):
        found = net[1](2 * images)
    assert torch.equal(found, expected)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(gradient_of(found, images, weights)[0], gradient_of(expected, images, weights)[0])


def test_images_of_the_users_own_keep_no_hook() -> None:
    net, images = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten()), drawn(3, 4, 5, 6).requires_grad_()
    with hastened(net, channels_last=True):
        net[1](images)
    assert not images._backward_hooks


def small_net() -> nn.Sequential:
    """Convolutions of few channels, padded and not, normalised and pooled."""
    torch.manual_seed(0)
    block = [nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block, nn.Conv2d(6, 9, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(9 * 9, 4))


def gradients(net: nn.Module, images: torch.Tensor, *, channels_last: bool) -> list[torch.Tensor]:
    """The gradients of a step."""
    net.zero_grad()
    with hastened(net, channels_last=channels_last) as memory_format:
        output = net(images.to(memory_format=memory_format))
        functional.cross_entropy(output, torch.arange(len(images)) % 4).backward()  # type: ignore[no-untyped-call]
    return [one.grad for one in net.parameters() if one.grad is not None]


def test_a_step_by_kernels_has_the_gradients_of_a_plain_one_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert kernels.is_ready()
    called = set[str]()

    def noted(name: str, kernel: Callable[..., None]) -> Callable[..., None]:
        def call(*arrays: Any) -> None:
            called.add(name)
            kernel(*arrays)

        return call

    modules = {
        "take_largest": pooling,
        "give_back": pooling,
        "convolve_back": convolution,
    }
    for name, module in modules.items():
        monkeypatch.setattr(module, name, noted(name, getattr(module, name)))
    net, images = small_net(), drawn(12, 1, 16, 16)
    net.get_parameter("4.bias").data -= 3  # most of what is pooled is negative: ReLU stops it
    kernelled = gradients(net, images, channels_last=True)
    assert called == set(modules)
    for one, other in zip(kernelled, gradients(net, images, channels_last=False), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("threads", "ready"), [(2, True), (1, False)], ids=["two threads", "no compiler"])
def test_pytorchs_own_is_taken_where_kernels_are_slower_or_not_there(
    threads: int, monkeypatch: pytest.MonkeyPatch, *, ready: bool
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(kernels, "is_ready", lambda: ready)
    monkeypatch.delattr(pooling, "take_largest")
    net, images = small_net(), drawn(12, 1, 16, 16)
    for one, other in zip(
        gradients(net, images, channels_last=True), gradients(net, images, channels_last=False), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(1, 10, 5),
        nn.Conv2d(10, 20, 5, padding=1),
        nn.Conv2d(10, 20, 5, stride=2),
        nn.Conv2d(10, 20, 5, dilation=2),
        nn.Conv2d(10, 20, 5, groups=10),
        nn.Conv2d(10, 20, 1),
        nn.Conv2d(32, 64, 3),
        nn.Conv1d(10, 20, 5),
        nn.LazyConv2d(20, 5),
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(module: nn.Module) -> None:
    assert not speed._has_few_channels(module)
    assert speed._has_few_channels(nn.Conv2d(10, 20, 5))


def test_hooks_of_hastened_layers_run_and_none_is_left() -> None:
    net, images, ran = small_net(), drawn(4, 1, 16, 16), list[nn.Module]()
    before = [set(vars(module)) for module in net]
    for module in net:
        module.register_forward_hook(lambda module, *_: ran.append(module))
    gradients(net, images, channels_last=True)
    assert ran == list(net)
    assert [set(vars(module)) for module in net] == before


def test_a_network_of_other_numbers_is_trained_by_pytorch() -> None:
    net, images = small_net().double(), drawn(4, 1, 16, 16).double()
    for one, other in zip(
        gradients(net, images, channels_last=True), gradients(net, images, channels_last=False), strict=True
    ):
        assert torch.allclose(one, other)


def test_transforms_of_functions_work_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    net = small_net().eval()
    images = drawn(3, 1, 16, 16)

    def loss(parameters: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = torch.func.functional_call(net, parameters, (image[None],))
        return answer.square().sum()

    parameters = {name: one.detach() for name, one in net.named_parameters()}
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))
    expected = each(parameters, images)
    for channels_last in (False, True):
        with hastened(net, channels_last=channels_last):
            parameters = {name: one.detach() for name, one in net.named_parameters()}
            found = each(parameters, images)
            first = torch.func.grad(loss)(parameters, images[0].contiguous(memory_format=torch.contiguous_format))
        for name, gradient in expected.items():
            assert torch.allclose(found[name], gradient, atol=1e-4), name
            assert torch.allclose(first[name], gradient[0], atol=1e-4), name


def test_kernels_that_cannot_be_compiled_are_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown_to_numba(*_: Any) -> None:
        [].no_such_method()  # type: ignore[attr-defined]

    monkeypatch.setattr(pooling, "give_back", _compiled.entry(unknown_to_numba))
    assert not kernels.is_ready.__wrapped__()


def test_images_that_the_kernels_do_not_take_are_told_apart() -> None:
    assert hastened_layers.fits(drawn(2, 3, 4, 4))
    for other in (drawn(2, 3, 4, 4).contiguous(), drawn(2, 3, 4, 4).double(), drawn(0, 3, 4, 4), torch.zeros(3, 4)):
        assert not hastened_layers.fits(other)


def test_plain_python_is_not_taken_for_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.is_ready.__wrapped__()
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert not kernels.is_ready.__wrapped__()
