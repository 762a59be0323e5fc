"""Do the papers' claims hold where they were made, and elsewhere?

    python benchmarks/papers.py --data-dir MNIST_ROOT --data fashion=npz:FASHION.npz --data cifar10=npz:CIFAR10.npz
    python benchmarks/papers.py … --only judge  # where nothing is left to train

First the original's quick start word for word (LeNet, all of MNIST, 50 epochs, lr 0.0005), three seeds, measured on
1,000 training inputs and, as the original was, on the first 1,000 test images; beside it what the original's own
outputs of seven epochs say (one run). Then LeNet on 1,000 images each of MNIST, Fashion-MNIST and CIFAR-10, eight seeds
with true and eight with permuted labels, 60 epochs of 32 steps, measured on those images, ε ≤ 0.3, H0 to H3. Decided
before any of it was looked at:

- *cavities are created while it learns*: more H2, and more H3, at epoch 20 than at epoch 1, true labels;
- *loops move to lower density while it learns*: the density at the peak of H1's curve, and midlife, are lower at epoch
  20 than at epoch 1, true labels;
- *and back when it memorises*: both are higher at epoch 60 than at epoch 20, permuted labels.

Each is a two-sided exact Wilcoxon test of eight differences (least p: 0.008), Holm's correction over all tests.
"""

from __future__ import annotations

import argparse
import io
import itertools
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import command_line, machine
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

from dnn_topology import Diagrams, load_data, summarize
from dnn_topology.runs.measurements import find_measurement
from dnn_topology.runs.run import Run
from dnn_topology.store import write_arrays, write_bytes, write_json, write_table

HERE = Path(__file__).parent
EPOCHS = (1, 5, 10, 20, 30, 40, 50)
WORDS = (
    ["run", "--net", "lenet", "--dataset", "mnist", "--lr", "0.0005", "--n_epochs_train", "50", "--epochs_test"],
    ["--graph_type", "functional", "--train", "1", "--build_graph", "1", "--no-report"],
)
SEEDS, TRIALS = range(3), range(8)
EARLY, LEARNED, LAST = 1, 20, 60
LABELS = {"true": 0.0, "permuted": 1.0}
NUMBERS = ("loops", "life", "midlife", "peak", "voids", "voids_midlife")
# The seven outputs of the original pipeline (DIPHA files of its LeNet on MNIST, ε ≤ 0.3), read by `read_dipha`:
# finite cavities that live for more than 0.02, and the true maximum of β1 of them.
ORIGINAL = pd.DataFrame(
    {
        "epoch": EPOCHS,
        "loops": (305, 381, 445, 509, 549, 585, 611),
        "life": (0.0353, 0.0354, 0.0365, 0.0383, 0.0379, 0.0380, 0.0383),
        "midlife": (0.1638, 0.1660, 0.1674, 0.1688, 0.1715, 0.1760, 0.1777),
        "peak": (91, 92, 129, 139, 153, 173, 185),
        "voids": (44, 80, 107, 127, 136, 138, 144),
        "voids_midlife": (0.2340, 0.2434, 0.2414, 0.2435, 0.2483, 0.2498, 0.2499),
    }
)
TITLES = {
    "loops": "loops (H1)",
    "midlife": "midlife of loops, ε",
    "voids": "voids (H2)",
    "voids_midlife": "midlife of voids, ε",
    "density": "density at β1's peak",
    "H2": "H2 cavities",
    "H3": "H3 cavities",
}
CLAIMS = (
    ("2D cavities are created while it learns", "true", "H2", EARLY, LEARNED),
    ("3D cavities are created while it learns", "true", "H3", EARLY, LEARNED),
    ("loops move to lower density while it learns: density at the peak", "true", "density", EARLY, LEARNED),
    ("… midlife", "true", "midlife", EARLY, LEARNED),
    ("and back when it memorises: density at the peak", "permuted", "density", LEARNED, LAST),
    ("… midlife", "permuted", "midlife", LEARNED, LAST),
)


