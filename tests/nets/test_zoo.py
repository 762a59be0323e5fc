from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet, load_data, sample
from dnn_topology.nets.train import train
from dnn_topology.nets.zoo import NETWORKS, Network, build_net, find_network
from dnn_topology.recording.activations import record
from dnn_topology.recording.layers import default_layers
from dnn_topology.recording.listing import list_layers

DEEP = {name for name, network in NETWORKS.items() if "layers" in network.about and name.startswith(("res", "dense"))}
SMALL = [name for name in NETWORKS if name.startswith(("lenet", "conv"))]
CHANNELS = {"lenet": 90, "conv_2": 650, "conv_4": 906, "conv_6": 1418, "alexnet": 1162, "vgg": 1930}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name in DEEP)) for name in NETWORKS]
)
def built(request: pytest.FixtureRequest) -> tuple[Network, nn.Module, torch.Tensor]:
    """A network, built for 10 classes or its own number, and two images."""
    network = NETWORKS[request.param]
    images = torch.rand(2, *network.shapes[0], generator=torch.Generator().manual_seed(0))
    return network, build_net(network.name, n_classes=network.n_classes or 10), images


def test_a_network_gives_one_number_per_class(built: tuple[Network, nn.Module, torch.Tensor]) -> None:
    network, net, images = built
    with torch.no_grad():
        assert net.eval()(images).shape == (2, network.n_classes or 10)


def test_a_network_has_the_nodes_that_the_list_says(built: tuple[Network, nn.Module, torch.Tensor]) -> None:
    network, net, images = built
    counts = [list_layers(net, images, layers=default_layers(net, nodes))[nodes].sum() for nodes in ("unit", "channel")]
    assert tuple(counts) == network.n_nodes


def test_a_training_step_reaches_every_weight(built: tuple[Network, nn.Module, torch.Tensor]) -> None:
    _, net, images = built
    net.train()
    functional.cross_entropy(net(images), torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in net.parameters())
    net.zero_grad()


@pytest.mark.parametrize(("net", "nodes"), CHANNELS.items())
def test_a_network_has_as_many_channels_as_in_the_original(net: str, nodes: int) -> None:
    network = find_network(net)
    assert record(build_net(net), [torch.rand(2, *network.shapes[0])], nodes="channel").values.shape == (2, nodes)


@pytest.mark.parametrize(
    ("net", "units"),
    [("lenet", 10 * 12 * 12 + 320 + 50 + 10), ("lenet_300_100", 410), ("conv_6", 256 * 49 + 256 * 9 + 256 + 256 + 10)],
)
def test_a_network_has_as_many_units_as_in_the_original(net: str, units: int) -> None:
    assert record(build_net(net), [torch.rand(2, 1, 28, 28)]).values.shape == (2, units)


def test_vgg16_records_the_features_that_the_original_selects() -> None:
    nodes = NETWORKS["vgg16"].node_layers
    assert nodes is not None
    assert nodes["unit"] == (*(f"features.{place}" for place in (13, 19, 26, 33, 39)), "classifier")


@pytest.mark.parametrize("depth", [11, 13, 19])
def test_every_vgg_selects_the_same_kinds_of_layers(depth: int) -> None:
    def kinds(name: str) -> list[type]:
        nodes = NETWORKS[name].node_layers
        assert nodes is not None
        return [type(build_net(name).get_submodule(layer)) for layer in nodes["unit"]]

    assert kinds(f"vgg{depth}") == kinds("vgg16")


@pytest.mark.parametrize("net", SMALL)
def test_a_small_network_gives_log_probabilities_of_the_classes_asked_for(net: str) -> None:
    n_classes = NETWORKS[net].n_classes or 7
    output = build_net(net, n_classes=n_classes).eval()(torch.rand(3, *NETWORKS[net].shapes[0]))
    assert output.shape == (3, n_classes)
    assert torch.allclose(output.exp().sum(dim=1), torch.ones(3))


@pytest.mark.parametrize("net", ["conv_2", "conv_4", "conv_6", "lenetext"])
def test_a_small_network_takes_every_shape_that_it_lists(net: str) -> None:
    for shape in NETWORKS[net].shapes:
        assert build_net(net, shape=shape).eval()(torch.rand(2, *shape)).shape == (2, 10)


