"""Data sets from files in their true formats: downloaded archives, image folders, arrays."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets._torchvision import torchvision
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.data import pixels as pixels_module
from dnn_topology.nets.data.downloaded import DOWNLOADS
from dnn_topology.nets.data.forms import Form
from dnn_topology.nets.data.pixels import Files

RNG = np.random.default_rng(0)
GREY = ("mnist", "fashion_mnist", "kmnist")


def pixels(*shape: int) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array in the IDX format of MNIST, gzipped."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Server:
    """Serves a folder on this machine, and counts what is asked for."""

    def __init__(self, folder: Path) -> None:
        asked = self.asked = list[str]()

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                asked.append(self.path.lstrip("/"))

        self.folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    server = Server(tmp_path / "served")
    yield server
    server.close()


def publish(name: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, Any]]:
    """Put a small data set in its true format on the server; return images (n, channels, height, width) and labels."""
    kind = getattr(torchvision("datasets"), next(each.kind for each in DOWNLOADS if each.name == name))
    labels = {"train": np.arange(12, dtype=np.uint8) % 10, "test": np.arange(4, dtype=np.uint8)}

    def put(file: str, content: bytes) -> str:
        (server.folder / file).write_bytes(content)
        return md5(content)

    if name in GREY:
        images = {part: pixels(len(labels[part]), 28, 28) for part in labels}
        files = [
            (f"{stem}-{what}-ubyte.gz", idx(array))
            for stem, part in (("train", "train"), ("t10k", "test"))
            for what, array in (("images-idx3", images[part]), ("labels-idx1", labels[part]))
        ]
        monkeypatch.setattr(kind, "mirrors", [server.url])
        monkeypatch.setattr(kind, "resources", [(file, put(file, content)) for file, content in files])
        return {part: (images[part][:, None], labels[part]) for part in labels}
    if name == "emnist":
        images = {part: pixels(len(labels[part]), 28, 28) for part in labels}
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as folder:
            for part in labels:
                for what, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
                    folder.writestr(f"gzip/emnist-balanced-{part}-{what}-ubyte.gz", idx(array))
        monkeypatch.setattr(kind, "url", f"{server.url}gzip.zip")
        monkeypatch.setattr(kind, "md5", put("gzip.zip", archive.getvalue()))
        return {part: (images[part].transpose(0, 2, 1)[:, None], labels[part]) for part in labels}
    images = {part: pixels(len(labels[part]), 3, 32, 32) for part in labels}
    if name == "svhn":
        resources = {}
        for part in labels:
            buffer = io.BytesIO()
            numbers = np.where(labels[part] == 0, 10, labels[part])[:, None]  # SVHN writes the digit 0 as 10
            savemat(buffer, {"X": images[part].transpose(2, 3, 1, 0), "y": numbers})  # type: ignore[arg-type]
            file = f"{part}_32x32.mat"
            resources[part] = [f"{server.url}{file}", file, put(file, buffer.getvalue())]
        monkeypatch.setattr(kind, "split_list", resources)
        return {part: (images[part], labels[part]) for part in labels}
    fine, batch, meta = (
        ("fine_labels", "train", "meta") if name == "cifar100" else ("labels", "data_batch_1", "batches.meta")
    )
    names = "fine_label_names" if name == "cifar100" else "label_names"
    test = "test" if name == "cifar100" else "test_batch"
    contents = {
        file: pickle.dumps({"data": images[part].reshape(-1, 3072), fine: labels[part].tolist()})
        for file, part in ((batch, "train"), (test, "test"))
    }
    contents[meta] = pickle.dumps({names: [str(i) for i in range(10)]})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        for file, content in contents.items():
            entry = tarfile.TarInfo(f"{kind.base_folder}/{file}")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    monkeypatch.setattr(kind, "url", f"{server.url}{kind.filename}")
    monkeypatch.setattr(kind, "tgz_md5", put(kind.filename, archive.getvalue()))
    monkeypatch.setattr(kind, "train_list", [[batch, md5(contents[batch])]])
    monkeypatch.setattr(kind, "test_list", [[test, md5(contents[test])]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "filename": meta, "md5": md5(contents[meta])})
    return {part: (images[part], labels[part]) for part in labels}


def own_form(name: str, folder: Path) -> DataSet:
    """A data set in its own shape."""
    return load_data(name, shape=lambda shape, **_: shape, data_dir=folder)


@pytest.mark.parametrize("source", DOWNLOADS, ids=lambda source: source.name)
def test_a_downloaded_data_set_is_what_its_files_hold(
    source: Any, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = publish(source.name, server, monkeypatch)
    data = own_form(source.name, tmp_path / "cache")
    assert data.shape == source.shape
    assert data.n_classes == source.n_classes
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (source.mean, source.std))
    for part in ("train", "test"):
        images, labels = getattr(data, part).tensors
        np.testing.assert_allclose((images * std + mean) * 255, written[part][0], atol=1e-4)
        assert labels.tolist() == written[part][1].tolist()


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn"])
def test_a_data_set_is_downloaded_once(
    name: str, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(name, server, monkeypatch)
    first = own_form(name, tmp_path / "cache").train.tensors
    asked = len(server.asked)
    assert asked
    assert all(torch.equal(a, b) for a, b in zip(first, own_form(name, tmp_path / "cache").train.tensors, strict=True))
    assert len(server.asked) == asked


def test_a_download_that_was_cut_off_goes_on_with_what_is_missing(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = publish("mnist", server, monkeypatch)
    cut = server.folder / "t10k-images-idx3-ubyte.gz"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-100])
    with pytest.raises(DnnTopologyError, match=r"mnist could not be fetched .*mnist-5k"):
        own_form("mnist", tmp_path / "cache")
    assert not (tmp_path / "cache" / "mnist").exists()
    cut.write_bytes(whole)
    server.asked.clear()
    assert own_form("mnist", tmp_path / "cache").test.tensors[1].tolist() == written["test"][1].tolist()
    assert not any("train-images" in file for file in server.asked)


def test_unpacking_that_was_cut_off_is_done_again(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("mnist", server, monkeypatch)
    own_form("mnist", tmp_path / "cache")
    (tmp_path / "cache" / "mnist").rename(tmp_path / "cache" / ".mnist.part")
    unpacked = tmp_path / "cache" / ".mnist.part" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    unpacked.write_bytes(unpacked.read_bytes()[:-1])
    assert len(own_form("mnist", tmp_path / "cache").train) == 12


def test_a_damaged_cache_is_named_with_the_remedy(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("mnist", server, monkeypatch)
    own_form("mnist", tmp_path / "cache")
    (tmp_path / "cache" / "mnist" / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(DnnTopologyError, match=r"mnist in .* is damaged or incomplete .*delete it"):
        own_form("mnist", tmp_path / "cache")


def test_files_that_torchvision_put_there_are_used(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("cifar10", server, monkeypatch)
    torchvision("datasets").CIFAR10(str(tmp_path / "data"), download=True)
    server.asked.clear()
    assert len(own_form("cifar10", tmp_path / "data").train) == 12
    assert not server.asked


@pytest.mark.parametrize("writable", [True, False])
def test_an_archive_that_is_there_is_unpacked_beside_itself_or_in_the_cache(
    writable: bool, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("cifar10", server, monkeypatch)
    (tmp_path / "data").mkdir()
    archive = torchvision("datasets").CIFAR10.filename
    (tmp_path / "data" / archive).write_bytes((server.folder / archive).read_bytes())
    monkeypatch.setattr("os.access", lambda *_: writable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        assert len(own_form("cifar10", tmp_path / "data").train) == 12
    assert not server.asked
    assert ([path.name for path in (tmp_path / "data").iterdir()] == [archive]) != writable


def image(path: Path, array: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A folder of images of two classes: cats are dark, dogs are bright, and one is wider than high."""
    for part, count in (("train", 3), ("val", 2)):
        for place in range(count):
            image(tmp_path / "animals" / part / "cat" / f"{place}.png", np.full((10, 10, 3), 20, np.uint8))
            image(tmp_path / "animals" / part / "dog" / f"{place}.JPG", np.full((10, 16, 3), 200, np.uint8))
    return tmp_path / "animals"


