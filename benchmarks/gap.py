"""How well does topology foretell the generalisation gap? Eighty-eight networks, every predictor on the same folds.

    python benchmarks/gap.py               # train and measure what is missing (`gap.toml`), then judge
    python benchmarks/gap.py --only judge  # judge what is there

Strict protocol: one row per network, at its last epoch; no network's epochs on both sides of a split. Pooled protocol,
as the original's: all measured epochs are rows, gaps from 1 to 100 points, other epochs of a network may be in the fit.
What was tried besides is chosen on a random half of the networks and reported on the other.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import machine
from matplotlib.figure import Figure
from stopping_runs import cut

from dnn_topology import Diagrams
from dnn_topology.analysis.features import FEATURE_SETS, gap_features, with_early
from dnn_topology.analysis.gap import BASELINES, Evaluation, evaluate_gap, pooled
from dnn_topology.analysis.gap.evaluating import HYPERPARAMETERS
from dnn_topology.analysis.gap.folds import left_out
from dnn_topology.analysis.gap.methods import METHODS
from dnn_topology.analysis.gap.table import networks
from dnn_topology.cli import main as dnn_topology
from dnn_topology.store import write_bytes, write_json, write_table

HERE = Path(__file__).parent
COUNTS = ("h1_points_per_node", "h1_essential_per_node", "h1_betti_max_per_node", "h1_peak_epsilon", "h1_peak_density")
TRIED: dict[str, tuple[str, ...]] = {
    **FEATURE_SETS,
    "asd + counts": (*FEATURE_SETS["asd"], *COUNTS),
    "asd-early + counts": (*FEATURE_SETS["asd-early"], *COUNTS),
}
SHOWN = ("lambda-mu", "asd", "asdsq", "asd-early", "asd + train", *BASELINES)


def main() -> None:
    """Carry out the study, then judge.

    Raises:
        SystemExit: A network failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="where networks are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    study = ["study", str(HERE / "gap.toml"), "--jobs", str(options.jobs), "--save-path", str(options.work)]
    if options.only != "judge" and dnn_topology(study):
        raise SystemExit("the study has networks that failed")
    if options.only == "train":
        return
    folder = options.work / "study_gap"
    epochs = with_early(_plain(pd.read_csv(folder / "epochs.csv")))
    strict = epochs.drop_duplicates("cell", keep="last").reset_index(drop=True)
    kept = pooled(epochs)
    found = {
        "strict, linear": evaluate_gap(strict),
        "strict, gaussian-process": evaluate_gap(strict, method="gaussian-process"),
        "strict, networks that differ in the seed alone left out together, gaussian-process": evaluate_gap(
            _twins(strict), method="gaussian-process"
        ),
        "pooled epochs, whole networks left out, linear": evaluate_gap(kept),
        "pooled epochs, the original's protocol, linear": evaluate_gap(kept, by_row=True),
    }
    tried = _tried(epochs, folder)
    results = {
        "command": " ".join(["python", *sys.argv]),
        "machine": machine(),
        "gaps": strict["gap"].describe().to_dict(),
        "protocols": {
            name: {
                "n_rows": one.n_rows,
                "n_networks": one.n_networks,
                "scores": _records(one.scores),
                "differences": _records(one.differences),
                "added": _records(one.added),
                "predictions": _records(one.predictions),
            }
            for name, one in found.items()
        },
        "tried": _records(tried),
    }
    write_json(options.out / "gap.json", results)
    write_table(options.out / "gap_epochs.csv", epochs)
    text = _markdown(found, tried, strict)
    write_bytes(options.out / "gap.md", text.encode())
    _draw(found, strict, options.out / "gap.png")
    print(text)


