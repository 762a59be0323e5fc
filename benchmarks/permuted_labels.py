"""Do networks that learn and networks that memorise differ in their Betti curves, and where?

    python benchmarks/permuted_labels.py               # train what is missing, then compare
    python benchmarks/permuted_labels.py --only judge  # the same, where nothing is left to train

Two networks × 5 seeds × true and entirely permuted labels, 1,000 images of mnist-5k each, 60 epochs. Between the two
families of five: the largest difference of the mean H1 curves over ε ≤ 0.4, and its exact p-value among all 252 ways to
part ten curves into five and five (the least possible is 2/252 ≈ 0.008).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import command_line, machine
from matplotlib.figure import Figure
from numpy.typing import NDArray
from stopping_runs import MAX_EPSILON, Run, carry_out

from dnn_topology import Diagrams
from dnn_topology.analysis.comparison.permutation import Partitions, permutation_test, stretches
from dnn_topology.store import write_bytes, write_json

HERE = Path(__file__).parent
NETS = ("lenet_300_100", "lenet")
SEEDS = range(5)
EPOCHS = (0, 1, 5, 10, 20, 40, 60)
SHOWN = (5, 60)
GRID = np.linspace(0, MAX_EPSILON, 401)
READINGS = ("midlife", "epsilon", "density", "life")


def main() -> None:
    """Carry out what is missing, then compare the families."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "stopping")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for net in NETS:
        for noise in (0.0, 1.0):
            runs = [Run(net, "mnist-5k", noise, seed, train_size=1250) for seed in SEEDS]
            found[net, noise] = [(run, carry_out(run, options.work)) for run in runs]
            print(net, noise, [f"{rows[-1]['train_accuracy']:.3f}" for _, rows in found[net, noise]], flush=True)
    if options.only == "train":
        return
    rows, curves = [], {}
    for net in NETS:
        for epoch in EPOCHS:
            families = [
                np.array([_curve(options.work / run.name / f"epoch{epoch}.npz") for run, _ in found[net, noise]])
                for noise in (0.0, 1.0)
            ]
            curves[net, epoch] = families
            row: dict[str, Any] = {"net": net, "epoch": epoch}
            for name, noise in (("true", 0.0), ("permuted", 1.0)):
                row[f"train_accuracy_{name}"] = np.mean(
                    [each[epoch]["train_accuracy"] for _, each in found[net, noise]]
                )
            row |= _separation(*families)
            for reading in READINGS:
                values = [
                    np.array([[each[epoch][f"{reading}/clip"]] for _, each in found[net, noise]])
                    for noise in (0.0, 1.0)
                ]
                row[f"{reading}_true"], row[f"{reading}_permuted"] = (float(each.mean()) for each in values)
                row[f"{reading}_p"] = _separation(*values)["p"]
            rows.append(row)
    write_json(
        options.out / "permuted_labels.json",
        {"command": command_line(), "machine": machine(), "rows": rows},
    )
    text = _markdown(rows)
    write_bytes(options.out / "permuted_labels.md", text.encode())
    _draw(rows, curves, options.out / "permuted_labels.png")
    print(text)


def _curve(path: Path) -> NDArray[np.float64]:
    """Return the H1 Betti curve on the grid, of loops that live longer than 0.02."""
    return Diagrams.load(path).betti_curve(1, min_persistence=0.02).at(GRID).astype(float)


def _separation(true: NDArray[np.float64], permuted: NDArray[np.float64]) -> dict[str, Any]:
    """Compare two families of curves (n, m).

    Returns:
        `largest`, the largest difference of their means; `p`, its exact permutation p-value; `where`, the stretches of
        the curve on which the difference exceeds the largest one of 95 % of all partitions, as (from, to).
    """
    test = permutation_test(true, permuted, Partitions.of(len(true), len(permuted)))
    difference = abs(true.mean(axis=0) - permuted.mean(axis=0))
    where = stretches(difference > test.threshold, GRID) if len(difference) > 1 else []
    return {"largest": test.observed, "p": test.p, "where": where}


def _markdown(rows: list[dict[str, Any]]) -> str:
    """Return the results as text."""
    lines = [
        "Five trainings with true labels against five with permuted ones: largest difference of the mean H1 curves, "
        "exact permutation p (least possible 0.008), and at which ε the difference is beyond what chance gives "
        "anywhere on the curve. Then the readings of early stopping, true / permuted (p).",
        "",
        "| net | epoch | train accuracy | difference | p | at ε | midlife | peak ε | peak density |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        where = ", ".join(f"{low:.2f}–{high:.2f}" for low, high in row["where"] if high - low > 0.005)
        accuracy = f"{row['train_accuracy_true']:.2f} / {row['train_accuracy_permuted']:.2f}"
        readings = [
            f"{row[f'{name}_true']:.3f} / {row[f'{name}_permuted']:.3f} ({row[f'{name}_p']:.3f})"
            for name in ("midlife", "epsilon", "density")
        ]
        cells = (row["net"], str(row["epoch"]), accuracy, f"{row['largest']:.0f}", f"{row['p']:.3f}", where, *readings)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _draw(rows: list[dict[str, Any]], curves: dict[tuple[str, int], Any], path: Path) -> None:
    """Draw both families early and late; grey is where they differ beyond chance."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(len(NETS), len(SHOWN), sharex=True, sharey="row")
    for net, line in zip(NETS, axes, strict=True):
        for epoch, ax in zip(SHOWN, line, strict=True):
            (row,) = [row for row in rows if (row["net"], row["epoch"]) == (net, epoch)]
            for family, shade, style, label in zip(
                curves[net, epoch], ("#fdb338", "#00204d"), ("-", "--"), ("true", "permuted"), strict=True
            ):
                for each in family:
                    ax.plot(GRID, each, style, color=shade, alpha=0.35, linewidth=0.7)
                accuracy = row[f"train_accuracy_{label}"]
                ax.plot(
                    GRID,
                    family.mean(axis=0),
                    style,
                    color=shade,
                    label=f"{label} labels, train accuracy {accuracy:.2f}",
                )
            for low, high in row["where"]:
                ax.axvspan(low, high, color="0.9", zorder=0, linewidth=0)
            ax.set_title(f"{net}, epoch {epoch}, p = {row['p']:.3f}", fontsize=9)
            ax.legend(frameon=False, fontsize=8)
            ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("scale ε")
    for ax in axes[:, 0]:
        ax.set_ylabel("$β_1$")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
