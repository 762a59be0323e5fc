"""Detectors of adversarial inputs against attacks, harmless changes as large, and attacks that evade them.

    python benchmarks/adversarial.py --data fashion=npz:FASHION.npz          # everything
    python benchmarks/adversarial.py --only mnist-5k/lenet_300_100/0
    python benchmarks/adversarial.py --report                                # the tables again, of what is there

Networks are trained, attacked and judged one after another; each attack is kept in --work as soon as it is done, so
that the same command goes on where it was stopped; what the JSON in --out has of a network is not done again.
Detectors are fitted on training images; what is judged are test images that the network is right about. Which detector
is recommended is chosen on the networks in CHOOSING and judged on those in JUDGED: other seeds, another architecture,
another data set. The rule, fixed before: the largest mean over attacks of the smallest AUROC against clean images,
noise as large in the attack's norm and in L2, and the attack's own change shuffled.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from adversarial_report import write_report
from numpy.typing import NDArray
from torch import nn

from dnn_topology.analysis.adversarial.results import DetectResults
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import TrainingState, save_weights, train
from dnn_topology.nets.zoo import build_net, find_network
from dnn_topology.recording.state_dicts import load_weights
from dnn_topology.runs.detecting import Detection
from dnn_topology.settings import DetectSettings
from dnn_topology.store import read_json, write_json

HERE = Path(__file__).parent
COMMAND = "python benchmarks/adversarial.py --data fashion=npz:fashion_mnist_20k.npz"
SINGLE = (
    "softmax",
    "entropy",
    "squeezing",
    "squeeze-bit",
    "squeeze-median",
    "inputs",
    "inputs+noise",
    "penultimate",
    "penultimate+noise",
    "activations",
    "activations+noise",
    "uncertainty",
    "profile",
    "profile+noise",
    "heaviest",
    "heaviest+noise",
    "layer-inputs",
    "layer-inputs+noise",
)
TOPOLOGICAL = ("uncertainty", "profile", "profile+noise")
TWINS = {"profile": ("heaviest", "layer-inputs"), "profile+noise": ("heaviest+noise", "layer-inputs+noise")}
CHOOSING = ("mnist-5k/lenet_300_100/100", "digits/lenet_300_100/100")
JUDGED = (
    "mnist-5k/lenet_300_100/0",
    "fashion/lenet_300_100/0",
    "mnist-5k/lenet/0",
    "digits/lenet_300_100/0",
    "mnist-5k/lenet_300_100/1",
    "fashion/lenet/0",
    "mnist-5k/lenet_300_100/2",
)
TRAIN_SIZE = {"fashion": 5000}
EPOCHS, LR = 20, 0.05
DETECTION = DetectSettings(
    attacks=("pgd", "deepfool"),
    strengths=(0.1, 0.3),
    detectors=SINGLE,
    batch_sizes=(50,),
    n_inputs=300,
    n_fit=600,
)
RESAMPLES = 200  # of every bootstrap
# Attacks that evade a detector are judged by what needs no tree; the twins stand for the profile.
EVADING = replace(
    DETECTION,
    attacks=("adaptive-squeezing", "adaptive-penultimate"),
    detectors=tuple(name for name in SINGLE if name not in TOPOLOGICAL),
    batch_sizes=(),
)
# The attack that evades the best detector with a tree has to grow one for every image at every step.
AGAINST_TREES = replace(DETECTION, attacks=("adaptive-profile+noise",), batch_sizes=(), n_inputs=60)
PASSES = {"attacks": DETECTION, "evading": EVADING, "trees": AGAINST_TREES}
CONVOLUTIONAL: dict[str, Any] = {"n_inputs": 100, "n_fit": 200}  # unrolled, they make trees of many edges
NEGATIVES = ("clean", "noise", "l2noise", "shuffled")


def main() -> None:
    """Carry out what is missing, then write the JSON, the table and the picture."""
    options = _options()
    torch.set_num_threads(1)
    names = [*CHOOSING, *JUDGED]
    places = dict(place.split("=", 1) for place in options.data)
    known = _known(options.out / "adversarial.json")
    for name in [] if options.report else [name for name in names if options.only in name]:
        for kind in ["attacks"] if name in CHOOSING else _passes(name):
            if not _has(known.get(name, {}), kind):
                _carry_out(name, options.work / name.replace("/", "_"), places, kind)
    measured = {name: _read(options.work / name.replace("/", "_"), known.get(name, {})) for name in names}
    there = {name: one for name, one in measured.items() if one}
    if there:
        about = {**vars(DETECTION), "epochs": EPOCHS, "lr": LR, "seed": "that of the network", "lenet": CONVOLUTIONAL}
        asked = {"command": COMMAND, **about, "evading": vars(EVADING), "trees": vars(AGAINST_TREES)}
        write_report(there, options.out, asked=asked, choosing=CHOOSING, topological=TOPOLOGICAL)


def _passes(name: str) -> list[str]:
    """Return what is done with a judged network: trees of unrolled convolutions are too slow to grow at every step."""
    return [kind for kind in PASSES if kind != "trees" or "/lenet/" not in name]


def _known(path: Path) -> dict[str, dict[str, Any]]:
    """Return what was measured of every network before, from the JSON of an earlier report."""
    networks = read_json(path)["networks"] if path.exists() else {}
    for one in networks.values():
        one["rows"] = [dict(zip(one["rows"]["columns"], row, strict=True)) for row in one["rows"]["rows"]]
    return dict(networks)


def _has(one: Mapping[str, Any], kind: str) -> bool:
    """Tell whether the attacks of a pass were made on a network."""
    return {*PASSES[kind].attacks} <= {row["attack"] for row in one.get("rows", ())}


def _read(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured of a network, all passes together; empty before the first is there.

    Args:
        folder: Of its pieces.
        known: What an earlier report has of it, in place of pieces that are not there.
    """
    whole: dict[str, Any] = dict(known)
    for kind in PASSES:
        if (folder / f"{kind}.json").exists():
            part, made = read_json(folder / f"{kind}.json"), PASSES[kind].attacks
            for name in ("rows", "attacks", "twins"):
                kept = [row for row in whole.get(name, []) if row["attack"].split("_")[0] not in made]
                whole[name] = kept + part[name]
            whole.setdefault("accuracy", part["accuracy"])
    return whole


