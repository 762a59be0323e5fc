"""The images of benchmarks/gap.py: a few thousand of each data set, as files that its grids name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dnn_topology import load_data
from dnn_topology.nets.data import sample
from dnn_topology.store import write_arrays

Array = np.ndarray[Any, Any]
N_TRAIN, N_TEST = 4_000, 1_500  # images of a data set that networks are drawn from, and that they are tested on


def prepared(
    folder: Path,
    data: Path,
    *,
    cifar: Path | None,
    mlbench: Path | None,
    kernlab: Path | None,
    caret: Path | None,
    weka: Path | None,
) -> None:
    """Write the images that are not there yet.

    Args:
        folder: Where to.
        data: The folder with MNIST, Fashion-MNIST and USPS.
        cifar: An npz with CIFAR-10.
        mlbench: The folder with Satellite.rda, LetterRecognition.rda and DNA.rda, the folder `data` of R's package
            mlbench (GPL-2; the data are Statlog's Landsat and DNA and Slate's letters, of the UCI repository).
        kernlab: The folder with spam.rda, the folder `data` of R's package kernlab (GPL-2; Hewlett-Packard's Spambase,
            of the UCI repository).
        caret: The folder with segmentationData.RData, the folder `data` of R's package caret (GPL-2 or later; cells of
            Hill et al., BMC Bioinformatics 2007).
        weka: The folder with segment-challenge.arff and segment-test.arff, `examples` of Weka's (GPL-2; the data are
            Statlog's image segmentation, of the UCI repository).

    Raises:
        SystemExit: Images are missing.
    """
    sources = {
        "mnist": "mnist",
        "fashion": f"npz:{data / 'fashion_mnist_20k.npz'}",
        "usps": f"npz:{data / 'usps.npz'}",
        "cifar10": f"npz:{cifar.resolve()}" if cifar else "",
    }
    for name, source in sources.items():
        if not (folder / f"{name}.npz").exists():
            if not source:
                raise SystemExit("name the images of CIFAR-10: --cifar FILE.npz")
            _prepare(source, data, folder / f"{name}.npz")
    tables = {
        "satellite": (_satellite, "mlbench", mlbench),
        "letters": (_letters, "mlbench", mlbench),
        "dna": (_dna, "mlbench", mlbench),
        "spam": (_spam, "kernlab", kernlab),
        "cells": (_cells, "caret", caret),
        "segment": (_segment, "weka", weka),
    }
    for name, (values_of, package, source) in tables.items():
        if not (folder / f"{name}.npz").exists():
            if source is None:
                raise SystemExit(f"name the data sets that {package} comes with: --{package} FOLDER")
            write_arrays(folder / f"{name}.npz", _drawn(*values_of(source)))


def _satellite(folder: Path) -> tuple[Array, Array, int]:
    """Return Landsat's patches of 3×3 pixels (6,435, 6, 6), their soils, and how many are for training.

    A pixel's four bands are a square of 2×2, so that neighbours stay neighbours.
    """
    table = _of_r(folder / "Satellite.rda")
    bands = table.filter(like="x.").to_numpy().reshape(-1, 3, 3, 2, 2).transpose(0, 1, 3, 2, 4)
    return bands.reshape(-1, 6, 6).astype(np.uint8), table["classes"].cat.codes.to_numpy(np.int64), 4_435


def _letters(folder: Path) -> tuple[Array, Array, int]:
    """Return 16 numbers, of 0 to 15, for each of 20,000 printed letters, which they are, and how many are to train."""
    table = _of_r(folder / "LetterRecognition.rda")
    numbers = table.drop(columns="lettr").to_numpy()
    return (17 * numbers).astype(np.uint8), table["lettr"].cat.codes.to_numpy(np.int64), 16_000


def _dna(folder: Path) -> tuple[Array, Array, int]:
    """Return 60 places of primate DNA (3,186, 3, 1, 60), which splice junction is there, and how many are to train.

    A place's base is three bits, here its channels.
    """
    table = _of_r(folder / "DNA.rda")
    bits = table.drop(columns="Class").astype(int).to_numpy().reshape(-1, 60, 3).transpose(0, 2, 1)
    return (255 * bits[:, :, None]).astype(np.uint8), table["Class"].cat.codes.to_numpy(np.int64), 2_000


def _spam(folder: Path) -> tuple[Array, Array, int]:
    """Return 57 numbers of each of 4,601 messages, as shares of their logarithms' largest, and whether it is spam.

    Messages are in order of their class there, and are shuffled.
    """
    table = _of_r(folder / "spam.rda")
    table = table.iloc[np.random.default_rng(0).permutation(len(table))]
    numbers = np.log1p(table.drop(columns="type").to_numpy(np.float64))
    shares = (255 * numbers / numbers.max(axis=0)).round()
    return shares.astype(np.uint8), table["type"].cat.codes.to_numpy(np.int64), 3_000


def _cells(folder: Path) -> tuple[Array, Array, int]:
    """Return 58 numbers of each of 2,019 cells, whether it is segmented well, and how many are to train."""
    table = _of_r(folder / "segmentationData.RData")
    table = table.iloc[np.random.default_rng(0).permutation(len(table))]
    numbers = table.drop(columns=["Cell", "Case", "Class"]).to_numpy(np.float64)
    return _shares(numbers, 1_400), table["Class"].astype("category").cat.codes.to_numpy(np.int64), 1_400


def _segment(folder: Path) -> tuple[Array, Array, int]:
    """Return 19 numbers of each of 2,310 patches of outdoor images, what they show, and how many are to train."""
    from scipy.io import arff

    parts = [pd.DataFrame(arff.loadarff(folder / f"segment-{name}.arff")[0]) for name in ("challenge", "test")]
    table = pd.concat(parts, ignore_index=True)
    numbers = table.drop(columns="class").to_numpy(np.float64)
    return (
        _shares(numbers, len(parts[0])),
        table["class"].astype("category").cat.codes.to_numpy(np.int64),
        len(parts[0]),
    )


def _shares(numbers: Array, n_train: int) -> Array:
    """Return columns as 0 to 255: three standard deviations of the first rows below their mean, to three above it."""
    middle, spread = numbers[:n_train].mean(axis=0), numbers[:n_train].std(axis=0)
    apart = (numbers - middle) / np.where(spread > 0, spread, 1.0)
    return (255 * (np.clip(apart, -3, 3) + 3) / 6).round().astype(np.uint8)


def _of_r(path: Path) -> pd.DataFrame:
    """Return the table of a file of R's."""
    import pyreadr  # which nothing else here needs

    (table,) = pyreadr.read_r(path).values()
    return table


def _drawn(values: Array, labels: Array, n_train: int) -> dict[str, Array]:
    """Return some of the first values to train and some of the others to test, as authors split them."""
    rng, arrays = np.random.default_rng(0), {}
    for part, places, n_kept in (("train", range(n_train), N_TRAIN), ("test", range(n_train, len(values)), N_TEST)):
        kept = np.sort(rng.choice(places, min(n_kept, len(places)), replace=False))
        arrays |= {f"x_{part}": values[kept], f"y_{part}": labels[kept]}
    return arrays


def _prepare(source: str, folder: Path, path: Path) -> None:
    """Write some images of a data set, as they are, as the file that the grids name."""
    data = load_data(source, normalise="none", data_dir=folder)
    arrays = {}
    for part, samples, n_images in (("train", data.train, N_TRAIN), ("test", data.test, N_TEST)):
        images, labels = sample(samples, n_images).tensors
        arrays |= {f"x_{part}": (images * 255).round().byte().numpy(), f"y_{part}": labels.numpy()}
    write_arrays(path, arrays)
