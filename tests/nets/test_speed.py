from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from dnn_topology.nets import kernels, speed
from dnn_topology.nets import train as training
from dnn_topology.nets.data import DataSet, Samples, batches, load_data, sample
from dnn_topology.nets.data.loading import each_batch, some
from dnn_topology.nets.speed import hastened
from dnn_topology.nets.train import TrainingState, train
from dnn_topology.nets.zoo import build_net


def layout(net: nn.Module) -> list[tuple[int, ...]]:
    """How the weights of a network lie in memory, and what calls are exchanged."""
    return [weight.stride() for weight in net.parameters()] + [(len(vars(module)),) for module in net.modules()]


@pytest.mark.parametrize("shape", [(3, 4, 8, 8), (2, 3, 7, 9), (1, 1, 5, 4), (4, 6, 6)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pooling_has_torchs_values_and_gradients_where_pixels_are_equal_too(
    shape: tuple[int, ...], memory_format: torch.memory_format
) -> None:
    pool = nn.MaxPool2d(2)
    images = torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(0)).float()
    if images.ndim == 4:
        images = images.to(memory_format=memory_format)
    watched = images.clone().requires_grad_()
    expected = functional.max_pool2d(watched, 2)
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad(expected, watched, weights)
    with hastened(pool):
        assert "forward" in vars(pool)
        with torch.no_grad():
            assert torch.equal(pool(images), expected)
        found = pool(watched)
        assert torch.equal(found, expected)
        assert torch.equal(torch.autograd.grad(found, watched, weights)[0], gradient)
    assert "forward" not in vars(pool)


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(3), nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2, padding=1), nn.MaxPool2d(2, ceil_mode=True)],
    ids=str,
)
def test_other_pooling_is_left_alone(pool: nn.Module) -> None:
    with hastened(pool):
        assert "forward" not in vars(pool)


