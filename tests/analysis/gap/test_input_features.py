"""Features of a network on its training inputs: small changes of them, margins, and the tree of the samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from torch import nn

import dnn_topology as dt
from dnn_topology.analysis.feature_sets import PERTURBATION, SAMPLE_TREE
from dnn_topology.analysis.gap import perturbation
from dnn_topology.analysis.gap.known_settings import settings_features
from dnn_topology.analysis.gap.perturbation import perturbation_features
from dnn_topology.analysis.gap.representations import representations
from dnn_topology.analysis.gap.sample_tree import sample_tree_features
from dnn_topology.analysis.network_features import input_features

DIAGRAMS = dt.Diagrams([np.array([(0, 0.1)]), np.array([(0.1, 0.2)])], max_epsilon=0.4, n_nodes=2)


class Linear(nn.Module):
    """A linear map of flattened inputs."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.fc = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
        self.fc.weight = nn.Parameter(weights)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        outputs: torch.Tensor = self.fc(images.flatten(1))
        return outputs


def inputs(n: int = 40, side: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of two classes that differ in their mean."""
    labels = torch.arange(n) % 2
    images = torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(seed))
    return images + labels[:, None, None, None], labels


def small_net() -> nn.Module:
    """A network with dropout and batch normalisation, whose outputs depend on its mode."""
    torch.manual_seed(0)
    hidden = [nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(36, 6)]
    return nn.Sequential(*hidden, nn.ReLU(), nn.Linear(6, 2))


def features_of(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """The perturbation features, classes compared in the space of the inputs."""
    points = dict.fromkeys(("first", "last"), images.flatten(1).numpy().astype(np.float64))
    return perturbation_features(model, images, labels, points=points)


def test_the_sets_hold_what_is_computed_and_nothing_else() -> None:
    assert input_features(small_net(), *inputs()).keys() == {*PERTURBATION, *SAMPLE_TREE}


def test_a_model_is_left_as_it_was_and_its_features_do_not_depend_on_its_mode() -> None:
    net = small_net().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    training = input_features(net, *inputs())
    assert net.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert training == input_features(net.eval(), *inputs())


def test_the_margin_of_a_linear_model_is_the_distance_to_its_boundary() -> None:
    images, labels = inputs()
    weights = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
    flat = images.flatten(1)
    apart = weights[0] - weights[1]
    distances = (flat @ apart) / apart.norm() * torch.where(labels == 0, 1, -1)
    size = (flat - flat.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    found = features_of(Linear(weights), images, labels)
    assert found["margin_median"] == pytest.approx(float(np.median(distances / size)), rel=1e-4)
    assert found["margin_low"] == pytest.approx(float(np.quantile(distances / size, 0.1)), rel=1e-4)


def test_a_model_whose_answer_never_changes_has_the_accuracy_of_its_answer_and_no_margin() -> None:
    images, labels = inputs()
    found = features_of(Linear(torch.zeros(2, 64)), images, labels)
    accuracies = [found[f"{kind}_accuracy"] for kind in ("mixup", "noise", "shift")]
    assert accuracies == [0.5, 0.5, 0.5]
    assert found["mixup_log_loss"] == pytest.approx(math.log(math.log(2) + 1e-3))
    assert (found["margin_median"], found["margin_low"]) == (0, 0)


def test_permuted_labels_that_are_memorised_do_not_survive_mixing() -> None:
    """Nearest-neighbour answers are right about every training input, whatever its label; means of two are another."""
    images, labels = inputs(200, side=1)
    images += 3 * labels[:, None, None, None]
    wrong = labels[torch.randperm(200, generator=torch.Generator().manual_seed(2))]

    class Memory(nn.Module):
        def __init__(self, known: torch.Tensor, answers: torch.Tensor) -> None:
            super().__init__()
            self.known = nn.Parameter(known.flatten(1))
            self.answers = answers

        def forward(self, asked: torch.Tensor) -> torch.Tensor:
            nearest = torch.cdist(asked.flatten(1), self.known).argmin(dim=1)
            rows: torch.Tensor = nn.functional.one_hot(self.answers[nearest], 2) + 0.0 * asked.flatten(1)[:, :1]
            return rows

    kept, lost = (features_of(Memory(images, given), images, given) for given in (labels, wrong))
    assert kept["mixup_accuracy"] > lost["mixup_accuracy"] + 0.2


def test_an_image_is_moved_with_its_edge_repeated() -> None:
    image = torch.arange(4.0).reshape(1, 1, 1, 4)
    moved = [version.flatten().tolist() for version in perturbation._shifted(image)]
    assert moved == [[1, 2, 3, 3], [0, 0, 1, 2]]


def test_an_input_is_mixed_with_another_of_its_own_class_only() -> None:
    images, labels = inputs()
    marked = labels.float()[:, None] * torch.ones(1, 3)
    mixed = perturbation._mixed(marked, labels, np.random.default_rng(0))
    assert torch.equal(mixed, marked)
    assert not torch.equal(perturbation._mixed(images, labels, np.random.default_rng(0)), images)


def test_one_class_has_no_davies_bouldin_index() -> None:
    images, labels = inputs()
    assert math.isnan(features_of(Linear(torch.zeros(2, 64)), images, 0 * labels)["log_davies_bouldin_last"])


def test_layers_are_the_inputs_the_first_and_the_last_hidden_one_and_the_output() -> None:
    images, _ = inputs()
    net: Any = small_net().eval()
    points = representations(net, images)
    with torch.no_grad():
        expected = [images.flatten(1), net[:3](images).flatten(1), net[:7](images), net(images)]
    for found, one in zip(points.values(), expected, strict=True):
        np.testing.assert_allclose(found, one.numpy(), atol=1e-5)


@pytest.fixture
def points() -> NDArray[np.float64]:
    """Points of no two equal distances."""
    return np.random.default_rng(0).normal(size=(50, 6))


def test_the_tree_is_scipys(points: NDArray[np.float64]) -> None:
    edges = minimum_spanning_tree(cdist(points, points)).data
    found = sample_tree_features({"x": points}, np.zeros(50, dtype=np.intp))
    size = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert found["tree_length_x"] == pytest.approx(edges.mean() / size)
    assert found["tree_spread_x"] == pytest.approx(edges.std() / edges.mean())
    assert found["purity_x"] == 1


def test_the_tree_of_samples_knows_no_scale_nor_place(points: NDArray[np.float64]) -> None:
    labels: Any = np.arange(50) % 3
    one, other = (sample_tree_features({"x": each}, labels) for each in (points, 7 * points - 2))
    assert one == pytest.approx(other)


def test_purity_is_chance_for_labels_at_random_and_falls_with_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    labels: Any = np.arange(300) % 2
    points = rng.normal(size=(300, 4)) + 6 * labels[:, None]
    some: Any = np.where(rng.uniform(size=300) < 0.2, 1 - labels, labels)
    clean, noisy, chance = (
        sample_tree_features({"x": points}, each)["purity_x"] for each in (labels, some, rng.permutation(labels))
    )
    assert clean == 1
    assert noisy == pytest.approx(0.8**2 + 0.2**2, abs=0.06)
    assert chance == pytest.approx(0.5, abs=0.06)


def test_inputs_that_a_layer_makes_one_point_have_no_tree() -> None:
    found = sample_tree_features({"x": np.full((20, 3), 0.1)}, np.arange(20) % 2)
    assert all(math.isnan(value) for value in found.values())


def test_features_of_the_gap_take_a_model_inputs_and_its_training() -> None:
    net, labelled = small_net(), inputs()
    found = dt.gap_features(DIAGRAMS, model=net, inputs=labelled, training={"n_train": 40, "lr": 0.1, "batch_size": 8})
    assert found["log_n_train"] == pytest.approx(math.log(40))
    assert found.items() >= input_features(net, *labelled).items()
    assert found.keys() > dt.gap_features(DIAGRAMS).keys()


def test_half_of_what_features_of_a_network_need_is_refused() -> None:
    net, (images, labels) = small_net(), inputs()
    with pytest.raises(dt.DnnTopologyError, match="need model="):
        dt.gap_features(DIAGRAMS, inputs=(images, labels))
    with pytest.raises(dt.DnnTopologyError, match="need model="):
        dt.gap_features(DIAGRAMS, model=net)
    with pytest.raises(dt.DnnTopologyError, match="of diagrams, of a model, or of both"):
        dt.gap_features()
    with pytest.raises(dt.DnnTopologyError, match=r"pair.*found lengths \[40, 7\]"):
        dt.gap_features(DIAGRAMS, model=net, inputs=(images, labels[:7]))
    with pytest.raises(dt.DnnTopologyError, match=r"n_train, lr and batch_size.*found \['lr'\]"):
        dt.gap_features(DIAGRAMS, model=net, training={"lr": 0.1})


def test_settings_say_nothing_of_how_many_labels_are_wrong() -> None:
    known = settings_features(small_net(), n_train=10, lr=0.1, batch_size=4, weight_decay=0.0, dropout=None)
    assert not [name for name in known if "permute" in name]
    assert all(math.isfinite(value) for value in known.values())
