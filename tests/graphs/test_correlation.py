from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.graphs import correlation
from dnn_topology.graphs.correlation import Edges, near_pairs, standardised
from dnn_topology.graphs.graph import functional_graph
from tests.oracles import oracle_distances
from tests.strategies import signals


def dense(edges: Edges, n: int) -> NDArray[np.float64]:
    """The (n, n) upper triangle of distances, inf where no pair was kept."""
    matrix = np.full((n, n), np.inf)
    matrix[edges.rows, edges.cols] = edges.distances
    return matrix


@given(values=signals(max_neurons=20), threshold=st.floats(0.05, 0.95), block=st.integers(1, 25))
def test_it_keeps_exactly_the_pairs_within_the_threshold_whatever_the_block(
    values: NDArray[np.float32], threshold: float, block: int
) -> None:
    n = values.shape[1]
    expected = np.triu(oracle_distances(values), 1)
    found = near_pairs(values, np.arange(n), threshold=threshold, block=block)
    assert (found.rows < found.cols).all()
    got = dense(found, n)
    certain = np.triu(np.abs(expected - threshold) > 1e-12, 1)  # nearer than this, round-off may decide
    assert np.array_equal(np.isfinite(got)[certain], (expected <= threshold)[certain])
    kept = np.isfinite(got)
    np.testing.assert_allclose(got[kept], expected[kept], atol=1e-12)


def test_a_threshold_of_1_keeps_every_pair_once() -> None:
    values = np.random.default_rng(0).normal(size=(40, 17))
    found = near_pairs(values, np.arange(17), threshold=1.0, block=5)
    assert sorted(zip(found.rows, found.cols, strict=True)) == list(zip(*np.triu_indices(17, 1), strict=True))


def test_blocks_that_are_not_at_hand_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(30, 23))
    expected = dense(near_pairs(values, np.arange(23), threshold=0.9), 23)
    for blocks_at_hand in (0, 1, 2):
        monkeypatch.setattr(correlation, "MEMORY", blocks_at_hand * 8 * 30 * 4)
        found = dense(near_pairs(values, np.arange(23), threshold=0.9, block=4), 23)
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_very_many_samples_make_the_blocks_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []

    def spy(signals: NDArray[np.floating]) -> NDArray[np.float64]:
        widths.append(signals.shape[1])
        return standardised(signals)

    monkeypatch.setattr(correlation, "standardised", spy)
    monkeypatch.setattr(correlation, "MEMORY", 8 * 8 * 50 * 3)  # eight blocks of three columns of fifty samples
    near_pairs(np.random.default_rng(0).normal(size=(50, 7)), np.arange(7), threshold=0.5)
    assert max(widths) == 3


@pytest.mark.parametrize("n_samples", [10, 1_000, 100_000])
def test_affine_copies_of_a_signal_are_at_distance_exactly_0_however_many_samples(n_samples: int) -> None:
    signal = np.random.default_rng(1).normal(size=n_samples)
    copies = np.column_stack([signal, 3 * signal + 7, -0.1 * signal - 2, 1e12 * signal, signal])
    found = near_pairs(copies, np.arange(5), threshold=0.5)
    assert found.distances.tolist() == [0.0] * 10


def test_a_large_common_offset_costs_no_correlation() -> None:
    values = np.random.default_rng(3).normal(size=(200, 6))
    expected = near_pairs(values, np.arange(6), threshold=1.0)
    found = near_pairs(values + 1e6, np.arange(6), threshold=1.0)
    np.testing.assert_allclose(found.distances, expected.distances, atol=1e-9)


def test_standardised_columns_have_mean_0_and_norm_1() -> None:
    unit = standardised(np.random.default_rng(4).normal(5, 3, size=(100, 8)).astype(np.float32))
    np.testing.assert_allclose(unit.mean(axis=0), 0, atol=1e-16)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=0), 1, atol=1e-15)


def test_a_device_without_float64_is_not_used() -> None:
    values = np.random.default_rng(5).normal(size=(20, 3))
    found = near_pairs(values, np.arange(3), threshold=1.0, device="mps")
    np.testing.assert_array_equal(found.distances, near_pairs(values, np.arange(3), threshold=1.0).distances)


def test_a_graph_of_a_mapped_file_is_that_of_the_array(tmp_path: Path, real_signals: NDArray[np.float32]) -> None:
    np.save(tmp_path / "signals.npy", real_signals)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    found, expected = (functional_graph(values, block=100, device="cpu") for values in (mapped, real_signals))
    for name in ("rows", "cols", "distances"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_duplicates_on_either_side_of_the_threshold_stay_alike() -> None:
    # Distances of the copies to the third neuron differ by round-off, and the threshold lies between them.
    rng = np.random.default_rng(6)
    signal = rng.normal(size=500)
    third = signal + rng.normal(size=500)
    values = np.column_stack([*(factor * signal + factor for factor in (1, 3, 7, 11, 13, 17)), third])
    edges = near_pairs(values, np.arange(7), threshold=1.0)
    to_third = edges.distances[edges.cols == 6]
    assert len(np.unique(to_third)) > 1
    graph = functional_graph(values, max_epsilon=np.median(to_third) / 2)
    assert np.bincount(graph.rows, minlength=7)[:6].sum() in {15, 21}
    assert (graph.cols == 6).sum() in {0, 6}


def without_room(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a GPU be there that is full; returns the devices that are tried."""
    there, tried = correlation._all_pairs, []

    def crowded(*args: Any, device: torch.device, **kwargs: Any) -> Edges:
        tried.append(device.type)
        if device.type == "meta":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return there(*args, device=device, **kwargs)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(correlation, "_all_pairs", crowded)
    monkeypatch.setattr(correlation, "_with_float64", lambda name: torch.device(name.replace("cuda", "meta")))
    return tried


def test_a_full_gpu_that_nobody_asked_for_is_left_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = np.random.default_rng(0).normal(size=(20, 6))
    expected = near_pairs(signals, np.arange(6), threshold=0.9, device="cpu")
    tried = without_room(monkeypatch)
    for array, other in zip(near_pairs(signals, np.arange(6), threshold=0.9), expected, strict=True):
        np.testing.assert_array_equal(array, other)
    assert tried == ["meta", "cpu"]


def test_a_gpu_that_cannot_be_used_at_all_is_left_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # and yet it is not
    assert len(near_pairs(np.eye(4), np.arange(4), threshold=1.0).rows) == 6


def test_a_full_gpu_that_was_asked_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without_room(monkeypatch)
    with pytest.raises(DnnTopologyError, match="device=cuda has no room for the correlations of 6 neurons over 20"):
        near_pairs(np.eye(20)[:, :6], np.arange(6), threshold=0.9, device="cuda")
