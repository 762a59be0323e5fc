"""Which rule finds a good epoch to stop at? Sixty-four trainings, every rule on each.

    python benchmarks/early_stopping.py               # train what is missing, then judge
    python benchmarks/early_stopping.py --only judge  # the same, where nothing is left to train

Four fifths of the training images are trained on; the last fifth is a validation split, which only the rules that need
one look at. Label noise is in both. Patience, min_delta and variant of every kind of rule are chosen on the first half
of the trainings, and judged on the second, whose seeds, and for some the number of images, are others. Test accuracy
judges and decides nothing. Twenty-four more trainings, on all images, say what a rule without a validation split gains
by having those too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from machine import machine
from matplotlib.figure import Figure
from stopping_runs import VARIANTS, Run, carry_out

from dnn_topology.analysis.early_stopping import StoppingRule
from dnn_topology.store import write_bytes, write_json

HERE = Path(__file__).parent
NOISE = (0.0, 0.25, 0.5, 1.0)
NETS = (
    *(("lenet", "mnist-5k"), ("lenet", "digits"), ("lenet_300_100", "mnist-5k"), ("lenet_300_100", "digits")),
    *(("lenet_300_100", "mnist1d"), ("conv_1d", "mnist1d"), ("mlp", "mnist-5k"), ("mlp", "mnist1d")),
)
LARGER = {"mnist-5k": 2500, "mnist1d": 2500}  # images in the half that is judged; digits has no more than 1,437
CHOOSING = [Run(net, data, noise, seed=int(net == "mlp"), train_size=1250) for net, data in NETS for noise in NOISE]
JUDGED = [
    Run(net, data, noise, seed=10 + number, train_size=LARGER.get(data, 1250) if number % 2 else 1250)
    for number, (net, data) in enumerate(NETS)
    for noise in NOISE
]
WHOLE = [replace(run, held_out=0.0) for run in JUDGED if run.noise < 1]  # the same, trained on all images
PATIENCES = (1, 2, 3, 5, 8, 10, 15)
MIN_DELTAS = (0.05, 0.02, 0.01, 0.0, -0.05, -0.1, -0.15, -0.2, -0.3)
OURS = StoppingRule()
Rows = Sequence[dict[str, Any]]
Rule = Callable[[Rows], tuple[int, int]]  # rows of every epoch → chosen epoch, stop epoch


def main() -> None:
    """Carry out what is missing, then judge the rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "stopping")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    halves: dict[str, list[tuple[Run, Rows]]] = {"choosing": [], "judged": [], "whole": []}
    for half, runs in (("choosing", CHOOSING), ("judged", JUDGED), ("whole", WHOLE)):
        for number, run in enumerate(runs, 1):
            rows = carry_out(run, options.work)
            halves[half].append((run, rows))
            last = rows[-1]
            print(
                f"{half} {number}/{len(runs)} {run.name}: train {last['train_accuracy']:.3f}, "
                f"test {last['test_accuracy']:.3f}",
                flush=True,
            )
    if options.only != "train":
        judge(halves["choosing"], halves["judged"], halves["whole"], options.out)


def judge(
    choosing: list[tuple[Run, Rows]], judged: list[tuple[Run, Rows]], whole: list[tuple[Run, Rows]], out: Path
) -> None:
    """Choose every kind of rule on one half, judge it on the other, and write the results."""
    kinds = {kind: dict(rules) for kind, rules in every_kind()}
    table, chosen = [], []
    for kind, rules in kinds.items():
        scores = {name: mean_lost(rule, choosing) for name, rule in rules.items()}
        best = min(scores, key=lambda name: scores[name])
        chosen.append({"kind": kind, "rule": best, "tried": len(rules), "lost_when_chosen": scores[best]})
        table.append(outcomes(kind, best, rules[best], judged))
    everything = pd.concat(table, ignore_index=True)
    summary = pd.DataFrame(chosen).merge(summarized(everything), on="kind")
    gained = with_all_images(everything, judged, whole)
    moved = movements([*choosing, *judged])
    text = markdown(summary, everything, gained, moved)
    results = {
        "command": " ".join(["python", *sys.argv]),
        "machine": machine(),
        "variants_tried": {name: list(values) for name, values in VARIANTS.items()},
        "rules": summary.to_dict("records"),
        "movements": moved.to_dict("records"),
        "with_all_images": gained.to_dict("records"),
        "judged": everything.to_dict("records"),
    }
    write_json(out / "early_stopping.json", results)
    write_bytes(out / "early_stopping.md", text.encode())
    draw(summary, judged, out / "early_stopping.png")
    print(text)