def test_a_folder_of_images_is_read_by_class(animals: Path) -> None:
    data = load_data(f"folder:{animals}", shape=(3, 10, 10))
    images, labels = data.train.tensors
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (len(data.test), data.n_classes, images.shape) == (4, 2, (6, 3, 10, 10))
    assert (images[:3].mean() < images[3:].mean()).item()


def test_an_image_covers_its_shape_and_is_cropped_to_the_centre() -> None:
    wide = torch.zeros(1, 1, 4, 12)
    wide[..., 4:8] = 1.0
    assert Form((1, 4, 4), (0.0,), (1.0,)).fit(wide).min() == 1


def test_a_large_folder_is_decoded_as_it_is_used(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels_module, "CACHE_BYTES", 400)  # one image of 10×10 and no more
    opened = list[Path]()
    decode = pixels_module.decoded

    def seen(path: Path) -> torch.Tensor:
        opened.append(path)
        return decode(path)

    monkeypatch.setattr(pixels_module, "decoded", seen)
    cats = Files(sorted((animals / "train" / "cat").glob("*.png")))
    assert not opened
    cats.take(torch.tensor([0, 1, 0, 1]))
    assert [path.name for path in opened] == ["0.png", "1.png", "1.png"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: (folder / "train").rename(folder / "training"),
            "has no folder train: expected train/ and test/ or val/",
        ),
        (lambda folder: (folder / "train" / "cat" / "1.png").write_bytes(b"\x89PNG damaged"), "cannot read the image"),
        (lambda folder: (folder / "val" / "cow").mkdir(), "val has the class 'cow', which .*train lacks"),
        (lambda folder: (folder / "val").rename(folder / "valid"), "has no folder test or val: expected train/"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(animals: Path, spoil: Any, message: str) -> None:
    spoil(animals)
    with pytest.raises(DnnTopologyError, match=message):
        _ = load_data(f"folder:{animals}").train.tensors


def test_tiny_imagenet_is_read_from_its_own_layout(tmp_path: Path) -> None:
    root = tmp_path / "tiny-imagenet-200"
    for name in ("n02", "n01"):
        for place in range(2):
            image(root / "train" / name / "images" / f"{name}_{place}.JPEG", pixels(64, 64, 3))
    image(root / "val" / "images" / "val_0.JPEG", pixels(64, 64))  # some are grey
    (root / "wnids.txt").write_text("n02\nn01\n")
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t0\t0\t10\t10\n")
    data = load_data("imagenet", shape=(3, 32, 32), data_dir=tmp_path)
    assert data.train.tensors[1].tolist() == [0, 0, 1, 1]
    assert data.test.tensors[1].tolist() == [1]
    assert data.shape == (3, 32, 32)


def test_tiny_imagenet_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match=r"tiny-imagenet-200 is not in .*unpack http.*mnist-5k"):
        load_data("tiny-imagenet", data_dir=tmp_path)


