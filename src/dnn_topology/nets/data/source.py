"""What is known of a data set before it is loaded, and what a source gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnn_topology.nets.data.forms import Shape
from dnn_topology.nets.data.labels import Split


@dataclass(frozen=True, eq=False)
class Raw:
    """A data set as its source gives it.

    Attributes:
        train: Training images and labels.
        test: Test images and labels.
        shape: (channels, height, width) of its images; of the first one, if they differ.
        n_classes: Number of classes.
        mean: Of the training pixels in [0, 1], per channel.
        std: The same.
    """

    train: Split
    test: Split
    shape: Shape
    n_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """A data set that can be named.

    Attributes:
        name: As on the command line; what ends in a colon is followed by a path.
        about: One line for the list.
        origin: Where it comes from: for the list.
        load: Reads it, given a name's path or, if it has none, the cache folder.
        aliases: Its other names.
    """

    name: str
    about: str
    origin: str
    load: Callable[[Path], Raw]
    aliases: tuple[str, ...] = ()


def default_data_dir() -> Path:
    """Return the folder of downloaded data sets: `dnn-topology` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dnn-topology"