def every_kind() -> Iterator[tuple[str, list[tuple[str, Rule]]]]:
    """Yield the kinds of rules and, of each, those among which is chosen."""
    yield "ours: the defaults", [(named(OURS, "clip"), topological(OURS, "clip"))]
    for quantity in ("midlife", "epsilon", "density", "life"):
        rules = [StoppingRule(quantity, patience, least) for patience, least in product(PATIENCES, MIN_DELTAS)]
        yield f"ours: {quantity}", [(named(r, v), topological(r, v)) for r in rules for v in VARIANTS]
        falling = [(r, v) for r in rules if r.min_delta >= 0 for v in VARIANTS]
        yield f"must fall: {quantity}", [(named(r, v), topological(r, v)) for r, v in falling]
    for name, column, sign in (
        ("validation accuracy", "val_accuracy", -1),
        ("validation loss", "val_loss", 1),
        ("neural persistence", "neural_persistence", -1),
        ("training loss", "train_loss", 1),
    ):
        yield name, [(f"patience {patience}", patient(column, sign, patience)) for patience in PATIENCES]
    yield "last epoch", [("last epoch", lambda rows: (len(rows) - 1, len(rows) - 1))]


def named(rule: StoppingRule, variant: str) -> str:
    """Return a rule of ours in few words."""
    return f"{rule.quantity}, patience {rule.patience}, min_delta {rule.min_delta:g}, {variant}"


def topological(rule: StoppingRule, variant: str) -> Rule:
    """Return our rule on one variant of the readings."""

    def decide(rows: Rows) -> tuple[int, int]:
        found = rule.decide({row["epoch"]: row[f"{rule.quantity}/{variant}"] for row in rows})
        last = rows[-1]["epoch"]
        chosen = last if found.chosen_epoch is None else found.chosen_epoch
        return chosen, last if found.stop_epoch is None else found.stop_epoch

    return decide


def patient(column: str, sign: int, patience: int) -> Rule:
    """Return the usual rule: stop when a column had no new minimum (of sign · value) for `patience` epochs."""

    def decide(rows: Rows) -> tuple[int, int]:
        lowest, chosen = float("inf"), 0
        for row in rows:
            if sign * row[column] < lowest:
                lowest, chosen = sign * row[column], row["epoch"]
            elif row["epoch"] - chosen >= patience:
                return chosen, row["epoch"]
        return chosen, rows[-1]["epoch"]

    return decide


def lost(rows: Rows, epoch: int) -> float:
    """Return how many points of test accuracy an epoch is below the best one."""
    accuracies = [row["test_accuracy"] for row in rows]
    return 100 * (max(accuracies) - accuracies[epoch])


def mean_lost(rule: Rule, runs: list[tuple[Run, Rows]]) -> float:
    """Return the mean over the trainings that have something to learn."""
    return float(np.mean([lost(rows, rule(rows)[0]) for run, rows in runs if run.noise < 1]))


def outcomes(kind: str, name: str, rule: Rule, runs: list[tuple[Run, Rows]]) -> pd.DataFrame:
    """Return one row per training."""
    found = []
    for run, rows in runs:
        chosen, stop = rule(rows)
        about = {"kind": kind, "rule": name, "run": run.name, "noise": run.noise, "chosen": chosen, "stop": stop}
        found.append({**about, "lost": lost(rows, chosen), "saved": rows[-1]["epoch"] - stop})
    return pd.DataFrame(found)