def test_a_stem_for_small_images_keeps_their_size() -> None:
    net, images = build_net("resnet"), torch.rand(2, 3, 32, 32)
    assert record(net, [images], layers=["maxpool"]).values.shape == (2, 64 * 32 * 32)


@pytest.mark.parametrize("net", ["lenet", "vgg11"])
def test_initial_weights_depend_on_the_seed_alone(net: str) -> None:
    state = torch.random.get_rng_state()
    first, second, other = (next(build_net(net, seed=seed).parameters()) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(("alias", "name"), [("vgg", "vgg16"), ("resnet", "resnet18"), ("googlenet", "inception")])
def test_an_alias_names_the_same_network(alias: str, name: str) -> None:
    assert find_network(alias) is NETWORKS[name]


def test_images_keep_their_colours_where_the_network_takes_them() -> None:
    assert NETWORKS["conv_4"].shape_for((3, 32, 32)) == (3, 32, 32)
    assert NETWORKS["lenet"].shape_for((3, 32, 32)) == (1, 28, 28)
    assert NETWORKS["resnet18"].shape_for((1, 28, 28)) == (3, 32, 32)


def test_a_size_that_was_asked_for_reaches_a_network_that_takes_any() -> None:
    network = find_network("torchvision:squeezenet1_1")
    assert load_data("digits_color64", shape=network.shape_for).shape == (3, 64, 64)
    assert network.shape_for((1, 8, 8)) == (3, 224, 224)


def test_an_unknown_network_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(DnnTopologyError, match="unknown net 'lennet': did you mean lenet"):
        build_net("lennet")


def test_a_network_refuses_images_that_it_cannot_take() -> None:
    with pytest.raises(DnnTopologyError, match="resnet18 takes images of 3×32×32, found 1×28×28"):
        build_net("resnet18", shape=(1, 28, 28))


def test_a_network_of_two_classes_asks_for_binarised_labels() -> None:
    with pytest.raises(
        DnnTopologyError, match=r"lenetbin tells 2 classes apart and the data set has 10: add binarize_labels=C"
    ):
        build_net("lenetbin")


def learns_and_records(model: nn.Module, network: Network, name: str) -> None:
    """Train a network for an epoch on two images of a data set, and record it on a third."""
    data = load_data(name, shape=network.shape_for, binarize_labels=3 if network.n_classes == 2 else -1)
    tiny = DataSet(name, sample(data.train, 2), sample(data.test, 1), data.n_classes)
    assert train(model, tiny, epochs=1)["epoch"].tolist() == [0, 1]
    assert len(record(model, [tiny.test[[0]]], nodes="channel").values) == 1


@pytest.mark.parametrize("name", ["mnist-5k", "digits"])
def test_every_network_learns_and_records_every_embedded_data_set(
    built: tuple[Network, nn.Module, torch.Tensor], name: str
) -> None:
    network, net, _ = built
    learns_and_records(net, network, name)


@pytest.mark.parametrize("net", [name for name in NETWORKS if NETWORKS[name].any_shape])
def test_a_network_of_any_shape_learns_and_records_sequences(net: str) -> None:
    pytest.importorskip("mnist1d")
    learns_and_records(build_net(net, shape=(1, 1, 40)), NETWORKS[net], "mnist1d")


VARIED = [name for name in NETWORKS if NETWORKS[name].options]


def widths(net: nn.Module) -> list[int]:
    """The number of outputs of every layer with weights."""
    return [len(module.weight) for module in net.modules() if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d))]


@pytest.mark.parametrize("name", VARIED)
def test_a_width_multiplies_every_layer_but_the_last(name: str) -> None:
    n_classes = NETWORKS[name].n_classes or 10
    *hidden, last = widths(build_net(name, n_classes=n_classes))
    assert widths(build_net(name, n_classes=n_classes, width=2)) == [*(2 * width for width in hidden), last]
    assert min(widths(build_net(name, n_classes=n_classes, width=1e-9))) == 1


@pytest.mark.parametrize("name", [name for name in VARIED if "depth" in NETWORKS[name].options])
def test_a_depth_is_the_number_of_hidden_layers_and_all_of_them_are_recorded(name: str) -> None:
    for depth in (1, 2, 5):
        net = build_net(name, depth=depth)
        assert len(widths(net)) == depth + 1
        assert record(net, [torch.rand(2, 1, 28, 28)]).values.shape == (2, sum(widths(net)))


