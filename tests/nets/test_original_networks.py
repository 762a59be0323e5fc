"""Networks written as the original writes them: functions between layers, features by a method, other names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.zoo import NETWORKS, build_net, find_network
from dnn_topology.nets.zoo.features import feature_layers
from dnn_topology.recording.activations import record


class LeNet(nn.Module):
    """The original's LeNet by its layers' names."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.drop = nn.Dropout2d()
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, num_classes)

    def forward_features(self, images: torch.Tensor) -> list[torch.Tensor]:
        first = functional.relu(functional.max_pool2d(self.conv1(images), 2))
        second = functional.relu(functional.max_pool2d(self.drop(self.conv2(first)), 2)).view(-1, 320)
        third = functional.relu(self.fc1(second))
        return [first, second, third, functional.log_softmax(self.fc2(third), dim=1)]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.forward_features(images)[-1]


class Block(nn.Module):
    """The original's residual block that changes its input's size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False)
        self.shortcut = nn.Sequential(nn.Conv2d(64, 128, 1, stride=2, bias=False), nn.BatchNorm2d(128))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_a_state_of_the_originals_lenet_is_one_of_ours(images: torch.Tensor) -> None:
    theirs, ours = LeNet().eval(), build_net("lenet", seed=3).eval()
    ours.load_state_dict(find_network("lenet").rename(theirs.state_dict()))
    assert torch.allclose(ours(images), theirs(images), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_names_stay_as_they_are(name: str) -> None:
    with torch.device("meta"):
        names = list(NETWORKS[name].build(NETWORKS[name].n_classes or 10, NETWORKS[name].shapes[0]).state_dict())
    assert list(find_network(name).rename(dict.fromkeys(names))) == names


def test_the_originals_names_of_a_residual_network_become_ours() -> None:
    theirs = {f"layer2.0.{name}": None for name in Block().state_dict()} | {"linear.bias": None}
    assert set(find_network("resnet").rename(theirs)) <= set(build_net("resnet").state_dict())


def test_only_the_linear_layers_of_the_vgg_like_networks_have_other_names() -> None:
    renamed = find_network("conv_2").rename({"conv1.weight": 1, "fc3.bias": 2})
    assert list(renamed) == ["conv1.weight", "fc3.0.bias"]
    assert set(renamed) <= set(build_net("conv_2").state_dict())


def test_the_features_of_a_model_are_recorded_by_default(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).read_text()
    start, end = source.index("class LeNet"), source.index("class Block")
    (tmp_path / "theirs.py").write_text(
        f"import torch\nfrom torch import nn\nfrom torch.nn import functional\n\n{source[start:end]}"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    net: Any = build_net("theirs:LeNet", shape=(1, 28, 28))
    assert net.training
    values = record(net, [images]).values
    with torch.no_grad():
        expected = torch.cat([feature.flatten(1) for feature in net.eval().forward_features(images)], dim=1)
    assert values.shape == (3, 1820)
    assert torch.allclose(torch.from_numpy(values), expected, atol=1e-6)
    assert record(net, [images], nodes="channel").values.shape == (3, 90)


class Slices(nn.Module):
    """As the original's VGG: features are slices of a sequence whose activations work in place."""

    def __init__(self, *, given: Any = None) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten())
        self.classifier = nn.Linear(4 * 13 * 13, 10)
        self._given = given

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.classifier(self.features(images))
        return found

    def forward_features(self, images: torch.Tensor) -> Any:
        if self._given is not None:
            return self._given
        return [self.features[:place](images) for place in (2, 3, 4)] + [self.forward(images)]


def test_features_of_slices_are_the_modules_at_their_ends_each_once() -> None:
    # The flattened feature has the values of the pooled one.
    assert feature_layers(Slices(), (1, 28, 28)) == {
        "unit": ("features.1", "features.2", "classifier"),
        "channel": ("features.1", "features.2", "classifier"),
    }


@pytest.mark.parametrize("given", [[], torch.zeros(2, 3), [torch.full((2, 3), 7.0)], [None], "text"])
def test_what_is_no_list_of_features_names_no_layers(given: Any) -> None:
    model = Slices(given=given)
    assert feature_layers(model, (1, 28, 28)) is None
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 1e300}, r"width must be at most 1000, found 1e\+300"),
        ({"depth": 10_000_000}, "depth must be at most 1000, found 10000000"),
        ({"width": 900.0, "depth": 20}, r"mlp with width=900.0, depth=20.* weights, expected at most 1e\+09"),
        ({"depth": 1.5}, "depth must be a whole number"),
    ],
)
def test_a_network_that_no_memory_holds_is_refused_before_any_is_taken(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        build_net("mlp", **options)