def summarized(table: pd.DataFrame) -> pd.DataFrame:
    """Return per kind: mean points lost and epochs saved, and the difference to the defaults, with intervals."""
    rows = []
    usual = table[table["noise"] < 1]
    ours = usual[usual["kind"] == "ours: the defaults"]["lost"].to_numpy()
    draws = np.random.default_rng(0).integers(len(ours), size=(10_000, len(ours)))
    for kind, part in usual.groupby("kind", sort=False):
        values = part["lost"].to_numpy()
        row: dict[str, Any] = {
            "kind": kind,
            "lost": values.mean(),
            "worst": values.max(),
            "saved": part["saved"].mean(),
        }
        row["lost_lower"], row["lost_upper"] = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
        more = values - ours
        row["more_than_ours"] = more.mean()
        row["more_lower"], row["more_upper"] = np.quantile(more[draws].mean(axis=1), [0.025, 0.975])
        for noise, some in part.groupby("noise"):
            row[f"lost_{round(100 * float(noise))}"] = some["lost"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def with_all_images(
    everything: pd.DataFrame, judged: list[tuple[Run, Rows]], whole: list[tuple[Run, Rows]]
) -> pd.DataFrame:
    """Compare our default on all images with rules on four fifths of them: mean test accuracies, with intervals."""
    ours = {run.name.removesuffix("-all"): rows[topological(OURS, "clip")(rows)[0]] for run, rows in whole}
    draws = np.random.default_rng(0).integers(len(ours), size=(10_000, len(ours)))
    found = []
    for kind in ("ours: the defaults", "validation accuracy", "validation loss", "last epoch"):
        chosen = everything[everything["kind"] == kind].set_index("run")["chosen"]
        theirs = {run.name: rows[chosen[run.name]]["test_accuracy"] for run, rows in judged if run.name in ours}
        more = 100 * np.array([ours[name]["test_accuracy"] - theirs[name] for name in ours])
        low, high = np.quantile(more[draws].mean(axis=1), [0.025, 0.975])
        about = {"kind": kind, "accuracy_on_four_fifths": 100 * np.mean([*theirs.values()])}
        found.append({**about, "ours_on_all_gains": more.mean(), "lower": low, "upper": high})
    mean = 100 * np.mean([row["test_accuracy"] for row in ours.values()])
    return pd.DataFrame(found).assign(ours_on_all=mean)


def movements(runs: list[tuple[Run, Rows]]) -> pd.DataFrame:
    """Return per share of permuted labels when readings are lowest, and how far midlife rises from there to the end."""
    found = []
    for run, rows in runs:
        lowest = {name: min(rows, key=lambda row: row[f"{name}/clip"])["epoch"] for name in ("midlife", "density")}
        best = max(rows, key=lambda row: row["test_accuracy"])["epoch"]
        rise = 100 * (rows[-1]["midlife/clip"] / rows[lowest["midlife"]]["midlife/clip"] - 1)
        found.append({"noise": run.noise, "rise": rise, "best": best, **lowest})
    quartiles = pd.DataFrame(found).groupby("noise").quantile([0, 0.25, 0.5, 0.75, 1]).unstack()
    quartiles.columns = [f"{name}_{level:g}" for name, level in quartiles.columns]
    return quartiles.reset_index()


def markdown(summary: pd.DataFrame, everything: pd.DataFrame, gained: pd.DataFrame, moved: pd.DataFrame) -> str:
    """Return the results as text."""
    n_runs = len({run for run, noise in zip(everything["run"], everything["noise"], strict=True) if noise < 1})
    pure = everything[(everything["noise"] == 1)].groupby("kind", sort=False)[["stop", "lost"]].mean()
    lines = [
        f"Points of test accuracy lost against the best of 60 epochs, and epochs saved: means over {n_runs} trainings "
        "with 0, 25 and 50 % of the labels permuted, on which no rule was chosen; 95 % bootstrap intervals over "
        "trainings. *More than ours*: paired with the defaults. The last column is of 100 %, where there is nothing "
        "to learn: the mean epoch of the stop.",
        "",
        "| rule | chosen among | lost | more than ours | noise 0 | 25 % | 50 % | worst | epochs saved | 100 %: stop |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in summary.to_dict("records"):
        more = f"{row['more_than_ours']:+.1f} [{row['more_lower']:+.1f}, {row['more_upper']:+.1f}]"
        cells = (
            f"{row['kind']} ({row['rule']})",
            str(row["tried"]),
            f"{row['lost']:.1f} [{row['lost_lower']:.1f}, {row['lost_upper']:.1f}]",
            "" if row["kind"] == "ours: the defaults" else more,
            *(f"{row[name]:.1f}" for name in ("lost_0", "lost_25", "lost_50", "worst")),
            f"{row['saved']:.0f}",
            f"{pure.loc[row['kind'], 'stop']:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Trained on all images, which a rule without a validation split can be, the defaults end at "
        f"{gained['ours_on_all'][0]:.1f} % test accuracy on average over the same {n_runs} settings. Against rules on "
        "four fifths of the images:",
        "",
        "| rule on four fifths | test accuracy | the defaults on all gain |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['kind']} | {row['accuracy_on_four_fifths']:.1f} | {row['ours_on_all_gains']:+.1f} "
        f"[{row['lower']:+.1f}, {row['upper']:+.1f}] |"
        for row in gained.to_dict("records")
    ]
    levels = ("0", "0.25", "0.5", "0.75", "1")
    lines += [
        "",
        "What moves, over all trainings: least, quartiles and greatest of the epochs at which midlife and density are "
        "lowest and test accuracy highest, and of the rise of midlife from its lowest to the last epoch, in per cent.",
        "",
        "| labels permuted | midlife lowest | density lowest | test accuracy highest | rise of midlife |",
        "|---|---|---|---|---|",
    ]
    for row in moved.to_dict("records"):
        cells = [
            " ".join(f"{row[f'{name}_{level}']:.0f}" for level in levels)
            for name in ("midlife", "density", "best", "rise")
        ]
        lines.append(f"| {row['noise']:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(summary: pd.DataFrame, judged: list[tuple[Run, Rows]], path: Path) -> None:
    """Draw what the rules lose, and what the default watches in three trainings of one network."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    shown = summary.iloc[::-1]
    places = np.arange(len(shown))
    errors = [shown["lost"] - shown["lost_lower"], shown["lost_upper"] - shown["lost"]]
    left.errorbar(shown["lost"], places, xerr=errors, fmt="o", color="0.2", capsize=2, markersize=4)
    left.set_yticks(places, shown["kind"])
    left.set(xlabel="points of test accuracy lost against the best epoch", xlim=(0, None))
    other = right.twinx()
    runs = [(r, rows) for r, rows in judged if (r.net, r.dataset) == ("lenet_300_100", "mnist-5k") and r.noise < 1]
    for (run, rows), line, shade in zip(runs, ("-", "--", ":"), ("#fdb338", "#7b7b78", "#00204d"), strict=True):
        label = f"{run.noise:.0%} of the labels permuted"
        epochs = [row["epoch"] for row in rows]
        right.plot(epochs, [row["midlife/clip"] for row in rows], line, color=shade, label=label)
        other.plot(epochs, [row["test_accuracy"] for row in rows], line, color="0.75", linewidth=1)
        chosen, _ = topological(OURS, "clip")(rows)
        right.plot([chosen], [rows[chosen]["midlife/clip"]], "o", color=shade)
    right.set(xlabel="epoch", ylabel="midlife of $H_1$, in ε", ylim=(0, None))
    right.set_title("LeNet-300-100 on mnist-5k; dots: the epoch chosen by default", fontsize=9)
    other.set(ylabel="test accuracy (grey)", ylim=(0, 1.02))
    right.legend(frameon=False, loc="lower right", fontsize=8)
    for ax in (left, right):
        ax.spines["top"].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