def _carry_out(name: str, folder: Path, places: dict[str, str], kind: str) -> None:
    """Train a network, carry out one of the passes on it and judge."""
    if (folder / f"{kind}.json").exists():
        return
    data_name, net_name, seed = name.split("/")
    shape, size = find_network(net_name).shape_for, TRAIN_SIZE.get(data_name, 0)
    data = load_data(places.get(data_name, data_name), shape=shape, train_size=size)
    net = build_net(net_name, n_classes=data.n_classes, shape=data.shape, seed=int(seed))
    about = {"net": net_name, "dataset": data_name, "epochs": EPOCHS, "lr": LR}
    accuracy = _trained(net, data, folder / "weights.pt", int(seed))
    started = time.perf_counter()
    asked = replace(PASSES[kind], seed=int(seed))
    if net_name == "lenet":
        asked = replace(asked, **CONVOLUTIONAL)
    detecting = Detection(net, data, asked, folder / kind, about=about)
    print(f"{name}: test accuracy {accuracy['test']:.3f}", flush=True)
    results = detecting.run(lambda line: print(f"{name} {line} ({time.perf_counter() - started:.0f} s)", flush=True))
    content = {
        "accuracy": accuracy,
        "rows": _records(results.table(resamples=RESAMPLES)),
        "attacks": _records(results.attacks()),
        "twins": _against_twins(results) if kind == "attacks" else [],
    }
    write_json(folder / f"{kind}.json", content)
    print(f"{name}: done after {time.perf_counter() - started:.0f} s", flush=True)


def _trained(net: nn.Module, data: DataSet, weights: Path, seed: int) -> dict[str, float]:
    """Train a network, or read the weights that are there."""
    facts = weights.with_suffix(".accuracy")
    if weights.exists() and facts.exists():
        load_weights(weights, net)
    else:

        def keep(state: TrainingState) -> None:
            if state.epoch == EPOCHS:
                last = state.history[-1]
                save_weights(weights, state)
                write_json(facts, {"train": last.train_accuracy, "test": last.test_accuracy})

        train(net, data, epochs=EPOCHS, lr=LR, seed=seed, on_epoch=keep)
    return {name: float(value) for name, value in read_json(facts).items()}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as JSON values, rounded to what means anything."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=4))
    return rows


def _against_twins(results: DetectResults) -> list[dict[str, Any]]:
    """Return how much better a topological detector is than its twins without a tree, on the same inputs.

    The difference of AUROCs, with the 95 % interval of a bootstrap that draws inputs, each with all that became of it.
    """
    rng, rows = np.random.default_rng(0), []
    for attack in results.made:
        scores = results.scores(attack)
        n = len(scores["clean"].single["profile"])
        drawn = [rng.integers(0, n, n) for _ in range(RESAMPLES)]
        for name, twins in TWINS.items():
            for twin in twins:
                for negative in NEGATIVES:
                    both = [
                        [
                            _auroc(scores[negative].single[one][places], scores["adversarial"].single[one][places])
                            for places in (np.arange(n), *drawn)
                        ]
                        for one in (name, twin)
                    ]
                    apart = np.subtract(*both)
                    low, high = np.quantile(apart[1:], [0.025, 0.975])
                    about = {"attack": results.name(attack), "detector": name, "twin": twin, "negative": negative}
                    rows.append(
                        {**about, "difference": round(apart[0], 4), "low": round(low, 4), "high": round(high, 4)}
                    )
    return rows


def _auroc(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> float:
    """Return the chance that a positive scores higher, ties counting half."""
    ranked = np.sort(negative)
    below, upto = (np.searchsorted(ranked, positive, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(negative))


def _options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "adversarial", help="where pieces are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where the results go")
    parser.add_argument("--data", action="append", default=[], help="NAME=PLACE of data, such as fashion=npz:FILE.npz")
    parser.add_argument("--report", action="store_true", help="write the tables again, of what is there")
    parser.add_argument("--only", default="", help="networks whose name holds this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
