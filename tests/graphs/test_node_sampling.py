from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs.graph import functional_graph
from dnn_topology.graphs.node_sampling import METHODS, Method, layer_shares, sample_nodes
from dnn_topology.recording.activations import Activations


def made(values: NDArray[np.floating], *sizes: int) -> Activations:
    """Activations of layers "0", "1", … of the sizes given; of one layer without them."""
    sizes = sizes or (values.shape[1],)
    layers = np.repeat([str(place) for place in range(len(sizes))], sizes)
    index = np.concatenate([np.arange(size) for size in sizes])
    return Activations(values.astype(np.float32), pd.DataFrame({"layer": layers, "index": index}))


def noise(n_samples: int, n_neurons: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n_samples, n_neurons))


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_has_n_nodes_and_comes_again_with_its_seed(method: Method) -> None:
    everything = made(noise(30, 40), 25, 15)
    one, again, other = (sample_nodes(everything, 12, method=method, seed=seed) for seed in (3, 3, 4))
    assert one.values.shape == (30, 12)
    assert one.values.dtype == np.float32
    np.testing.assert_array_equal(one.values, again.values)
    assert one.neurons.equals(again.neurons)
    assert not one.neurons.equals(other.neurons)


@pytest.mark.parametrize("method", ["uniform", "importance"])
def test_drawn_nodes_are_neurons_in_their_order_each_at_most_once(method: Method) -> None:
    everything = made(noise(30, 40), 25, 15)
    found = sample_nodes(everything, 20, method=method)
    place = found.neurons["index"] + 25 * (found.neurons["layer"] == "1")
    assert place.is_monotonic_increasing
    assert place.is_unique
    np.testing.assert_array_equal(found.values, everything.values[:, place])


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_of_a_mapped_file_is_that_of_the_array(method: Method, tmp_path: Path) -> None:
    everything = made(noise(300, 40), 25, 15)
    np.save(tmp_path / "signals.npy", everything.values)
    mapped = replace(everything, values=np.load(tmp_path / "signals.npy", mmap_mode="r"))
    found, expected = (sample_nodes(kind, 12, method=method) for kind in (mapped, everything))
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.neurons.equals(expected.neurons)


@pytest.mark.parametrize("method", METHODS)
def test_the_global_random_state_stays_as_it_was(method: Method) -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    sample_nodes(made(noise(20, 30)), 5, method=method)
    np.testing.assert_array_equal(before, np.random.get_state(legacy=False)["state"]["key"])  # noqa: NPY002


@pytest.mark.parametrize("method", METHODS)
def test_constant_neurons_are_never_chosen(method: Method) -> None:
    values = noise(20, 30)
    values[:, ::2] = 1e3
    found = sample_nodes(made(values), 15, method=method)
    assert (found.neurons["index"] % 2 == 1).all()
    assert functional_graph(found).n_constant == 0


@pytest.mark.parametrize("method", ["uniform", "importance"])
def test_all_nodes_give_the_whole_graph(method: Method, real_signals: NDArray[np.float32]) -> None:
    everything = made(real_signals)
    n_varying = int((np.ptp(real_signals, axis=0) > 0).sum())
    found = functional_graph(sample_nodes(everything, n_varying, method=method))
    np.testing.assert_allclose(found.to_dense(), functional_graph(everything).to_dense(), atol=1e-12)


def test_a_uniform_draw_takes_every_neuron_equally_often() -> None:
    everything = made(noise(5, 20))
    taken = np.zeros(20)
    for seed in range(400):
        taken[sample_nodes(everything, 5, seed=seed).neurons["index"]] += 1
    assert np.abs(taken - 100).max() < 4.5 * np.sqrt(400 * 0.25 * 0.75)  # standard deviations of a binomial


def test_importance_prefers_neurons_that_answer_most_strongly_whatever_their_sign() -> None:
    values = noise(100, 50)
    values[:, 7] *= -50
    values[:60, 9] -= 1000
    taken = np.zeros(50)
    for seed in range(100):
        taken[sample_nodes(made(values), 2, method="importance", seed=seed).neurons["index"]] += 1
    assert taken[7] + taken[9] > 170


