"""Names of data sets: what there is, and what a name asks for."""

from __future__ import annotations

import re
from pathlib import Path

from dnn_topology._checks import DnnTopologyError, nearest, shown
from dnn_topology.nets.data import arrays, embedded, folders
from dnn_topology.nets.data.downloaded import DOWNLOADS
from dnn_topology.nets.data.source import Source

ENDING = re.compile(r"(?P<name>.+)_(?P<colour>gray|color)(?P<size>\d{1,5})?")
Asked = tuple[int | None, int | None]  # channels and size

_ABOUT = {
    "mnist": "MNIST: handwritten digits, 60,000 to train, 10,000 to test",
    "fashion_mnist": "Fashion-MNIST: clothes, 60,000 to train, 10,000 to test",
    "kmnist": "KMNIST: Japanese characters, 60,000 to train, 10,000 to test",
    "emnist": "EMNIST, balanced: letters and digits, 112,800 to train, 18,800 to test",
    "cifar10": "CIFAR-10: small photographs, 50,000 to train, 10,000 to test",
    "cifar100": "CIFAR-100: the same with 100 classes",
    "svhn": "SVHN: house numbers, 73,257 to train, 26,032 to test",
}
DATA_SETS = {
    source.name: source
    for source in (
        Source("mnist-5k", "5,000 MNIST images, 4,000 to train", "comes with the package", embedded.mnist_5k),
        Source("digits", "1,797 digits of 8×8, 1,437 to train", "comes with the package", embedded.digits),
        Source("mnist1d", "MNIST-1D: 5,000 sequences of 40 numbers, 4,000 to train", "generated", embedded.mnist1d),
        *(Source(each.name, _ABOUT[each.name], "downloaded once", each) for each in DOWNLOADS),
        Source(
            "tiny-imagenet",
            "200 classes, 100,000 photographs of 64×64 to train, 10,000 to test",
            "your copy, in --data-dir",
            folders.tiny_imagenet,
            ("imagenet",),
        ),
        Source(
            "folder:", "a folder with train/ and test/ or val/, one folder per class in each", "yours", folders.folder
        ),
        Source("npz:", "a file with x_train, y_train, x_test, y_test", "yours", arrays.arrays),
    )
}
_NAMES = {name: source for source in DATA_SETS.values() for name in (source.name, *source.aliases)}


def check_name(name: str) -> None:
    """Check that there is a data set of a name, without reading it.

    Raises:
        DnnTopologyError: There is none; the message names the nearest.
    """
    understood(name)


def named(name: str | Path) -> str:
    """Return the name of a data set; of a path, "npz:PATH" or "folder:PATH".

    Raises:
        DnnTopologyError: It is neither a text nor a path.
    """
    if isinstance(name, Path):
        return f"{'npz' if name.suffix == '.npz' else 'folder'}:{name}"
    if not isinstance(name, str):
        raise DnnTopologyError(
            f"a data set is named by a text or a path, such as 'mnist-5k' or Path('mine.npz'), found {shown(name)}"[
                :300
            ]
        )
    return name


def understood(name: str) -> tuple[Source, Path | None, Asked]:
    """Return where a data set comes from, the path in its name, and the channels and the size that it asks for.

    Raises:
        DnnTopologyError: There is none of that name.
    """
    kind, colon, rest = name.partition(":")
    if colon:
        if f"{kind}:" not in DATA_SETS:
            raise DnnTopologyError(f"unknown kind of data {kind!r}: {nearest(kind, ('folder', 'npz'))}")
        if not rest.strip():
            raise DnnTopologyError(f"dataset {name!r} names no path: give {kind}:PATH, {DATA_SETS[f'{kind}:'].about}")
        return DATA_SETS[f"{kind}:"], *_path(rest)
    if name in _NAMES:
        return _NAMES[name], None, (None, None)
    ending = ENDING.fullmatch(name)
    if ending is None or ending["name"] not in _NAMES:
        known = [each for each in _NAMES if not each.endswith(":")]
        raise DnnTopologyError(f"unknown dataset {name!r}: {nearest(name, known)}; folder:PATH and npz:PATH go too")
    return _NAMES[ending["name"]], None, _asked(ending)


def resolved(name: str) -> str:
    """Return a name that means the same data from every folder: paths in it made absolute."""
    kind, colon, rest = name.partition(":")
    return f"{kind}:{Path(rest).expanduser().resolve()}" if colon else name


def _path(text: str) -> tuple[Path, Asked]:
    """Return the path after "folder:" or "npz:", and the form that its ending asks for, if it is not part of it."""
    path, ending = Path(text).expanduser(), ENDING.fullmatch(text)
    if path.exists() or ending is None:
        return path, (None, None)
    return Path(ending["name"]).expanduser(), _asked(ending)


def _asked(ending: re.Match[str]) -> Asked:
    """Return the channels and the size that an ending asks for.

    Raises:
        DnnTopologyError: The size is 0.
    """
    size = int(ending["size"]) if ending["size"] else None
    if size == 0:
        raise DnnTopologyError(f"{ending[0]!r} asks for images of size 0: give the height, as in _gray28")
    return 1 if ending["colour"] == "gray" else 3, size