def main() -> None:
    """Carry out what is missing, then judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--data-dir", type=Path, required=True, help="a torchvision root that holds MNIST")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=DATASET", help="for example fashion=npz:…")
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "papers")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    sources = {"mnist": "mnist"} | dict(pair.split("=", 1) for pair in options.data)
    if options.only != "judge":
        carry_out(sources, options.work, options.data_dir)
    if options.only != "train":
        quick, claims = quick_start(options.work), trainings(sources, options.work)
        tests = judged(claims)
        write_table(options.out / "papers.csv", pd.concat([quick, claims], ignore_index=True))
        write_json(
            options.out / "papers.json",
            {
                "command": command_line(),
                "machine": machine(),
                "original": ORIGINAL.to_dict("list"),
                "tests": tests.to_dict("records"),
            },
        )
        text = markdown(quick, claims, tests)
        write_bytes(options.out / "papers.md", text.encode())
        write_bytes(options.out / "papers.png", picture(quick, claims))
        print(text)


def carry_out(sources: Mapping[str, str], work: Path, data_dir: Path) -> None:
    """Run the quick start and all trainings; what is finished is not done again."""
    for seed in SEEDS:
        command = [*WORDS[0], " ".join(map(str, EPOCHS)), *WORDS[1], "--trial", str(seed)]
        _run(command, work / "quick", data_dir)
        folder = work / "quick" / "lenet_mnist" / f"trial{seed}"
        _command(["topology", str(folder), "--graph-split", "test", "--epochs", *map(str, EPOCHS)], data_dir)
    parts = {name: part_of(source, work / f"{name}.npz", data_dir) for name, source in sources.items()}
    for trial, (name, part), (labels, share) in itertools.product(TRIALS, parts.items(), LABELS.items()):
        words = f"run --net lenet --train-size 1000 --batch-size 32 --lr 0.02 --epochs {LAST} --max-dim 3 --no-report"
        epochs = ["--epochs-test", "1", "2", "5", "10", "20", "40", str(LAST), "--save-every", "0"]
        command = [*words.split(), *epochs, "--dataset", part, "--permute-labels", str(share), "--trial", str(trial)]
        _run(command, work / f"{name}-{labels}", data_dir)


def part_of(source: str, path: Path, data_dir: Path) -> str:
    """Return the name of a part of a data set, 10,000 training and 500 test images, kept in a file.

    Test images decide nothing here, and to look at all of them after each of 60 short epochs is most of the work.
    """
    if not path.exists():
        data = load_data(source, normalise="none", data_dir=data_dir)
        arrays = {}
        for split, images, n_images in (("train", data.train, 10_000), ("test", data.test, 500)):
            pixels, labels = images[list(range(n_images))]
            arrays |= {f"x_{split}": (pixels * 255).round().to(torch.uint8).numpy(), f"y_{split}": labels.numpy()}
        write_arrays(path, arrays)
    return f"npz:{path}"


def _run(command: Sequence[str], folder: Path, data_dir: Path) -> None:
    """Train and measure into a folder."""
    _command([*command, "--save-path", str(folder)], data_dir)


def _command(words: Sequence[str], data_dir: Path) -> None:
    """Run one command of the command line."""
    subprocess.run([sys.executable, "-m", "dnn_topology", *words, "--data-dir", str(data_dir)], check=True)


def quick_start(work: Path) -> pd.DataFrame:
    """Return one row a seed, split and epoch of the quick start."""
    rows = []
    for seed, split in itertools.product(SEEDS, ("train", "test")):
        run = Run.open(work / "quick" / "lenet_mnist" / f"trial{seed}")
        measured = find_measurement(run, name="eps0.3" if split == "train" else "eps0.3_graph_split-test")
        for epoch, diagrams in measured.load(EPOCHS).items():
            numbers = summarize(diagrams.filtered(min_persistence=0.02, essential="drop")).set_index("dim")
            loops, voids = numbers.loc[1], numbers.loc[2]
            rows.append(
                {"part": "quick start", "data": "mnist", "labels": "true", "trial": seed, "split": split}
                | {"epoch": epoch, "loops": loops["count"], "life": loops["life"], "midlife": loops["midlife"]}
                | {"peak": loops["betti_max"], "voids": voids["count"], "voids_midlife": voids["midlife"]}
            )
    return pd.DataFrame(rows)


def trainings(sources: Mapping[str, str], work: Path) -> pd.DataFrame:
    """Return one row a training and epoch."""
    rows = []
    for (name, _), labels, trial in itertools.product(sources.items(), LABELS, TRIALS):
        for folder in sorted((work / f"{name}-{labels}").glob(f"*/trial{trial}")):
            run = Run.open(folder)
            accuracy = run.history().set_index("epoch")["train_accuracy"]
            for epoch, diagrams in find_measurement(run).load().items():
                rows.append(
                    {"part": "claims", "data": name, "labels": labels, "trial": trial, "split": "train"}
                    | {"epoch": epoch, "train_accuracy": float(accuracy.loc[epoch])}
                    | _quantities(diagrams)
                )
    return pd.DataFrame(rows)


def _quantities(diagrams: Diagrams) -> dict[str, float]:
    """Return what the claims are about: cavities that live for more than 0.02, those alive at the end among them."""
    numbers = summarize(diagrams.filtered(min_persistence=0.02)).set_index("dim")
    counts = {f"H{dim}": len(diagrams.filtered(min_persistence=0.02)[dim]) for dim in (1, 2, 3)}
    return counts | {"density": numbers.loc[1, "peak_density"], "midlife": numbers.loc[1, "midlife"]}


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a claim and data set: means before and after, and p."""
    tests = []
    for data, (claim, labels, quantity, before, after) in itertools.product(rows["data"].unique(), CLAIMS):
        wide = rows[(rows["data"] == data) & (rows["labels"] == labels)].pivot(
            index="trial", columns="epoch", values=quantity
        )
        differences = (wide[after] - wide[before]).to_numpy(float)
        tests.append(
            {"data": data, "claim": claim, "labels": labels, "from_epoch": before, "to_epoch": after}
            | {"before": float(wide[before].mean()), "after": float(wide[after].mean())}
            | {"rising": int((differences > 0).sum()), "trials": len(differences)}
            | {"p": float(wilcoxon(differences).pvalue) if differences.any() else 1.0}
        )
    table = pd.DataFrame(tests)
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values after Holm's correction for their number."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(stepped)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def markdown(quick: pd.DataFrame, claims: pd.DataFrame, tests: pd.DataFrame) -> str:
    """Return both tables."""
    lines = ["LeNet, MNIST, 50 epochs; ours: least to greatest of three seeds.", ""]
    lines += ["| epoch | whose | " + " | ".join(NUMBERS) + " |", "|---" * (len(NUMBERS) + 2) + "|"]
    for epoch in EPOCHS:
        theirs = ORIGINAL[ORIGINAL["epoch"] == epoch].iloc[0]
        lines.append(f"| {epoch} | original | " + " | ".join(_short(theirs[name]) for name in NUMBERS) + " |")
        for split in ("test", "train"):
            ours = quick[(quick["epoch"] == epoch) & (quick["split"] == split)]
            ranges = (f"{_short(ours[name].min())}–{_short(ours[name].max())}" for name in NUMBERS)
            lines.append(f"| {epoch} | ours, {split} images | " + " | ".join(ranges) + " |")
    known = claims[claims["epoch"].isin((EARLY, LEARNED, LAST))].groupby(["data", "labels", "epoch"])
    lines += ["", "| data | labels | epoch | training accuracy |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(map(str, key))} | {mean:.3f} |" for key, mean in known["train_accuracy"].mean().items()]
    lines += ["", "| claim | data | epochs | before | after | rising | p | Holm |", "|---" * 8 + "|"]
    for test in tests.itertuples():
        lines.append(
            f"| {test.claim} | {test.data} | {test.from_epoch} → {test.to_epoch} | {_short(test.before)} | "
            f"{_short(test.after)} | {test.rising} of {test.trials} | {test.p:.3f} | {test.p_holm:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    """Return a number with the digits that it deserves."""
    return f"{value:.0f}" if value >= 10 else f"{value:.4f}"


def picture(quick: pd.DataFrame, claims: pd.DataFrame) -> bytes:
    """Return the drawing: above the quick start beside the original, below the claims' quantities over epochs."""
    data = claims["data"].unique()
    figure = Figure(figsize=(13, 10), layout="constrained")
    axes = figure.subplots(3, 4)
    for ax, name in zip(axes[0], ("loops", "midlife", "voids", "voids_midlife"), strict=True):
        for split, colour in (("test", "C0"), ("train", "C1")):
            wide = quick[quick["split"] == split].pivot(index="epoch", columns="trial", values=name)
            ax.plot(wide.index, wide.mean(axis=1), color=colour, label=f"ours, {split} images")
            ax.fill_between(wide.index, wide.min(axis=1), wide.max(axis=1), color=colour, alpha=0.2, linewidth=0)
        ax.plot(
            ORIGINAL["epoch"], ORIGINAL[name], color="black", marker="o", markersize=4, label="the original's output"
        )
        ax.set(title=TITLES[name], xlabel="epoch", ylim=(0, None))
    axes[0, 0].legend(fontsize="small")
    for line, labels in zip(axes[1:], LABELS, strict=True):
        for ax, name in zip(line, ("density", "midlife", "H2", "H3"), strict=True):
            for number, source in enumerate(data):
                part = claims[(claims["data"] == source) & (claims["labels"] == labels)]
                wide = part.pivot(index="epoch", columns="trial", values=name)
                ax.plot(wide.index, wide.mean(axis=1), color=f"C{number + 2}", marker="o", markersize=3, label=source)
                low, high = wide.quantile(0.25, axis=1), wide.quantile(0.75, axis=1)
                ax.fill_between(wide.index, low, high, color=f"C{number + 2}", alpha=0.2, linewidth=0)
            ax.set_title(f"{TITLES[name]}, {labels} labels", fontsize="medium")
            ax.set(xlabel="epoch", ylim=(0, None))
        line[0].legend(fontsize="small")
    return png(figure)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


if __name__ == "__main__":
    main()