def _plain(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the table without what `with_early` adds."""
    return epochs[[name for name in epochs if not name.startswith("early_")]]


def _twins(strict: pd.DataFrame) -> pd.DataFrame:
    """Return the strict table with networks of the same settings, but for the seed, as one network."""
    settings = strict[[name for name in HYPERPARAMETERS if name in strict]].to_numpy()
    return strict.assign(cell=[" ".join(map(str, row)) for row in settings])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    return [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _tried(epochs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the error of every variant in two halves of the networks, each left out one by one within its half."""
    rows = []
    cells = np.random.default_rng(0).permutation(epochs["cell"].unique())
    halves = {"chosen_on": cells[: len(cells) // 2], "reported_on": cells[len(cells) // 2 :]}
    for max_epsilon, least, essential in product((0.3, 0.4), (0.0, 0.02), ("drop", "clip")):
        table = _remeasured(epochs, folder, max_epsilon, least, essential)
        for (name, columns), method in product(TRIED.items(), METHODS):
            row = {"features": name, "method": method, "max_epsilon": max_epsilon, "min_persistence": least}
            row["essential"] = essential
            for half, members in halves.items():
                part = table[table["cell"].isin(members)].reset_index(drop=True)
                known = part[part[[each.removesuffix("^2") for each in columns]].notna().all(axis=1)]
                wrong = left_out(known, columns, networks(known), method=method) - known["gap"]
                middle = left_out(part, (), networks(part)) - part["gap"]
                # a network without a feature is foretold as the mean
                error = (np.abs(wrong).sum() + np.abs(middle.drop(known.index)).sum()) / len(part)
                row |= {half: error, f"{half}_mean": np.abs(middle).mean()}
            rows.append(row)
        print(f"tried ε ≤ {max_epsilon}, persistence > {least}, essential {essential}", flush=True)
    return pd.DataFrame(rows).sort_values("chosen_on", ignore_index=True)


def _remeasured(epochs: pd.DataFrame, folder: Path, max_epsilon: float, least: float, essential: str) -> pd.DataFrame:
    """Return the strict table with the features as they would be under another policy, from the stored diagrams."""
    rows = []
    for row in epochs[["cell", "epoch", "gap", "draws"]].to_dict("records"):
        files = [folder / "diagrams" / f"{row['cell']}_epoch{row['epoch']}_draw{d}.npz" for d in range(row["draws"])]
        each = [
            gap_features(cut(Diagrams.load(file), max_epsilon), min_persistence=least, essential=essential)  # type: ignore[arg-type]
            for file in files
        ]
        rows.append({**row, **{name: float(np.mean([one[name] for one in each])) for name in each[0]}})
    return with_early(pd.DataFrame(rows).drop(columns="draws")).drop_duplicates("cell", keep="last")


def _markdown(found: dict[str, Evaluation], tried: pd.DataFrame, strict: pd.DataFrame) -> str:
    """Return the results as text."""
    gap = strict["gap"]
    lines = [
        f"{len(strict)} networks; gaps from {gap.min():.1f} to {gap.max():.1f} points, quartiles "
        f"{gap.quantile(0.25):.1f}, {gap.median():.1f}, {gap.quantile(0.75):.1f}. Errors are mean absolute errors in "
        "points with 95 % bootstrap intervals over networks.",
    ]
    for protocol, one in found.items():
        lines += [
            "",
            f"**{protocol}** ({one.n_rows} rows, {one.n_networks} networks)",
            "",
            "| predictor | error, one left out | R² (5×2) | τ | CMI | architecture left out | data set left out |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in dict.fromkeys(one.scores["predictor"]):
            rows = one.scores[one.scores["predictor"] == name].set_index("fold")
            first = rows.loc["sample"]
            others = [_error(rows.loc[fold]) if fold in rows.index else "" for fold in ("architecture", "data set")]
            numbers = ["" if pd.isna(first[key]) else f"{first[key]:.2f}" for key in ("r2", "tau", "cmi")]
            lines.append(f"| {' | '.join((str(name), _error(first), *numbers, *others))} |")
        worst = (
            one.differences[one.differences["fold"] == "sample"]
            .sort_values("upper")
            .drop_duplicates("predictor", keep="last")
        )
        lines += ["", "Least clear advantage of each over a baseline (negative: topology is better):", ""]
        lines += [
            f"- {row['predictor']} against {row['baseline']}: {row['difference']:+.1f} "
            f"[{row['lower']:+.1f}, {row['upper']:+.1f}]"
            for row in worst.to_dict("records")
        ]
    lines += [
        "",
        f"**What was tried**: {len(tried)} variants, by their error on the half of the networks that chose (predicting "
        f"the mean: {tried['chosen_on_mean'][0]:.1f}) and on the other (predicting the mean: "
        f"{tried['reported_on_mean'][0]:.1f}). The first five, then the best of each set of features and method:",
        "",
        "| features | method | ε ≤ | persistence > | essential | error when chosen | error in the other half |",
        "|---|---|---|---|---|---|---|",
    ]
    rest = tried.iloc[5:].drop_duplicates(["features", "method"])
    for row in pd.concat([tried.head(5), rest]).to_dict("records"):
        settings = (row["features"], row["method"], f"{row['max_epsilon']:g}", f"{row['min_persistence']:g}")
        lines.append(
            f"| {' | '.join((*settings, row['essential']))} | {row['chosen_on']:.1f} | {row['reported_on']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _error(row: pd.Series[Any]) -> str:
    """Return an error and its interval as text."""
    interval = "" if pd.isna(row["mae_lower"]) else f" [{row['mae_lower']:.1f}, {row['mae_upper']:.1f}]"
    return f"{row['mae']:.1f}{interval}"


def _draw(found: dict[str, Evaluation], strict: pd.DataFrame, path: Path) -> None:
    """Draw every predictor's error, and the gaps that two of them foretell."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    left, *rights = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    names = [name for name in reversed(SHOWN) if name in set(found["strict, linear"].scores["predictor"])]
    for shift, method, shade, marker in ((0.14, "linear", "#fdb338", "s"), (-0.14, "gaussian-process", "#00204d", "o")):
        scores = found[f"strict, {method}"].scores
        rows = scores[scores["fold"] == "sample"].set_index("predictor").loc[names]
        errors = [rows["mae"] - rows["mae_lower"], rows["mae_upper"] - rows["mae"]]
        places = np.arange(len(names)) + shift
        left.errorbar(rows["mae"], places, xerr=errors, fmt=marker, color=shade, capsize=2, markersize=4, label=method)
    left.axvline(rows.loc["predict the mean", "mae"] / 2, color="0.6", linestyle=":", label="half of the mean's error")
    left.set_yticks(np.arange(len(names)), names)
    left.set(xlabel="mean absolute error, points", xlim=(0, None))
    left.legend(frameon=False, fontsize=8)
    for ax, protocol, predictor in (
        (rights[0], "strict, linear", "lambda-mu"),
        (rights[1], "strict, gaussian-process", "asd-early"),
    ):
        table = found[protocol].predictions.merge(strict[["cell", "dataset"]], on="cell")
        for (name, part), marker, shade in zip(
            table.groupby("dataset"), ("o", "s", "^"), ("#fdb338", "#7b7b78", "#00204d"), strict=True
        ):
            ax.scatter(part["gap"], part[predictor], marker=marker, color=shade, s=18, alpha=0.85, label=str(name))
        ax.plot([-20, 85], [-20, 85], color="0.6", linewidth=0.8)
        ax.set(xlabel="gap, points", ylabel="foretold without the network", xlim=(-22, 88), ylim=(-22, 88))
        ax.set_title(f"{predictor}, {protocol.removeprefix('strict, ')}", fontsize=9)
        ax.set_aspect("equal")
        ax.legend(frameon=False, fontsize=8)
    for ax in (left, *rights):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