def arrays(path: Path, **changes: Any) -> str:
    """The name of an npz with six images to train and three to test."""
    found = {
        "x_train": pixels(6, 9, 9, 3),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": pixels(3, 9, 9, 3),
        "y_test": np.array([[2], [1], [0]]),
    }
    np.savez(path / "own.npz", **{name: value for name, value in {**found, **changes}.items() if value is not None})
    return f"npz:{path / 'own.npz'}"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((9, 9, 3), (3, 9, 9)), ((1, 9, 9), (1, 9, 9)), ((9, 8), (1, 9, 8)), ((40,), (1, 1, 40))],
)
def test_arrays_are_read_in_every_usual_order(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    name = arrays(tmp_path, x_train=pixels(6, *shape), x_test=pixels(3, *shape))
    data = own_form(name, tmp_path)
    assert (data.shape, data.n_classes, data.test.tensors[1].tolist()) == (expected, 3, [2, 1, 0])


def test_arrays_are_normalised_by_their_own_training_values(tmp_path: Path) -> None:
    images = own_form(
        arrays(tmp_path, x_train=RNG.normal(5, 3, (6, 9, 9, 3)), x_test=np.zeros((3, 9, 9, 3))), tmp_path
    ).train.tensors[0]
    assert torch.allclose(images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(images.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "has no array 'y_test': expected x_train, y_train, x_test, y_test"),
        ({"y_train": np.array([0, 1])}, "y_train .* must hold one whole number from 0 per image, 6 in all"),
        ({"y_train": np.array([0.5] * 6)}, "must hold one whole number"),
        ({"y_test": np.array([0, 1, 3])}, "y_test .* has class 3, which y_train lacks"),
        ({"x_test": pixels(3, 9, 9)}, r"images for training are \(3, 9, 9\) and for testing \(1, 9, 9\)"),
        ({"x_train": np.full((6, 9, 9), np.nan)}, "x_train .* must hold finite numbers"),
        ({"x_train": np.full((6, 9, 9, 3), 1e300)}, r"x_train .* holds numbers as large as 1e\+300, which float32 has"),
        ({"x_test": np.zeros((3, 9, 9, 3))}, "for training are uint8 and for testing float64, .*give them one type"),
        ({"y_train": np.zeros(6, int), "y_test": np.zeros(3, int)}, "y_train .* has one class alone, 0"),
        ({"y_train": np.arange(6) - 1}, "must hold one whole number from 0 .* from -1 to 4"),
        ({"x_train": pixels(6, 9, 9, 2)}, "with 1 or 3 channels"),
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        load_data(arrays(tmp_path, **changes))


def test_arrays_that_need_pickle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DnnTopologyError, match="damaged"):
        load_data(arrays(tmp_path, x_train=np.array([{}], dtype=object)))


def test_mnist1d_is_generated_alike_every_time_and_leaves_the_random_states_alone() -> None:
    pytest.importorskip("mnist1d")
    from dnn_topology.nets.data import embedded

    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    first, second = (embedded.mnist1d_of(100).train for _ in range(2))
    places = torch.arange(80)
    assert torch.equal(torch.stack(list(first.pixels.take(places))), torch.stack(list(second.pixels.take(places))))
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize(
    ("name", "shape"),
    [("digits_gray28", (1, 28, 28)), ("digits_color32", (3, 32, 32)), ("digits_gray", (1, 8, 8))],
)
def test_the_endings_of_the_original_name_a_form(name: str, shape: tuple[int, int, int]) -> None:
    assert load_data(name, shape=lambda wished, **_: wished).shape == shape


def test_colour_becomes_grey_by_luminance_and_grey_becomes_colour_by_repetition(tmp_path: Path) -> None:
    name = arrays(tmp_path, x_train=pixels(6, 9, 9, 3))
    colour, grey = (load_data(name, shape=(channels, 9, 9)).train.tensors[0] for channels in (3, 1))
    expected = 0.299 * colour[:, 0] + 0.587 * colour[:, 1] + 0.114 * colour[:, 2]
    assert torch.allclose(grey[:, 0], expected, atol=1e-5)
    repeated, plain = (load_data("digits", shape=(channels, 8, 8)).train.tensors[0] for channels in (3, 1))
    assert torch.equal(repeated, plain.expand(-1, 3, -1, -1))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("digits_gray28", (3, 32, 32), "the network takes images of 3×32×32, and digits_gray28 asks for 1×28×28"),
        ("digits_gray", (3, 8, 8), "asks for 1×8×8"),
        ("digit_gray28", (1, 28, 28), "unknown dataset 'digit_gray28'"),
        ("foldr:x", (1, 28, 28), "unknown kind of data 'foldr': did you mean folder"),
        ("npz:", (1, 28, 28), "'npz:' names no path: give npz:PATH, a file with x_train"),
        ("folder: ", (1, 28, 28), "names no path: give folder:PATH, a folder with train/"),
    ],
)
def test_a_form_that_the_network_cannot_take_is_refused(name: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(DnnTopologyError, match=message):
        load_data(name, shape=shape)
