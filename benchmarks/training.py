"""How long a training takes beside a bare PyTorch loop, everything included: LeNet on all of MNIST.

    python benchmarks/training.py --data-dir FOLDER [--epochs 3] [--repeats 3] [--threads 1] [--out FILE]

The bare loop steps through tensors that are normalised already, in a random order, and evaluates nothing. Ours reads,
shuffles and normalises, takes loss and accuracy of training and test images before the first and after every epoch,
and returns states that a training can be resumed from; in its first turn it also loads Numba. Both train one after the
other, in turns; ratios are of the same turn, and their median counts. CPU seconds say less than the clock of a machine
that nobody else uses, and more on one that others use.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import machine
from torch.nn import functional

from dnn_topology import store
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import train
from dnn_topology.nets.zoo import build_net

LR, BATCH = 0.01, 128


def bare(images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Train as a loop of ten lines does."""
    net = build_net("lenet").train()
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4)
    for _ in range(epochs):
        for places in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(net(images[places]), labels[places]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def ours(data: DataSet, epochs: int) -> None:
    """Train with `dt.train`."""
    train(build_net("lenet"), data, epochs=epochs, lr=LR)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of the clock and of the CPU that some work takes."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, help="a folder with MNIST/raw, as torchvision's")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--train-size", type=int, default=0, help="fewer training images: at most 10,000 keep all bits")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    data = load_data("mnist", data_dir=asked.data_dir, train_size=asked.train_size)
    images, labels = load_data(
        "mnist", data_dir=asked.data_dir, train_size=asked.train_size
    ).train.tensors  # of its own
    images = images.clone()
    bare(images[:5000], labels[:5000], 1)  # warm up
    turns = []
    for _ in range(asked.repeats):
        one, other = timed(lambda: bare(images, labels, asked.epochs)), timed(lambda: ours(data, asked.epochs))
        turns.append({"bare_s": one[0], "ours_s": other[0], "bare_cpu_s": one[1], "ours_cpu_s": other[1]})
        print({name: round(value, 2) for name, value in turns[-1].items()})
    ratios = {
        "clock": statistics.median(turn["ours_s"] / turn["bare_s"] for turn in turns),
        "cpu": statistics.median(turn["ours_cpu_s"] / turn["bare_cpu_s"] for turn in turns),
    }
    print(f"ours / bare: {ratios['clock']:.2f} by the clock, {ratios['cpu']:.2f} in CPU seconds")
    if asked.out is not None:
        settings = {"epochs": asked.epochs, "threads": asked.threads, "n_train": len(data.train)}
        store.write_json(asked.out, {"machine": machine(), **settings, "turns": turns, "ratios": ratios})


if __name__ == "__main__":
    main()