@pytest.mark.parametrize("name", VARIED)
def test_dropout_changes_answers_in_training_alone_and_more_with_a_larger_share(name: str) -> None:
    network = NETWORKS[name]
    images = torch.rand(50, *network.shapes[0], generator=torch.Generator().manual_seed(0))
    built = {share: build_net(name, n_classes=network.n_classes or 10, dropout=share) for share in (0.0, 0.1, 0.9)}
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        quiet = {share: net.eval()(images) for share, net in built.items()}
        noisy = {share: net.train()(images) - quiet[share] for share, net in built.items()}
    assert torch.equal(quiet[0.0], quiet[0.9])
    assert noisy[0.0].abs().max() < 1e-5 < noisy[0.1].norm() < noisy[0.9].norm()


@pytest.mark.parametrize("name", VARIED)
def test_what_is_not_asked_for_is_as_ever(name: str) -> None:
    options: dict[str, Any] = {"width": 1.0, "depth": 2, "dropout": 0.5 if "lenet" in name else 0.0}
    options = {option: options[option] for option in NETWORKS[name].options}
    if name == "lenet_300_100":
        del options["dropout"]
    usual, named = (build_net(name, n_classes=NETWORKS[name].n_classes or 10, **given) for given in ({}, options))
    assert usual.state_dict().keys() == named.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(usual.parameters(), named.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"width": 2.0}, "resnet18 has no width to choose: leave it out, or take one of lenet, .*mlp"),
        ("lenet", {"depth": 2}, "lenet has no depth to choose: leave it out, or take one of lenet_300_100, mlp"),
        ("torchvision:resnet18", {"dropout": 0.1}, "torchvision:resnet18 has no dropout to choose"),
        ("mlp", {"width": 0.0}, "width must be positive and finite, found 0.0"),
        ("mlp", {"depth": 0}, "depth must be at least 1, found 0"),
        ("mlp", {"dropout": 1.0}, r"dropout must lie in \[0, 1\), found 1.0"),
    ],
)
def test_a_variation_that_a_network_does_not_have_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        build_net(name, **options)


@pytest.mark.parametrize("net", [name for name in NETWORKS if not NETWORKS[name].any_shape])
def test_networks_for_images_refuse_sequences(net: str) -> None:
    pytest.importorskip("mnist1d")
    with pytest.raises(DnnTopologyError, match="holds sequences of 40 numbers, which cannot become images"):
        load_data("mnist1d", shape=NETWORKS[net].shape_for)


FACTORY = """
import torch
from torch import nn

def make(n_classes, shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], 5), nn.ReLU(), nn.Linear(5, n_classes))

def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def other():
    return nn.Conv2d(1, 1, 3)

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's own, in the working folder."""
    (tmp_path / "own_networks.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    return "own_networks"


def test_a_factory_of_the_users_own_is_given_what_it_asks_for(own: str) -> None:
    net = build_net(f"{own}:make", n_classes=4, shape=(3, 6, 5))
    assert net(torch.rand(2, 3, 6, 5)).shape == (2, 4)
    assert build_net(f"{own}:plain", shape=(1, 28, 28))(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_a_network_of_the_users_own_takes_images_as_they_are(own: str) -> None:
    assert find_network(f"{own}:make").shape_for((3, 6, 5)) == (3, 6, 5)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("own_networks:missing", (1, 28, 28), "no attribute 'missing'"),
        ("own_networks:number", (1, 28, 28), "expected a function or a class that makes the network, found 3"),
        ("no_such_module:make", (1, 28, 28), "No module named 'no_such_module'"),
        ("own_networks:plain", (1, 8, 8), "fails on images of 1×8×8 .*mat1 and mat2"),
        ("own_networks:other", (1, 28, 28), r"must give 10 numbers per image.*found \(2, 1, 26, 26\)"),
        ("torchvision:resnet19", (3, 32, 32), "torchvision has no classifier 'resnet19': did you mean"),
        ("torchvision:vit_b_16", (3, 32, 32), "fails on images of 3×32×32 .*Wrong image height"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_network_that_cannot_be_had_is_refused_in_one_line(
    name: str, shape: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(DnnTopologyError, match=message) as caught:
        build_net(name, shape=shape)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet"])
def test_any_classifier_of_torchvision_can_be_named(name: str) -> None:
    net = build_net(f"torchvision:{name}", n_classes=3, shape=(3, 64, 64))
    assert net.train()(torch.rand(2, 3, 64, 64)).shape == (2, 3)