def test_without_the_other_memory_format_a_network_answers_bit_by_bit_as_ever() -> None:
    net, images = build_net("lenet").eval(), torch.rand(9, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    expected = net(images)
    with hastened(net), torch.no_grad():
        assert torch.equal(net(images), expected)


@pytest.mark.parametrize("name", ["lenet", "conv_2"])
def test_the_other_memory_format_is_taken_back_even_after_an_error(name: str) -> None:
    net = build_net(name).eval()
    images, before = torch.rand(9, 1, 28, 28, generator=torch.Generator().manual_seed(0)), layout(net)
    expected = net(images)
    with pytest.raises(KeyError), hastened(net, channels_last=True) as memory_format:  # noqa: PT012  # inside the block
        assert memory_format is torch.channels_last
        assert layout(net) != before
        assert torch.allclose(net(images.to(memory_format=memory_format)), expected, atol=1e-5)
        raise KeyError
    assert layout(net) == before
    assert torch.equal(net(images), expected)


def test_a_perceptron_has_nothing_to_turn() -> None:
    with hastened(build_net("lenet_300_100"), channels_last=True) as memory_format:
        assert memory_format is torch.contiguous_format


@pytest.fixture
def few() -> DataSet:
    return load_data("digits", shape=(1, 28, 28), train_size=300)


def states_of(data: DataSet, epochs: int, resume: TrainingState | None = None) -> list[TrainingState]:
    states = list[TrainingState]()
    train(build_net("lenet"), data, epochs=epochs, lr=0.02, resume=resume, on_epoch=states.append)
    return states


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_training_differs_in_the_last_bits_alone_and_resumes_bit_by_bit(
    few: DataSet, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = states_of(few, 2)[-1]
    monkeypatch.setattr(speed, "LARGE", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)  # by kernels with one
    states = states_of(few, 2)
    resumed = states_of(few, 2, resume=states[1])[-1]
    for name, weights in states[-1].model.items():
        assert torch.allclose(weights, usual.model[name], atol=1e-4)
        assert torch.equal(weights, resumed.model[name])
        assert weights.is_contiguous()
    assert states[-1].history == resumed.history


def test_loss_and_accuracy_of_a_large_training_are_those_of_a_fixed_sample(
    few: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "LARGE", 100)
    monkeypatch.setattr(training, "EVALUATED", 50)
    net = build_net("lenet")
    history = train(net, few, epochs=1)
    part = some(few.train, 50)
    assert len(part) == 50
    loss, accuracy = training.evaluate(net, part)
    assert history["train_loss"].iloc[-1] == pytest.approx(loss, rel=1e-5)
    assert history["train_accuracy"].iloc[-1] == accuracy
    assert torch.equal(part.tensors[1], some(few.train, 50).tensors[1])


def test_some_samples_are_samples_of_the_data_set_in_its_order(few: DataSet) -> None:
    part = some(few.train, 20)
    images, labels = part.tensors
    whole = {image.numpy().tobytes(): place for place, image in enumerate(few.train.tensors[0])}
    places = [whole[image.numpy().tobytes()] for image in images]
    assert places == sorted(set(places))
    assert torch.equal(labels, few.train.tensors[1][places])
    assert torch.equal(part[[3, 1]][0], images[[3, 1]])
    assert len(sample(part, 7)) == 7


class Own:
    """A data set of a user's own, which takes lists of places alone."""

    def __init__(self, dataset: Samples) -> None:
        self.tensors = dataset.tensors

    def __len__(self) -> int:
        return len(self.tensors[1])

    def __getitem__(self, places: Any) -> tuple[torch.Tensor, ...]:
        assert type(places) is list
        return tuple(one[places] for one in self.tensors)


def changed(dataset: Samples) -> Samples:
    """The data set, the first of whose images was changed."""
    dataset.tensors[0][0] = 7
    return dataset


@pytest.mark.parametrize("kind", ["fitted", "changed", "tensors", "some", "own"])
@pytest.mark.parametrize("seed", [None, 0, 5])
@pytest.mark.parametrize("batch_size", [1, 7, 13, 300, 1000])
def test_each_batch_is_that_of_the_loader(few: DataSet, kind: str, seed: int | None, batch_size: int) -> None:
    made: dict[str, Callable[[], Samples]] = {
        "fitted": lambda: few.train,
        "changed": lambda: changed(few.train),
        "tensors": lambda: TensorDataset(*few.train.tensors),
        "some": lambda: some(few.train, 92),
        "own": lambda: Own(few.train),
    }
    data = made[kind]()
    pairs = zip(
        each_batch(data, batch_size=batch_size, shuffle_seed=seed),
        batches(data, batch_size=batch_size, shuffle_seed=seed),
        strict=True,
    )
    for (images, labels), (expected, their_labels) in pairs:
        assert torch.equal(images, expected)
        assert torch.equal(labels, their_labels)


def test_each_batch_draws_nothing_from_the_global_generator(few: DataSet) -> None:
    before = torch.random.get_rng_state()
    assert len(list(each_batch(few.train, batch_size=128, shuffle_seed=3))) == 3
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", ["lenet", "lenet_300_100"])
def test_an_evaluation_is_the_mean_over_images_one_by_one(few: DataSet, name: str, *, channels_last: bool) -> None:
    net = build_net(name)
    loss, accuracy = training.evaluate(net, few.train, channels_last=channels_last)
    images, labels = few.train.tensors
    with torch.no_grad():
        outputs = torch.cat([net.eval()(image[None]) for image in images])
    assert loss == pytest.approx(functional.cross_entropy(outputs, labels).item(), rel=1e-5)
    assert accuracy == (outputs.argmax(1) == labels).double().mean().item()


def test_a_large_training_needs_no_compiler(few: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "LARGE", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    by_kernels = states_of(few, 2)[-1]
    monkeypatch.setattr(kernels, "is_ready", lambda: False)
    for name, weights in states_of(few, 2)[-1].model.items():
        assert torch.allclose(weights, by_kernels.model[name], atol=1e-4)
