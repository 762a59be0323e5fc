"""Folders of images as they lie on people's disks."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.data.pixels import decoded

RAMP = np.linspace(0, 1, 400).reshape(20, 20)


def save(path: Path, array: NDArray[Any] | None = None, **options: Any) -> Path:
    """Write an image, grey in the middle if none is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), 128, np.uint8) if array is None else array).save(path, **options)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder of two classes, three images each to train and one to test."""
    for name in ("cat", "dog"):
        for place in range(3):
            save(tmp_path / "pets" / "train" / name / f"{place}.png")
        save(tmp_path / "pets" / "test" / name / "0.png")
    return tmp_path / "pets"


def loaded(pets: Path) -> DataSet:
    return load_data(f"folder:{pets}")


@pytest.mark.parametrize("where", ["train", "test", "train/cat", "train/dog"])
@pytest.mark.parametrize("name", [".ipynb_checkpoints", "@eaDir", "__MACOSX", ".Trash-1000"])
def test_a_hidden_folder_is_no_class_and_holds_no_images(pets: Path, where: str, name: str) -> None:
    save(pets / where / name / "x.png")
    data = loaded(pets)
    assert (data.n_classes, data.train.tensors[1].tolist(), len(data.test)) == (2, [0, 0, 0, 1, 1, 1], 2)


def test_what_systems_leave_behind_goes_unmentioned(pets: Path) -> None:
    for name in ("._1.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (pets / "train" / "cat" / name).write_bytes(b"\0\5\x16\7Mac OS X")
    assert len(loaded(pets).train) == 6


def test_files_that_are_no_images_are_counted_and_named(pets: Path) -> None:
    (pets / "train" / "cat" / "notes.txt").write_text("no image")
    (pets / "train" / "dog" / "page.jpg").write_text("<!DOCTYPE html>")
    (pets / "train" / "dog" / "z.png").write_bytes(b"")
    (pets / "test" / "dog" / "z.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"4 files are no images and left out: .*notes.txt, .*page.jpg, .*z.png and 1"):
        assert len(loaded(pets).train) == 6


@pytest.mark.parametrize("content", [None, b"", b"<!DOCTYPE html>"])
def test_a_class_without_images_to_train_on_is_refused(pets: Path, content: bytes | None) -> None:
    (pets / "train" / "bird").mkdir()
    if content is not None:
        (pets / "train" / "bird" / "x.png").write_bytes(content)
    with pytest.raises(DnnTopologyError, match=r"bird has no images .*put the class's images there, or remove"):
        loaded(pets)


def test_a_class_without_images_to_test_on_is_named(pets: Path) -> None:
    (pets / "test" / "cat" / "0.png").unlink()
    with pytest.warns(UserWarning, match=r"test has no images of 'cat': accuracy there speaks of the other classes"):
        assert len(loaded(pets).test) == 1


def test_folders_below_a_class_links_and_odd_endings_are_followed(pets: Path) -> None:
    save(pets / "train" / "cat" / "deep" / "er" / "x.PNG")
    save(pets.parent / "more" / "y.png")
    (pets / "train" / "cat" / "linked").symlink_to(pets.parent / "more")
    (pets / "train" / "cat" / "loop").symlink_to(pets / "train" / "cat")
    save(pets / "train" / "dog" / "photo.jfif", format="JPEG")
    (pets / "train" / "dog" / "folder.png").mkdir()
    assert loaded(pets).train.tensors[1].tolist() == [0] * 5 + [1] * 4


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x.png", (RAMP * 65535).astype(np.uint16)),
        ("x.tif", (RAMP * 65535).astype(np.uint16)),
        ("x.tiff", RAMP.astype(np.float32)),
        ("x.png", (RAMP * 255).astype(np.uint8)),
    ],
)
def test_a_grey_ramp_of_any_depth_stays_a_ramp(tmp_path: Path, name: str, array: NDArray[Any]) -> None:
    image = decoded(save(tmp_path / name, array))
    scaled = image / 255 if image.dtype == torch.uint8 else image
    assert scaled.shape == (3, 20, 20)
    assert np.abs(scaled.numpy() - RAMP).max() < 1 / 255


@pytest.mark.parametrize("array", [RAMP.astype(np.float32) * 255, np.full((4, 4), -1, np.int32)])
def test_an_image_whose_range_nobody_knows_is_refused(tmp_path: Path, array: NDArray[Any]) -> None:
    with pytest.raises(DnnTopologyError, match=r"holds numbers from .* expected 0 to .*: scale it"):
        decoded(save(tmp_path / "x.tiff", array))


def test_a_photograph_is_turned_upright_as_its_camera_says(tmp_path: Path) -> None:
    left_is_white = np.zeros((20, 30, 3), np.uint8)
    left_is_white[:, :15] = 255
    camera = Image.Exif()
    camera[0x0112] = 6  # turned by a quarter clockwise
    image = decoded(save(tmp_path / "x.jpg", left_is_white, exif=camera, quality=95))
    assert image.shape == (3, 30, 20)
    assert image[:, :10].float().mean() > 250
    assert image[:, 20:].float().mean() < 5


def test_what_is_transparent_shows_white_and_what_is_opaque_its_colour(tmp_path: Path) -> None:
    black = np.zeros((20, 20, 4), np.uint8)
    black[:, :10, 3] = 255
    image = decoded(save(tmp_path / "x.png", black))
    assert image[:, :, :10].max() == 0
    assert image[:, :, 10:].min() == 255
    opaque = np.random.default_rng(0).integers(0, 256, (20, 20, 4), dtype=np.uint8)
    opaque[..., 3] = 255
    assert np.array_equal(decoded(save(tmp_path / "y.png", opaque)).numpy().transpose(1, 2, 0), opaque[..., :3])


def test_a_huge_image_and_a_cut_one_are_one_line_with_their_name(tmp_path: Path) -> None:
    for side in (9_000, 20_000):  # below PIL's own limit, and beyond it
        Image.new("1", (side, side)).save(tmp_path / "bomb.png")
        with pytest.raises(DnnTopologyError, match=r"bomb.png(:| has) .*(make it smaller|remove it)"):
            decoded(tmp_path / "bomb.png")
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    whole = save(tmp_path / "cut.jpg", noise).read_bytes()
    for end in range(20, len(whole) - 2, len(whole) // 40):
        (tmp_path / "cut.jpg").write_bytes(whole[:end])
        with pytest.raises(DnnTopologyError, match=r"cannot read the image .*cut.jpg: .*; remove it") as caught:
            decoded(tmp_path / "cut.jpg")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "kind"), [("grey.png", np.uint16), ("grey.tif", np.float32), ("grey.png", np.uint8)])
def test_reading_a_large_image_takes_little_more_than_the_image_that_is_read(
    tmp_path: Path, name: str, kind: type[Any]
) -> None:
    path = save(tmp_path / name, np.zeros((1500, 1500), kind))
    decoded(path)  # whatever is imported or kept at the first time
    tracemalloc.start()
    try:
        read = decoded(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * read.nbytes


def test_a_small_file_that_announces_very_many_pixels_is_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("1", (7000, 7000)).save(path)
    with pytest.raises(DnnTopologyError, match=r"x\.png has 7000×7000 pixels: make it smaller than 34 million"):
        decoded(path)


def test_the_digest_of_a_folder_tells_its_content_wherever_it_lies(pets: Path, tmp_path: Path) -> None:
    before = loaded(pets).digest
    shutil.copytree(pets, tmp_path / "copy")
    assert loaded(tmp_path / "copy").digest == before
    save(pets / "train" / "cat" / "1.png", np.zeros((20, 20, 3), np.uint8))
    assert loaded(pets).digest != before