def test_every_sample_has_its_say_in_what_is_important() -> None:
    values = noise(600, 50)
    values[:512, 7] = 1e6 + np.arange(512)  # strongest in six of seven samples, but not in the last ones
    everything = made(values)
    drawn = [sample_nodes(everything, 1, method="importance", seed=seed).neurons["index"][0] for seed in range(20)]
    assert drawn.count(7) > 10


def test_importance_is_judged_within_each_layer() -> None:
    values = noise(100, 40)
    values[:, :20] *= 1e6  # a layer with huge activations takes no more than its share
    found = sample_nodes(made(values, 20, 20), 10, method="importance")
    assert found.neurons["layer"].value_counts().to_dict() == {"0": 5, "1": 5}


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), data=st.data())
def test_shares_sum_to_n_and_fit_their_layers(sizes: list[int], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, sum(sizes)))
    shares = layer_shares(sizes, n)
    assert sum(shares) == n
    assert all(share <= size for share, size in zip(shares, sizes, strict=True))
    assert n < len(sizes) or min(shares) >= 1
    if min(n * size / sum(sizes) for size in sizes) >= 1:
        assert all(abs(share - n * size / sum(sizes)) < 1 for share, size in zip(shares, sizes, strict=True))


def test_centroids_of_well_separated_clusters_are_their_means() -> None:
    rng = np.random.default_rng(0)
    sources = rng.normal(size=(200, 4))
    values = np.repeat(sources, [5, 10, 1, 4], axis=1) + 0.01 * rng.normal(size=(200, 20))
    values = values * rng.uniform(0.1, 100, size=20) + rng.normal(size=20)
    everything = made(values, 12, 8)
    found = sample_nodes(everything, 4, method="kmeans")
    assert found.neurons["members"].tolist() == [tuple(range(5)), tuple(range(5, 15)), (15,), (16, 17, 18, 19)]
    for place, members in enumerate(found.neurons["members"]):
        r = np.corrcoef(found.values[:, place], sources[:, place])[0, 1]
        assert r > 0.999
        nearest = everything.neurons.iloc[list(members)]
        assert (
            (nearest["layer"] == found.neurons["layer"][place]) & (nearest["index"] == found.neurons["index"][place])
        ).any()


def test_clusters_are_of_shapes_not_of_sizes() -> None:
    x, y = noise(50, 2).T
    found = sample_nodes(made(np.column_stack([x, 1000 * x + 5, 1000 * y, y - 3])), 2, method="kmeans")
    assert found.neurons["members"].tolist() == [(0, 1), (2, 3)]


def test_every_varying_neuron_belongs_to_one_centroid() -> None:
    values = noise(20, 30)
    values[:, 4] = 0
    members = sample_nodes(made(values), 6, method="kmeans").neurons["members"]
    assert sorted(sum(members, ())) == [column for column in range(30) if column != 4]


def test_fewer_signals_than_clusters_give_fewer_nodes() -> None:
    values = np.repeat(noise(20, 3), 4, axis=1)
    found = sample_nodes(made(values), 8, method="kmeans")
    assert sorted(map(len, found.neurons["members"])) == [4, 4, 4]


@pytest.mark.parametrize("n", [0, 9])
def test_a_number_of_nodes_that_cannot_be_had_is_refused(n: int) -> None:
    values = noise(20, 10)
    values[:, :2] = 0
    with pytest.raises(DnnTopologyError, match=f"cannot choose {n} nodes from 8 neurons that are not constant"):
        sample_nodes(made(values), n)


def test_an_activation_that_is_not_finite_is_refused_rather_than_passed_over() -> None:
    values = noise(20, 10)
    values[3, 2] = np.nan
    with pytest.raises(DnnTopologyError, match="NaN"):
        sample_nodes(made(values), 3)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="did you mean kmeans"):
        sample_nodes(made(noise(5, 5)), 2, method="kmean")  # type: ignore[arg-type]
