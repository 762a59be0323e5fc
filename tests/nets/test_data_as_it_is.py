"""Data sets as they are: their own form, their labels, what tells them apart, how they are normalised."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet, batches, load_data, sample
from dnn_topology.nets.data.forms import form_of

RNG = np.random.default_rng(0)


def arrays(path: Path, **changes: NDArray[Any]) -> Path:
    """Write an npz of 12 images to train and 6 to test, in 3 classes."""
    images = np.random.default_rng(0).integers(0, 256, (18, 8, 8), dtype=np.uint8)
    labels = np.arange(18) % 3
    given: dict[str, Any] = {
        "x_train": images[:12],
        "y_train": labels[:12],
        "x_test": images[12:],
        "y_test": labels[12:],
    }
    np.savez(path, **(given | changes))
    return path


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("digits", (1, 8, 8)),
        ("mnist-5k", (1, 28, 28)),
        ("mnist-5k_color32", (3, 32, 32)),
        ("digits_gray", (1, 8, 8)),
        ("digits_color", (3, 8, 8)),
    ],
)
def test_without_a_shape_a_data_set_has_its_own_form_or_that_of_its_name(
    name: str, shape: tuple[int, int, int]
) -> None:
    assert load_data(name).shape == shape == load_data(name, shape=None).shape


def test_a_path_is_a_data_set_and_an_ending_after_it_asks_for_a_form(tmp_path: Path) -> None:
    path = arrays(tmp_path / "mine.npz")
    assert load_data(path).shape == (1, 8, 8)
    assert load_data(f"npz:{path}_color32").shape == (3, 32, 32)
    assert load_data(f"npz:{arrays(tmp_path / 'mine_gray28.npz')}").shape == (1, 8, 8)  # part of the file's own name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": 3}, "name must be a text or a path, found 3"),
        ({"name": None}, "found None"),
        ({"shape": (28, 28)}, r"shape must be \(channels, height, width\), .*found \(28, 28\)"),
        ({"shape": "28"}, "shape must be"),
        ({"shape": (1, 0, 8)}, "shape must be"),
        ({"data_dir": 3}, "data_dir must be a text or a path"),
        ({"permute_labels": None}, "permute_labels must be a finite number, found None"),
        ({"train_size": 2.5}, "train_size must be a whole number, found 2.5"),
        ({"binarize_labels": "3"}, "binarize_labels must be a whole number, found '3'"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"name": "digits_gray0"}, "size 0"),
        ({"normalise": "dat"}, "normalise must be 'data', 'none', or"),
        ({"normalise": (0.5, 0.0)}, "must be positive"),
        ({"normalise": ([0.1, 0.2], 0.5)}, r"one per channel \(1\)"),
        ({"normalise": "0.5,nan"}, "finite"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message) as caught:
        load_data(**{"name": "digits", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [[1, 2, 3], [10, 20, 30], [10**9, 10**9 + 1, 10**9 + 2], [0, 1, 3], [0, 7, 2**63]])
def test_labels_that_do_not_count_from_zero_become_classes_and_it_is_said(tmp_path: Path, classes: list[int]) -> None:
    ids = np.array(classes, dtype=np.uint64)
    path = arrays(tmp_path / "a.npz", y_train=ids[np.arange(12) % 3], y_test=ids[np.arange(6) % 3])
    with pytest.warns(UserWarning, match=f"labels of .* are {classes[0]}, .*taken for classes 0 to 2"):
        data = load_data(path)
    assert data.n_classes == 3
    assert data.train.tensors[1].tolist() == [0, 1, 2] * 4
    assert data.test.tensors[1].tolist() == [0, 1, 2] * 2


@pytest.mark.parametrize("kind", [np.float64, np.uint8, bool])
def test_whole_labels_of_any_type_are_labels(tmp_path: Path, kind: Any) -> None:
    path = arrays(tmp_path / "a.npz", y_train=(np.arange(12) % 2).astype(kind), y_test=(np.arange(6) % 2).astype(kind))
    assert load_data(path).train.tensors[1].tolist() == [0, 1] * 6


def test_a_change_in_the_tensors_is_what_is_taken_out_and_harms_no_other_data_set() -> None:
    data = load_data("digits")
    images, labels = data.train.tensors
    images[3], labels[3] = 7.0, 9
    assert data.train.tensors[0] is images
    assert (data.train[[3]][0] == 7).all()
    assert data.train[3][1] == 9
    assert (sample(data.train, len(data.train)).tensors[0][3] == 7).all()
    assert (next(iter(batches(data.train)))[0][3] == 7).all()
    again = load_data("digits").train[[3]]
    assert not (again[0] == 7).any()
    assert again[1] != 9


def test_taking_out_is_the_same_before_and_after_the_tensors_were_made() -> None:
    data = load_data("digits_color32")
    places: list[Any] = [[5, 2], slice(3, 9), torch.tensor([1]), np.array([4, 4]), -1]
    before = [data.train[each][0] for each in places]
    _ = data.train.tensors
    assert all(torch.equal(a, data.train[each][0]) for a, each in zip(before, places, strict=True))


def test_the_digest_tells_data_apart_and_not_how_they_are_used(tmp_path: Path) -> None:
    first = load_data(arrays(tmp_path / "a.npz"))
    assert first.digest == load_data(arrays(tmp_path / "b.npz"), shape=(3, 16, 16), normalise="none").digest
    brighter = arrays(tmp_path / "b.npz", x_train=np.full((12, 8, 8), 3, np.uint8))
    other_test = arrays(tmp_path / "c.npz", y_test=np.zeros(6, int))
    permuted = load_data(tmp_path / "a.npz", permute_labels=1.0)
    plain = replace(first, train=sample(first.train, 5))
    assert len({first.digest, load_data(brighter).digest, load_data(other_test).digest, permuted.digest}) == 4
    assert plain.digest == replace(first, train=sample(first.train, 5)).digest != first.digest


def test_the_source_means_the_same_data_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays(tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    data = load_data("npz:a.npz")
    monkeypatch.chdir("/")
    assert load_data(data.source).digest == data.digest
    assert load_data("digits").source == "digits"


def pixels_of(data: DataSet) -> NDArray[np.float32]:
    """The pixels in [0, 1] that the images are, by what the data set says of itself."""
    assert data.normalisation is not None
    mean, std = (np.reshape(values, (1, -1, 1, 1)) for values in data.normalisation)
    found: NDArray[np.float32] = data.train.tensors[0].numpy() * std + mean
    return found


@pytest.mark.parametrize("normalise", ["data", "none", (0.5, 0.25), "0.5,0.25", "0.4 0.5 0.6,0.2 0.3 0.4"])
def test_the_normalisation_leads_back_to_the_pixels(normalise: Any) -> None:
    data = load_data("digits_color", normalise=normalise)
    assert data.normalisation is not None
    assert [len(values) for values in data.normalisation] == [3, 3]
    np.testing.assert_allclose(pixels_of(data), pixels_of(load_data("digits_color", normalise="none")), atol=1e-6)


def test_without_normalisation_images_are_their_pixels_bit_by_bit(tmp_path: Path) -> None:
    data = load_data(arrays(tmp_path / "a.npz"), normalise="none")
    with np.load(tmp_path / "a.npz") as given:
        assert torch.equal(data.train.tensors[0][:, 0], torch.from_numpy(given["x_train"]) / 255)
    assert data.normalisation == ((0.0,), (1.0,))


def test_a_network_s_own_normalisation_speaks_of_the_images_that_it_gets() -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    images = load_data("digits_color", normalise=(mean, std)).train.tensors[0]
    grey = load_data("digits", normalise="none").train.tensors[0]
    expected = (grey - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    assert torch.equal(images, expected)


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array in MNIST's own format, packed."""
    return gzip.compress(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder with torchvision's MNIST/raw, small, of packed files alone."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, count in (("train", 20), ("t10k", 10)):
        images = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{stem}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (raw / f"{stem}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return tmp_path / "data"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: who asks for it fails."""

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", refused)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("between", ["", "mnist"])
def test_packed_files_are_read_where_they_lie_and_nothing_is_written(packed: Path, between: str) -> None:
    if between:
        (packed / between).mkdir()
        (packed / "MNIST").rename(packed / between / "MNIST")
    before = sorted(packed.rglob("*"))
    for path in (packed, *before):
        path.chmod(0o555)
    try:
        data = load_data("mnist", data_dir=packed)
    finally:
        for path in (packed, *before):
            path.chmod(0o755)
    assert (len(data.train), len(data.test), data.shape) == (20, 10, (1, 28, 28))
    assert data.train.tensors[1].tolist() == [*range(10)] * 2
    assert sorted(packed.rglob("*")) == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda whole: whole[:-9], "is damaged"),
        (lambda _: b"", "is no IDX file"),
        (lambda _: idx(np.zeros((20, 5), np.uint8)), "has labels .* for images"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:-1]), "is no whole IDX file"),
        (lambda whole: gzip.compress(b"\0\0\x0d\1" + gzip.decompress(whole)[4:]), "of unsigned bytes"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_a_damaged_packed_file_is_named_in_one_line(packed: Path, spoil: Any, message: str) -> None:
    path = packed / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DnnTopologyError, match=f"train-labels.*{message}"):
        load_data("mnist", data_dir=packed)


@pytest.mark.parametrize("normalise", ["data", (0.5, 0.25)])
def test_images_of_floats_stay_as_they_were_when_they_are_normalised(normalise: Any) -> None:
    images = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    fitted = form_of((1, 4, 4), ((0.1,), (0.3,)), normalise).fit(images)
    mean, std = (0.1, 0.3) if normalise == "data" else normalise
    assert torch.equal(fitted, (before - mean) / std)
    assert torch.equal(images, before)
