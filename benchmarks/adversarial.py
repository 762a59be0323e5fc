"""Every detector of adversarial inputs against every attack and its noise, on real digits.

    python benchmarks/adversarial.py              # everything
    python benchmarks/adversarial.py --only mnist-5k/lenet_300_100/0

Networks are trained, attacked and judged one after another; each attack is kept in --work as soon as it is done, so
that the same command goes on where it was stopped. Detectors are fitted on training images; what is judged are test
images that the network is right about. Detectors were chosen with other networks on other images (trained on three
quarters of MNIST's training images, judged on the last quarter).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import nn

from dnn_topology.analysis.adversarial.detection import BATCH
from dnn_topology.analysis.adversarial.results import DetectResults
from dnn_topology.nets.data import DataSet, load_data
from dnn_topology.nets.train import TrainingState, save_weights, train
from dnn_topology.nets.zoo import build_net, find_network
from dnn_topology.recording.state_dicts import load_weights
from dnn_topology.runs.detecting import Detection
from dnn_topology.settings import DetectSettings
from dnn_topology.store import read_json, write_bytes, write_json

HERE = Path(__file__).parent
SINGLE = (
    "softmax",
    "entropy",
    "inputs",
    "penultimate",
    "activations",
    "activations+noise",
    "sample-graph",
    "uncertainty",
    "profile",
    "profile+noise",
)
NETWORKS = [("lenet_300_100", seed) for seed in (0, 1, 2)] + [("lenet", 0)]
DATA = ("mnist-5k", "digits")
EPOCHS, LR = 20, 0.05
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
DETECTION = DetectSettings(
    strengths=(0.05, 0.1, 0.2, 0.3), detectors=SINGLE, batch_sizes=(10, 25, 50, 100), n_inputs=300, n_fit=600
)


def main() -> None:
    """Carry out what is missing, then write the JSON, the table and the picture."""
    options = _options()
    torch.set_num_threads(1)
    names = [f"{data}/{net}/{seed}" for data in DATA for net, seed in NETWORKS]
    wanted = [name for name in names if options.only in name]
    # the small networks first, so that there is something to see soon
    for name in sorted(wanted, key=lambda name: "/lenet/" in name):
        _carry_out(name, options.work / name.replace("/", "_"))
    done = {name: options.work / name.replace("/", "_") / "table.json" for name in names}
    found = {name: read_json(path) for name, path in done.items() if path.exists()}
    if found:
        _report(found, options.out)


def _carry_out(name: str, folder: Path) -> None:
    """Train, attack and judge one network."""
    if (folder / "table.json").exists():
        return
    data_name, net_name, seed = name.split("/")
    data = load_data(data_name, shape=find_network(net_name).shape_for)
    net = build_net(net_name, n_classes=data.n_classes, shape=data.shape, seed=int(seed))
    about = {"net": net_name, "dataset": data_name, "epochs": EPOCHS, "lr": LR}
    accuracy = _trained(net, data, folder / "weights.pt", int(seed))
    started = time.perf_counter()
    asked = replace(DETECTION, seed=int(seed))
    detecting = Detection(net, data, asked, folder, about=about)
    print(f"{name}: test accuracy {accuracy['test']:.3f}; about {detecting.estimate():.0f} s", flush=True)
    results = detecting.run(lambda line: print(f"{name} {line} ({time.perf_counter() - started:.0f} s)", flush=True))
    table, attacks = results.table(), results.attacks()
    content = {"accuracy": accuracy, "rows": _records(table), "attacks": _records(attacks), "curves": _curves(results)}
    write_json(folder / "table.json", content)
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


def _curves(results: DetectResults) -> dict[str, Any]:
    """Return mean Betti curves of batches for the picture: the largest batches, PGD at its strongest."""
    size = max(DETECTION.batch_sizes)
    scores = results.scores(("pgd", max(DETECTION.strengths)))
    mean = {kind: np.round(found.curves[size].mean(axis=0), 2).tolist() for kind, found in scores.items()}
    scales = np.round(results.clean[f"scales/{size}"], 4).tolist()
    return {"batch_size": size, "scales": scales, **mean}


def _report(found: dict[str, dict[str, Any]], out: Path) -> None:
    """Write adversarial.json, .md and .png."""
    content = {
        "command": "python benchmarks/adversarial.py",
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "foolbox", "scikit-learn", "numpy")},
        },
        "asked": {**vars(DETECTION), "epochs": EPOCHS, "lr": LR, "seed": "that of the network"},
        "networks": {name: {**content, "rows": _compact(content["rows"])} for name, content in found.items()},
    }
    # one row per line: the file is long, and a difference should be readable
    text = json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":"))
    write_bytes(out / "adversarial.json", text.replace("],[", "],\n[").encode() + b"\n")
    table = _markdown(found)
    write_bytes(out / "adversarial.md", table.encode())
    print(table)
    _picture(found, out / "adversarial.png")


def _compact(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as the names of their columns, once, and lists."""
    return {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}


