"""Data sets of the user's own in folders of images, and Tiny ImageNet's folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data.forms import Normalisation
from dnn_topology.nets.data.labels import Split
from dnn_topology.nets.data.pixels import Files, decoded
from dnn_topology.nets.data.source import Raw

ENDINGS = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# What image files begin with: of PNG, JPEG, GIF, BMP, TIFF (twice, and its 64-bit kind), WebP, and P1 to P7.
BEGINNINGS = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"RIFF")
PORTABLE = tuple(b"P%d" % number for number in range(1, 8))
# What systems and programs leave in folders: no classes, no images, and nobody's concern.
LITTER = {"__MACOSX", "__pycache__", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "desktop.ini"}
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TINY_IMAGENET: Normalisation = ((0.4802, 0.4481, 0.3975), (0.2770, 0.2691, 0.2821))
NAMED = 3  # files that a warning names


def folder(path: Path, normalisation: Normalisation = IMAGENET) -> Raw:
    """Read a folder with train/ and test/ or val/, each with a folder of images per class.

    Hidden folders and files, and those that systems leave behind, are passed over; other files that are no images are
    counted and named in a warning.

    Args:
        path: The folder.
        normalisation: Mean and standard deviation of the pixels, per channel; by default those of ImageNet.

    Returns:
        The data set. Images are decoded when they are needed.

    Raises:
        DnnTopologyError: A folder is missing or empty, a class has no images to train on, or the splits have other
            classes.
    """
    test = next((path / name for name in ("test", "val") if (path / name).is_dir()), path / "test")
    for name, part in (("train", path / "train"), ("test or val", test)):
        if path.is_dir() and not part.is_dir():
            raise DnnTopologyError(
                f"{path} has no folder {name}: expected train/ and test/ or val/ there, in each a folder of images per "
                "class"
            )
    classes = _classes(path / "train")
    strange = sorted(set(_classes(test)) - set(classes))
    if strange:
        raise DnnTopologyError(f"{test} has the class {strange[0]!r}, which {path / 'train'} lacks")
    train, tested = ({name: _scanned(part / name) for name in classes} for part in (path / "train", test))
    for name, files in train.items():
        if not files.images:
            raise DnnTopologyError(
                f"{path / 'train' / name} has no images ({', '.join(sorted(ENDINGS))}): put the class's images there, "
                "or remove the folder"
            )
    _warn([*train.values(), *tested.values()], path)
    untested = [name for name, files in tested.items() if not files.images]
    if 0 < len(untested) < len(classes):
        warnings.warn(
            f"{test} has no images of {_first(map(repr, untested))}: accuracy there speaks of the other classes",
            stacklevel=2,
        )
    splits = [_labelled([files.images for files in part.values()], path) for part in (train, tested)]
    return _raw(splits[0], splits[1], normalisation, n_classes=len(classes))


def tiny_imagenet(data_dir: Path) -> Raw:
    """Read the unpacked tiny-imagenet-200, whose validation images serve for testing.

    Args:
        data_dir: The folder that holds tiny-imagenet-200, or that folder.

    Returns:
        The data set.

    Raises:
        DnnTopologyError: It is not there, or not complete.
    """
    path = next((place for place in (data_dir, data_dir / "tiny-imagenet-200") if (place / "wnids.txt").exists()), None)
    if path is None:
        raise DnnTopologyError(
            f"tiny-imagenet-200 is not in {data_dir}: unpack http://cs231n.stanford.edu/tiny-imagenet-200.zip there, "
            "or name the folder that holds it as data_dir; mnist-5k needs no download"
        )
    names = sorted(_lines(path / "wnids.txt"))
    train = [_scanned(path / "train" / name).images for name in names]
    rows = [line.split("\t") for line in _lines(path / "val" / "val_annotations.txt")]
    places = {name: place for place, name in enumerate(names)}
    try:
        test = [(path / "val" / "images" / row[0], places[row[1]]) for row in rows]
    except (KeyError, IndexError) as error:
        raise DnnTopologyError(
            f"{path / 'val' / 'val_annotations.txt'} is damaged ({error}): unpack it again"
        ) from error
    tested = Split.whole(Files([file for file, _ in test]), torch.tensor([label for _, label in test], device="cpu"))
    return _raw(_labelled(train, path / "train"), tested, TINY_IMAGENET, n_classes=len(names))


@dataclass(frozen=True)
class Scanned:
    """The files in a class's folder.

    Attributes:
        images: Those that are images, sorted.
        others: Those that are not, sorted.
    """

    images: list[Path]
    others: list[Path]


def _scanned(path: Path) -> Scanned:
    """Return the files in a folder and those below it, through links too; none if there is no such folder."""
    images, others, visited = list[Path](), list[Path](), set[str]()
    for place, folders, names in os.walk(path, followlinks=True):
        visited.add(os.path.realpath(place))
        folders[:] = [
            name
            for name in folders
            if not _is_litter(name) and os.path.realpath(os.path.join(place, name)) not in visited  # noqa: PTH118
        ]
        for name in names:
            if not _is_litter(name):
                file = Path(place, name)
                (images if _is_image(file) else others).append(file)
    return Scanned(sorted(images), sorted(others))


def _is_litter(name: str) -> bool:
    """Tell whether a file or folder is hidden, or what a system or a program leaves behind."""
    return name.startswith((".", "@")) or name in LITTER


def _is_image(path: Path) -> bool:
    """Tell whether a file has the ending and the beginning of an image."""
    if path.suffix.lower() not in ENDINGS:
        return False
    with store.readable_errors("read", path), path.open("rb") as file:
        return file.read(4).startswith(BEGINNINGS + PORTABLE)


def _warn(parts: Sequence[Scanned], path: Path) -> None:
    """Say how many files are no images, and name the first."""
    others = [file for part in parts for file in part.others]
    if others:
        warnings.warn(
            f"{path}: {len(others)} {'file is no image' if len(others) == 1 else 'files are no images'} and left out: "
            f"{_first(str(file.relative_to(path)) for file in others)}",
            stacklevel=3,
        )


def _first(names: Iterable[str]) -> str:
    """Return the first of some names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return f"{', '.join(listed[:NAMED])}{more}"


def _classes(path: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted.

    Raises:
        DnnTopologyError: There are none.
    """
    with store.readable_errors("read", path):
        names = sorted(each.name for each in path.iterdir() if each.is_dir() and not _is_litter(each.name))
    if not names:
        raise DnnTopologyError(f"{path} has no folders: expected one per class, with its images")
    return names


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty."""
    with store.readable_errors("read", path):
        return [line for line in path.read_text(errors="replace").splitlines() if line.strip()]


def _labelled(classes: Sequence[Sequence[Path]], where: Path) -> Split:
    """Return image files, given class by class, with their labels.

    Raises:
        DnnTopologyError: There are none.
    """
    labelled = [(file, place) for place, files in enumerate(classes) for file in files]
    if not labelled:
        raise DnnTopologyError(f"{where} has no images ({', '.join(sorted(ENDINGS))}) in the folders of a split")
    return Split.whole(
        Files([file for file, _ in labelled]), torch.tensor([label for _, label in labelled], device="cpu")
    )


def _raw(train: Split, test: Split, normalisation: Normalisation, *, n_classes: int) -> Raw:
    """Return image files as a data set; the first one shows the size."""
    first = decoded(train.pixels.paths[0]) if isinstance(train.pixels, Files) else torch.empty(3, 1, 1, device="cpu")
    return Raw(train, test, (3, first.shape[1], first.shape[2]), n_classes, *normalisation)
