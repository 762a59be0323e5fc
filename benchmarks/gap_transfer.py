"""Does the model of the gap that comes with the package hold for larger networks, trained for something else?

    python benchmarks/gap_transfer.py --data fashion=npz:… --data usps=npz:… --data cifar10=npz:… --work FOLDER
                                            # look at the trainings that early_stopping.py left in FOLDER, then judge
    python benchmarks/gap_transfer.py --only judge      # recompute the tables from results/gap_transfer.csv

The trainings of `early_stopping.py` on all images are of other networks, of 2,000 to 10,000 images instead of 300 to
1,200, for 60 epochs instead of 20, with another batch size. None of them was looked at when the features were chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from early_stopping import RUNS, interval, others_say
from machine import command_line, machine
from stopping_runs import carry_out

from dnn_topology.analysis.feature_sets import LEAVE_ONE_OUT
from dnn_topology.analysis.features import with_early
from dnn_topology.analysis.gap import GapModel
from dnn_topology.analysis.gap.methods import fitted
from dnn_topology.store import read_table, write_bytes, write_json, write_table

HERE = Path(__file__).parent
EPOCHS = (5, 20, 60)
OURS, UNFITTED, TWIN, MEAN = (
    "the package's model",
    "training accuracy less agreement, nothing fitted",
    "the same without the network (loo_accuracy)",
    "the mean of these gaps",
)


def main() -> None:
    """Look at what is there, then judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", default=[], metavar="NAME=DATA", help="what load_data calls it")
    parser.add_argument("--data-dir", type=Path, help="a folder with MNIST/raw, as torchvision's")
    parser.add_argument("--only", choices=("judge",))
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "stopping")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    table = options.out.resolve() / "gap_transfer.csv"
    if options.only != "judge":
        sources = {"mnist": "mnist", **dict(each.split("=", 1) for each in options.data)}
        write_table(table, pd.DataFrame(rows(sources, options.data_dir, options.work)).round(5))
    known = with_early(read_table(options.out.resolve() / "gap_epochs.csv", "run gap.py first"))
    judge(read_table(table, "name --work"), known.drop_duplicates("cell", keep="last"), options.out)


def rows(sources: Mapping[str, str], data_dir: Path | None, work: Path) -> Iterator[dict[str, Any]]:
    """Yield every training on all images at some epochs: its features and its test accuracy."""
    for run in (replace(each, held_out=0.0) for each in RUNS):
        if not (work / f"{run.name}.npz").exists():
            continue
        whole, said = carry_out(run, work, {}, None), others_say(run, sources[run.dataset], data_dir, work)
        about = {"run": run.name, "cell": f"{run.dataset}-{run.net}-{run.train_size}-{run.seed}", "net": run.net}
        about |= {"dataset": run.dataset, "noise": run.noise, "size": run.train_size}
        for epoch in EPOCHS:
            answers = whole.predictions[epoch]
            accuracies = {"train_accuracy": np.mean(answers == whole.labels), "loo_agreement": np.mean(answers == said)}
            accuracies |= {"loo_accuracy": np.mean(whole.labels == said)}
            yield {**about, "epoch": epoch, **accuracies, "test_accuracy": whole.table["test_accuracy"][epoch]}


def judge(table: pd.DataFrame, known: pd.DataFrame, out: Path) -> None:
    """Write how far the gaps are foretold."""
    gaps = 100 * (table["train_accuracy"] - table["test_accuracy"])
    foretold = GapModel.of_study().predict(table[[*LEAVE_ONE_OUT]])
    data_alone = ["train_accuracy", "loo_accuracy"]
    twin = fitted("gaussian-process", known[data_alone].to_numpy(), known["gap"].to_numpy())
    errors = pd.DataFrame(
        {
            OURS: (foretold["gap"] - gaps).abs(),
            UNFITTED: (100 * (table["train_accuracy"] - table["loo_agreement"]) - gaps).abs(),
            TWIN: np.abs(twin.predict(table[data_alone].to_numpy()) - gaps),
            MEAN: (gaps - gaps.groupby(table["epoch"]).transform("mean")).abs(),
        }
    )
    inside = gaps.between(foretold["lower"], foretold["upper"])
    whole = pd.concat([table, errors, (foretold["gap"] - gaps).rename("too high by"), inside.rename("inside")], axis=1)
    parts = [summary(f"epoch {epoch}", part) for epoch, part in whole.groupby("epoch")]
    last = whole[whole["epoch"] == EPOCHS[-1]]
    parts += [
        summary(f"epoch {EPOCHS[-1]}, {name}", part)
        for by in ("net", "dataset", "noise", "size")
        for name, part in last.groupby(by)
    ]
    write_json(out / "gap_transfer.json", {"command": command_line(), "machine": machine(), "parts": parts})
    text = markdown(parts, whole)
    write_bytes(out / "gap_transfer.md", text.encode())
    print(text)


def summary(name: str, part: pd.DataFrame) -> dict[str, Any]:
    """Return the mean errors of some rows, with 95 % intervals; trainings that differ in noise alone are one draw."""
    row: dict[str, Any] = {"part": name, "n": len(part), "cells": part["cell"].nunique()}
    for each in (OURS, UNFITTED, TWIN, MEAN):
        row[each] = interval(part.set_index("cell")[each])
    return {**row, "too high by": part["too high by"].mean(), "inside": part["inside"].mean()}


def markdown(parts: list[dict[str, Any]], whole: pd.DataFrame) -> str:
    """Return the results as text."""
    names = (OURS, UNFITTED, TWIN, MEAN)
    lines = [
        f"{whole['run'].nunique()} trainings of {whole['net'].nunique()} networks on {whole['dataset'].nunique()} data "
        "sets, on all images. Errors are means of |gap foretold - gap| in points; 95 % bootstrap intervals, a data "
        "set, network, size and seed at its noise levels resampled as one. *Too high by*: of the package's model; "
        "*inside*: share of gaps in its 90 % intervals.",
        "",
        f"| part | n | {' | '.join(names)} | too high by | inside |",
        "|---" * (len(names) + 4) + "|",
    ]
    for row in parts:
        errors = " | ".join(f"{mean:.1f} [{low:.1f}, {high:.1f}]" for mean, low, high in (row[name] for name in names))
        lines.append(f"| {row['part']} | {row['n']} | {errors} | {row['too high by']:+.1f} | {row['inside']:.0%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