def _processor() -> str:
    """Return the processor's name."""
    cpu = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpu.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _all_rows(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Return the rows of every network in one table, the attacks' names with their strengths."""
    tables = []
    for name, content in found.items():
        data, net, seed = name.split("/")
        tables.append(pd.DataFrame(content["rows"]).assign(data=data, net=net, seed=seed))
    rows = pd.concat(tables, ignore_index=True)
    strength = rows["strength"].map(lambda value: "" if pd.isna(value) else f" {value:g}")
    return rows.assign(attack=rows["attack"] + strength, pair=rows["negative"] + "/" + rows["positive"])


def _markdown(found: dict[str, dict[str, Any]]) -> str:
    """Return the tables: every data set and network, means over its seeds."""
    rows = _all_rows(found)
    lines = [
        "AUROC of clean against adversarial / noise against adversarial / clean against noise inputs; means over the "
        "networks of one kind. 0.5 is chance; the second figure says whether a detector sees the attack rather than "
        "any change. Intervals, false alarms at 95 % and inputs that were fooled alone are in adversarial.json.",
        "",
    ]
    for (data, net), part in rows[rows["inputs"] == "all"].groupby(["data", "net"], sort=False):
        contents = [content for name, content in found.items() if name.startswith(f"{data}/{net}/")]
        accuracy = np.mean([content["accuracy"]["test"] for content in contents])
        attacks = list(dict.fromkeys(part["attack"]))
        fooled = [
            np.mean([content["attacks"][place]["fooled"] for content in contents]) for place in range(len(attacks))
        ]
        lines += [
            f"### {data}, {net}: {len(contents)} network{'s' * (len(contents) > 1)}, test accuracy {accuracy:.3f}",
            "",
            "| detector | " + " | ".join(attacks) + " |",
            "|---" * (len(attacks) + 1) + "|",
            "| *share fooled* | " + " | ".join(f"{share:.2f}" for share in fooled) + " |",
        ]
        means = part.groupby(["detector", "attack", "pair"], sort=False)["auroc"].mean()
        for detector in dict.fromkeys(part["detector"]):
            cells = [
                " / ".join(
                    f"{means[detector, attack, pair]:.2f}"
                    for pair in ("clean/adversarial", "noise/adversarial", "clean/noise")
                )
                for attack in attacks
            ]
            lines.append(f"| {detector} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _picture(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw AUROC over PGD's strength, per detector, and over the batch size; and Betti curves."""
    import matplotlib.pyplot as plt
    from matplotlib import colormaps

    rows = _all_rows(found)
    rows = rows[(rows["inputs"] == "all") & rows["attack"].str.startswith("pgd")]
    rows = rows.assign(strength=rows["strength"].astype(float))
    groups = list(rows.groupby(["data", "net"], sort=False))
    shown = ("softmax", "inputs", "activations+noise", "uncertainty", "profile", "profile+noise")
    shades = colormaps["cividis"](np.linspace(0, 0.9, len(shown)))
    figure = plt.figure(figsize=(3.5 * len(groups), 10.5), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(2, 1.1))
    axes = upper.subplots(2, len(groups), squeeze=False)
    titles = {"clean/adversarial": "clean against PGD", "noise/adversarial": "noise of its size against PGD"}
    for column, ((data, net), part) in enumerate(groups):
        for row, (pair, title) in enumerate(titles.items()):
            ax = axes[row, column]
            for shade, marker, line, detector in zip(shades, "os^Dvx", LINES, shown, strict=True):
                chosen = part[(part["pair"] == pair) & (part["detector"] == detector)]
                _line(ax, chosen, "strength", color=shade, marker=marker, linestyle=line, label=detector)
            _frame(ax, f"{data}, {net}\n{title}", "largest change of a pixel", first=column == 0)
    upper.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(shown), frameon=False)
    axes = lower.subplots(1, len(groups), squeeze=False)
    for column, ((data, net), part) in enumerate(groups):
        strongest = part[part["detector"].str.startswith(BATCH) & (part["strength"] == part["strength"].max())]
        strongest = strongest.assign(size=strongest["detector"].str.removeprefix(BATCH).astype(int))
        for shade, marker, line, pair in zip(
            shades[::2], "os^", LINES[:3], dict.fromkeys(strongest["pair"]), strict=True
        ):
            chosen = strongest[strongest["pair"] == pair]
            style = {"color": shade, "marker": marker, "linestyle": line, "label": pair.replace("/", " against ")}
            _line(axes[0, column], chosen, "size", **style)
        _frame(axes[0, column], f"{data}, {net}\nbatches, PGD 0.3", "inputs per batch", first=column == 0)
    lower.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _line(ax: Axes, rows: pd.DataFrame, by: str, **style: Any) -> None:
    """Draw AUROC, mean over the seeds, with the mean ends of its intervals."""
    means = rows.groupby(by)[["auroc", "auroc_low", "auroc_high"]].mean()
    ax.plot(means.index, means["auroc"], **style)
    ax.fill_between(means.index, means["auroc_low"], means["auroc_high"], color=style["color"], alpha=0.15, linewidth=0)


def _frame(ax: Axes, title: str, xlabel: str, *, first: bool) -> None:
    """Give axes of AUROC their labels and the line of chance."""
    ax.set(ylim=(-0.02, 1.04), title=title, xlabel=xlabel, ylabel="AUROC" if first else "")
    ax.axhline(0.5, color="0.6", linewidth=0.8)


def _options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "adversarial", help="where pieces are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where the results go")
    parser.add_argument("--only", default="", help="networks whose name holds this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
